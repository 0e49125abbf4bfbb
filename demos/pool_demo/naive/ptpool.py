"""E9: the wrapper of A6, whose pool was meant to be one for all. Right: ../ptpool.py.

Everything here behaves as in the source. What had to change: the import (E1), and the address,
which comes from the settings.
"""

from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor

from demos.pool_demo.naive.old_spellings import arguments
from demos.pool_demo.settings import POOL_LIMITS


def new_pool() -> PooledDB:
    """Return the source's pool of ten."""
    return PooledDB(creator=pymysql, **POOL_LIMITS, **arguments())


class PTConnectionPool:
    """Borrows a connection; the first borrower of each object opens a pool of ten."""

    __pool: Any = None  # an attribute of the class: one for all its objects

    def __connection(self) -> Any:  # noqa: ANN401 - DBUtils has no types
        """Borrow; make the pool if there is none.

        E9: reading `self.__pool` finds the class's. Writing it makes one of the object alone,
        which from then on stands in front of the class's. That stays None for ever.
        """
        if self.__pool is None:
            self.__pool = new_pool()
        return self.__pool.connection()

    def getconn(self) -> tuple[Any, Any]:
        """Borrow a connection and return (cursor, connection); rows are dicts."""
        conn = self.__connection()
        return conn.cursor(DictCursor), conn

    def __enter__(self) -> "PTConnectionPool":
        """Borrow, and say so; rows are tuples here, as the cursor is a plain one."""
        conn = self.__connection()
        self.conn, self.cursor = conn, conn.cursor()
        print("PT数据库创建con和cursor")
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the cursor, return the connection."""
        for one in (self.cursor, self.conn):
            one.close()


def getPTConnection() -> PTConnectionPool:
    """Return a new wrapper: with E9, one with a pool of its own."""
    return PTConnectionPool()
