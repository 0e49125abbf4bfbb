"""The same room, written with asyncio and the library `websockets`."""

import argparse
import asyncio
import json
import time
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

room: dict[str, tuple[ServerConnection, "asyncio.Queue[str]"]] = {}


def at_the_door(connection: ServerConnection, request: Request) -> Response | None:
    """Answer plain requests and foreign pages; None lets a WebSocket in."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return connection.respond(HTTPStatus.UPGRADE_REQUIRED, "This is a WebSocket.\n")
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.headers["Host"]:
        return connection.respond(HTTPStatus.FORBIDDEN, "Not from this page.\n")
    return None


def frame(username: str, msg: str) -> str:
    """Return one line in the format of A10."""
    return json.dumps({"username": username, "msg": msg}, ensure_ascii=False)


def read(data: str | bytes) -> str | None:
    """Return the message, or None."""
    try:
        found = json.loads(data) if isinstance(data, str) else None
        msg = found.get("msg") if isinstance(found, dict) else None
        if isinstance(msg, str):
            msg.encode()  # half of an emoji cannot be sent
            return msg
    except ValueError:
        pass
    return None


async def write(connection: ServerConnection, queue: "asyncio.Queue[str]") -> None:
    """Send what waits."""
    while True:
        await connection.send(await queue.get())


async def member(connection: ServerConnection) -> None:
    """Serve one connection from beginning to end."""
    assert connection.request
    name = unquote(connection.request.path[1:])
    if not name or name == "服务器":
        await connection.close(4400, "Nobody can have this name.")
        return
    if name in room:
        await connection.close(4409, "This name is taken.")
        return
    queue: asyncio.Queue[str] = asyncio.Queue()
    room[name] = connection, queue
    writer = asyncio.create_task(write(connection, queue))
    spoken: list[float] = []
    try:
        async for data in connection:
            now = time.monotonic()
            spoken = [at for at in spoken if now - at < 3]
            msg = read(data)
            if msg is None:
                queue.put_nowait(frame("服务器", "That was no message."))
            elif len(spoken) >= 30:
                queue.put_nowait(frame("服务器", "Not so fast."))
            else:
                spoken.append(now)
                line = frame(name, msg)
                for other, (_, theirs) in list(room.items()):
                    if other != name and theirs.qsize() < 200:
                        theirs.put_nowait(line)
    except ConnectionClosed:
        pass
    finally:
        del room[name]
        writer.cancel()


async def main(port: int) -> None:
    """Serve for ever."""
    async with serve(
        member, "127.0.0.1", port, process_request=at_the_door, max_size=16 * 1024
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    asyncio.run(main(parser.parse_args().port))
