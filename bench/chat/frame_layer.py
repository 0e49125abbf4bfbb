"""The course's frame reader against wsproto beneath the same interface.

Both are fed masked client frames in the pieces that a server reads, and give back whole messages
under a size limit. They take turns in one process, so a ratio is worth more than a figure.
"""

import importlib
import struct
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench import program
from demos.group_chat.connection import frames
from demos.group_chat.connection.frames import Code, FrameError, FrameReader
from demos.group_chat.connection.websocket import READ_AT_ONCE
from demos.instruments.rounds import interleave, samples

try:
    connection: Any = importlib.import_module("wsproto.connection")
    events: Any = importlib.import_module("wsproto.events")
except ModuleNotFoundError:
    sys.exit("wsproto is missing: python3 -m course bench frame_layer installs it.")

FULL, QUICK = (9, 0.2), (2, 0.02)  # rounds, and seconds of each
LIMIT = 1 << 20  # bytes in a message
MASK = b"\x37\xfa\x21\x3d"
LOADS = {  # bytes in a message, and how many are sent together
    "100 bytes, one in a read": (100, 1),
    "100 bytes, in bursts of 1,000": (100, 1000),
    "16 KB, one at a time": (16 << 10, 1),
    "1 MB, one at a time": (1 << 20, 1),
}

Found = Iterator[tuple[int, str | bytes | None]]


class WsprotoReader:
    """wsproto as a `FrameReader`: what it leaves to others is size, pieces and the close."""

    def __init__(self, limit: int) -> None:
        """Accept messages of up to `limit` bytes."""
        self.limit = limit
        self._connection = connection.Connection(connection.ConnectionType.SERVER)
        self._parts: list[Any] = []
        self._size = 0

    def feed(self, data: bytes) -> Found:
        """Yield (opcode, payload) as `FrameReader.feed` does; raises FrameError likewise."""
        self._connection.receive_data(data)
        for event in self._connection.events():
            if isinstance(event, events.Message):
                yield from self._piece(event)
            elif isinstance(event, events.Ping):
                yield frames.PING, bytes(event.payload)
            elif isinstance(event, events.Pong):
                yield frames.PONG, bytes(event.payload)
            else:
                yield frames.CLOSE, self._close(event)

    def _piece(self, event: Any) -> Found:  # noqa: ANN401
        """Gather pieces: every part of a frame is an event of its own, as it arrives."""
        part = event.data
        self._size += len(part.encode()) if isinstance(part, str) else len(part)
        if self._size > self.limit:
            raise FrameError(Code.TOO_BIG, f"a message may have {self.limit} bytes")
        if part:
            self._parts.append(part)
        if event.message_finished:
            whole = part[:0].join(self._parts)
            self._parts, self._size = [], 0
            yield frames.TEXT if isinstance(whole, str) else frames.BINARY, whole
        elif event.frame_finished:
            yield frames.CONTINUATION, None

    def _close(self, event: Any) -> bytes:  # noqa: ANN401
        """Tell the client's close from a broken frame: the event is the same, the state is not."""
        if self._connection.state is not connection.ConnectionState.REMOTE_CLOSING:
            raise FrameError(event.code, event.reason or "")
        if event.code == Code.NO_STATUS:
            return b""
        return struct.pack("!H", event.code) + (event.reason or "").encode()


READERS: dict[str, Callable[[int], FrameReader | WsprotoReader]] = {
    "frames.py": FrameReader,
    "wsproto": WsprotoReader,
}


def masked(payload: bytes) -> bytes:
    """Return a text frame as a browser sends it."""
    unmasked = frames.encode(frames.TEXT, payload)
    header = bytearray(unmasked[: len(unmasked) - len(payload)])
    header[1] |= 0x80
    return bytes(header) + MASK + frames.unmask(payload, MASK)


def messages_a_second(name: str, size: int, together: int, seconds: float) -> float:
    """Return how many text messages of `size` bytes a reader takes, `together` in one burst."""
    stream = masked(b"x" * size) * together
    reads = [stream[at : at + READ_AT_ONCE] for at in range(0, len(stream), READ_AT_ONCE)]
    reader, count, began = READERS[name](LIMIT), 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        count += sum(1 for data in reads for _ in reader.feed(data))
    return count / passed


def main() -> None:
    """Measure, and print messages a second with the ratio."""
    rounds, seconds = QUICK if program.options(__doc__).parse_args().quick else FULL
    for title, (size, together) in LOADS.items():
        trials = {
            name: partial(messages_a_second, name, size, together, seconds) for name in READERS
        }
        found = samples(interleave(title, trials, rounds), lambda rate: rate)
        ours, its = found.values()
        figures = ", ".join(f"{name} {rate}" for name, rate in found.items())
        print(f"{title}: {figures} messages/s; {ours.over(its)} x wsproto")


if __name__ == "__main__":
    program.run(main)
