"""E10, and DBUtils' fail-over: a bank teller who leaves failures to the pool.

The bank is the course's own; the source has none. The source's are the pool, that of A4, and the
habit of A7's execute to swallow errors. A7's own update raises when the connection is lost, since
it commits once more; the teller does not. Right: MysqlHelp, as steps 7a to 7d use it.

The pool is blocking, never checked, and used without begin(), so that DBUtils repeats on a new
connection whatever failed on the old one. What the old one held, half a transaction or a lock, is
gone by then, and nobody is told.
"""

from collections.abc import Callable

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.bank import GIVE, TAKE
from demos.pool_demo.settings import Settings, load


def open_pool(settings: Settings | None = None, **changes: object) -> PooledDB:
    """Return a pool with the values of A4; `changes` are further arguments for the connections."""
    where = (settings or load()).connect_args(**changes)
    return PooledDB(
        creator=pymysql, maxconnections=6, mincached=2, maxcached=5, blocking=True, ping=0, **where
    )


def deposit(pool: PooledDB, name: str, amount: int) -> bool:
    """E10: swallow the error, as A7's execute does, and return True."""
    connection = pool.connection()
    cursor = connection.cursor()
    try:
        cursor.execute(GIVE, (amount, name))
        connection.commit()
    except Exception:
        pass
    cursor.close()
    connection.close()
    return True


def balance(pool: PooledDB, name: str) -> int | None:
    """E10: None is for "no such account", and also for any error."""
    connection = pool.connection()
    cursor = connection.cursor()
    try:
        cursor.execute("select balance from account where name = %s", (name,))
        row = cursor.fetchone()
    except Exception:
        row = None
    cursor.close()
    connection.close()
    return int(row[0]) if row else None


def transfer(
    pool: PooledDB, payer: str, payee: str, amount: int, between: Callable[[int], object]
) -> None:
    """Take and give in one transaction, as the teller thinks; `between` gets the connection id."""
    connection = pool.connection()
    try:
        cursor = connection.cursor()
        cursor.execute("select connection_id()")
        (connection_id,) = cursor.fetchone()
        cursor.execute(TAKE, (amount, payer))
        between(connection_id)
        cursor.execute(GIVE, (amount, payee))
        connection.commit()
    finally:
        connection.close()


def pay_once(pool: PooledDB, lock: str, between: Callable[[int], object]) -> str:
    """Pay alice unless she has been paid, under a lock that belongs to the connection."""
    connection = pool.connection()
    try:
        cursor = connection.cursor()
        cursor.execute("select get_lock(%s, 1), connection_id()", (lock,))
        got, connection_id = cursor.fetchone()
        cursor.execute("select balance from account where name = 'alice'")
        (paid,) = cursor.fetchone()
        between(connection_id)
        done = got and not paid
        if done:
            cursor.execute(GIVE, (100, "alice"))
            connection.commit()
        cursor.execute("select release_lock(%s)", (lock,))
        return "paid 100" if done else "paid nothing"
    finally:
        connection.close()
