"""Logs of the wire tap, made anew from connections that are real, each with another story.

for line in sample(): print(line)
"""

import json
import os
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from course.exercise import expect, not_counted
from course.lesson import LessonError
from demos.group_chat.connection import frames
from lessons.authors.checks.running import kept

Line = dict[str, Any]
PATIENCE = 10.0  # seconds until the tap has told of the end; it writes ten times a second
PAUSE = 0.02  # seconds between two looks at what it has written


@dataclass(frozen=True)
class Story:
    """What happened on a connection, and the log of it."""

    closed_by: str  # `client`, `server`, or `nobody`
    code: int
    unmasked: list[str]  # what stands in the frames that the client sent without a mask
    lines: list[Line] = field(default_factory=list)


def sample() -> list[Line]:
    """Return the log of a connection on which the client says two texts and goodbye."""
    return record(_goodbye(1000)).lines


def stories() -> list[Story]:
    """Return one log of each kind, in a random order and with random texts and codes."""
    tell = [
        _goodbye(random.randrange(3000, 5000)),
        _goodbye(None),
        _without_a_mask,
        _ping_without_a_mask,
        _no_utf_8,
        _hung_up,
    ]
    random.shuffle(tell)
    return [record(one) for one in tell]


def record(tell: Callable[["Wire"], Story]) -> Story:
    """Let a client and the echo of step 1 tell a story through the tap; return it with its log."""
    echo = kept("group_chat.step1_echo")
    tap = kept("group_chat.wire_tap", "--to", echo.url, "--client", "韩雪")
    with not_counted():
        before = len(tap.output.splitlines())
        client = Wire(tap.url)
        try:
            story = tell(client)
        finally:
            client.hang_up()
        deadline = time.monotonic() + PATIENCE
        while True:
            written = tap.output.splitlines(True)[before:]
            lines = [json.loads(text) for text in written if text[0] == "{" and text[-1] == "\n"]
            if any(line["kind"] == "close" for line in lines):
                shown = [line for line in lines if line["kind"] != "count"]
                return replace(story, lines=shown)
            if time.monotonic() > deadline:
                raise LessonError("The wire tap has told of no end: restart the kernel.")
            time.sleep(PAUSE)


class Wire:
    """A plain TCP connection to the echo, after the handshake. `accept` is the server's answer."""

    def __init__(self, url: str, key: str = "AAECAwQFBgcICQoLDA0ODw==") -> None:
        """Shake hands."""
        parts = urlsplit(url)
        self._socket = socket.create_connection((str(parts.hostname), parts.port or 80), PATIENCE)
        self._file = self._socket.makefile("rb")
        self.send(
            f"GET /echo HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        lines = []
        while (line := self._file.readline()) not in (b"\r\n", b""):  # b"": it has hung up
            lines.append(line.decode().rstrip())
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self.accept = fields.get("Sec-WebSocket-Accept", "")

    def __enter__(self) -> "Wire":
        """Return the line."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Hang up."""
        self.hang_up()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def frame(self) -> bytes:
        """Return the server's next frame; b"" if none comes."""
        try:
            head = self._file.read(2)
            if len(head) == 2 and head[1] == 126:
                head += self._file.read(2)
            size = head[1] if len(head) == 2 else int.from_bytes(head[2:])
            return head + self._file.read(size)
        except (OSError, IndexError):
            return b""

    def say(self, texts: list[str]) -> None:
        """Say texts, with a ping among them, and wait for each answer."""
        for text in texts:
            self.send(masked(frames.TEXT, text.encode()))
            expect(self.frame(), "the echo does not answer")
        self.send(masked(frames.PING, b""))
        self.frame()

    def hang_up(self) -> None:
        """End the TCP connection."""
        self._file.close()
        self._socket.close()


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a frame of up to 125 bytes, as a client sends it."""
    mask = os.urandom(4)
    body = frames.unmask(payload, mask)  # a mask is put on as it is taken off
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body


def _texts() -> list[str]:
    some = ["你好", "早", "hi", "吃饭了吗", "再见"]
    return [f"{random.choice(some)} {os.urandom(2).hex()}" for _ in range(random.randrange(1, 4))]


def _goodbye(code: int | None) -> Callable[[Wire], Story]:
    """The client says goodbye, with a code or without one; the server answers with the same."""

    def tell(client: Wire) -> Story:
        client.say(_texts())
        client.send(masked(frames.CLOSE, struct.pack("!H", code) if code else b""))
        client.frame()
        return Story("client", code or 1005, [])

    return tell


def _without_a_mask(client: Wire) -> Story:
    """The client forgets the mask once, and the server closes."""
    texts = _texts()
    client.say(texts[1:])
    client.send(frames.encode(frames.TEXT, texts[0].encode()))
    client.frame()
    client.send(masked(frames.CLOSE, struct.pack("!H", 1002)))
    return Story("server", 1002, texts[:1])


def _ping_without_a_mask(client: Wire) -> Story:
    """The same with a ping, which has a payload, too."""
    payload = os.urandom(4)
    client.say(_texts())
    client.send(frames.encode(frames.PING, payload))
    client.frame()
    client.send(masked(frames.CLOSE, struct.pack("!H", 1002)))
    return Story("server", 1002, [payload.hex(" ")])


def _no_utf_8(client: Wire) -> Story:
    """The client sends bytes that are no text, and the server closes."""
    client.say(_texts())
    client.send(masked(frames.TEXT, b"\xff\xfe"))
    client.frame()
    client.send(masked(frames.CLOSE, struct.pack("!H", 1007)))
    return Story("server", 1007, [])


def _hung_up(client: Wire) -> Story:
    """The connection breaks, and nobody has said goodbye."""
    client.say(_texts())
    return Story("nobody", 1006, [])
