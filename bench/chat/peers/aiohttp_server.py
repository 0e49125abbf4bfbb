"""aiohttp's own WebSockets."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

import json
import socket

from aiohttp import WSMsgType, web

sockets: set[web.WebSocketResponse] = set()


async def chat(request: web.Request) -> web.WebSocketResponse:
    """Pass on what one client says."""
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    sockets.add(connection)
    try:
        async for received in connection:
            if received.type is WSMsgType.TEXT:
                message = json.loads(received.data)
                sent = json.dumps({"username": message["username"], "msg": message["msg"]})
                for other in list(sockets):
                    if other is not connection:
                        await other.send_str(sent)
    finally:
        sockets.discard(connection)
    return connection


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    app = web.Application()
    app.add_routes([web.get("/{username}", chat)])
    web.run_app(app, sock=listener, print=None, access_log=None)
