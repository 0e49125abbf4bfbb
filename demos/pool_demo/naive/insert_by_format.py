"""E5: SQL put together with %. Right: step1_raw_pymysql.py, which passes parameters.

The server cannot tell which quotes are the program's and which came in with the data.
"""

import pymysql


def insert_by_format(connection: pymysql.Connection, name: str, age: int) -> None:
    """Insert a row into `stu`, as A3 does. `O'Brien` is error 1064; worse names insert more."""
    with connection.cursor() as cursor:
        cursor.execute("insert into stu(name, age) values('%s', %s)" % (name, age))  # noqa: UP031
