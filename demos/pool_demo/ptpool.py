"""A6: `PTConnectionPool`, the pool as a context manager. The pool is made at the first use.

with getPTConnection() as db:
    db.cursor.execute("select * from student")
    rows = db.cursor.fetchall()
"""

import threading
from types import TracebackType
from typing import Any, ClassVar, Self

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor

from demos.pool_demo.settings import POOL_LIMITS, connect_args


class PTConnectionPool:
    """Borrows a connection on enter and returns it on exit. One object serves one `with` block.

    All objects share one pool, with the limits of `settings.POOL_LIMITS`.
    """

    cursor: Any  # a DictCursor: rows are dicts
    conn: Any  # the borrowed connection

    _pool: ClassVar[Any] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def pool(cls) -> Any:  # noqa: ANN401 - DBUtils has no types
        """Return the one pool. The first caller makes it, and the others wait."""
        with cls._lock:
            if cls._pool is None:
                cls._pool = PooledDB(creator=pymysql, **POOL_LIMITS, **connect_args())
            return cls._pool

    @classmethod
    def close_pool(cls) -> None:
        """Close the idle connections; the next borrower makes a new pool."""
        with cls._lock:
            if cls._pool is not None:
                cls._pool.close()
                cls._pool = None

    def getconn(self) -> tuple[Any, Any]:
        """Borrow a connection and return (cursor, connection). The caller closes both."""
        conn = self.pool().connection()
        return conn.cursor(DictCursor), conn

    def __enter__(self) -> Self:
        """Borrow a connection; sets `cursor` and `conn`. Raises pymysql.OperationalError."""
        self.cursor, self.conn = self.getconn()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back after an error, and return the connection."""
        try:
            if error is not None:
                self.conn.rollback()
        finally:
            self.cursor.close()
            self.conn.close()


def getPTConnection() -> PTConnectionPool:
    """Return a new context manager over the one pool."""
    return PTConnectionPool()
