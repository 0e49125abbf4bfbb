"""A pool that is used on both sides of a fork. Right: MysqlHelp, as in step 7f.

This example is the course's own, with today's DBUtils and the source's pool (A4). The source itself
does not fork.
"""

from collections.abc import Callable

from dbutils.pooled_db import PooledDB


def ask(pool: PooledDB, sql: str, use: Callable[[str], object]) -> None:
    """Borrow, query, hand the first value to `use`, give back."""
    connection = pool.connection()
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        use(cursor.fetchone()[0])
    finally:
        connection.close()
