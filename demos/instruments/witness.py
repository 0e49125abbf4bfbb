"""A4, A5: the witness asks the server which connections exist. It does not ask the pool.

with Witness() as witness:
    pool = PooledDB(pymysql, mincached=2, **connect_args())
    witness.settle()  # 2, counted in the server's own process list
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import pymysql
from pymysql.cursors import DictCursor

from demos.pool_demo.settings import connect_args, load, tls_arguments

_ME = "select connection_id() as id, substring_index(user(), '@', 1) as user, database() as db"
_PATIENCE = 3.0  # seconds after which a count is returned even if it is not the expected one
_SAME = 30  # a count that so many looks in a row have found stays


@dataclass(frozen=True)
class Seen:
    """One row of the process list: connection id, `Sleep` or `Query`, seconds in that state.

    `port` is the client's; None where it came through a unix socket.
    """

    id: int
    command: str
    seconds: int
    port: int | None = None


class Witness:
    """Counts our user's connections to our database, from a connection that it does not count.

    Connections that were open before the block (the baseline) do not count either, except with
    `before_too`.
    """

    def __init__(self, before_too: bool = False) -> None:
        """Prepare; with `before_too` there is no baseline."""
        self._before_too = before_too

    def __enter__(self) -> Self:
        """Connect and take the baseline. Raises pymysql.OperationalError."""
        # Bytes, as they come: the list has the beginnings of everybody's statements, which may
        # end in the middle of a character, or hold a picture.
        arguments = tls_arguments(load(), None)
        arguments |= connect_args(cursorclass=DictCursor, autocommit=True, use_unicode=False)
        self._connection = pymysql.connect(**arguments)
        self._baseline: set[int] = set()
        if not self._before_too:
            self._baseline = set(self.ids())
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the witness's own connection."""
        self._connection.close()

    def seen(self) -> list[Seen]:
        """Return the connections opened since the baseline, oldest first."""
        # MySQL and MariaDB both have SHOW PROCESSLIST; it shows a user their own connections.
        me = self._ask(_ME)[0]
        others = self._baseline | {me["id"]}
        return [
            Seen(row["Id"], row["Command"].decode(), row["Time"] or 0, _port(row["Host"].decode()))
            for row in sorted(self._ask("show processlist"), key=lambda row: int(row["Id"]))
            if row["User"] == me["user"] and row["db"] == me["db"] and row["Id"] not in others
        ]

    def ids(self) -> list[int]:
        """Return the connection ids, as `select connection_id()` gives them, oldest first."""
        return [connection.id for connection in self.seen()]

    def settle(self, expected: int | None = None, seconds: float = _PATIENCE) -> int:
        """Wait until the server's count of connections stays the same; return it.

        A closed connection stays in the process list for a moment, so a count at once may be
        too high. After `seconds` the method returns the count as it is.

        Args:
            expected: wait for this count, and not for one that stays.
            seconds: the longest wait.
        """
        deadline = time.monotonic() + seconds
        count, same = len(self.ids()), 1
        while time.monotonic() < deadline:
            if count == expected or (expected is None and same == _SAME):
                break
            time.sleep(0.005)
            before, count = count, len(self.ids())
            same = same + 1 if count == before else 1
        return count

    def kill(self, connection_id: int) -> None:
        """End a connection at the server's side, as a time-out or a restart does."""
        self._ask(f"kill {int(connection_id)}")
        deadline = time.monotonic() + _PATIENCE
        while connection_id in self.ids() and time.monotonic() < deadline:
            time.sleep(0.005)

    def shut_down(self) -> None:
        """End the server, as an administrator does. Raises pymysql.OperationalError."""
        self._ask("shutdown")
        deadline = time.monotonic() + _PATIENCE
        with suppress(pymysql.MySQLError):  # now nobody is let in any more
            while time.monotonic() < deadline:
                self._connection.ping(reconnect=False)
                time.sleep(0.005)

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


def _port(host: str) -> int | None:
    """Return the port of `127.0.0.1:50000`; `localhost` alone is the unix socket."""
    port = host.rpartition(":")[2]
    return int(port) if port.isdecimal() else None
