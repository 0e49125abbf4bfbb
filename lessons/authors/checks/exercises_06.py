"""Lesson 06: a handshake, a frame, a goodbye by hand, and messages on time; servers are real."""

import base64
import json
import logging
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from websockets.sync.server import ServerConnection, serve

from course.demo import Demo
from course.exercise import Wrong, exercise, expect
from demos.group_chat.connection import frames
from demos.group_chat.push.push_clients import counters
from lessons.authors.checks.running import kept
from lessons.authors.checks.wire_log import Line, Wire, masked, sample, stories

LONGEST = "x" * 65_535  # bytes; more do not fit into a length of two bytes
Ask = Callable[[str, int], list[dict[str, Any]]]


_silent = logging.getLogger("lessons.authors.checks.exercises_06")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@exercise(
    "6.1",
    hints=(
        (
            "Lesson 06, section 3: which text is put behind the key? What is done with both "
            "together?"
        ),
        (
            "Add the `GUID` to the key, take the SHA-1 digest of these bytes, and write the "
            "digest in base64."
        ),
        (
            "`base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())` is bytes; "
            "`.decode()` makes text of it."
        ),
    ),
    why="The answer shows that the server has read the key. Anybody can compute it.",
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
        "return base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()": (
            "the server answers"
        ),
        """
        return base64.b64encode(hashlib.sha1((GUID + key).encode()).digest()).decode()
        """: "the server answers",
    },
    also_right=(
        """
        sha = hashlib.sha1(key.encode("ascii"))
        sha.update(GUID.encode("ascii"))
        return str(base64.standard_b64encode(sha.digest()), "ascii")
        """,
    ),
)
def check_accept(accept: Callable[[str], str]) -> None:
    """Shake hands with random keys, and compare."""
    echo = kept("group_chat.step1_echo")
    for _ in range(3):
        key = base64.b64encode(os.urandom(16)).decode()
        with Wire(echo.url, key) as line:
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
        (
            "Lesson 06, sections 5 and 6: is `len(text)` the number of bytes? What does 126 "
            "mean in the second byte?"
        ),
        (
            "Count the bytes of `text.encode()`. If there are 126 or more, the second byte says "
            "126, and two bytes follow with the length. Four random bytes come from "
            "`os.urandom`."
        ),
        (
            '`mask = os.urandom(4)`; from 126 bytes on, `struct.pack("!BH", 0x80 | 126, '
            "len(payload))` takes the place of the second byte."
        ),
    ),
    why="The length counts bytes, not characters, and nobody can guess the next mask.",
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
        """
        payload = text.encode()
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!Bh", 0x80 | 126, size)
        return b"\\x81" + length + mask + masked
        """: "'h' format requires",
        """
        payload = text.encode()
        mask = bytes([os.urandom(1)[0] % 2] * 4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        return b"\\x81" + length + mask + masked
        """: "the same mask",
        """
        payload = text.encode()
        mask = bytes([os.urandom(1)[0], os.urandom(1)[0], os.urandom(1)[0], 0])
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        return b"\\x81" + length + mask + masked
        """: "byte 4 of the mask",
        """
        text_frame.count = getattr(text_frame, "count", 0x01020304) + 0x01010101
        payload = text.encode()
        mask = struct.pack("!I", text_frame.count % 2**32)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        return b"\\x81" + length + mask + masked
        """: "can be predicted",
        """
        payload = text.encode()
        size = len(payload)
        if size < 126:
            mask, length = os.urandom(4), bytes([0x80 | size])
        else:
            mask, length = b"abcd", struct.pack("!BH", 0x80 | 126, size)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return b"\\x81" + length + mask + masked
        """: "the same mask",
        """
        payload = text.encode()
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | 126, 0, 126])
        return b"\\x81" + length + mask + masked
        """: "12000 bytes",
        """
        payload = text.encode()
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        return b"\\x82" + length + mask + masked
        """: "it is taken for another one",
    },
    also_right=(
        """
        data = bytearray(text, "utf-8")
        size = len(data)
        key = int.from_bytes(os.urandom(4)).to_bytes(4)
        for place in range(size):
            data[place] ^= key[place & 3]
        head = [0x81, 0x80 + size] if size <= 125 else [0x81, 0xFE, *divmod(size, 256)]
        return bytes([*head, *key, *data])
        """,
    ),
)
def check_text_frame(text_frame: Callable[[str], bytes]) -> None:
    """Send frames of several lengths to two servers, and look at the masks of many."""
    echo = kept("group_chat.step1_echo")
    for text in ("hi", "你好", "", "x" * 125, "x" * 126, "好" * 4000):
        _expect_echo(echo.url, text_frame, text)
    with own_server(_echo) as url:  # it takes longer messages
        _expect_echo(url, text_frame, LONGEST, ping=False)
    for text, place in (("hi", 2), ("x" * 300, 4)):
        _expect_random([bytes(text_frame(text)[place : place + 4]) for _ in range(64)])


