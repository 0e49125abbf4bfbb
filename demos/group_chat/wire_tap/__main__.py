"""A9, A10: a tap on the wire between a page and a step: what passes is seen, and stays as it is.

    python -m demos.group_chat.wire_tap --to http://127.0.0.1:5000 --client ann

Open the address that it prints instead of the step's own. Each request, answer and frame is a JSON
object on a line of stdout, and once a second the counters of everything. `http.py` and
`frames_passing.py` read what passes; here are the sockets. docs/wire-tap.md lists the lines.

One thing can be changed, so that a page can show another one in a frame: with --frame-ancestors the
answers name that page as one that may.
"""

import argparse
import contextlib
import os
import re
import signal
import socket as plain
import struct
import sys
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from demos.group_chat.wire_tap.events import Events
from demos.group_chat.wire_tap.frame_drawing import NAMES
from demos.group_chat.wire_tap.frames_passing import FrameWatcher
from demos.group_chat.wire_tap.http import Body, Head, Messages, Sized, Unreadable, body_of

READ_AT_ONCE = 64 * 1024  # bytes; no more than that is ever held of one direction
KERNEL_BUFFER = 128 * 1024  # bytes that the kernel may hold: as much as for a step's own client
EARLY_LIMIT = 64 * 1024  # bytes that are kept of a client that does not wait for the 101
CONNECT_TIME = 5.0  # seconds
# A client that only listens, and to a flood, gets it in portions: so many at once in each TURN, and
# then one in each PAUSE. An eye sees no difference, and the step is not disturbed for each message.
AT_ONCE, TURN, PAUSE = 10, 0.1, 0.01  # reads; seconds
NICE = 10  # a ninth of what others get of a processor that is wanted by both

_ANCESTORS = re.compile(r"frame-ancestors[^;,]*", re.IGNORECASE)
_UNREACHABLE = "The step does not answer: is it running?\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close as a killed process would


