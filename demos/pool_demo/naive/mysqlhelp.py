"""E8, E9, E10, E11, E12: A7's `MysqlHelp`, with its faults. Right: ../mysqlhelp.py.

It returns, raises and prints the same as the source's class.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from demos.pool_demo.naive.ptpool import getPTConnection

Fetch = Callable[[Any], Any]


def _key_or_true(cursor: Any) -> Any:  # noqa: ANN401
    """Return the key of the new row, and True instead of 0."""
    return True if cursor.lastrowid == 0 else cursor.lastrowid


class MysqlHelp:
    """E8: `execute` exists only in a comment. E9: the one object makes many pools."""

    inst: Any
    mysql: Any  # E9: it never gets a value

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return the one object. Python then calls `__init__` on it, each time (E9)."""
        if not hasattr(cls, "inst"):
            cls.inst = super().__new__(cls, *args, **kwargs)
        return cls.inst

    def __init__(self) -> None:
        """Make a new wrapper, each time (E9)."""
        self.db = getPTConnection()

    @classmethod
    def getInstance(cls) -> Any:  # noqa: ANN401
        """E9: read an attribute that nothing sets. Raises AttributeError."""
        if MysqlHelp.mysql is None:
            MysqlHelp.mysql = MysqlHelp()
        return MysqlHelp.mysql

    def selectall(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return all rows; None after an error. Raises UnboundLocalError (E8)."""
        return self._read("selectall", lambda cursor: cursor.fetchall(), sql, param)

    def selectone(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the first row, or None. Raises as `selectall`."""
        return self._read("selectone", lambda cursor: cursor.fetchone(), sql, param)

    def insert(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the new key; True if the table makes no key; None after an error (E10)."""
        return self._write("insert", 0, _key_or_true, sql, param)

    def update(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """E10: return True even if the statement failed, because `execute` hides the error."""
        return bool(self._write("update", False, lambda cursor: True, sql, param))

    def delete(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """E10: as `update`."""
        return bool(self._write("delete", False, lambda cursor: True, sql, param))

    def insertmany(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """Return whether all rows were inserted. It does not use `execute`: no E8, no E10."""
        cursor, conn = self.db.getconn()
        try:
            cursor.executemany(sql, param)
            conn.commit()
        except Exception as error:
            print("insert many except ", error.args)
            conn.rollback()
            return False
        else:
            return True
        finally:
            self.close(cursor, conn)

    def _read(self, method: str, fetch: Fetch, sql: str, param: Any) -> Any:  # noqa: ANN401
        """Run a statement and read its rows (E8)."""
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            answer = fetch(cursor)
            self.close(cursor, conn)
        except Exception as error:
            print(f"{method} except ", error.args)
            self.close(cursor, conn)
            return None
        return answer

    def _write(
        self,
        method: str,
        failure: int,
        success: Fetch,
        sql: str,
        param: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """E8 again: here the rollback has no connection."""
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            answer = success(cursor)
            conn.commit()
        except Exception as error:
            print(f"{method} except ", error.args)
            conn.rollback()
            answer = failure
        self.close(cursor, conn)
        return answer

    def close(self, cursor: Any, conn: Any) -> None:  # noqa: ANN401
        """Close the cursor, return the connection."""
        cursor.close()
        conn.close()


class MysqlHelpWithExecute(MysqlHelp):
    """The same class with the `execute` of the comment, and with E10, E11 and E12."""

    def execute(
        self,
        sql: str = "",
        param: Any = (),  # noqa: ANN401
        autoclose: bool = False,
    ) -> tuple[Any, Any]:
        """Run one statement and commit it (E11). Hide any error (E10)."""
        cursor, conn = self.db.getconn()
        with suppress(Exception):  # E10
            cursor.execute(sql, param or None)  # E12: accepts a string
            conn.commit()
            if autoclose:
                self.close(cursor, conn)
        return cursor, conn
