"""A gate on a program's way to the database: it holds back what follows a statement, or an answer.

So a goal sees, without a clock, what a program does while the database has not answered yet:

with Gate() as gate:
    program = Program(command, gate.environment)
    with gate.closed_behind("d0"):      # the statement with d0 passes, and what follows it waits
        ...                             # is the message acknowledged now? then before its commit
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from demos.instruments.closable_port import PIECE, Relay
from demos.pool_demo.settings import tls_arguments

TLS_OFFER = 0x08  # in the second byte of the capabilities
FORGOTTEN = 30.0  # seconds until a closed gate opens by itself


class Held(Enum):
    """What is held back."""

    NEXT = auto()  # what a connection sends after a statement with a text
    ANSWER_TO = auto()  # the answer to a statement with a text
    ANSWER_WITH = auto()  # an answer with a text


class _Hold:
    """A gate that is closed."""

    def __init__(self, mark: bytes, what: Held) -> None:
        self.mark, self.what = mark, what
        self.asked: set[socket.socket] = set()  # servers whose next answer is held
        self.waiting = threading.Semaphore(0)  # once for each connection that has come to it
        self.open = threading.Event()

    def wait(self) -> None:
        """Let the connection wait until the gate opens."""
        self.waiting.release()
        self.open.wait(FORGOTTEN)


class Gate(Relay):
    """An address of the database at 127.0.0.1; use it in a `with` block.

    It reads what passes, so it tells clients that the server offers no TLS. Where the course itself
    uses TLS, that is for a server elsewhere, nobody goes through it, and nothing is ever held back.
    """

    def __init__(self) -> None:
        """Open a port."""
        self._hold: _Hold | None = None
        self._watched, self._seen = b"", list[bytes]()
        super().__init__()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a program through the gate."""
        if not tls_arguments(self.upstream, None).get("ssl_disabled"):
            return {}
        here = self.settings
        return {
            "MYSQL_HOST": here.host,
            "MYSQL_PORT": str(here.port),
            "MYSQL_UNIX_SOCKET": "",
            "MYSQL_USER": here.user,
            "MYSQL_PASSWORD": here.password,
            "MYSQL_DATABASE": here.database,
        }

    @contextmanager
    def closed_behind(self, text: str) -> Iterator[threading.Semaphore]:
        """Let a statement with this text pass; what its connection sends next waits for the end.

        Returns:
            Released once for each connection that has sent such a statement.
        """
        with self._closed(text, Held.NEXT) as waiting:
            yield waiting

    @contextmanager
    def closed_before_answer_to(self, text: str) -> Iterator[threading.Semaphore]:
        """Hold back the answer to each statement with this text until the end; see above."""
        with self._closed(text, Held.ANSWER_TO) as waiting:
            yield waiting

    @contextmanager
    def closed_before_answer(self, text: str) -> Iterator[threading.Semaphore]:
        """Hold back each answer of the database with this text until the end; see above."""
        with self._closed(text, Held.ANSWER_WITH) as waiting:
            yield waiting

    @contextmanager
    def watching(self, text: str) -> Iterator[list[bytes]]:
        """Note the statements with this text until the end; hold nothing back."""
        self._seen = seen = list[bytes]()
        self._watched = text.encode()
        try:
            yield seen
        finally:
            self._watched = b""

    @contextmanager
    def _closed(self, text: str, what: Held) -> Iterator[threading.Semaphore]:
        self._hold = hold = _Hold(text.encode(), what)
        try:
            yield hold.waiting
        finally:
            self._hold = None
            hold.open.set()

    def pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        """Pass on what one side sends, and hold back what a closed gate holds; see `Relay`."""
        if is_answer:
            sink.sendall(_without_tls(source.recv(PIECE)))
        while data := source.recv(PIECE):
            hold = self._hold
            if self._watched and not is_answer and self._watched in data:
                self._seen.append(data)
            if hold and is_answer:
                is_here = hold.what is Held.ANSWER_WITH and hold.mark in data
                if is_here or source in hold.asked:
                    hold.asked.discard(source)
                    hold.wait()
            elif hold and hold.what is Held.ANSWER_TO and hold.mark in data:
                hold.asked.add(sink)
            sink.sendall(data)
            if hold and not is_answer and hold.what is Held.NEXT and hold.mark in data:
                hold.wait()


def _without_tls(greeting: bytes) -> bytes:
    """Return the server's first packet without the offer of TLS, a bit of its capabilities."""
    at = greeting.find(b"\0", 5) + 15  # behind version, thread id, 8 bytes of salt, a zero
    if greeting[4:5] != b"\x0a" or len(greeting) <= at:  # it turns us away
        return greeting
    return greeting[:at] + bytes([greeting[at] & ~TLS_OFFER]) + greeting[at + 1 :]
