"""The floor in Python: JSON read, one encoded frame, one plain `send` for each receiver.

It promises nothing: what a receiver has no room for is dropped.
"""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress

from bench.chat.peers._handshake import accept

_TEXT = 1


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until the process ends."""
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    links: dict[int, tuple[socket.socket, bytearray]] = {}
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                link = accept(listener)
                link.setblocking(False)
                links[link.fileno()] = link, bytearray()
                poll.register(link, select.EPOLLIN)
                continue
            link, unread = links[fd]
            try:
                data = link.recv(1 << 17)
            except ConnectionResetError:
                data = b""
            if not data:
                poll.unregister(fd)
                del links[fd]
            unread += data
            for opcode, text in _frames(unread):
                if opcode != _TEXT:  # somebody says goodbye
                    link.shutdown(socket.SHUT_RDWR)
                    break
                frame = _frame(json.loads(text))
                for other, _ in links.values():
                    if other is not link:
                        with suppress(OSError):
                            other.send(frame)


def _frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole masked frames of less than 64 kB out of `data`: opcode and text of each."""
    while len(data) >= 6:
        is_long = data[1] == 0xFE
        at = 4 if is_long else 2
        end = at + 4 + (int.from_bytes(data[2:4]) if is_long else data[1] & 127)
        if len(data) < end:
            return
        opcode, key, body = data[0] & 15, data[at : at + 4], data[at + 4 : end]
        long_key = int.from_bytes((key * (len(body) // 4 + 1))[: len(body)])
        del data[:end]
        yield opcode, (int.from_bytes(body) ^ long_key).to_bytes(len(body))


def _frame(message: dict[str, str]) -> bytes:
    text = json.dumps({"username": message["username"], "msg": message["msg"]}).encode()
    length = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2)
    return b"\x81" + length + text
