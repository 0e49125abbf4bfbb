"""What MysqlHelp is measured against: the pools and drivers that a user would pick instead.

Each is used as its documentation shows, with its default arguments; TLS is off for all but one, as
it is for MysqlHelp on this machine. A peer that is not installed, or does not work here, is named
in the report with the reason.
"""

import asyncio
import importlib
import importlib.metadata
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor

from demos.instruments.rounds import Callers, Turns
from demos.pool_demo.compared.ways import (
    HELPER,
    POOLED,
    RAW,
    RAW_NO_TLS,
    SELECT,
    TUNED,
    WAYS,
    Helper,
    Pooled,
    Way,
)
from demos.pool_demo.lending.answers import run_on
from demos.pool_demo.lending.lender import Lender, is_alive
from demos.pool_demo.settings import Settings

FLOOR, C_FLOOR = "open PyMySQL connection", "open mysqlclient connection"
RESET, C_HELPER = "open connection, session reset each time", "MysqlHelp on mysqlclient"
SQLALCHEMY, CONNECTOR = "SQLAlchemy pre_ping", "mysql-connector pool"
MARIADB, ASYNCMY = "MariaDB connector pool", "asyncmy pool"

Rows = list[dict[str, Any]]


class Lent(Way):
    """A pool whose connections go back with `close()`, as DB-API 2 pools have it."""

    def __init__(
        self, get: Callable[[], Any], cursor: Callable[[Any], Any], end: Callable[[], object]
    ) -> None:
        """Take how to get a connection, how to make a cursor of dicts, and how to end it all."""
        super().__init__(lambda: closing(get()))
        self._get, self._cursor, self._end = get, cursor, end

    def query(self, sql: str) -> Rows:
        """Get a connection, ask, read all rows, give it back."""
        with closing(self._get()) as connection, closing(self._cursor(connection)) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def close(self) -> None:
        """Close the pool's connections."""
        self._end()


class Open(Way):
    """An open connection for each thread: nothing to get, and nothing to give back."""

    def __init__(self, connect: Callable[[], Any], cursor: type[Any]) -> None:
        """Keep what connects; a thread does when it first asks."""
        self._mine = threading.local()
        self._all: list[Any] = []
        self._cursor = cursor

        @contextmanager
        def borrow() -> Iterator[Any]:
            if not hasattr(self._mine, "connection"):
                self._mine.connection = connect()
                self._all.append(self._mine.connection)
            yield self._mine.connection

        super().__init__(borrow)

    def query(self, sql: str) -> Rows:
        """Ask on this thread's connection, and read all rows."""
        with self._open().cursor(self._cursor) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._all:
            connection.close()

    def _open(self) -> Any:  # noqa: ANN401 - a connection of any driver
        try:
            return self._mine.connection
        except AttributeError:
            with self.borrow() as connection:
                return connection


class Reset(Open):
    """MysqlHelp's connections without its pool: a query does nothing more than reset and ask."""

    def query(self, sql: str) -> Rows:
        """Ask on this thread's connection, and read all rows."""
        connection = self._open()
        return run_on(connection, connection.lone(sql)).rows


class Tasks(Way):
    """asyncmy's pool: callers are tasks of one event loop, not threads."""

    def __init__(self, settings: Settings, size: int) -> None:
        """Open the pool, in a loop of its own."""
        asyncmy: Any = importlib.import_module("asyncmy")
        self._cursor: Any = importlib.import_module("asyncmy.cursors").DictCursor
        self._loop = asyncio.new_event_loop()
        make = asyncmy.create_pool(minsize=size, maxsize=size, **_arguments(settings, "database"))
        self._pool = self._loop.run_until_complete(make)

    def query(self, sql: str) -> Rows:
        """Ask once, and read all rows."""
        return self._loop.run_until_complete(self._ask(sql))

    def run(self, sql: str, count: int, seconds: float) -> Turns:
        """Let so many tasks ask for so long: what `Callers.run` does with threads."""

        async def caller(began: float) -> list[float]:
            times: list[float] = []
            now = began
            while not times or now < began + seconds:
                before = now
                await self._ask(sql)
                now = time.perf_counter()
                times.append(now - before)
            return times

        async def all_at_once() -> Turns:
            began = time.perf_counter()
            found = await asyncio.gather(*(caller(began) for _ in range(count)))
            return Turns(list(found), time.perf_counter() - began)

        return self._loop.run_until_complete(all_at_once())

    def close(self) -> None:
        """Close the pool and its loop."""
        self._pool.close()
        self._loop.run_until_complete(self._pool.wait_closed())
        self._loop.close()

    async def _ask(self, sql: str) -> Rows:
        async with self._pool.acquire() as connection, connection.cursor(self._cursor) as cursor:
            await cursor.execute(sql)
            return list(await cursor.fetchall())


