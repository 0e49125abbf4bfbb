"""E8, E9, E10, E11, E12: A7's `MysqlHelp`, with its faults. Right: ../mysqlhelp.py.

What it returns, raises and prints is what the source's class returns, raises and prints.
"""

from typing import Any

from demos.pool_demo.naive.ptpool import getPTConnection


class MysqlHelp:
    """E8: `execute` exists in a comment only. E9: the singleton is none."""

    inst: Any
    mysql: Any  # E9: nobody gives it a value

    def __new__(cls) -> Any:  # noqa: ANN401
        """Return the one object, on which Python then runs `__init__` again (E9)."""
        if not hasattr(cls, "inst"):
            cls.inst = super().__new__(cls)
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
        """E8: the `except` needs what failed to be made. Raises UnboundLocalError."""
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            rows = cursor.fetchall()
            self.close(cursor, conn)
            return rows
        except Exception as error:
            print("selectall except ", error.args)
            self.close(cursor, conn)
            return None

    def selectone(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the first row. E8 as above."""
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            row = cursor.fetchone()
            self.close(cursor, conn)
            return row
        except Exception as error:
            print("selectone except ", error.args)
            self.close(cursor, conn)
            return None

    def insert(self, sql: str = "", param: Any = ()) -> Any:  # noqa: ANN401
        """Return the new key; True where the table makes none; None for a failure (E10)."""
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            key = cursor.lastrowid
            conn.commit()
            self.close(cursor, conn)
            return True if key == 0 else key
        except Exception as error:
            print("insert except ", error.args)
            conn.rollback()
            self.close(cursor, conn)
            return 0

    def insertmany(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """Return whether all rows went in. It does without `execute`: no E8, no E10."""
        cursor, conn = self.db.getconn()
        try:
            cursor.executemany(sql, param)
            conn.commit()
            self.close(cursor, conn)
            return True
        except Exception as error:
            print("insert many except ", error.args)
            conn.rollback()
            self.close(cursor, conn)
            return False

    def update(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """E10: return True whatever happened, since `execute` swallows it."""
        return self._change("update", sql, param)

    def delete(self, sql: str = "", param: Any = ()) -> bool:  # noqa: ANN401
        """Just so."""
        return self._change("delete", sql, param)

    def _change(self, name: str, sql: str, param: Any) -> bool:  # noqa: ANN401
        try:
            cursor, conn = self.execute(sql, param)  # type: ignore[attr-defined]
            conn.commit()
            self.close(cursor, conn)
            return True
        except Exception as error:
            print(f"{name} except ", error.args)
            conn.rollback()
            self.close(cursor, conn)
            return False

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
        try:
            if param:
                cursor.execute(sql, param)  # E12: a string will do
            else:
                cursor.execute(sql)
            conn.commit()
            if autoclose:
                self.close(cursor, conn)
        except Exception:  # E10
            pass
        return cursor, conn
