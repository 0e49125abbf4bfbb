"""A0: Flask's own development server, on the port asked for, or on a free one if it is taken.

`app.run(port=5000)` does as much, but ends where the port is taken. It is for your own machine:
the chats have a server that is made for many.
"""

import argparse
import signal
import socket
import sys

from flask import Flask
from werkzeug.serving import make_server

HOST, PORT = "127.0.0.1", 5000


def serve(app: Flask) -> None:
    """Serve until Ctrl-C or SIGTERM; print the address when ready."""
    parser = argparse.ArgumentParser(description="one small Flask app")
    parser.add_argument("--port", type=_port, default=PORT, help="5000; 0: any free one")
    with _listen(parser.parse_args().port) as listener:
        server = make_server(HOST, 0, app, threaded=True, fd=listener.fileno())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print(f"Open http://{HOST}:{listener.getsockname()[1]}/ (Ctrl-C stops it)", flush=True)
        server.serve_forever()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError:
        print(f"Port {port} is taken, so this is another one. --port chooses one.", flush=True)
        return socket.create_server((HOST, 0))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)
