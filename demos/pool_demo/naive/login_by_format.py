"""E5, E13, E14: B3's log-in and registration: SQL by %, connections lost, passwords in clear.

Different from the source: it prints nothing, where the source prints name and password of whoever
registers, and its table is `userinfo`. Ours takes only hashes, so this
works on a table `clear_userinfo`, which exists as long as the block of `clear_passwords`. The
source does not say how its table is made; like this one, it has to do without a unique name for
some of what is shown here.
Right: step2b_pool_for_login.py passes parameters, and private_chat/accounts.py hashes.
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
    """Have the table `clear_userinfo` for a block, with these users: {name: password}."""
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
    """Return the source's way to ask: borrow, query, give back, and no thought of errors (E13)."""

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
    """Return whether these let somebody in.

    Password `x" or "1"="1`, or user `alice"-- `, needs to know nothing (E5).
    """
    sql = 'select name from clear_userinfo where name ="%s"and password="%s"' % (name, password)  # noqa: UP031
    return bool(select(sql))


def register(pool: PooledDB, name: str, password: str) -> bool:
    """Store a new user with the password in clear (E14); return whether that went well.

    A name can carry a query that copies another user's password into the new row (E5).
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