def _arguments(settings: Settings, database: str, **changes: object) -> dict[str, Any]:
    """Return the arguments for a driver that is not PyMySQL, with its word for the database."""
    found = settings.connect_args(password=settings.password, **changes)
    found[database] = found.pop("database")
    return found


def _open_pymysql(settings: Settings, size: int) -> Way:
    arguments = settings.connect_args(ssl_disabled=True, autocommit=True)
    return Open(partial(pymysql.connect, **arguments), DictCursor)


def _open_reset(settings: Settings, size: int) -> Way:
    lender = Lender(settings, size, wait=10.0, query_limit=30.0, tls=None)  # as MysqlHelp() has it

    def connect() -> Any:  # noqa: ANN401 - it has no types
        connection = lender._make()
        connection.connect()
        return connection

    return Reset(connect, DictCursor)


def _open_mysqlclient(settings: Settings, size: int) -> Way:
    driver: Any = importlib.import_module("MySQLdb")
    cursor = importlib.import_module("MySQLdb.cursors").DictCursor
    arguments = _arguments(settings, "database", autocommit=True)
    return Open(partial(driver.connect, **arguments), cursor)


def _c_helper(settings: Settings, size: int) -> Way:
    """Put mysqlclient's connections into the helper's pool: the ceiling of what it can be."""
    driver: Any = importlib.import_module("MySQLdb.connections")
    cursors: Any = importlib.import_module("MySQLdb.cursors")
    arguments = _arguments(settings, "database", autocommit=True)

    class Connection(driver.Connection):  # type: ignore[misc]
        """A connection with what the helper asks of PyMySQL's."""

        _result = None
        settled = True
        is_too_small = False
        lone = str  # the statement as it is

        def __init__(self) -> None:
            super().__init__(**arguments)
            self._sock = socket.socket(fileno=os.dup(self.fileno()))

        def start_over(self) -> None:
            """Leave the session as it is: a driver in C sends nothing of ours."""

        def cursor(self, kind: type[Any] = DictCursor) -> Any:  # noqa: ANN401
            return super().cursor(cursors.DictCursor)

        def close(self) -> None:
            self._sock.close()
            super().close()

    Connection.__module__ = driver.__name__  # DBUtils looks there for the driver
    way = Helper(settings, size)
    way.db.lender._pool.close()
    pool = PooledDB(Connection, maxcached=size, ping=is_alive, reset=False)
    way.db.lender._pool = pool
    way.open_all(size)
    return way


def _sqlalchemy(settings: Settings, size: int) -> Way:
    library: Any = importlib.import_module("sqlalchemy")
    arguments = settings.connect_args(ssl_disabled=True)
    engine = library.create_engine(
        "mysql+pymysql://",
        creator=partial(pymysql.connect, **arguments),
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
    )
    return Lent(engine.raw_connection, lambda lent: lent.cursor(DictCursor), engine.dispose)


def _connector(settings: Settings, size: int) -> Way:
    library: Any = importlib.import_module("mysql.connector.pooling")
    arguments = _arguments(settings, "database", ssl_disabled=True)
    pool = library.MySQLConnectionPool(pool_name=_new_name(), pool_size=size, **arguments)
    return Lent(
        pool.get_connection, lambda lent: lent.cursor(dictionary=True), pool._remove_connections
    )


