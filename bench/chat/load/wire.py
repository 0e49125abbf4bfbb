"""The client's end of RFC 6455, by hand and no more than the load client needs."""

from collections.abc import Iterator

TEXT, BYE, PING, PONG = 1, 8, 9, 10
MOST = 65_535  # bytes of one frame; no server here sends more at once
_KEY = bytes((0x37, 0xFA, 0x21, 0x3D))  # a real client draws one for each frame


def request(host: str, path: str, subprotocol: str = "", cookie: str = "") -> bytes:
    """Return the HTTP request that asks for a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join([*lines, "", ""]).encode()


def frame(opcode: int, payload: bytes) -> bytes:
    """Return one masked frame of at most 64 kB."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    key = int.from_bytes((_KEY * (size // 4 + 1))[:size])
    masked = (int.from_bytes(payload) ^ key).to_bytes(size)
    return bytes([0x80 | opcode]) + length + _KEY + masked


def frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take all whole frames out of `data`: opcode and payload of each.

    Raises:
        ValueError: a frame is over 64 kB or masked.
    """
    at = 0
    while len(data) - at >= 2:
        length, head = data[at + 1], 2
        if length > 126:
            raise ValueError("a frame is over 64 kB, or masked")
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4]), 4
        if len(data) - at < head + length:
            break
        yield data[at] & 15, bytes(data[at + head : at + head + length])
        at += head + length
    del data[:at]


def answer(opcode: int, payload: bytes) -> bytes:
    """Return the frame that a frame asks for: a pong, or Socket.IO's own; else nothing."""
    if opcode == PING:
        return frame(PONG, payload)
    return frame(TEXT, b"3") if opcode == TEXT and payload == b"2" else b""
