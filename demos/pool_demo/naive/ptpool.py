"""E9: the wrapper of A6. All objects should share one pool, and do not. Right: ../ptpool.py.

Reading `self.__pool` finds the attribute of the class. Writing it makes an attribute of this object
only, and that hides the one of the class, which stays None.

Everything here behaves as in the source. Two things had to change: the import (E1), and the
address, which comes from the settings.
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

    __pool: Any = None  # an attribute of the class, for all its objects

    def __connection(self) -> Any:  # noqa: ANN401 - DBUtils has no types
        """Borrow a connection; make the pool if there is none (E9)."""
        if self.__pool is None:
            self.__pool = new_pool()
        return self.__pool.connection()

    def getconn(self) -> tuple[Any, Any]:
        """Borrow a connection and return (cursor, connection); rows are dicts."""
        conn = self.__connection()
        return conn.cursor(DictCursor), conn

    def __enter__(self) -> "PTConnectionPool":
        """Borrow, and print a line. Rows are tuples here, because the cursor is a plain one."""
        conn = self.__connection()
        self.conn, self.cursor = conn, conn.cursor()
        print("PT数据库创建con和cursor")
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the cursor, return the connection."""
        for one in (self.cursor, self.conn):
            one.close()


def getPTConnection() -> PTConnectionPool:
    """Return a new wrapper. Because of E9 it makes its own pool."""
    return PTConnectionPool()
