"""Lesson 06: a handshake, a frame, a goodbye by hand, and messages on time; servers are real."""

import base64
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from course.exercise import Wrong, exercise, expect
from demos.group_chat import frames
from demos.group_chat.push_clients import counters
from lessons.checks.running import kept

PATIENCE = 10.0  # seconds for an answer; over loopback it takes a thousandth of one
MASK = bytes(range(4))
Ask = Callable[[str, int], list[dict[str, Any]]]


class Line:
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
        self.accept = fields["Sec-WebSocket-Accept"]

    def __enter__(self) -> "Line":
        """Return the line."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

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


@exercise(
    "6.1",
    hints=(
        "Lesson 06, section 3: which text stands behind the key, and what is done with both?",
        "`base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()`",
    ),
    why="The server shows that it has read the key; anybody can compute the answer.",
    wrong={
        """
        return hashlib.sha1((key + GUID).encode()).hexdigest()
        """: "the server answers",
        """
        raw = base64.b64decode(key) + GUID.encode()
        return base64.b64encode(hashlib.sha1(raw).digest()).decode()
        """: "the server answers",
        """
        return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())
        """: "expected text",
        'return "Bz3qJYTGdOe8gUSpLosEdiLKDrk="': "the server answers",
    },
)
def check_accept(accept: Callable[[str], str]) -> None:
    """Shake hands with random keys, and compare."""
    echo = kept("group_chat.step1_echo")
    for _ in range(3):
        key = base64.b64encode(os.urandom(16)).decode()
        with Line(echo.url, key) as line:
            wanted = line.accept
        mine = accept(key)
        expect(isinstance(mine, str), f"expected text, your function returns {type(mine).__name__}")
        expect(
            mine == wanted,
            f"to the key {key} the server answers {wanted}, your function {mine}",
        )


@exercise(
    "6.2",
    hints=(
        "Lesson 06, sections 5 and 6: is `len(text)` the number of bytes? What does 126 mean "
        "there? And where can four random bytes come from?",
        '`mask = os.urandom(4)`; from 126 bytes on `struct.pack("!BH", 0x80 | 126, '
        "len(payload))` stands in the place of the second byte.",
    ),
    why="The length counts bytes, and a mask that can be foreseen protects nobody.",
    wrong={
        """
        mask = os.urandom(4)
        payload = text.encode()
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return bytes([0x81, 0x80 | len(text)]) + mask + masked
        """: "the text of 2 characters and 6 bytes",
        """
        payload = text.encode()
        return bytes([0x81, len(payload)]) + payload
        """: "a client has to mask its frames",
        """
        mask = os.urandom(4)
        payload = text.encode()
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return bytes([0x81, 0x80 | min(len(payload), 125)]) + mask + masked
        """: "126 bytes",
        """
        mask = b"abcd"
        payload = text.encode()
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        return b"\\x81" + length + mask + masked
        """: "the same mask",
        """
        mask = os.urandom(4)
        payload = text.encode()
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return b"\\x81" + struct.pack("!BH", 0x80 | 126, len(payload)) + mask + masked
        """: "a length that is longer than it has to be",
    },
)
def check_text_frame(text_frame: Callable[[str], bytes]) -> None:
    """Send frames of several lengths to an echo, and look for the same mask twice."""
    echo = kept("group_chat.step1_echo")
    for text in ("hi", "你好", "", "x" * 125, "x" * 126, "好" * 4000):
        size = len(text.encode())
        what = f"the text of {len(text)} characters and {size} bytes"
        with Line(echo.url) as line:
            line.send(text_frame(text))
            line.send(_masked(frames.PING, b""))  # there is an answer in any case
            answer = line.frame()
        if answer[:1] == bytes([0x80 | frames.CLOSE]):
            reason = answer[4:].decode()
            raise Wrong(f"for {what} the server closes the connection: {reason}")
        wanted = frames.encode(frames.TEXT, text.encode())
        is_text = answer[:1] == wanted[:1]
        seen = f"the echo sends {answer[2:22]!r}" if is_text else "it is taken for another one"
        expect(answer == wanted, f"{what} does not come back as it was: {seen}")
    masks = {text_frame("hi")[2:6].hex(" ") for _ in range(8)}
    expect(len(masks) > 1, f"eight frames have the same mask, {min(masks)}")


@exercise(
    "6.3",
    hints=(
        "Lesson 06, section 8: two bytes of head, two of code, then the reason. What is there if "
        "there is no code?",
        '`struct.unpack("!H", frame[2:4])` gives the code, `frame[4:].decode()` the reason; if '
        '`len(frame) == 2` it is `(1005, "")`.',
    ),
    why="A code is a number in network byte order; a reason is text, and mostly empty.",
    wrong={
        """
        (code,) = struct.unpack("!H", frame[2:4])
        return code, frame[4:].decode()
        """: "unpack requires a buffer of 2 bytes",
        """
        if len(frame) == 2:
            return 1005, ""
        return int.from_bytes(frame[2:4], "little"), frame[4:].decode()
        """: "59395",
        """
        if len(frame) == 2:
            return 1005, ""
        return int.from_bytes(frame[2:4]), frame[4:]
        """: "b'",
        """
        return 1000, ""
        """: "your function returns (1000, '')",
    },
)
def check_why_closed(why_closed: Callable[[bytes], tuple[int, str]]) -> None:
    """Make a server close in several ways, and hand over its close frames."""
    endings = [
        (_masked(frames.CLOSE, struct.pack("!H", 1000) + b"bye"), (1000, "")),
        (_masked(frames.CLOSE, struct.pack("!H", 3001)), (3001, "")),
        (frames.encode(frames.TEXT, b"bare"), (1002, "a client has to mask its frames")),
        (_masked(frames.TEXT, b"\xff"), (1007, "a text message is not UTF-8")),
        (_masked(frames.CLOSE, b""), (1005, "")),
    ]
    echo = kept("group_chat.step1_echo")
    for ending, wanted in endings:
        with Line(echo.url) as line:
            line.send(ending)
            frame = line.frame()
        found = why_closed(frame)
        expect(
            found == wanted,
            f"for the frame {frame.hex(' ')} expected {wanted}, your function returns {found}",
        )


COUNT, EVERY = 6, 0.3  # messages to collect; seconds from one to the next
SOON = 0.2  # seconds; less than EVERY, so that who polls as often as that asks too much


@exercise(
    "6.4",
    hints=(
        "Lesson 06, section 12: which way asks, and is answered when there is something?",
        'Ask "long-poll" in the place of "poll", with the id of the last message that you have, '
        "and do not sleep.",
    ),
    why="The server knows when there is something new, so let it be the one that waits.",
    wrong={
        """
        ids = [0]
        while len(ids) <= count:
            ids += [message["id"] for message in ask("poll", ids[-1])]
            time.sleep(0.01)
        return ids[1:]
        """: "requests",
        """
        ids = []
        while len(ids) < count:
            ids += [message["id"] for message in ask("long-poll", 0)]
        return ids[:count]
        """: "expected the ids",
        """
        ids = [0]
        while len(ids) <= count:
            ids += [message["id"] for message in ask("long-poll", ids[-1])]
            time.sleep(0.5)
        return ids[1:]
        """: "later than",
        """
        ids = [0]
        while ids[-1] < count:
            ids += [message["id"] for message in ask("long-poll", count - 1)]
        return list(range(1, count + 1))
        """: "never sent",
    },
)
def check_collect(collect: Callable[[Ask, int], list[int]]) -> None:
    """Follow a server that makes a message now and then; count requests, and time between them."""
    ticker = kept("group_chat.step2_push_techniques", "--every", str(EVERY))
    base = counters(ticker.url, "check")["last"]  # for the student, ids begin after it
    came: set[int] = set()
    asked: list[float] = []
    answered: list[float] = []

    def ask(lane: str, after: int) -> list[dict[str, Any]]:
        asked.append(time.monotonic())
        expect(len(asked) < 2000, "your function has asked 2000 times, and does not end")
        found = json.loads(ticker.get(f"/{lane}/check/{base + after}").body)
        messages = [{**message, "id": message["id"] - base} for message in found]
        came.update(message["id"] for message in messages)
        answered.append(time.monotonic())
        return messages

    ids = collect(ask, COUNT)
    expect(
        ids == list(range(1, len(ids) + 1)) and len(ids) >= COUNT,
        f"expected the ids 1 to {COUNT}, each once and in order, your function returns {ids}",
    )
    never = [one for one in ids if one not in came]
    expect(not never, f"your function returns the ids {never}, which it was never sent")
    # What is made between an answer and the next question waits for that question.
    between = [later - earlier for earlier, later in zip(answered, asked[1:], strict=False)]
    usual = median(between or [0.0])
    expect(
        usual < SOON,
        f"from an answer to your next question {usual:.1f} s go by, so a message that is made then "
        f"comes later than {SOON} s after it",
    )
    expect(
        len(asked) <= len(ids) + 2,
        f"your function needs {len(asked)} requests for {len(ids)} messages, expected "
        f"{len(ids) + 2}",
    )


def _masked(opcode: int, payload: bytes) -> bytes:
    """Return a frame of up to 125 bytes, as a client sends it."""
    masked = frames.unmask(payload, MASK)  # a mask is put on as it is taken off
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + MASK + masked
