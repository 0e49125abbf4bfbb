"""A1, A4: a pool that logs each event: the caller, the connection and the time.

log = Log()
pool = WatchedPool(log, maxconnections=3, blocking=True, **connect_args())
...
log.spans()  # [Span(lane=1, doing="idle", begin=0.012, end=0.034), ...]
"""

import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

import pymysql
from dbutils.pooled_db import PooledDB

Doing = Literal["idle", "checked out", "waiting"]


class What(StrEnum):
    """A kind of event: a caller asks, waits at the maximum, and then borrows or is refused."""

    ASKS = "asks"
    WAITS = "waits"
    BORROWED = "borrowed"
    REFUSED = "refused"
    RETURNED = "returned"
    OPENED = "opened"
    CLOSED = "closed"
    # in ways_that_note.py only
    CONNECTS = "connects"
    GIVES_UP = "gives up"
    QUERIES = "queries"
    PINGS = "pings"
    ROLLS_BACK = "rolls back"
    IS_DONE = "is done"


@dataclass(frozen=True)
class Event:
    """An event: `when`, in seconds since the log began, `what` happened, and `who` did it.

    `who` is the caller, as the name of a thread. `connection` is the server's number of the
    connection, as in the process list. It is None while the caller has no connection.
    """

    when: float
    what: What
    who: str
    connection: int | None


@dataclass(frozen=True)
class Span:
    """The state of a connection (its number) or of a caller (its name) from `begin` to `end`."""

    lane: int | str
    doing: Doing
    begin: float
    end: float


class Log:
    """Events in the order in which they happened."""

    def __init__(self) -> None:
        """Begin now, with no event."""
        self.events: list[Event] = []
        self._began = time.perf_counter()
        self._mutex = threading.Lock()

    def note(self, what: What, connection: int | None = None) -> None:
        """Note this event now, for the caller that this thread belongs to."""
        with self._mutex:
            when = time.perf_counter() - self._began
            who = threading.current_thread().name
            self.events.append(Event(when, what, who, connection))

    def waits(self) -> list[tuple[float, float]]:
        """Return when each wait at the maximum began and ended."""
        began: dict[str, float] = {}
        found = []
        for event in self.events:
            if event.what == What.WAITS:
                began.setdefault(event.who, event.when)  # again if somebody else was quicker
            elif event.what in (What.BORROWED, What.REFUSED) and event.who in began:
                found.append((began.pop(event.who), event.when))
        return found

    def connections(self) -> list[int]:
        """Return the server's numbers of all connections so far, in the order of opening."""
        return [
            event.connection
            for event in self.events
            if event.what == What.OPENED and event.connection is not None
        ]

    def spans(self) -> list[Span]:
        """Return the spans of all connections and waiting callers, in the order of their beginning.

        A span that has not ended yet ends with the last event.
        """
        with self._mutex:
            events = list(self.events)
        doing: dict[int | str, tuple[Doing, float]] = {}
        found: list[Span] = []

        def change(lane: int | str, now: Doing | None, when: float) -> None:
            if lane in doing:
                found.append(Span(lane, *doing.pop(lane), when))
            if now:
                doing[lane] = (now, when)

        for event in events:
            if event.connection is not None and event.what in _NEXT:
                change(event.connection, _NEXT[event.what], event.when)
            if event.what in (What.BORROWED, What.REFUSED):
                change(event.who, None, event.when)
            elif event.what == What.ASKS:
                change(event.who, "waiting", event.when)
        for lane in list(doing):
            change(lane, None, events[-1].when)
        return sorted(found, key=lambda span: span.begin)


_NEXT: dict[What, Doing | None] = {
    What.OPENED: "idle",
    What.BORROWED: "checked out",
    What.RETURNED: "idle",
    What.CLOSED: None,
}


class Recorder(Protocol):
    """The object that a watched pool writes into, such as a `Log`."""

    def note(self, what: What, connection: int | None = None) -> None:
        """Note this event now, for the caller that this thread belongs to."""


class WatchedConnection(pymysql.Connection):
    """A connection that notes when it has opened and when it closes."""

    def __init__(self, log: Recorder, **arguments: Any) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect. The arguments are those of `pymysql.connect`."""
        self._log = log
        super().__init__(**arguments)

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect, and note it."""
        super().connect(sock)
        self._log.note(What.OPENED, self.number)

    @property
    def number(self) -> int:
        """The server's number of this connection, as `select connection_id()` gives it."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Note it, then close."""
        if self.open:
            self._log.note(What.CLOSED, self.number)
        super().close()


class WatchedPool(PooledDB):  # type: ignore[misc]
    """A PooledDB that writes a log. It works as PooledDB does, and sends no further queries."""

    watched = WatchedConnection  # what its connections are

    def __init__(self, log: Recorder, **arguments: Any) -> None:  # noqa: ANN401 - as PooledDB's own
        """Make the pool. The arguments are those of `PooledDB`, without `creator`."""
        self._log = log
        self._is_made = False  # until then the pool borrows from itself, to fill up
        super().__init__(creator=self._make, **arguments)
        self._is_made = True

    def connection(self, shareable: bool = True) -> Any:  # noqa: ANN401 - DBUtils has no types
        """Lend a connection; blocks or raises as PooledDB does."""
        if not self._is_made:
            return super().connection(shareable)
        self._log.note(What.ASKS)
        try:
            lent = super().connection(shareable)
        except BaseException:
            self._log.note(What.REFUSED)
            raise
        self._log.note(What.BORROWED, lent.dbapi_connection.number)
        return lent

    def cache(self, con: Any) -> None:  # noqa: ANN401
        """Take a connection back."""
        with self._lock:  # nobody can borrow it, or begin to wait, between the note and the deed
            self._log.note(What.RETURNED, con.dbapi_connection.number)
            super().cache(con)

    def _wait_lock(self) -> None:
        if self._blocking:
            self._log.note(What.WAITS)
        super()._wait_lock()

    def _make(self, **arguments: Any) -> WatchedConnection:  # noqa: ANN401
        return self.watched(self._log, **arguments)
