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


def record(tell: Callable[["Speaker"], Story]) -> Story:
    """Let a client and the echo of step 1 tell a story through the tap; return it with its log."""
    echo = kept("group_chat.step1_echo")
    tap = kept("group_chat.wire_tap", "--to", echo.url, "--client", "韩雪")
    with not_counted():
        before = len(tap.output.splitlines())
        speaker = Speaker(tap.url)
        try:
            story = tell(speaker)
        finally:
            speaker.hang_up()
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


class Speaker:
    """A client that sends frames as it likes, right ones and wrong ones."""

    def __init__(self, url: str) -> None:
        """Connect to the echo, and shake hands."""
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(
            f"GET /echo HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while self._file.readline() not in (b"\r\n", b""):
            pass

    def send(self, opcode: int, payload: bytes, masked: bool = True) -> None:
        """Send one frame of up to 125 bytes."""
        mask = os.urandom(4) if masked else b""
        body = frames.unmask(payload, mask) if masked else payload
        head = bytes([0x80 | opcode, (0x80 if masked else 0) | len(payload)])
        self._socket.sendall(head + mask + body)

    def receive(self) -> bytes:
        """Return the server's next frame, of up to 125 bytes."""
        head = self._file.read(2)
        return head + self._file.read(head[1] if len(head) == 2 else 0)

    def say(self, texts: list[str]) -> None:
        """Say texts, with a ping among them, and wait for each answer."""
        for text in texts:
            self.send(frames.TEXT, text.encode())
            expect(self.receive(), "the echo does not answer")
        self.send(frames.PING, b"")
        self.receive()

    def hang_up(self) -> None:
        """End the TCP connection."""
        self._file.close()
        self._socket.close()


def _texts() -> list[str]:
    some = ["你好", "早", "hi", "吃饭了吗", "再见"]
    return [f"{random.choice(some)} {os.urandom(2).hex()}" for _ in range(random.randrange(1, 4))]


def _goodbye(code: int | None) -> Callable[[Speaker], Story]:
    """The client says goodbye, with a code or without one; the server answers with the same."""

    def tell(speaker: Speaker) -> Story:
        speaker.say(_texts())
        speaker.send(frames.CLOSE, struct.pack("!H", code) if code else b"")
        speaker.receive()
        return Story("client", code or 1005, [])

    return tell


def _without_a_mask(speaker: Speaker) -> Story:
    """The client forgets the mask once, and the server closes."""
    texts = _texts()
    speaker.say(texts[1:])
    speaker.send(frames.TEXT, texts[0].encode(), masked=False)
    speaker.receive()
    speaker.send(frames.CLOSE, struct.pack("!H", 1002))
    return Story("server", 1002, texts[:1])


def _ping_without_a_mask(speaker: Speaker) -> Story:
    """The same with a ping, which has a payload, too."""
    payload = os.urandom(4)
    speaker.say(_texts())
    speaker.send(frames.PING, payload, masked=False)
    speaker.receive()
    speaker.send(frames.CLOSE, struct.pack("!H", 1002))
    return Story("server", 1002, [payload.hex(" ")])


def _no_utf_8(speaker: Speaker) -> Story:
    """The client sends bytes that are no text, and the server closes."""
    speaker.say(_texts())
    speaker.send(frames.TEXT, b"\xff\xfe")
    speaker.receive()
    speaker.send(frames.CLOSE, struct.pack("!H", 1007))
    return Story("server", 1007, [])


def _hung_up(speaker: Speaker) -> Story:
    """The connection breaks, and nobody has said goodbye."""
    speaker.say(_texts())
    return Story("nobody", 1006, [])
