"""A1: the ways to get a connection that step 6 compares.

with opened("MysqlHelp", load(), 8) as way:
    way.select()  # get a connection, read the three rows of student, give it back
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
from dbutils.persistent_db import PersistentDB
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor

from demos.instruments.plots import name_colours
from demos.instruments.rounds import Callers, Sample, Turns, interleave, samples
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import Settings, load

SELECT = "select * from student"
Connection = Any  # PyMySQL's, or a pool's cover of one


class Way:
    """One way to get a connection: `borrow` gets one for a block, `close` ends everything."""

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        """Take the function that gets a connection; the end of its block gives it back."""
        self.borrow = connect

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Get a connection, run the query, read all rows, give the connection back."""
        with self.borrow() as connection, connection.cursor(DictCursor) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def select(self) -> list[dict[str, Any]]:
        """Read the three rows of `student`."""
        return self.query(SELECT)

    def close(self) -> None:
        """Close what is open."""


class Raw(Way):
    """Open a new connection for each query."""

    def __init__(self, settings: Settings, size: int, **options: object) -> None:
        """Keep the arguments; nothing limits the number of connections."""
        arguments = settings.connect_args(**options)
        super().__init__(lambda: pymysql.connect(**arguments))


class Pooled(Way):
    """DBUtils' pool: callers wait for one of `size` connections, which are opened now."""

    def __init__(
        self,
        settings: Settings,
        size: int,
        make: Callable[..., PooledDB] | None = None,
        **options: object,
    ) -> None:
        """Open the pool; `make` makes another kind, `options` are PooledDB's and PyMySQL's."""
        limits = {"mincached": size, "maxcached": size, "maxconnections": size, "blocking": True}
        make = make or partial(PooledDB, pymysql)
        self._pool = make(**limits, **settings.connect_args(**options))
        super().__init__(self._pool.connection)

    def close(self) -> None:
        """Close the pool's connections."""
        self._pool.close()


class Persistent(Way):
    """DBUtils' PersistentDB: each thread keeps its own connection as long as the thread lives."""

    def __init__(self, settings: Settings, size: int, **options: object) -> None:
        """Keep the arguments; a thread connects when it first asks."""
        super().__init__(PersistentDB(pymysql, **settings.connect_args(**options)).connection)

    def close(self) -> None:
        """Delete the object; that closes all its connections, because its close() does nothing."""
        del self.borrow


class Helper(Way):
    """The course's own class."""

    def __init__(self, settings: Settings, size: int) -> None:
        """Make the helper."""
        self.db = MysqlHelp(settings, connections=size)
        super().__init__(self.db.lender.lend)
        self.open_all(size)

    def open_all(self, size: int) -> None:
        """Open all connections now, as `Pooled` does."""
        with ExitStack() as all_at_once:
            for _ in range(size):
                all_at_once.enter_context(self.borrow())

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask with `selectall`."""
        return self.db.selectall(sql)

    def close(self) -> None:
        """Close the pool's connections."""
        self.db.close()


RAW, RAW_NO_TLS = "raw PyMySQL", "raw without TLS context"
POOLED, TUNED = "PooledDB default", "PooledDB tuned"
PERSISTENT, HELPER = "PersistentDB", "MysqlHelp"
name_colours(RAW, RAW_NO_TLS, POOLED, TUNED, PERSISTENT, HELPER)

# The arguments of PyMySQL and PooledDB that two of the ways add.
OPTIONS: dict[str, dict[str, Any]] = {
    RAW_NO_TLS: {"ssl_disabled": True},
    # Without a rollback at the return, the next query needs autocommit to see new rows.
    TUNED: {"ping": 0, "reset": False, "autocommit": True},
}

# Each function makes a way, from the settings and the number of connections of a pool.
WAYS: dict[str, Callable[[Settings, int], Way]] = {
    RAW: Raw,
    RAW_NO_TLS: lambda settings, size: Raw(settings, size, **OPTIONS[RAW_NO_TLS]),
    POOLED: Pooled,
    TUNED: lambda settings, size: Pooled(settings, size, **OPTIONS[TUNED]),
    PERSISTENT: Persistent,
    HELPER: Helper,
}


@contextmanager
def opened(name: str, settings: Settings, size: int) -> Iterator[Way]:
    """Open the way of that name for a block. Raises pymysql.OperationalError."""
    way = WAYS[name](settings, size)
    try:
        yield way
    finally:
        way.close()


Ready = dict[str, tuple[Way, Callers]]


@contextmanager
def lined_up(settings: Settings, size: int, most: int) -> Iterator[Ready]:
    """Open all ways for a block, each with `most` callers. Each caller has run one query."""
    with ExitStack() as stack:
        ready = {}
        for name in WAYS:
            way = stack.enter_context(opened(name, settings, size))
            callers = stack.enter_context(Callers(most))
            callers.run(way.select, most, 0)
            ready[name] = (way, callers)
        yield ready


def rates(
    title: str, ready: Ready, counts: Sequence[int], rounds: int, seconds: float
) -> dict[tuple[int, str], Sample]:
    """Return the selects per second for each number of callers and each way, interleaved."""

    def turns(way: Way, callers: Callers, count: int) -> Turns:
        return callers.run(way.select, count, seconds)

    trials = {
        (count, name): partial(turns, way, callers, count)
        for count in counts
        for name, (way, callers) in ready.items()
    }
    return samples(interleave(title, trials, rounds), lambda turns: turns.rate)


def share(name: str, size: int, count: int, sql: str, seconds: float) -> Turns:
    """Let `count` callers share a pool of `size`; each repeats the query for `seconds`."""
    with opened(name, load(), size) as way, Callers(count) as callers:
        return callers.run(partial(way.query, sql), count, seconds)


def transports(settings: Settings) -> dict[str, Settings]:
    """Return the settings for TCP and for the unix socket, if the server can be reached so.

    Both must lead to the same server. Raises pymysql.OperationalError if the server of `settings`
    does not answer.
    """
    who, port, path = _identity(settings)
    found = {}
    for name, there in (
        ("TCP", replace(settings, host="127.0.0.1", port=port, unix_socket=None)),
        ("unix socket", replace(settings, host="localhost", unix_socket=path)),
    ):
        there = settings if there.uses_socket == settings.uses_socket else there
        if there.uses_socket and not Path(str(there.unix_socket)).exists():
            continue
        try:
            if _identity(there)[0] == who:
                found[name] = there
        except pymysql.OperationalError:
            continue  # another transport is closed, or closed to us
    return found


def _identity(settings: Settings) -> tuple[tuple[str, str], int, str]:
    with pymysql.connect(**settings.connect_args(ssl_disabled=True)) as connection:
        cursor = connection.cursor()
        cursor.execute("select @@hostname, @@datadir, @@port, @@socket")
        host, folder, port, path = cursor.fetchone() or ("", "", 0, "")
        return (host, folder), port, path
