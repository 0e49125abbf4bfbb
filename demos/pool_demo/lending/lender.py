"""A4, A5: lends connections of a DBUtils pool: in order, checked, and always given back.

No message goes to the server while a lock is held. The pool makes connection objects that are not
connected yet; the borrower connects. The check of an idle connection needs no message: if
the server has closed it, its socket is readable. The first statement of the next borrower also
resets the session, so nothing of the last borrower is left in it.
"""

import os
import select
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.constants import CLIENT

from demos.pool_demo.lending.connection import Connection
from demos.pool_demo.lending.mutex import NobodyWaits
from demos.pool_demo.lending.turnstile import Place, Turnstile
from demos.pool_demo.settings import Settings, Tls, tls_arguments

Raw = Any  # our Connection, without DBUtils around it

# In a forked child: the parent's connections. They are kept, because to free one could wait for a
# thread that only the parent has.
_parents: list[Raw] = []

HUNG_SERVER = 2.0  # seconds after the server's own limit until a query is given up without it


class Observer(Protocol):
    """Is told about each loan, by the thread that borrows."""

    def asks(self) -> None:
        """A caller asks for a connection."""

    def waits(self) -> None:
        """No place was free: the caller waits in the queue."""

    def borrowed(self, raw: Raw) -> None:
        """The caller gets this connection."""

    def refused(self) -> None:
        """The caller gets an exception and no connection."""

    def returned(self, raw: Raw) -> None:
        """This connection is about to go back."""


class Lender:
    """Lends the connections of one pool to one process."""

    _observer: Observer | None = None

    def __init__(
        self, settings: Settings, connections: int, wait: float, query_limit: float | None, tls: Tls
    ) -> None:
        """Make the pool; no connection is opened yet. The arguments are those of `MysqlHelp`."""
        self.wait, self.query_limit = wait, query_limit
        self.turnstile = Turnstile(connections)
        self.creator: Callable[..., Raw] = Connection  # what makes a connection
        self._closed = False
        self._raws: weakref.WeakSet[Raw] = weakref.WeakSet()
        self._arguments = settings.connect_args(
            autocommit=True,
            defer_connect=True,
            client_flag=CLIENT.FOUND_ROWS,  # an update counts the rows it matched (E10)
            setting=session(settings.charset, query_limit),
            **limits(query_limit),
            **tls_arguments(settings, tls),
        )
        # The turnstile keeps the limit. reset=False: the next borrower's first statement resets.
        self._pool = PooledDB(creator=self._make, maxcached=connections, ping=is_alive, reset=False)
        self._pool._lock = NobodyWaits()

    def lend(self) -> "Loan":
        """Lend a connection for a block. Its session is as if it were new.

        Entering raises PoolTimeout, pymysql.OperationalError when there is no connecting,
        InterfaceError after `close`.
        """
        return Loan(self) if self._observer is None else ObservedLoan(self, self._observer)

    def observe(self, observer: Observer) -> None:
        """Tell an observer about each loan from now on; there can be one."""
        self._observer = observer
        self.turnstile.on_wait = observer.waits

    def close(self) -> None:
        """Close the idle connections now and each other one when it comes back."""
        self._closed = True
        self._pool.close()

    def forget(self) -> None:
        """In a forked child: drop the parent's connections without a word to the server."""
        self._pool._lock = NobodyWaits()  # a thread that is not here may have held it
        self.turnstile.forget()
        for raw in list(self._raws):
            sock, raw._sock = raw._sock, None
            if sock is not None:
                _parents.append(raw)
                os.close(sock.detach())  # close() would say goodbye for the parent

    def _make(self) -> Raw:
        raw = self.creator(**self._arguments)
        self._raws.add(raw)
        return raw


class Loan:
    """The block of a loan. No step between its methods and the block can be lost to Ctrl-C."""

    _place: Place | None = None
    _lent: Any = None  # the connection in DBUtils' cover

    def __init__(self, lender: Lender) -> None:
        """Prepare; entering the block borrows."""
        self._lender = lender

    def __enter__(self) -> Raw:
        """Wait for a place, and borrow."""
        lender = self._lender
        if lender._closed:
            raise pymysql.InterfaceError(0, "this MysqlHelp is closed; MysqlHelp() makes a new one")
        try:
            self._place = lender.turnstile.enter(lender.wait)
            self._lent = lender._pool.connection()
            raw = self._lent.dbapi_connection
            if not raw.open:
                raw.connect()
            raw.start_over()
        except BaseException:
            self.__exit__()
            raise
        return raw

    def __exit__(self, *exc: object) -> None:
        """Give the connection back, or hang up on one that nobody could use, and leave."""
        try:
            if self._lent is not None:
                raw = self._lent.dbapi_connection
                if self._lender._closed or not raw.settled or raw.is_too_small:
                    hang_up(raw)
                self._lent.close()  # to the pool
        finally:
            if self._place is not None:
                self._place.leave()


class ObservedLoan(Loan):
    """A loan that an observer is told about."""

    _raw: Raw = None

    def __init__(self, lender: Lender, observer: Observer) -> None:
        """Prepare; entering the block borrows."""
        super().__init__(lender)
        self._observer = observer

    def __enter__(self) -> Raw:
        """Borrow."""
        self._observer.asks()
        try:
            raw = super().__enter__()
        except BaseException:
            self._observer.refused()
            raise
        self._raw = raw
        self._observer.borrowed(raw)
        return raw

    def __exit__(self, *exc: object) -> None:
        """Give back."""
        if self._raw is not None:
            self._observer.returned(self._raw)
        super().__exit__(*exc)


def is_alive(raw: Raw) -> bool:
    """Say whether an idle connection can be used, without a message to the server.

    The server sends only answers. So if an idle socket is readable, the server has closed it.
    """
    sock = raw._sock
    if sock is None or not raw.settled:
        return False
    try:
        readable, _, _ = select.select([sock], [], [], 0)
    except ValueError:  # select() accepts no file number above 1023
        watch = select.poll()
        watch.register(sock, select.POLLIN)
        return not watch.poll(0)
    return not readable


def hang_up(raw: Raw) -> None:
    """Close a connection at once; the server rolls back what was open on it."""
    raw.settled = False  # if closing is interrupted, `is_alive` says no
    if raw._result is not None:
        raw._result.unbuffered_active = False  # nobody reads the rest
    with suppress(pymysql.Error):  # it was closed already
        raw.close()


def limits(query_limit: float | None) -> dict[str, Any]:
    """Return the arguments that end a query after `query_limit` seconds.

    The server ends it, with an error and a connection that stays good: a select on MySQL, any
    statement on MariaDB. A server that hangs is left by the client, a little later.
    """
    if query_limit is None:
        return {}
    patience = query_limit + HUNG_SERVER
    of_one = f"set statement max_statement_time = {query_limit:g} for "  # MariaDB's
    return {"limit": of_one, "read_timeout": patience, "write_timeout": patience}


def session(charset: str, query_limit: float | None) -> str:
    """Return the SQL that makes a new session one of ours."""
    ours = f"set names {charset}, autocommit = 1"
    return ours if query_limit is None else f"{ours}, {time_limit(query_limit)}"


def time_limit(seconds: float) -> str:
    """Return what goes behind SQL's SET for the session's time limit; 0 is none."""
    # MariaDB reads the first comment, MySQL the second.
    mysql = f"max_execution_time = {seconds * 1000:.0f}"
    return f"/*M! max_statement_time = {seconds:g} *//*!50708 {mysql} */"
