"""A0: Flask's own development server, on the given port, or on a free port if that one is used.

`app.run(port=5000)` does the same, but stops if the port is used. This server is only for your own
machine. The chats have a server for many users.
"""

import argparse
import signal
import sys

from flask import Flask
from werkzeug.serving import make_server

from demos.instruments import ports

HOST, PORT = "127.0.0.1", 5000


def serve(app: Flask) -> None:
    """Serve until Ctrl-C or SIGTERM; print the address when ready."""
    parser = argparse.ArgumentParser(description="one small Flask app")
    parser.add_argument(
        "--port", type=ports.port_number, default=PORT, help="5000; 0: any free one"
    )
    with ports.listen(HOST, parser.parse_args().port) as listener:
        server = make_server(HOST, 0, app, threaded=True, fd=listener.fileno())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print(f"Open http://{HOST}:{listener.getsockname()[1]}/ (Ctrl-C stops it)", flush=True)
        server.serve_forever()
