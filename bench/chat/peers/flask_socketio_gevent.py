"""Flask-SocketIO on gevent, with gevent-websocket."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402
from typing import Any  # noqa: E402

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO, emit  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent")


@socketio.on("message")
def chat(message: dict[str, Any]) -> None:
    """Pass on what one client says."""
    sent = {"username": message["username"], "msg": message["msg"]}
    emit("message", sent, broadcast=True, include_self=False)


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    WSGIServer(listener, app, handler_class=WebSocketHandler, log=None).serve_forever()
