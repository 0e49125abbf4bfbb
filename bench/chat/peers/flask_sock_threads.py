"""flask-sock on Werkzeug's server: one thread for each client."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

import json
import logging
import socket

from flask import Flask
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.serving import make_server

app = Flask(__name__)
sock = Sock(app)
sockets: set[Server] = set()


@sock.route("/<username>")
def chat(connection: Server, username: str) -> None:
    """Pass on what one client says."""
    sockets.add(connection)
    try:
        while True:
            message = json.loads(connection.receive())
            sent = json.dumps({"username": message["username"], "msg": message["msg"]})
            for other in list(sockets):
                if other is not connection:
                    other.send(sent)
    finally:
        sockets.discard(connection)


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = listener.getsockname()
    make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()
