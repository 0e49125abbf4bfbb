"""The floor: one encoded frame, one plain `send` for each receiver, in C."""

import ctypes
import socket
import sys
from pathlib import Path

from bench.chat.native import NoCompilerError, library
from bench.chat.peers._handshake import accept


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    try:
        fan_out = library(Path(__file__).with_name("floor.c")).fan_out
    except NoCompilerError as error:
        sys.exit(f"{error}.")
    links: list[socket.socket] = []
    while True:
        fds = (ctypes.c_int * len(links))(*(link.fileno() for link in links))
        fan_out(listener.fileno(), fds, len(links))  # until somebody new knocks
        links.append(accept(listener))
