"""A pool of places: in each is a connection, or None, where one may be opened."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import pymysql

Connection = pymysql.Connection


def is_alive(connection: Connection) -> bool:
    """Ask the server."""
    try:
        connection.ping(reconnect=False)
    except pymysql.Error:
        return False
    return True


class Pool:
    """Lends connections to threads, first come, first served."""

    def __init__(self, connect: Callable[[], Connection], size: int, timeout: float) -> None:
        """Open nothing yet."""
        self._connect, self._timeout = connect, timeout
        self._lock = threading.Lock()
        self._places: list[Connection | None] = [None] * size
        self._waiting: deque[SimpleQueue[Connection | None]] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow one for a block. Raises TimeoutError."""
        connection = self._ready(self._place())
        try:
            yield connection
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close what is idle now, and what comes back later when it comes."""
        self._closed = True
        with self._lock:
            idle, self._places = self._places, [None] * len(self._places)
        for connection in idle:
            if connection:
                connection.close()

    def _place(self) -> Connection | None:
        """Take a place, or wait for one."""
        with self._lock:
            if self._places:
                return self._places.pop()
            mine: SimpleQueue[Connection | None] = SimpleQueue()
            self._waiting.append(mine)
        try:
            return mine.get(timeout=self._timeout)
        except Empty:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise TimeoutError("all connections are in use") from None
            return mine.get()  # it came at the last moment

    def _ready(self, connection: Connection | None) -> Connection:
        """Return a connection that works, for the place that we have."""
        try:
            if connection is None or not is_alive(connection):
                return self._connect()
        except BaseException:
            self._pass_on(None)
            raise
        return connection

    def _give_back(self, connection: Connection | None) -> None:
        assert connection
        try:
            connection.rollback()
            if self._closed:
                connection.close()
                connection = None
        except pymysql.Error:
            connection = None
        self._pass_on(connection)

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a place to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().put(connection)
            elif connection:
                self._places.append(connection)
            else:
                self._places.insert(0, None)
