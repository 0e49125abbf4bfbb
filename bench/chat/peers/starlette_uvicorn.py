"""Starlette on uvicorn."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

import json
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

sockets: set[WebSocket] = set()


async def chat(connection: WebSocket) -> None:
    """Pass on what one client says."""
    await connection.accept()
    sockets.add(connection)
    try:
        while True:
            message = json.loads(await connection.receive_text())
            sent = json.dumps({"username": message["username"], "msg": message["msg"]})
            for other in list(sockets):
                if other is not connection:
                    await other.send_text(sent)
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(connection)


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    app = Starlette(routes=[WebSocketRoute("/{username}", chat)])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
