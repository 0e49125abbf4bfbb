"""The private database and the private Redis: found, made, started, watched, ended; or the server that `MYSQL_*` names.

Standard library only.
"""
