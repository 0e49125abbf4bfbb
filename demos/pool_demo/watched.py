"""A1, A4: the ways of step 6 once more, and now each says what it is doing, at every moment.

notes = Notes()
way = watched(notes)[POOLED](load(), 3)
way.select()
notes.take()  # [(time, "asks", caller, None), (time, "borrowed", caller, 812), ...]

Nothing works differently: what is noted are the calls that the pools make anyway.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from demos.pool_demo.connection import Connection as LendersConnection
from demos.pool_demo.contestants import (
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
from demos.pool_demo.lender import Lender, Loan
from demos.pool_demo.lender import Raw as Connection
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import Settings
from demos.pool_demo.timeline import Notebook, WatchedConnection, WatchedPool, What
from demos.pool_demo.turnstile import Place

# When, in nanoseconds of `time.perf_counter_ns`; what; the caller's number, 0 for the pool itself;
# the connection's number at the server, or None.
Note = tuple[int, What, int, int | None]


class _Me(threading.local):
    number = 0


class Notes:
    """A notebook for thousands of notes a second. A note costs less than a microsecond."""

    def __init__(self) -> None:
        """Begin with none."""
        self._notes: list[Note] = []
        self._me = _Me()

    def i_am(self, number: int) -> None:
        """Say which caller the notes of this thread are about."""
        self._me.number = number

    def note(self, what: What, connection: int | None = None) -> None:
        """Write down that this happened now, to the caller whose thread this is."""
        # An append is one step for all threads, so there is no lock to wait for.
        self._notes.append((time.perf_counter_ns(), what, self._me.number, connection))

    def take(self) -> list[Note]:
        """Return the notes since the last call."""
        notes = self._notes[:]
        del self._notes[: len(notes)]
        return notes


class BusyConnection(WatchedConnection):
    """A connection that also says when it connects, is in a query, is pinged or rolled back."""

    _known = 0  # the server's number of it while it is open

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect; what is asked meanwhile, such as SET NAMES, is part of that."""
        self._log.note("connects")
        try:
            super().connect(sock)
        except BaseException:
            self._log.note("gives up")
            raise
        self._known = self.number

    def query(self, sql: Any, unbuffered: bool = False) -> int:  # noqa: ANN401
        """Run a statement."""
        if not self._known:  # it still connects
            return int(super().query(sql, unbuffered))
        self._log.note("queries", self._known)
        try:
            return super().query(sql, unbuffered)
        finally:
            self._log.note("is done", self._known)

    def ping(self, reconnect: Any = False) -> None:  # noqa: ANN401
        """Ask the server for a sign of life."""
        self._log.note("pings", self._known)
        try:
            super().ping(reconnect)
        finally:
            self._log.note("is done", self._known)

    def rollback(self) -> None:
        """Undo what was not committed."""
        self._log.note("rolls back", self._known)
        try:
            super().rollback()
        finally:
            self._log.note("is done", self._known)

    def close(self) -> None:
        """Say goodbye; what is noted is the end of the socket, in `_force_close`."""
        super(WatchedConnection, self).close()

    def _force_close(self) -> None:
        if self._known:
            self._log.note("closed", self._known)
            self._known = 0
        super()._force_close()  # type: ignore[misc]

    __del__ = _force_close


class LentConnection(BusyConnection, LendersConnection):
    """The lender's own kind of connection, which also says so."""


class BusyPool(WatchedPool):
    """A PooledDB with such connections."""

    watched = BusyConnection


class WatchedRaw(Way):
    """A new connection each time."""

    def __init__(self, notes: Notebook, settings: Settings, size: int, **options: object) -> None:
        """Keep the arguments; nothing limits the number of connections."""
        arguments = settings.connect_args(**options)

        @contextmanager
        def borrow() -> Iterator[Connection]:
            notes.note("asks")
            try:
                connection = BusyConnection(notes, **arguments)
            except BaseException:
                notes.note("refused")
                raise
            notes.note("borrowed", connection.number)
            with connection:
                yield connection

        super().__init__(borrow)


class WatchedLender(Lender):
    """The pool under MysqlHelp, with notes."""

    def __init__(self, notes: Notebook, *key: Any) -> None:  # noqa: ANN401 - as the lender's own
        """Make it, with the lender's arguments."""
        self._notes = notes
        super().__init__(*key)
        self.turnstile._queue = _Queue(notes)

    def lend(self) -> "WatchedLoan":
        """Lend a connection for a block, and note it."""
        return WatchedLoan(self)

    def _make(self) -> Connection:
        raw = LentConnection(self._notes, **self._arguments)
        self._raws.add(raw)
        return raw


class WatchedLoan(Loan):
    """The block of a loan, with notes at its ends."""

    def __init__(self, lender: WatchedLender) -> None:
        """Prepare; entering the block borrows."""
        super().__init__(lender)
        self._notes = lender._notes
        self._number: int | None = None

    def __enter__(self) -> Connection:
        """Borrow."""
        self._notes.note("asks")
        try:
            raw = super().__enter__()
        except BaseException:
            self._notes.note("refused")
            raise
        self._number = raw.number
        self._notes.note("borrowed", self._number)
        return raw

    def __exit__(self, *exc: object) -> None:
        """Give back."""
        if self._number is not None:
            self._notes.note("returned", self._number)
        super().__exit__(*exc)


class _Queue(deque[weakref.ref[Place]]):
    """The line at the turnstile: who joins it, waits."""

    def __init__(self, notes: Notebook) -> None:
        super().__init__()
        self._notes = notes

    def append(self, turn: weakref.ref[Place]) -> None:
        """Join the line."""
        self._notes.note("waits")
        super().append(turn)


class WatchedHelper(Helper):
    """The course's own class, on a watched lender."""

    def __init__(self, notes: Notebook, settings: Settings, size: int) -> None:
        """Make the helper, change its lender, and open all connections."""
        self.db = MysqlHelp(settings, connections=size)
        self.db.lender.close()  # nothing has been opened
        self.db.lender = WatchedLender(notes, *self.db._key)
        Way.__init__(self, self.db.lender.lend)
        self.open_all(size)


def watched(notes: Notebook) -> dict[str, Callable[[Settings, int], Way]]:
    """Return the ways of `contestants.WAYS` that borrow or connect, with notes."""
    pool = partial(BusyPool, notes)
    return {
        RAW: partial(WatchedRaw, notes),
        RAW_NO_TLS: partial(WatchedRaw, notes, **OPTIONS[RAW_NO_TLS]),
        POOLED: partial(Pooled, make=pool),
        TUNED: partial(Pooled, make=pool, **OPTIONS[TUNED]),
        HELPER: partial(WatchedHelper, notes),
    }
