"""A3: Insert with PyMySQL alone, one connection per row.

Source: A3 connects, inserts 小甜甜 (22) into stu, commits and closes. It builds its SQL with %. The
point of A3 is that every operation pays for a connection.

See: three names are inserted as parameters, each over a connection of its own. All three arrive as
typed. Then the same three names with %: one is lost with error 1064, and one inserts a second row
that the program did not ask for.

Try: add a name of your own with quotes to NAMES. Which of the two tables has it as you typed it?

New: this is the first step. The version with % is naive/insert_by_format.py.
"""

from collections.abc import Callable

import pymysql
from pymysql import Connection
from pymysql.cursors import DictCursor

from demos.instruments.screen import conclude, run, table
from demos.pool_demo.naive.insert_by_format import insert_by_format
from demos.pool_demo.seed import restored
from demos.pool_demo.settings import connect_args

NAMES = ["小甜甜", "O'Brien", "Eve', 1), ('Mallory', 99) -- "]


def insert_student(connection: Connection, name: str, age: int) -> None:
    """Insert one row; the driver puts the parameters into the SQL. Raises pymysql.Error."""
    with connection.cursor() as cursor:
        cursor.execute("insert into stu(name, age) values(%s, %s)", (name, age))


def add(insert: Callable[[Connection, str, int], None], name: str) -> int:
    """Connect, insert, commit, close. Returns the connection's number on the server."""
    connection = pymysql.connect(**connect_args())
    try:
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select connection_id() as id")
            row = cursor.fetchone()
        try:
            insert(connection, name, 22)
            connection.commit()
            print(f"  inserted {name!r}")
        except pymysql.Error as error:
            print(f"  lost {name!r}: error {error.args[0]}")
    finally:
        connection.close()
    return int(row["id"]) if row else 0


def names_in_stu() -> set[str]:
    """Print the table `stu` and return its names."""
    connection = pymysql.connect(**connect_args())
    with connection, connection.cursor(DictCursor) as cursor:
        cursor.execute("select * from stu")
        rows = list(cursor.fetchall())
    table("stu", rows)
    return {row["name"] for row in rows}


def main() -> None:
    """Insert the names both ways and compare."""
    with restored("stu"):
        print("With parameters:")
        used = {add(insert_student, name) for name in NAMES}
        kept = names_in_stu()
    with restored("stu"):
        print("By %:")
        for name in NAMES:
            add(insert_by_format, name)
        found = names_in_stu()
    conclude(
        f"{len(NAMES)} inserts opened {len(used)} connections. Parameters kept "
        f"{len(kept & set(NAMES))} of {len(NAMES)} names. % kept {len(found & set(NAMES))}, "
        f"and inserted {sorted(found - set(NAMES))} too."
    )


if __name__ == "__main__":
    run(main)