class Tally:
    """What one direction has carried, over all connections that have ended."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.bytes = 0
        self.opcodes = [0] * 16

    def as_line(self, live: list["Direction"]) -> dict[str, Any]:
        """Return bytes, frames, and frames by name, with those of the connections that are open."""
        opcodes = self.opcodes
        for one in live:
            if one.frames:
                opcodes = [mine + its for mine, its in zip(opcodes, one.frames.counts, strict=True)]
        names: Counter[str] = Counter()
        for opcode, number in enumerate(opcodes):
            if number:
                names[NAMES.get(opcode, "unknown")] += number
        size = self.bytes + sum(one.bytes for one in live)
        return {"bytes": size, "frames": sum(opcodes), "opcodes": names}

    def add(self, one: "Direction") -> None:
        """Keep the figures of a connection that has ended."""
        self.bytes += one.bytes
        if one.frames:
            counts = zip(self.opcodes, one.frames.counts, strict=True)
            self.opcodes = [mine + its for mine, its in counts]


class Tap:
    """All connections of one client to one step."""

    def __init__(self, step: tuple[str, int], ancestors: str, events: Events) -> None:
        """Pass everything on to the address `step`.

        Args:
            step: host and port.
            ancestors: who may show the step's pages in a frame; "" changes nothing.
            events: where to tell what passes.
        """
        self.step, self.ancestors, self.events = step, ancestors, events
        self.requests = 0
        self.past = {"up": Tally(), "down": Tally()}
        self.live: set[Connection] = set()
        self._numbers = count(1)

    def serve(self, client: socket.socket, address: tuple[str, int]) -> None:
        """Carry one connection until both sides have ended it."""
        try:
            step = socket.create_connection(self.step, CONNECT_TIME)
        except OSError:
            self.events.show("unreachable")
            _refuse(client)
            return
        connection = Connection(self, next(self._numbers))
        self.live.add(connection)
        self.events.show("open", conn=connection.number)
        try:
            connection.carry(_plain(client), _plain(step))
        finally:
            self.live.discard(connection)
            up, down = connection.up, connection.down
            self.past["up"].add(up)
            self.past["down"].add(down)
            ended = {"conn": connection.number, "up": up.bytes, "down": down.bytes}
            self.events.show("close", **ended, by=connection.ended_by or "tap")

    def count(self) -> None:
        """Tell the counters of everything so far; what is not shown is in them too."""
        sides = {"up": [one.up for one in self.live], "down": [one.down for one in self.live]}
        self.events.tell(
            "count",
            connections=len(self.live),
            requests=self.requests,
            shown=self.events.shown,
            unshown=self.events.unshown,
            **{name: self.past[name].as_line(live) for name, live in sides.items()},
        )


class Connection:
    """One TCP connection of the client, and the one to the step that belongs to it."""

    def __init__(self, tap: Tap, number: int) -> None:
        """Number `number` of the tap; nothing has passed yet."""
        self.tap, self.number = tap, number
        self.ended_by = ""  # the side that ended first: "client" or "step"
        self._over = Event()
        self.asked: deque[Head] = deque()  # requests without an answer
        self.up = Direction(self, "up", self._on_request)
        self.down = Direction(self, "down", self._on_answer)

    def carry(self, client: plain.socket, step: plain.socket) -> None:
        """Carry bytes both ways until both have ended; then close both sockets."""
        # What a slow client does not read has to pile up at the step, which knows what to do then.
        for end, buffer in ((client, plain.SO_SNDBUF), (step, plain.SO_RCVBUF)):
            end.setblocking(False)
            with contextlib.suppress(OSError):  # it has gone already, which reading will tell
                end.setsockopt(plain.IPPROTO_TCP, plain.TCP_NODELAY, 1)
                end.setsockopt(plain.SOL_SOCKET, buffer, KERNEL_BUFFER)
        try:
            self.up.start(client, step)
            self.down.start(step, client)
            self._over.wait()
        finally:
            for direction in (self.up, self.down):
                direction.stop()
            for end in (client, step):
                end.close()

    @property
    def is_over(self) -> bool:
        """Whether nothing more can pass."""
        return self._over.is_set()

    def half_ended(self, sender: str) -> None:
        """Note that a side has sent all that it will; when both have, it is over."""
        self.ended_by = self.ended_by or sender
        if self.up.is_over and self.down.is_over:
            self._over.set()

    def broke(self, sender: str) -> None:
        """Note that a side has broken off; the other one is to see just that."""
        self.ended_by = self.ended_by or sender
        for direction in (self.up, self.down):
            direction.stop()
            with contextlib.suppress(OSError):
                direction.sink.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, _RESET)
        self._over.set()

    def _on_request(self, head: Head) -> tuple[bytes, Body]:
        self.tap.requests += 1
        self.asked.append(head)
        self._show("request", head, "up")
        if head.asks_for_websocket:
            return head.raw, Undecided()
        return head.raw, body_of(head)

    def _on_answer(self, head: Head) -> tuple[bytes, Body]:
        if not head.status:
            raise Unreadable("an answer without a status")
        if 100 <= head.status < 200 and head.status != 101:  # the answer itself is still to come
            self._show("response", head, "down")
            return head.raw, Sized(0)
        request = self.asked.popleft() if self.asked else None
        raw = framed(head.raw, self.tap.ancestors) if self.tap.ancestors else head.raw
        self._show("response", head, "down", changed=raw != head.raw)
        body: Body
        if head.status == 101:
            body = self.down.upgrade()
        else:
            body = body_of(head, request.method if request else "GET")
        if isinstance(self.up.messages.body, Undecided) and not self.asked:
            self.up.decide(head.status == 101)
        return raw, body

    def _show(self, kind: str, head: Head, direction: str, **more: object) -> None:
        headers = [[name, value[:500]] for name, value in head.headers]
        about = {"conn": self.number, "direction": direction, "line": head.line[:500]}
        self.tap.events.show(kind, **about, headers=headers, **more)


class Undecided:
    """What a client sends behind a handshake before it is answered: frames, or a request."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.over = False
        self.early = b""

    def take(self, data: bytes) -> int:
        """Keep what passes, until it is known what it is."""
        self.early += data
        if len(self.early) > EARLY_LIMIT:
            raise Unreadable("too much before the answer to a handshake")
        return len(data)


