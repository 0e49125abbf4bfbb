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
        self._door = _Door(("127.0.0.1", self.settings.port), self.upstream)
        threading.Thread(target=self._door.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Refuse new connections and break the existing ones. A second call does nothing."""
        self._door.shutdown()
        self._door.server_close()
        for end in self._door.ends:
            with suppress(OSError):  # it is closed already
                end.shutdown(socket.SHUT_RDWR)


class _Door(ThreadingTCPServer):
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], upstream: Settings) -> None:
        self.upstream = upstream
        self.ends: list[socket.socket] = []
        super().__init__(address, _Connection)


class _Connection(BaseRequestHandler):
    server: _Door

    def handle(self) -> None:
        """Copy in both directions until one side ends."""
        with _connect(self.server.upstream) as server:
            self.server.ends += [self.request, server]
            back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
            back.start()
            _copy(self.request, server)
            back.join()


def _connect(to: Settings) -> socket.socket:
    if not to.uses_socket:
        return socket.create_connection((to.host, to.port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(to.unix_socket))
    return server


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
