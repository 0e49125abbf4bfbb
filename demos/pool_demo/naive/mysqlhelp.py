"""E8, E9, E10, E11, E12: a `MysqlHelp` with the source's faults. Right: ../mysqlhelp.py."""

from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor

from demos.pool_demo.settings import POOL_LIMITS, connect_args


class MysqlHelp:
    """E8: `execute` exists in a comment only. E9: the singleton is none."""

    _one: Any = None

    def __new__(cls) -> Any:  # noqa: ANN401
        """Return the one object, on which Python then runs `__init__` again (E9)."""
        if cls._one is None:
            cls._one = super().__new__(cls)
        return cls._one

    def __init__(self) -> None:
        """Open a pool of ten connections, each time (E9)."""
        self.pool = PooledDB(creator=pymysql, **POOL_LIMITS, **connect_args())

    @classmethod
    def getInstance(cls) -> Any:  # noqa: ANN401
        """E9: read an attribute that nobody sets. Raises AttributeError."""
        return cls.instance or cls()  # type: ignore[attr-defined]

    def selectall(self, sql: str, param: Any = ()) -> Any:  # noqa: ANN401
        """E8: the `except` needs what failed to be made. Raises UnboundLocalError."""
        try:
            cursor, connection = self.execute(sql, param)  # type: ignore[attr-defined]
            rows = cursor.fetchall()
            self.give_back(cursor, connection)
            return rows
        except Exception as error:
            print("selectall failed:", error)
            self.give_back(cursor, connection)

    def update(self, sql: str, param: Any = ()) -> bool:  # noqa: ANN401
        """E10: return True whatever happened, since `execute` swallows it. Also for deletes."""
        try:
            cursor, connection = self.execute(sql, param)  # type: ignore[attr-defined]
            self.give_back(cursor, connection)
            return True
        except Exception as error:
            print("update failed:", error)
            self.give_back(cursor, connection)
            return False

    delete = update

    def give_back(self, cursor: Any, connection: Any) -> None:  # noqa: ANN401
        """Close the cursor, return the connection."""
        cursor.close()
        connection.close()


class MysqlHelpWithExecute(MysqlHelp):
    """The same with the `execute` of the comment: E10 swallows, E11 commits each, E12 takes all."""

    def execute(self, sql: str, param: Any = ()) -> tuple[Any, Any]:  # noqa: ANN401
        """Run one statement and commit it; on an error pass in silence (E10, E11)."""
        connection = self.pool.connection()
        cursor = connection.cursor(DictCursor)
        try:
            if param:
                cursor.execute(sql, param)  # E12: a string will do
            else:
                cursor.execute(sql)
            connection.commit()
        except Exception:  # E10
            pass
        return cursor, connection
