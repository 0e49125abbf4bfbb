"""A1, A4: a pool that writes down who does what with which connection, and when.

log = Log()
pool = WatchedPool(log, maxconnections=3, blocking=True, **connect_args())
...
log.spans()  # [Span(lane=1, doing="idle", begin=0.012, end=0.034), ...]
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pymysql
from dbutils.pooled_db import PooledDB

What = Literal[
    "opened", "asks", "waits", "borrowed", "refused", "returned", "closed",
    # in watched.py only
    "connects", "gives up", "queries", "pings", "rolls back", "is done",
]  # fmt: skip
Doing = Literal["idle", "checked out", "waiting"]


@dataclass(frozen=True)
class Event:
    """Something that happened: `when`, in seconds since the log began, `what`, to `who`.

    A caller `asks`, `waits` if the maximum is out, and has `borrowed` or is `refused`. `who` is the
    caller: the name of a thread. `connection` is the server's number of it, as in the process list,
    and None while a caller has none.
    """

    when: float
    what: What
    who: str
    connection: int | None


@dataclass(frozen=True)
class Span:
    """What a connection (its number) or a caller (its name) was doing from `begin` to `end`."""

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
        """Write down that this happened now, to the caller whose thread this is."""
        with self._mutex:
            when = time.perf_counter() - self._began
            who = threading.current_thread().name
            self.events.append(Event(when, what, who, connection))

    def waits(self) -> list[tuple[float, float]]:
        """Return when each wait at the maximum began and ended."""
        began: dict[str, float] = {}
        found = []
        for event in self.events:
            if event.what == "waits":
                began.setdefault(event.who, event.when)  # again if somebody else was quicker
            elif event.what in ("borrowed", "refused") and event.who in began:
                found.append((began.pop(event.who), event.when))
        return found

    def connections(self) -> list[int]:
        """Return the server's numbers of all connections so far, in the order of opening."""
        return [
            event.connection
            for event in self.events
            if event.what == "opened" and event.connection is not None
        ]

    def spans(self) -> list[Span]:
        """Return what each connection and each waiting caller did, by their beginning.

        What has not ended yet ends with the last event.
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
            if event.what in ("borrowed", "refused"):
                change(event.who, None, event.when)
            elif event.what == "asks":
                change(event.who, "waiting", event.when)
        for lane in list(doing):
            change(lane, None, events[-1].when)
        return sorted(found, key=lambda span: span.begin)


_NEXT: dict[What, Doing | None] = {
    "opened": "idle",
    "borrowed": "checked out",
    "returned": "idle",
    "closed": None,
}


class Notebook(Protocol):
    """What a watched pool writes into: a `Log`, or another one."""

    def note(self, what: What, connection: int | None = None) -> None:
        """Write down that this happened now, to the caller whose thread this is."""


class WatchedConnection(pymysql.Connection):
    """A connection that says when it is open and when it is closed."""

    def __init__(self, log: Notebook, **arguments: Any) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect. The arguments are those of `pymysql.connect`."""
        self._log = log
        super().__init__(**arguments)

    def connect(self, sock: Any = None) -> None:  # noqa: ANN401 - as PyMySQL's own
        """Connect, and say so."""
        super().connect(sock)
        self._log.note("opened", self.number)

    @property
    def number(self) -> int:
        """The server's number of this connection, as `select connection_id()` gives it."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Say so, then close."""
        if self.open:
            self._log.note("closed", self.number)
        super().close()


class WatchedPool(PooledDB):  # type: ignore[misc]
    """A PooledDB that writes into a log. Nothing in it works differently, and it asks no more."""

    watched = WatchedConnection  # what its connections are

    def __init__(self, log: Notebook, **arguments: Any) -> None:  # noqa: ANN401 - as PooledDB's own
        """Make the pool. The arguments are those of `PooledDB`, without `creator`."""
        self._log = log
        self._is_made = False  # until then the pool borrows from itself, to fill up
        super().__init__(creator=self._make, **arguments)
        self._is_made = True

    def connection(self, shareable: bool = True) -> Any:  # noqa: ANN401 - DBUtils has no types
        """Lend a connection; blocks or raises as PooledDB does."""
        if not self._is_made:
            return super().connection(shareable)
        self._log.note("asks")
        try:
            lent = super().connection(shareable)
        except BaseException:
            self._log.note("refused")
            raise
        self._log.note("borrowed", lent.dbapi_connection.number)
        return lent

    def cache(self, con: Any) -> None:  # noqa: ANN401
        """Take a connection back."""
        with self._lock:  # nobody can borrow it, or begin to wait, between the note and the deed
            self._log.note("returned", con.dbapi_connection.number)
            super().cache(con)

    def _wait_lock(self) -> None:
        if self._blocking:
            self._log.note("waits")
        super()._wait_lock()

    def _make(self, **arguments: Any) -> WatchedConnection:  # noqa: ANN401
        return self.watched(self._log, **arguments)
