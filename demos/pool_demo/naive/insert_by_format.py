"""E5: SQL put together with %, as in A3. Right: step1_raw_pymysql.py, which passes parameters.

The server cannot know which quotes come from the program and which come from the data.
"""

import pymysql


def insert_by_format(connection: pymysql.Connection, name: str, age: object) -> None:
    """Insert a row into `stu`, with the name as it was typed."""
    with connection.cursor() as cursor:
        cursor.execute("insert into stu(name, age) value ('%s','%s')" % (name, age))  # noqa: UP031