def _echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def own_server(handle: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Serve WebSockets on a free port for a block; give the address."""
    with serve(handle, "127.0.0.1", 0, logger=_silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"


def _expect_echo(
    url: str, text_frame: Callable[[str], bytes], text: str, ping: bool = True
) -> None:
    """Expect that a server understands the frame as this text.

    With `ping` there is an answer in any case; but not every server answers in order.
    """
    size = len(text.encode())
    what = f"the text of {len(text)} characters and {size} bytes"
    with Wire(url) as line:
        line.send(text_frame(text))
        if ping:
            line.send(masked(frames.PING, b""))
        answer = line.frame()
    if answer[:1] == bytes([0x80 | frames.CLOSE]):
        reason = answer[4:].decode()
        raise Wrong(f"for {what} the server closes the connection: {reason}")
    wanted = frames.encode(frames.TEXT, text.encode())
    is_text = answer[:1] == wanted[:1]
    seen = f"the echo sends {answer[2:22]!r}" if is_text else "it is taken for another one"
    expect(answer == wanted, f"{what} does not come back as it was: {seen}")


def _expect_random(masks: list[bytes]) -> None:
    """Expect masks that nobody can foresee: 64 random ones pass, but for one in a million."""
    often = max(masks.count(mask) for mask in masks)
    expect(
        often == 1,
        f"{often} of {len(masks)} frames have the same mask, "
        f"{max(masks, key=masks.count).hex(' ')}",
    )
    for place, values in enumerate(zip(*masks, strict=True), 1):
        expect(
            len(set(values)) > len(masks) // 4,
            f"byte {place} of the mask has {len(set(values))} values in {len(masks)} frames, "
            "expected four random bytes",
        )
    numbers = [int.from_bytes(mask) for mask in masks]
    steps = {(later - one) % 2**32 for one, later in pairwise(numbers)}
    expect(len(steps) > 1, "each mask is one step from the mask before, so it can be predicted")


@exercise(
    "6.3",
    hints=(
        (
            "Lesson 06, section 8: which bytes of a close frame are the head, the code, the "
            "reason? What is there if there is no code?"
        ),
        (
            "Two bytes of head, two of code, then the reason. If only the head is there, it is "
            "1005. The code has its greater byte first."
        ),
        (
            '`struct.unpack("!H", frame[2:4])` gives the code, `frame[4:].decode()` the reason; '
            'if `len(frame) == 2` it is `(1005, "")`.'
        ),
    ),
    why="The code is a number of two bytes. The reason is text, and it is often empty.",
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
        """
        if len(frame) == 2:
            return 1005, ""
        reasons = {1002: "a client has to mask its frames", 1007: "a text message is not UTF-8"}
        code = int.from_bytes(frame[2:4])
        return code, reasons.get(code, "")
        """: "expected (4000, '再见",
        """
        if len(frame) == 2:
            return 1005, ""
        return int.from_bytes(frame[2:4]), frame[4:].decode("latin-1")
        """: "expected (4000, '再见",
        """
        if len(frame) == 2:
            return 1005, None
        return int.from_bytes(frame[2:4]), frame[4:].decode()
        """: "(1005, None)",
        """
        if len(frame) == 2:
            return 1005, ""
        return str(int.from_bytes(frame[2:4])), frame[4:].decode()
        """: "('1000', '')",
        """
        if len(frame) == 2:
            return 1000, ""
        return int.from_bytes(frame[2:4]), frame[4:].decode()
        """: "expected (1005, '')",
    },
    also_right=(
        """
        payload = frame[2:]
        if not payload:
            return 1005, ""
        return payload[0] * 256 + payload[1], str(payload[2:], "utf-8")
        """,
        """
        code = int.from_bytes(frame[2:4]) or 1005
        return [code, frame[4:].decode()]
        """,
    ),
)
def check_why_closed(why_closed: Callable[[bytes], tuple[int, str]]) -> None:
    """Make two servers close in several ways, and hand over their close frames."""
    endings = [
        (masked(frames.CLOSE, struct.pack("!H", 1000) + b"bye"), (1000, "")),
        (masked(frames.CLOSE, struct.pack("!H", 3001)), (3001, "")),
        (frames.encode(frames.TEXT, b"bare"), (1002, "a client has to mask its frames")),
        (masked(frames.TEXT, b"\xff"), (1007, "a text message is not UTF-8")),
        (masked(frames.CLOSE, b""), (1005, "")),
    ]
    echo = kept("group_chat.step1_echo")
    for ending, wanted in endings:
        with Wire(echo.url) as line:
            line.send(ending)
            _expect_read(why_closed, line.frame(), wanted)
    for wanted in ((4000, f"再见 {os.urandom(4).hex()}"), (1011, "!" * 123)):
        with own_server(_closing(*wanted)) as url, Wire(url) as line:
            _expect_read(why_closed, line.frame(), wanted)


def _closing(code: int, reason: str) -> Callable[[ServerConnection], None]:
    def handle(connection: ServerConnection) -> None:
        connection.close(code, reason)

    return handle


def _expect_read(
    why_closed: Callable[[bytes], object], frame: bytes, wanted: tuple[int, str]
) -> None:
    """Expect code and reason, as a tuple or as a list."""
    found = why_closed(frame)
    seen = tuple(found) if isinstance(found, list) else found
    expect(
        seen == wanted,
        f"for the frame {frame.hex(' ')} expected {wanted}, your function returns {found}",
    )


EVERY = 0.3  # seconds from one message to the next
COUNTS = (4, 3)  # messages to collect, one time and another


@exercise(
    "6.5",
    hints=(
        ("Lesson 06, section 11: which way asks once, and is answered when there is something?"),
        (
            "Ask in the other way, with the id of the last message that you have. Between an "
            "answer and the next question there is nothing to wait for."
        ),
        ('`ask("long-poll", ids[-1])` in the place of `ask("poll", ids[-1])`, and no `sleep`.'),
    ),
    why="The server knows when there is a new message, so the server is the one that should wait.",
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
        """: "were made before your function asked for them",
        """
        ids = [0]
        while ids[-1] < count:
            ids += [message["id"] for message in ask("long-poll", count - 1)]
        return list(range(1, count + 1))
        """: "never sent",
        """
        ids = [0]
        while len(ids) <= count:
            ids += [message["id"] for message in ask("poll", ids[-1])]
            time.sleep(0.4)
        return ids[1:]
        """: "were made before your function asked for them",
        """
        ids = []
        while len(ids) < count:
            ids += [message["id"] for message in ask("long-poll", ids[-1] if ids else 0)]
        return ids[::-1]
        """: "expected the ids",
        'return [message["id"] for message in ask("long-poll", 0)]': "expected the ids",
        """
        ids = [0]
        while len(ids) <= 4:
            ids += [message["id"] for message in ask("long-poll", ids[-1])]
            ask("poll", ids[-1])
        return ids[1:]
        """: "requests",
    },
    also_right=(
        """
        ids, last = [], 0
        for _ in range(count):
            for message in ask("long-poll", last):
                last = message["id"]
                ids.append(last)
        return ids
        """,
    ),
)
def check_collect(collect: Callable[[Ask, int], list[int]]) -> None:
    """Follow a server that makes a message now and then; count requests, and messages that wait."""
    ticker = kept("group_chat.step2_push_techniques", "--every", str(EVERY))
    for count in COUNTS:
        _follow(ticker, collect, count)


