"""The same pool with a Condition and numbered tickets."""

import itertools
import threading
from collections.abc import Callable

import pymysql

Connection = pymysql.Connection


class Pool:
    """Lends connections; a ticket says whose turn it is."""

    def __init__(self, connect: Callable[[], Connection], size: int, timeout: float) -> None:
        """Remember what to open, how many, and how long to wait."""
        self.connect, self.size, self.timeout = connect, size, timeout
        self.change = threading.Condition()
        self.idle: list[Connection] = []
        self.out = 0  # borrowed, or about to be opened
        self.tickets = itertools.count()
        self.line: list[int] = []
        self.closed = False

    def connection(self) -> "Loan":
        """Return what a `with` block needs."""
        return Loan(self)

    def take(self) -> Connection:
        """Wait for my turn and for a free place; open a connection where none is idle."""
        with self.change:
            ticket = next(self.tickets)
            self.line.append(ticket)
            try:
                if not self.change.wait_for(
                    lambda: self.line[0] == ticket and self.out < self.size, self.timeout
                ):
                    raise TimeoutError("no connection is free")
            finally:
                self.line.remove(ticket)
                self.change.notify_all()
            self.out += 1
            found = self.idle.pop() if self.idle else None
        try:
            if found is not None:
                try:
                    found.ping(reconnect=False)
                    return found
                except pymysql.Error:
                    pass
            return self.connect()
        except BaseException:
            self.leave(None)
            raise

    def leave(self, connection: Connection | None) -> None:
        """Free a place, and keep the connection if it is one."""
        with self.change:
            self.out -= 1
            if connection is not None and self.closed:
                connection.close()
            elif connection is not None:
                self.idle.append(connection)
            self.change.notify_all()

    def close(self) -> None:
        """Close the idle ones."""
        with self.change:
            self.closed = True
            while self.idle:
                self.idle.pop().close()


class Loan:
    """One connection for one block."""

    def __init__(self, pool: Pool) -> None:
        """Belong to a pool."""
        self.pool = pool

    def __enter__(self) -> Connection:
        """Borrow."""
        self.mine = self.pool.take()
        return self.mine

    def __exit__(self, *error: object) -> None:
        """Roll back and give back."""
        try:
            self.mine.rollback()
        except pymysql.Error:
            self.pool.leave(None)
        else:
            self.pool.leave(self.mine)
