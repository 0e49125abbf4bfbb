"""A7: `MysqlHelp`, reading and writing by one call each, over one pool.

db = MysqlHelp()
db.insert("insert into student(name, age, gender) values(%s, %s, %s)", ("小甜甜", 20, "女"))
db.selectall("select * from student where age > %s", (20,))
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, NotRequired, Self, TypedDict

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor

try:
    from demos.pool_demo.settings import POOL_LIMITS, connect_args
except ModuleNotFoundError:  # a script in this folder: `from mysqlhelp import MysqlHelp`
    from settings import POOL_LIMITS, connect_args  # type: ignore[import-not-found, no-redef]

Row = dict[str, Any]
Param = Sequence[Any] | Mapping[str, Any] | None  # for the %s, or the %(name)s, of the SQL


class Statement(TypedDict):
    """One statement of a transaction."""

    sql: str
    param: NotRequired[Param]


class MysqlHelp:
    """A singleton: every `MysqlHelp()` is the same object, over the same pool.

    Each call is one transaction: committed when it succeeds, rolled back when it fails. Errors of
    the server are raised as they are (pymysql.Error, with the server's code), and the connection
    goes back to the pool either way. A parameter list that is no list raises TypeError (E12).
    """

    _instance: ClassVar[Any] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _pool: Any

    def __new__(cls) -> Self:
        """Return the one object. The first call opens the pool, and the others wait for it (E9)."""
        with cls._lock:
            if cls._instance is None:
                instance = super().__new__(cls)
                instance._pool = cls._open_pool()
                cls._instance = instance
            found: Self = cls._instance
            return found

    @classmethod
    def getInstance(cls) -> Self:
        """Return the one object."""
        return cls()

    @classmethod
    def close(cls) -> None:
        """Close the idle connections; the next `MysqlHelp()` opens a new pool."""
        with cls._lock:
            if cls._instance is not None:
                cls._instance._pool.close()
                cls._instance = None

    def selectall(self, sql: str, param: Param = None) -> list[Row]:
        """Return all rows, as dicts."""
        with self._transaction() as cursor:
            cursor.execute(sql, _checked(param))
            return list(cursor.fetchall())

    def selectone(self, sql: str, param: Param = None) -> Row | None:
        """Return the first row, as a dict, or None if there is none."""
        with self._transaction() as cursor:
            cursor.execute(sql, _checked(param))
            row: Row | None = cursor.fetchone()
            return row

    def insert(self, sql: str, param: Param = None) -> int | bool:
        """Return the new row's AUTO_INCREMENT key, or True in a table without one.

        False means that nothing was inserted (`insert ignore` of a row that exists).
        """
        with self._transaction() as cursor:
            rows = cursor.execute(sql, _checked(param))
            return int(cursor.lastrowid) or rows > 0

    def insertmany(self, sql: str, param: Sequence[Param]) -> bool:
        """Insert one row for each tuple in `param`, all or none. Returns True."""
        with self._transaction() as cursor:
            cursor.executemany(sql, [_checked(row) for row in _checked(param) or ()])
        return True

    def update(self, sql: str, param: Param = None) -> bool:
        """Return whether a row matched, also one that had the new values already (E10)."""
        return self.execute(sql, param) > 0

    def delete(self, sql: str, param: Param = None) -> bool:
        """Return whether a row was deleted."""
        return self.execute(sql, param) > 0

    def execute(self, sql: str, param: Param = None) -> int:
        """Run one statement; return the number of rows it returned, matched or changed."""
        return self.transaction([{"sql": sql, "param": param}])[0]

    def transaction(self, statements: Sequence[Statement]) -> list[int]:
        """Run statements in one transaction, all or none (E11); return each one's row count."""
        with self._transaction() as cursor:
            return [cursor.execute(one["sql"], _checked(one.get("param"))) for one in statements]

    @staticmethod
    def _open_pool() -> Any:  # noqa: ANN401 - DBUtils has no types
        # ping=1 replaces, at checkout, what the server has closed. FOUND_ROWS counts matched rows.
        arguments = connect_args(client_flag=CLIENT.FOUND_ROWS)
        return PooledDB(creator=pymysql, **POOL_LIMITS, ping=1, **arguments)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Borrow a connection for one transaction; yields its DictCursor."""
        connection = self._pool.connection()
        try:
            # Without begin() DBUtils would repeat a failed statement on a new connection, alone.
            connection.begin()
            with connection.cursor(DictCursor) as cursor:
                yield cursor
            connection.commit()
        except BaseException:
            with suppress(pymysql.Error):  # the first error is the one to tell
                connection.rollback()
            raise
        finally:
            connection.close()


def _checked(param: Any) -> Any:  # noqa: ANN401 - this is what finds out
    """Refuse what is not a list of parameters: ('7') is a string, ('7',) is a tuple (E12)."""
    if param is None or isinstance(param, tuple | list | dict):
        return param
    kind = type(param).__name__
    raise TypeError(f"param is a bare {kind}, not a tuple: one parameter is (value,) with a comma")
