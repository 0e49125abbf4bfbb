"""The server's end of the handshake, for the two floors."""

import base64
import hashlib
import re
import socket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_KEY = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)


def accept(listener: socket.socket) -> socket.socket:
    """Let one client in: accept its connection, read its request, agree."""
    link, _ = listener.accept()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        request += link.recv(4096)
    found = _KEY.search(request)
    key = found[1] if found else b""
    proof = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    link.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )
    return link
