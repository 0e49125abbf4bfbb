"""E10, and DBUtils' fail-over: a bank teller that ignores errors.

The bank is the course's own; the source has none. Two parts come from the source: the pool of A4,
and the way in which A7's `execute` hides errors. A7's own `update` raises an error when the
connection is lost, because it commits once more. The teller does not. Right: MysqlHelp, as steps 7a
to 7d use it.

The pool waits at its maximum, never checks a connection, and is used without `begin()`. So DBUtils
repeats a failed statement on a new connection. The work of the old connection, such as half a
transaction or a lock, is lost by then, and no error says so.
"""

from collections.abc import Callable

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.bank import GIVE, TAKE
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
    """Take and give, meant as one transaction; `between` is called with the connection id."""
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
    """Pay alice if she has not been paid, under a lock that belongs to the connection."""
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
