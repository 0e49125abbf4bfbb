"""E5, E13, E14: B3's log-in and registration: SQL built with %, lost connections, plain passwords.

Two things differ from the source. The source prints the name and the password of each new user, and
this module prints nothing. The source's table is `userinfo`. Ours of that name accepts only hashes,
so this module uses a table `clear_userinfo`, which exists only in the block of `clear_passwords`.
The source does not show how its table is made. Here the names are not unique, because some of the
attacks work only then.
Right: step2b_pool_for_login.py passes parameters, and private_chat/accounts.py stores hashes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args

Select = Callable[[str], Sequence[Any]]  # runs a query and returns its rows


@contextmanager
def clear_passwords(users: dict[str, str]) -> Iterator[None]:
    """Make the table `clear_userinfo` for a block, with these users: {name: password}."""
    with pymysql.connect(**connect_args(autocommit=True)) as keeper, keeper.cursor() as cursor:
        cursor.execute("set session lock_wait_timeout = 10")
        cursor.execute("drop table if exists clear_userinfo")  # of somebody who was killed
        cursor.execute("create table clear_userinfo (name varchar(200), password varchar(200))")
        try:
            cursor.executemany("insert into clear_userinfo values (%s, %s)", list(users.items()))
            yield
        finally:
            cursor.execute("drop table clear_userinfo")


def over(pool: PooledDB) -> Select:
    """Return the source's way to query: borrow, query, give back (E13)."""

    def select(sql: str) -> Sequence[Any]:
        connection = pool.connection()
        cursor = connection.cursor()
        cursor.execute(sql)
        rows: Sequence[Any] = cursor.fetchall()
        cursor.close()
        connection.close()
        return rows

    return select


def log_in(select: Select, name: str | None, password: str | None) -> bool:
    """Return True if this name and this password are accepted (E5)."""
    sql = 'select name from clear_userinfo where name ="%s"and password="%s"' % (name, password)  # noqa: UP031
    return bool(select(sql))


def register(pool: PooledDB, name: str, password: str) -> bool:
    """Store a new user with a plain password (E14); return True if that worked.

    A name can contain a query that copies another user's password into the new row (E5).
    """
    try:
        if not (name and password):
            return False
        connection = pool.connection()
        cursor = connection.cursor()
        sql = 'insert into clear_userinfo (name,password) values ("%s","%s")' % (name, password)  # noqa: UP031
        cursor.execute(sql)
        connection.commit()
        cursor.close()
        connection.close()
    except:  # noqa: E722 - hides each error, but ends it too: its connection goes back at once
        return False
    return True
