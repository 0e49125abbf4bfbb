"""How `MysqlHelp` lends a connection, runs a statement and protects a transaction.

For lesson 05, and for readers who want to know the parts of `mysqlhelp.py`.
"""
