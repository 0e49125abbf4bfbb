"""A10: clients that only count, so that a measurement is of the server and not of them."""

import json
import selectors
import socket
from urllib.parse import urlsplit

LIMIT = 20.0  # seconds without a byte
MARK = b'"msg"'  # stands once in each frame
_PAYLOAD = json.dumps({"username": "Ann", "msg": "x" * 60}).encode()
FRAME = bytes([0x81, 0x80 | len(_PAYLOAD)]) + bytes(4) + _PAYLOAD  # text, with a mask of zeros
_HANDSHAKE = """GET /{} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"""


def join(url: str, name: str) -> socket.socket:
    """Connect to a server's address as `name` and shake hands; the caller closes the socket.

    Raises:
        ConnectionError: the server hung up.
    """
    parts = urlsplit(url)
    client = socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=LIMIT)
    client.sendall(_HANDSHAKE.format(name, parts.netloc).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _some(client, 1)
    return client


def hear(clients: list[socket.socket], expected: int) -> None:
    """Read until so many messages have arrived, at all clients together.

    Raises:
        TimeoutError: one did not arrive.
        ConnectionError: the server hung up on a client.
    """
    heard, ends = 0, dict.fromkeys(clients, b"")
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while heard < expected:
            ready = selector.select(LIMIT)
            if not ready:
                raise TimeoutError(f"{heard} of {expected} messages arrived")
            for key, _ in ready:
                client = key.data
                data = ends[client] + _some(client, 65536)
                heard += data.count(MARK)
                ends[client] = data[-len(MARK) + 1 :]  # a mark may come in two pieces


def _some(client: socket.socket, count: int) -> bytes:
    """Return some bytes, at most so many; there is no end that one could wait behind."""
    data = client.recv(count)
    if not data:
        raise ConnectionError("the server hung up")
    return data
