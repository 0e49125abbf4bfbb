"""The `websockets` library, with its `broadcast()`."""

import asyncio
import json
import socket

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

connections: set[ServerConnection] = set()


async def chat(connection: ServerConnection) -> None:
    """Pass on what one client says."""
    connections.add(connection)
    try:
        async for text in connection:
            message = json.loads(text)
            sent = json.dumps({"username": message["username"], "msg": message["msg"]})
            broadcast(connections - {connection}, sent)
    finally:
        connections.remove(connection)


async def _run(listener: socket.socket) -> None:
    async with serve_websockets(chat, sock=listener) as server:
        await server.serve_forever()


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    asyncio.run(_run(listener))
