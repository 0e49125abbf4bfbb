"""A caller that has a connection borrows a second one. Right: MysqlHelp, as in step 7e.

This example is the course's own, with the source's pool (A4). Nothing in the source borrows twice.

Each function alone does no harm. Together they need two connections for each caller. If each
connection is held by a caller that waits for its second one, no caller can continue, and
`blocking=True` has no time-out. This is a deadlock.
"""

from collections.abc import Callable
from typing import Any

from dbutils.pooled_db import PooledDB


def report(pool: PooledDB, held: list[Any], meet: Callable[[], object]) -> str:
    """Borrow, and call `name_of`, which borrows too. `held` is given the first connection."""
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
