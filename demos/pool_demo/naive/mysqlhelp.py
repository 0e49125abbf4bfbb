"""E8, E9, E10, E11, E12: A7's `MysqlHelp`, with its faults. Right: ../mysqlhelp.py.

What it returns, raises and prints is what the source's class returns, raises and prints.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from demos.pool_demo.naive.ptpool import getPTConnection

Fetch = Callable[[Any], Any]


def _key_or_true(cursor: Any) -> Any:  # noqa: ANN401
    """Return the key of the new row, True instead of 0."""
    return True if cursor.lastrowid == 0 else cursor.lastrowid


class MysqlHelp:
    """E8: `execute` exists in a comment only. E9: the singleton is none."""

    inst: Any
    mysql: Any  # E9: nobody gives it a value

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return the one object, on which Python then runs `__init__` again (E9)."""
        if not hasattr(cls, "inst"):
            cls.inst = super().__new__(cls, *args, **kwargs)
        return cls.inst

    def __init__(self) -> None:
        """Take a new wrapper, each time (E9). It opens no connection before the first query."""
        self.db = getPTConnection()

    @classmethod
    def getInstance(cls) -> Any:  # noqa: ANN401
        """E9: read an attribute that nobody sets. Raises AttributeError."""
        if MysqlHelp.mysql is None:
            MysqlHelp.mysql = MysqlHelp()
        return MysqlHelp.mysql

    def selectall(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return all rows; None for a failure. Raises UnboundLocalError (E8)."""
        return self._read("selectall", lambda cursor: cursor.fetchall(), sql, param)

    def selectone(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the first row, or None. Raises as `selectall`."""
        return self._read("selectone", lambda cursor: cursor.fetchone(), sql, param)

    def insert(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the new key; True where the table makes none; None for a failure (E10)."""
        return self._write("insert", 0, _key_or_true, sql, param)

    def update(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """E10: return True also for a statement that failed, since `execute` swallows that."""
        return bool(self._write("update", False, lambda cursor: True, sql, param))

    def delete(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """Just so."""
        return bool(self._write("delete", False, lambda cursor: True, sql, param))

    def insertmany(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """Return whether all rows went in. It does without `execute`: no E8, no E10."""
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
        """E8: what the `except` closes, the `try` has not made if `execute` fails."""
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
        """E8 again: here it is the rollback that has no connection."""
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
    """The same with the `execute` of the comment: E10 swallows, E11 commits each, E12 takes all."""

    def execute(
        self,
        sql: str = "",
        param: Any = (),  # noqa: ANN401
        autoclose: bool = False,
    ) -> tuple[Any, Any]:
        """Run one statement and commit it; on an error pass in silence (E10, E11)."""
        cursor, conn = self.db.getconn()
        with suppress(Exception):  # E10
            cursor.execute(sql, param or None)  # E12: a string will do
            conn.commit()
            if autoclose:
                self.close(cursor, conn)
        return cursor, conn