class Direction:
    """What goes one way through a connection: "up" to the step, or "down" to the client.

    Nothing here waits. The event loop calls `_read` when there is something to read and `_write`
    when there is room again. That takes a third of the time that a greenlet for each direction
    takes, and who looks on should take as little as can be.
    """

    source: plain.socket
    sink: plain.socket

    def __init__(
        self, connection: Connection, name: str, on_head: Callable[[Head], tuple[bytes, Body]]
    ) -> None:
        """Read HTTP from the first byte on; `on_head` is as `Messages` takes it."""
        self.connection, self.name = connection, name
        self.sender = {"up": "client", "down": "step"}[name]
        self.bytes = 0
        self.frames: FrameWatcher | None = None  # after the handshake
        self.messages = Messages(on_head, self._unreadable)
        self.is_over = False  # all has been passed on
        self._has_ended = False  # the source will send no more
        self._left = b""  # what the sink had no room for; until it has, nothing more is read
        self._turn, self._reads = 0.0, 0  # when this turn began, and how often was read in it

    def start(self, source: plain.socket, sink: plain.socket) -> None:
        """Pass on what comes from `source`, whenever it comes."""
        self.source, self.sink = source, sink
        loop = gevent.get_hub().loop
        self._readable = loop.io(source.fileno(), 1)
        self._writable = loop.io(sink.fileno(), 2)
        self._loop, self._later = loop, loop.timer(PAUSE)
        self._readable.start(self._read)

    def stop(self) -> None:
        """Do nothing more."""
        for watcher in (self._readable, self._writable, self._later):
            watcher.stop()

    def _read(self) -> None:
        try:
            data = self.source.recv(READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            self.connection.broke(self.sender)
            return
        self.bytes += len(data)
        if not data:
            self._has_ended = True
            self._readable.stop()
        # An answer's head can change. What a client sends leaves at once, complete or not.
        seen = self.messages.feed(data) if data else self.messages.rest()
        self._pass_on(seen if self.name == "down" else data)
        if data and not self._left and self._is_flood() and not self.connection.is_over:
            self._readable.stop()
            self._later = self._loop.timer(PAUSE)  # a timer that has fired has no time left
            self._later.start(self._go_on)

    def _pass_on(self, data: bytes) -> None:
        sent = 0
        try:
            if data:
                with contextlib.suppress(BlockingIOError):
                    sent = self.sink.send(data)
            if sent < len(data):
                self._left = data[sent:]
                self._readable.stop()
                self._writable.start(self._write)
            elif self._has_ended:
                self.sink.shutdown(plain.SHUT_WR)
                self.is_over = True
                self.connection.half_ended(self.sender)
        except OSError:  # the receiver is the one that broke off
            self.connection.broke({"client": "step", "step": "client"}[self.sender])

    def _write(self) -> None:
        left, self._left = self._left, b""
        self._writable.stop()
        self._pass_on(left)
        if not self._left and not self._has_ended:
            self._go_on()

    def _go_on(self) -> None:
        if not self.connection.is_over:  # it may have broken meanwhile
            self._readable.start(self._read)

    def _is_flood(self) -> bool:
        """Say whether much has come in this turn, for a client that says nothing itself."""
        now = self._loop.now()
        if now - self._turn > TURN:
            self._turn, self._reads = now, 0
        self._reads += 1
        up = self.connection.up
        return self._reads > AT_ONCE and self is not up and now - up._turn > TURN

    def upgrade(self) -> FrameWatcher:
        """Read frames from here on, and return who reads them."""
        self.frames = FrameWatcher(self.connection.tap.events.wants, self._show)
        return self.frames

    def decide(self, upgraded: bool) -> None:
        """Read what came behind a handshake, now that it is answered."""
        early = self.messages.body
        assert isinstance(early, Undecided)
        self.messages.body = self.upgrade() if upgraded else Sized(0)
        self.messages.feed(early.early)

    def _show(self, frame: dict[str, Any]) -> None:
        about = {"conn": self.connection.number, "direction": self.name}
        self.connection.tap.events.tell("frame", **about, **frame)

    def _unreadable(self, why: str) -> None:
        about = {"conn": self.connection.number, "direction": self.name}
        self.connection.tap.events.show("unreadable", **about, why=why)


def framed(raw: bytes, ancestors: str) -> bytes:
    """Return the head of an answer, changed so that pages of `ancestors` may show it in a frame."""
    lines = []
    for line in raw.decode("latin-1").split("\r\n"):
        name = line.partition(":")[0].strip().lower()
        if name == "x-frame-options":
            continue
        if name == "content-security-policy":
            line = _ANCESTORS.sub(f"frame-ancestors {ancestors}", line)
        lines.append(line)
    return "\r\n".join(lines).encode("latin-1")


def _plain(end: socket.socket) -> plain.socket:
    """Return the kernel's socket of one of gevent's, which nobody waits at any more."""
    return plain.socket(fileno=end.detach())


def _refuse(client: socket.socket) -> None:
    """Answer that there is no step."""
    head = (
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(_UNREACHABLE)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        client.sendall((head + _UNREACHABLE).encode())
        client.shutdown(plain.SHUT_WR)
        # A request that nobody has read would turn the end into a reset, and lose the answer.
        client.settimeout(1)
        while client.recv(READ_AT_ONCE):
            pass
    client.close()


def _address(text: str) -> tuple[str, int]:
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme == "http" and parts.hostname and parts.path in ("", "/"):
            return parts.hostname, parts.port or 80
    raise argparse.ArgumentTypeError("an address such as http://127.0.0.1:5000")


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[\w.\-\[\]:]+", text, re.ASCII):
        raise argparse.ArgumentTypeError("a page's origin, such as http://localhost:8000")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A tap on the wire between a page and a step.")
    parser.add_argument("--to", type=_address, required=True, metavar="URL", help="the step's")
    parser.add_argument("--client", default="client", metavar="NAME", help="stands in each line")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument(
        "--frame-ancestors",
        type=_origin,
        metavar="ORIGIN",
        help="the page that may show the step's pages in a frame; default: change nothing",
    )
    return parser.parse_args()


def _give_way() -> None:
    """Let the step run first where both want the same processor, and do not interrupt it."""
    os.nice(NICE)
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        if os.getsid(0) == os.getpid():  # in a session of our own, nice is about that alone
            Path("/proc/self/autogroup").write_text(str(NICE))


def main() -> None:
    """Serve until Ctrl-C, SIGTERM, or until nobody reads the lines."""
    chosen = _options()
    _give_way()
    events = Events(chosen.client)
    tap = Tap(chosen.to, chosen.frame_ancestors or "", events)
    server = StreamServer(("127.0.0.1", chosen.port), tap.serve, backlog=1024)
    try:
        server.start()
    except (OSError, OverflowError) as error:
        sys.exit(f"127.0.0.1:{chosen.port} cannot be used ({error}): choose another --port.")
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, ended.set)
    print(f"Open http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)", flush=True)
    events.gone.rawlink(lambda _: ended.set())
    while not ended.wait(1):
        tap.count()
    server.stop(timeout=0)
    tap.count()
    events.finish()


if __name__ == "__main__":
    main()