def _follow(ticker: Demo, collect: Callable[[Ask, int], list[int]], count: int) -> None:
    base = counters(ticker.url, "check")["last"]  # for the student, ids begin after it
    came: set[int] = set()
    waited: set[int] = set()  # were there when they were asked for
    asked = 0

    def fetch(lane: str, after: int) -> list[dict[str, Any]]:
        found = json.loads(ticker.get(f"/{lane}/check/{base + after}").body)
        return [{**message, "id": message["id"] - base} for message in found]

    def ask(lane: str, after: int) -> list[dict[str, Any]]:
        nonlocal asked
        asked += 1
        expect(asked < 500, "your function has asked 500 times, and does not end")
        there = [message["id"] for message in fetch("poll", after)]
        waited.update(one for one in there if one not in came)
        messages = fetch(lane, after)
        came.update(message["id"] for message in messages)
        return messages

    ids = collect(ask, count)
    expect(
        ids == list(range(1, len(ids) + 1)) and len(ids) >= count,
        f"expected the ids 1 to {count}, each once and in order, your function returns {ids}",
    )
    never = [one for one in ids if one not in came]
    expect(not never, f"your function returns the ids {never}, which it was never sent")
    # Requests come first: who asks all the time meets most messages by chance as they are made.
    expect(
        asked <= len(ids) + 2,
        f"your function needs {asked} requests for {len(ids)} messages, expected at most "
        f"{len(ids) + 2}",
    )
    # One may be made at the wrong moment, and a busy machine stops now and then.
    expect(
        len(waited) <= len(ids) // 2,
        f"{len(waited)} of {len(ids)} messages were made before your function asked for them, so "
        "they had to wait. Ask again as soon as you have an answer",
    )


