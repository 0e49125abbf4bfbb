"""Borrowing a second connection while holding one. Right: MysqlHelp, as in step 7e.

The course's own example, on the source's pool (A4); nothing in the source borrows twice.

Each function is harmless alone. Together they need two connections a caller; when all connections
are held by callers who wait for their second one, nobody goes on, and `blocking=True` has no
time-out.
"""

from collections.abc import Callable
from typing import Any

from dbutils.pooled_db import PooledDB


def report(pool: PooledDB, held: list[Any], meet: Callable[[], object]) -> str:
    """Borrow, and call `name_of`, which borrows too. `held` gets the borrowed connection."""
    connection = pool.connection()
    held.append(connection)
    try:
        meet()
        cursor = connection.cursor()
        cursor.execute("select max(id) from student")
        (student_id,) = cursor.fetchone()
        return name_of(pool, student_id)
    finally:
        connection.close()


def name_of(pool: PooledDB, student_id: int) -> str:
    """Borrow and return a student's name."""
    connection = pool.connection()
    try:
        cursor = connection.cursor()
        cursor.execute("select name from student where id = %s", (student_id,))
        return str(cursor.fetchone()[0])
    finally:
        connection.close()
