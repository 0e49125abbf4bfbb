"""A9: how many requests and bytes go through the server's end of each socket.

Bytes are counted where they enter and leave the kernel: request lines, headers, handshakes, pings
and all. What TCP and IP add is not seen from here.
"""

import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from demos.group_chat.connection.handler import WebSocketHandler

ADDRESSES = 500  # how many are kept; the ones unused for longest are forgotten


@dataclass
class Traffic:
    """What one address has cost so far: requests, and bytes in both directions."""

    requests: int = 0
    received: int = 0
    sent: int = 0


_of_path: OrderedDict[str, Traffic] = OrderedDict()


def traffic(path: str) -> Traffic:
    """Return the counters of an address, by its first two parts: "/poll/a1" of "/poll/a1/17"."""
    path = "/".join(path.split("/")[:3])
    counters = _of_path.setdefault(path, Traffic())
    _of_path.move_to_end(path)
    if len(_of_path) > ADDRESSES:
        _of_path.popitem(last=False)
    return counters


class CountingSocket(socket.socket):
    """The kernel's socket beneath gevent's, which counts what passes."""

    def __init__(self, plain: socket.socket) -> None:
        """Take the place of `plain`."""
        super().__init__(plain.family, plain.type, plain.proto, plain.detach())
        self.setblocking(False)  # the waiting is gevent's
        self.counters = Traffic()

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401
        """Read some bytes."""
        data = super().recv(*args)
        self.counters.received += len(data)
        return data

    def recv_into(self, *args: Any) -> int:  # noqa: ANN401
        """Read some bytes into a buffer; returns how many."""
        count = super().recv_into(*args)
        self.counters.received += count
        return count

    def send(self, *args: Any) -> int:  # noqa: ANN401
        """Write some bytes; returns how many."""
        count = super().send(*args)
        self.counters.sent += count
        return count


class MeteringHandler(WebSocketHandler):
    """A handler that counts each request, and the bytes of it, for the address it asks for."""

    def __init__(self, sock: Any, *args: Any) -> None:  # noqa: ANN401
        """Serve one connection, which may bring many requests."""
        self.counting = sock._sock = CountingSocket(sock._sock)
        super().__init__(sock, *args)

    def run_application(self) -> None:
        """Answer one request. Its head is read already; it was not known then whose it is."""
        counters = traffic(self.path)
        counters.requests += 1
        counters.received += self.counting.counters.received
        self.counting.counters = counters
        try:
            super().run_application()
        finally:
            self.counting.counters = Traffic()

    def log_request(self) -> None:
        """Write no line for it; it is counted."""