@exercise(
    "6.4",
    sample=sample,
    hints=(
        "Look at a log with `sample()`. Which lines are frames, and which of them are close "
        "frames? A close frame is answered by a close frame, so there may be two. Which counts?",
        "Go through the frames in order, and stop at the first one whose `name` is `close`: its "
        "`direction` says who sent it. `code` is missing if the frame has none. The line of the "
        "kind `close` is about the TCP connection, and its `by` is not who said goodbye.",
        '`if frame["name"] == "close":` take `frame.get("code", 1005)` and `break`. A frame '
        'without a mask has `frame["mask"] is None`; a server\'s frames never have one, so look '
        "only at those whose direction is `up`.",
    ),
    why="The first close frame is the decision. The second one only answers it.",
    wrong={
        'return {"closed_by": "client", "code": 1000, "unmasked": []}': "expected",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up"]
        found = {"closed_by": "nobody", "code": 1006}
        found["unmasked"] = [frame["payload"] for frame in up if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
        return found
        """: "'closed_by': '",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up"]
        codes = [frame.get("code", 1005) for frame in frames if frame["name"] == "close"]
        return {
            "closed_by": {"client": "client", "step": "server"}[lines[-1]["by"]],
            "code": codes[0] if codes else 1006,
            "unmasked": [frame["payload"] for frame in up if frame["mask"] is None],
        }
        """: "'closed_by': '",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        found = {"closed_by": "nobody", "code": 1006}
        found["unmasked"] = [frame["payload"] for frame in frames if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
                break
        return found
        """: "'unmasked': [",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        found = {"closed_by": "nobody", "code": 1006, "unmasked": []}
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
                break
        return found
        """: "your function returned {'closed_by': 'server', 'code': 1002, 'unmasked': []}",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up"]
        found = {"closed_by": "nobody", "code": 1005}
        found["unmasked"] = [frame["payload"] for frame in up if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
                break
        return found
        """: "'code': 1006",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up"]
        found = {"closed_by": "nobody", "code": 1006}
        found["unmasked"] = [frame["payload"] for frame in up if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1000)
                break
        return found
        """: "'code': 1005",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up" and frame["opcode"] == 1]
        found = {"closed_by": "nobody", "code": 1006}
        found["unmasked"] = [frame["payload"] for frame in up if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
                break
        return found
        """: "your function returned {'closed_by': 'server', 'code': 1002, 'unmasked': []}",
        """
        frames = [line for line in lines if line["kind"] == "frame"]
        up = [frame for frame in frames if frame["direction"] == "up"]
        found = {"closed_by": "server", "code": 1006}
        found["unmasked"] = [frame["payload"] for frame in up if frame["mask"] is None]
        for frame in frames:
            if frame["name"] == "close":
                found["closed_by"] = "client" if frame["direction"] == "up" else "server"
                found["code"] = frame.get("code", 1005)
                break
        return found
        """: "expected {'closed_by': 'nobody'",
    },
    also_right=(
        """
        who = {"up": "client", "down": "server"}
        closes, bare = [], []
        for line in lines:
            match line:
                case {"kind": "frame", "opcode": 8, "direction": side}:
                    closes.append((who[side], line["code"] if "code" in line else 1005))
                case {"kind": "frame", "direction": "up", "mask": None}:
                    bare.append(line["payload"])
        closed_by, code = (closes or [("nobody", 1006)])[0]
        return dict(closed_by=closed_by, code=code, unmasked=bare)
        """,
    ),
)
def check_what_happened(what_happened: Callable[[list[Line]], dict[str, Any]]) -> None:
    """Let six connections end in six ways behind a wire tap, and hand over their logs."""
    for story in stories():
        wanted = {
            "closed_by": story.closed_by,
            "code": story.code,
            "unmasked": story.unmasked,
        }
        found = what_happened([dict(line) for line in story.lines])
        shown = [
            f"{line['direction']} {line['name']}" for line in story.lines if line["kind"] == "frame"
        ]
        expect(
            found == wanted,
            f"for the frames {', '.join(shown)}: expected {wanted}, your function returned {found}",
        )
