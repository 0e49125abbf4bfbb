"""A5: a second address of the server, on our own port, which we can close and open again.

with Relay() as relay:
    connection = pymysql.connect(**relay.settings.connect_args())
    relay.close()  # connections break, and new ones are refused, as when a server stops
    relay.open()  # the same port answers again, as after its start

The server behind it keeps running. Step 7a says how this differs from a restart.
"""

import socket
import threading
from contextlib import suppress
from dataclasses import replace
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

from demos.pool_demo.settings import Settings, load

PIECE = 64 * 1024  # bytes read at once


class Relay:
    """Passes bytes between clients of a free port on 127.0.0.1 and the server."""

    def __init__(self, upstream: Settings | None = None) -> None:
        """Open the port; `upstream` is `load()` by default."""
        self.upstream = upstream or load()
        # Bound but never listening: this keeps the number for us while the port is closed.
        self._number = socket.socket()
        self._number.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._number.bind(("127.0.0.1", 0))
        port: int = self._number.getsockname()[1]
        self.settings = replace(self.upstream, host="127.0.0.1", port=port, unix_socket=None)
        self.open()

    def __enter__(self) -> Self:
        """Return the relay."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the port and give up its number."""
        self.close()
        self._number.close()

    def open(self) -> None:
        """Listen on the port."""
        self._door = _Door(("127.0.0.1", self.settings.port), self)
        threading.Thread(target=self._door.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Refuse new connections and break the existing ones. A second call does nothing."""
        self._door.shutdown()
        self._door.server_close()
        for end in list(self._door.ends):
            _hang_up(end)

    def pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        """Pass on all that one side sends. A subclass may look at it, change it or hold it back.

        Args:
            source: the side that sends.
            sink: the other side.
            is_answer: `source` is the server.

        Raises:
            OSError: one of the two connections is broken.
        """
        while data := source.recv(PIECE):
            sink.sendall(data)


class _Door(ThreadingTCPServer):
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 100  # clients that come at the same moment

    def __init__(self, address: tuple[str, int], relay: Relay) -> None:
        self.relay = relay
        self.ends: set[socket.socket] = set()
        super().__init__(address, _Connection)


class _Connection(BaseRequestHandler):
    server: _Door

    def handle(self) -> None:
        """Pass on in both directions until one side ends."""
        client: socket.socket = self.request
        ends = self.server.ends
        ends.add(client)
        try:
            # As MySQL's server does, or a second short answer would wait for the client's word on
            # the first: 40 ms.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = _connect(self.server.relay.upstream)
        except OSError:  # one of the two is away, so the other loses its connection
            ends.discard(client)
            return
        with server:
            ends.add(server)
            back = threading.Thread(target=self._carry, args=(server, client, True), daemon=True)
            back.start()
            self._carry(client, server, False)
            back.join()
            ends.difference_update((client, server))

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        """Pass on in one direction; its end is that of the other one, too."""
        with suppress(OSError):
            self.server.relay.pass_on(source, sink, is_answer)
        _hang_up(source)
        _hang_up(sink)


def _connect(to: Settings) -> socket.socket:
    """Connect to the server as a client itself would do."""
    if to.uses_socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(to.unix_socket))
    else:
        server = socket.create_connection((to.host, to.port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        end.shutdown(socket.SHUT_RDWR)