def _mariadb(settings: Settings, size: int) -> Way:
    library: Any = importlib.import_module("mariadb")
    arguments = _arguments(settings, "database")
    del arguments["charset"]  # it is always utf8mb4
    pool = library.ConnectionPool(pool_name=_new_name(), pool_size=size, **arguments)
    return Lent(pool.get_connection, lambda lent: lent.cursor(dictionary=True), pool.close)


def _new_name() -> str:
    return f"bench{time.monotonic_ns()}"


@dataclass(frozen=True)
class Peer:
    """Something to measure. `waits` says whether a caller waits when all connections are out."""

    name: str
    open: Callable[[Settings, int], Way]
    package: str = "PyMySQL"
    waits: bool = True

    @contextmanager
    def opened(self, settings: Settings, size: int, callers: int) -> Iterator[Way]:
        """Have it open for a block; a pool that cannot wait gets a connection for each caller."""
        way = self.open(settings, size if self.waits else max(size, callers))
        try:
            yield way
        finally:
            way.close()


def _without_tls(**options: Any) -> Callable[[Settings, int], Way]:  # noqa: ANN401 - PooledDB's
    return lambda settings, size: Pooled(settings, size, ssl_disabled=True, **options)


PEERS = [
    Peer(FLOOR, _open_pymysql),
    Peer(RESET, _open_reset),
    Peer(HELPER, WAYS[HELPER]),
    Peer(RAW, WAYS[RAW]),
    Peer(RAW_NO_TLS, WAYS[RAW_NO_TLS]),
    Peer(POOLED, _without_tls(), "DBUtils"),
    Peer(TUNED, _without_tls(ping=0, reset=False, autocommit=True), "DBUtils"),
    Peer(SQLALCHEMY, _sqlalchemy, "SQLAlchemy"),
    Peer(CONNECTOR, _connector, "mysql-connector-python", waits=False),
    Peer(MARIADB, _mariadb, "mariadb", waits=False),
    Peer(ASYNCMY, Tasks, "asyncmy"),
    Peer(C_FLOOR, _open_mysqlclient, "mysqlclient"),
    Peer(C_HELPER, _c_helper, "mysqlclient"),
]


def turns(peer: Peer, settings: Settings, size: int, count: int, sql: str, seconds: float) -> Turns:
    """Open the peer, let each caller ask once, then let all ask for so long; close it."""
    with peer.opened(settings, size, count) as way:
        if isinstance(way, Tasks):
            way.run(sql, count, 0)
            return way.run(sql, count, seconds)
        ask = partial(way.query, sql)
        with Callers(count) as callers:
            callers.run(ask, count, 0)
            return callers.run(ask, count, seconds)


def working(settings: Settings) -> tuple[dict[str, Peer], dict[str, str]]:
    """Return the peers that read the three students here, and why the others do not."""
    found, missing = {}, {}
    with _open_pymysql(settings, 1).borrow() as connection:
        expected = Open(lambda: connection, DictCursor).query(SELECT)
    for peer in PEERS:
        try:
            with peer.opened(settings, 1, 1) as way:
                rows = way.query(SELECT)
        except ModuleNotFoundError:
            missing[peer.name] = f"{peer.package} is not installed"
        except Exception as error:
            missing[peer.name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        else:
            if rows == expected:
                found[peer.name] = peer
            else:
                missing[peer.name] = "it reads other rows than PyMySQL"
    return found, missing


def version(package: str) -> str:
    """Return an installed package's version, or "not installed".

    mysql-connector is written in Python, with a C extension that it does without where that one
    does not load; then the version says so.
    """
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
    if package == "mysql-connector-python":
        with suppress(ImportError):
            if not importlib.import_module("mysql.connector").HAVE_CEXT:
                return f"{found}, without its C extension, which does not load here"
    return found
