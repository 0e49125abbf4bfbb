"""A1: measures the time of each phase of one `pymysql.connect()`.

It uses only public functions: PyMySQL gets a socket to connect over, and this socket notes the time
of each message.
"""

import socket
import time
from collections.abc import Callable
from itertools import pairwise

import pymysql

from demos.pool_demo.settings import load

CONTEXT, HANDSHAKE, GREETING, LOGIN = "TLS context", "socket connects", "greeting", "log-in"
STATEMENT = 3  # the protocol's code for one, in the first byte after a header of four


class Noting(socket.socket):
    """A socket that notes the time and the kind of each message."""

    def connect(self, address: object) -> None:
        """Connect. The first phase after that is the wait for the greeting."""
        super().connect(address)  # type: ignore[arg-type]
        self.notes = [(time.perf_counter(), GREETING)]

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        """Note, and send."""
        kind = data[5:].decode("utf-8", "replace") if data[4] == STATEMENT else LOGIN
        self.notes.append((time.perf_counter(), kind))
        super().sendall(data, flags)


def timed(work: Callable[[], object]) -> float:
    """Return the microseconds that the work takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e6


def connect_once() -> dict[str, float]:
    """Connect once; return the microseconds of each phase, in order."""
    settings = load()
    arguments = settings.connect_args(defer_connect=True)
    context = timed(lambda: pymysql.connect(**arguments))
    context -= timed(lambda: pymysql.connect(**arguments, ssl_disabled=True))
    with Noting(socket.AF_UNIX if settings.uses_socket else socket.AF_INET) as line:
        address = settings.unix_socket if settings.uses_socket else (settings.host, settings.port)
        found = {CONTEXT: context, HANDSHAKE: timed(lambda: line.connect(address))}
        pymysql.connect(**arguments, ssl_disabled=True).connect(line)
        notes = [*line.notes, (time.perf_counter(), "")]
    for (began, phase), (ended, _) in pairwise(notes):
        found[phase] = found.get(phase, 0.0) + (ended - began) * 1e6
    return found
