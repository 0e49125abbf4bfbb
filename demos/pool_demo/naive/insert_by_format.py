"""E5: SQL put together with %, as in A3. Right: step1_raw_pymysql.py, which passes parameters.

The server cannot tell which quotes are the program's and which came in with the data.
"""

import pymysql


def insert_by_format(connection: pymysql.Connection, name: str, age: object) -> None:
    """Insert a row into `stu`. `O'Brien` is error 1064; worse names insert more."""
    with connection.cursor() as cursor:
        cursor.execute("insert into stu(name, age) value ('%s','%s')" % (name, age))  # noqa: UP031
