"""The port on which a server listens: the requested one, or a free one if that is used."""

import argparse
import errno
import socket
import sys
from collections.abc import Callable


def port_number(text: str) -> int:
    """Read a port from the command line. Raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def listen(
    host: str,
    port: int,
    bind: Callable[[tuple[str, int]], socket.socket] = socket.create_server,
    options: str = "--port",
) -> socket.socket:
    """Return a socket that listens. If that is not possible, end the program with a sentence.

    Args:
        host: an address of this machine.
        port: from 0 to 65535; 0 means any free one.
        bind: makes the socket.
        options: with which the user chooses other ones.
    """
    try:
        return bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            sys.exit(f"{host}:{port} cannot be used ({error.strerror}): choose {options}.")
    print(f"Port {port} is taken, so this is another one. --port chooses one.", flush=True)
    return bind((host, 0))
