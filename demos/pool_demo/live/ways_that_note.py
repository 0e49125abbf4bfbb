"""A1, A4: the ways of step 6 again. Now each of them notes what it does.

notes = Notes()
way = watched(notes)[POOLED](load(), 3)
way.select()
notes.take()  # [(time, What.ASKS, caller, None), (time, What.BORROWED, caller, 812), ...]

Each way works as before. Only the calls that the pools make anyway are noted.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from demos.pool_demo.compared.ways import (
    HELPER,
    OPTIONS,
    POOLED,
    RAW,
    RAW_NO_TLS,
    TUNED,
    Helper,
    Pooled,
    Way,
)
from demos.pool_demo.lending.connection import Connection as LendersConnection
from demos.pool_demo.lending.lender import Raw as Connection
from demos.pool_demo.live.timeline import Recorder, WatchedConnection, WatchedPool, What
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import Settings

# When, in nanoseconds of `time.perf_counter_ns`; what; the caller's number, 0 for the pool itself;
# the connection's number at the server, or None.
Note = tuple[int, What, int, int | None]


class _Me(threading.local):
    number = 0


class Notes:
    """A log for thousands of notes a second. A note costs less than a microsecond."""

    def __init__(self) -> None:
        """Begin without notes."""
        self._notes: list[Note] = []
        self._me = _Me()

    def i_am(self, number: int) -> None:
        """Set the caller that the notes of this thread belong to."""
        self._me.number = number

    def note(self, what: What, connection: int | None = None) -> None:
        """Note this event now, for the caller that this thread belongs to."""
        # An append is one step for all threads, so there is no lock to wait for.
        self._notes.append((time.perf_counter_ns(), what, self._me.number, connection))

    def take(self) -> list[Note]:
        """Return the notes since the last call."""
        notes = self._notes[:]
        del self._notes[: len(notes)]
        return notes


class BusyConnection(WatchedConnection):
    """A connection that also notes when it connects, runs a query, is pinged or rolled back."""

    _known = 0  # the server's number of it while it is open

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect. Its own statements, such as SET NAMES, are not noted as queries."""
        self._log.note(What.CONNECTS)
        try:
            super().connect(sock)
        except BaseException:
            self._log.note(What.GIVES_UP)
            raise
        self._known = self.number

    def query(self, sql: Any, unbuffered: bool = False) -> int:  # noqa: ANN401
        """Run a statement."""
        if not self._known:  # it still connects
            return int(super().query(sql, unbuffered))
        self._log.note(What.QUERIES, self._known)
        try:
            return super().query(sql, unbuffered)
        finally:
            self._log.note(What.IS_DONE, self._known)

    def ping(self, reconnect: Any = False) -> None:  # noqa: ANN401
        """Ask the server for a sign of life."""
        self._log.note(What.PINGS, self._known)
        try:
            super().ping(reconnect)
        finally:
            self._log.note(What.IS_DONE, self._known)

    def rollback(self) -> None:
        """Undo what was not committed."""
        self._log.note(What.ROLLS_BACK, self._known)
        try:
            super().rollback()
        finally:
            self._log.note(What.IS_DONE, self._known)

    def close(self) -> None:
        """Close. The note is made when the socket ends, in `_force_close`."""
        super(WatchedConnection, self).close()

    def _force_close(self) -> None:
        if self._known:
            self._log.note(What.CLOSED, self._known)
            self._known = 0
        super()._force_close()  # type: ignore[misc]

    __del__ = _force_close


class LentConnection(BusyConnection, LendersConnection):
    """The lender's own kind of connection, which notes the same."""


class BusyPool(WatchedPool):
    """A PooledDB with such connections."""

    watched = BusyConnection


class WatchedRaw(Way):
    """A new connection each time."""

    def __init__(self, notes: Recorder, settings: Settings, size: int, **options: object) -> None:
        """Keep the arguments; nothing limits the number of connections."""
        arguments = settings.connect_args(**options)

        @contextmanager
        def borrow() -> Iterator[Connection]:
            notes.note(What.ASKS)
            try:
                connection = BusyConnection(notes, **arguments)
            except BaseException:
                notes.note(What.REFUSED)
                raise
            notes.note(What.BORROWED, connection.number)
            with connection:
                yield connection

        super().__init__(borrow)


class LoanNotes:
    """Notes the loans that a lender reports (lender.Observer)."""

    def __init__(self, notes: Recorder) -> None:
        """Write into `notes`."""
        self._notes = notes

    def asks(self) -> None:
        """Note that a caller asks."""
        self._notes.note(What.ASKS)

    def waits(self) -> None:
        """Note that the caller waits in the queue."""
        self._notes.note(What.WAITS)

    def borrowed(self, raw: Connection) -> None:
        """Note that the caller gets a connection."""
        self._notes.note(What.BORROWED, raw.number)

    def refused(self) -> None:
        """Note that the caller gets no connection."""
        self._notes.note(What.REFUSED)

    def returned(self, raw: Connection) -> None:
        """Note that the caller returns the connection."""
        self._notes.note(What.RETURNED, raw.number)


class WatchedHelper(Helper):
    """The course's own class, whose lender is observed."""

    def __init__(self, notes: Recorder, settings: Settings, size: int) -> None:
        """Observe, then open all connections."""
        lender = MysqlHelp(settings, connections=size).lender  # `super()` gets the same object
        lender.creator = partial(LentConnection, notes)
        lender.observe(LoanNotes(notes))
        super().__init__(settings, size)


def watched(notes: Recorder) -> dict[str, Callable[[Settings, int], Way]]:
    """Return the ways of `ways.WAYS` that borrow or connect, each with notes."""
    pool = partial(BusyPool, notes)
    return {
        RAW: partial(WatchedRaw, notes),
        RAW_NO_TLS: partial(WatchedRaw, notes, **OPTIONS[RAW_NO_TLS]),
        POOLED: partial(Pooled, make=pool),
        TUNED: partial(Pooled, make=pool, **OPTIONS[TUNED]),
        HELPER: partial(WatchedHelper, notes),
    }
