"""The load client's inner loop: messages go out, and it counts who received them.

`pump` is in pump.c, for speed; `pump_in_python` does the same and is what runs where there is no
compiler. Both say message after message, each from the next client in turn. With `in_flight`, the
next one is said when one was received by all but its sender; with `interval`, when it is time.

A client that speaks begins to delay its TCP acknowledgements by 40 ms, and a server that leaves
Nagle's algorithm on then delays the next frame to it as long. TCP_QUICKACK after each message keeps
that out of the measurement, which would otherwise be one of missing TCP_NODELAY and little else.
"""

import ctypes
import itertools
import mmap
import select
import socket
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from bench.chat.load.dialects import DIGITS, NUMBER
from bench.chat.load.wire import BYE, MOST, TEXT, answer, frame, frames
from bench.chat.native import NoCompilerError, library

_ROOM = MOST + 4  # bytes of an unfinished frame


@dataclass
class Member:
    """One client: its socket, its message, the begin of an unfinished frame."""

    socket: socket.socket
    name: str
    say: bytes = b""
    rest: bytearray = field(default_factory=bytearray)
    deaf: bool = False  # it does not read


@dataclass(frozen=True)
class Plan:
    """What to do: `in_flight` messages at a time, or one every `interval` seconds.

    Args:
        first: number of the first message; no earlier one is counted.
        seconds: how long new messages are said.
        grace: how long to wait for the last ones.
        delays: whether to keep the delay of each delivery.
    """

    first: int
    seconds: float
    in_flight: int = 0
    interval: float = 0.0
    grace: float = 2.0
    delays: bool = False


@dataclass(frozen=True)
class Found:
    """What came of it.

    Args:
        seconds: how long deliveries were counted.
        cpu: seconds of CPU time that the load client used for it.
        deliveries: messages received in these seconds, each once for each receiver.
        all: the same with those received later.
        said: messages.
        lost: deliveries that did not come in time.
        closed: clients that the server cut off.
        delays: seconds from saying to receiving, of each delivery.
        slowest: the longest of them for each message.
    """

    seconds: float
    cpu: float
    deliveries: int
    all: int
    said: int
    lost: int
    closed: int
    delays: "array[float]"
    slowest: "array[float]"


class _Client(ctypes.Structure):
    _fields_ = (
        ("fd", ctypes.c_int),
        ("deaf", ctypes.c_int),
        ("held", ctypes.c_int),
        ("length", ctypes.c_int),
        ("say", ctypes.c_char_p),
        ("rest", ctypes.c_void_p),
    )


class _Plan(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int),
        ("in_flight", ctypes.c_int),
        ("first", ctypes.c_int),
        ("places", ctypes.c_int * 2),
        ("interval", ctypes.c_double),
        ("seconds", ctypes.c_double),
        ("grace", ctypes.c_double),
    )


class _Found(ctypes.Structure):
    _fields_ = (
        ("seconds", ctypes.c_double),
        ("cpu", ctypes.c_double),
        ("deliveries", ctypes.c_long),
        ("all", ctypes.c_long),
        ("said", ctypes.c_long),
        ("lost", ctypes.c_long),
        ("closed", ctypes.c_int),
    )


def language() -> str:
    """Return what the inner loop is written in here: "C" or "Python"."""
    try:
        library(Path(__file__).with_name("pump.c"))
    except NoCompilerError:
        return "Python"
    return "C"


def pump(members: list[Member], plan: Plan) -> Found:
    """Carry out the plan."""
    if language() == "Python":
        return pump_in_python(members, plan)
    rests = mmap.mmap(-1, _ROOM * len(members))  # nothing of it is used until it is written to
    start = ctypes.addressof(ctypes.c_char.from_buffer(rests))
    clients = (_Client * len(members))()
    for index, (client, member) in enumerate(zip(clients, members, strict=True)):
        client.fd, client.deaf = member.socket.fileno(), member.deaf
        client.say, client.length = member.say, len(member.say)
        client.rest, client.held = start + index * _ROOM, len(member.rest)
        ctypes.memmove(client.rest, bytes(member.rest), client.held)
    most = int((plan.seconds / plan.interval + 2) if plan.interval else 0)
    delays = array("f", bytes(4 * most * len(members) if plan.delays else 0))
    slowest = array("f", bytes(4 * most))
    found = _Found()
    library(Path(__file__).with_name("pump.c")).pump(
        clients,
        ctypes.byref(
            _Plan(
                count=len(members),
                in_flight=plan.in_flight,
                first=plan.first,
                places=(ctypes.c_int * 2)(*_places(members[0].say)),
                interval=plan.interval,
                seconds=plan.seconds,
                grace=plan.grace,
            )
        ),
        ctypes.byref(found),
        _pointer(delays),
        ctypes.c_long(len(delays)),
        _pointer(slowest),
    )
    for client, member in zip(clients, members, strict=True):
        member.rest[:] = ctypes.string_at(client.rest, client.held)
    return Found(
        found.seconds,
        found.cpu,
        found.deliveries,
        found.all,
        found.said,
        found.lost,
        found.closed,
        delays[: found.all],
        slowest[: found.said],
    )


def _places(say: bytes) -> tuple[int, int]:
    """Return where a message's number goes: once or twice in its text."""
    first = say.index(NUMBER.encode())
    return first, say.find(NUMBER.encode(), first + DIGITS)


def _pointer(values: "array[float]") -> ctypes.c_void_p:
    return ctypes.c_void_p(values.buffer_info()[0] if values else None)


def pump_in_python(members: list[Member], plan: Plan) -> Found:
    """Carry out the plan, in Python."""
    state = _Python(members, plan)
    try:
        return state.run()
    finally:
        state.poll.close()


class _Python:
    """What pump.c keeps in local variables."""

    def __init__(self, members: list[Member], plan: Plan) -> None:
        self.plan = plan
        self.most = round(plan.seconds / plan.interval) if plan.interval else 0
        self.by_fd = {one.socket.fileno(): one for one in members if not one.deaf}
        self.receivers = len(self.by_fd) - 1
        turns = itertools.cycle(self.by_fd.values())
        self.speakers = (member for member in turns if not member.deaf)
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)
        self.left: list[int] = []
        self.said_at: list[float] = []
        self.delays, self.slowest = array("f"), array("f")
        self.all = self.outstanding = self.closed = 0
        self.begin = self.next = time.monotonic()
        self.end = self.begin + plan.seconds
        self.last = self.end + plan.grace

    def run(self) -> Found:
        """Say and listen until all is said and heard, or time is up."""
        seconds, cpu, in_time, ended = 0.0, time.thread_time(), 0, False
        while not self.closed or (self.most and self.closed <= self.receivers):
            now = time.monotonic()
            if not ended and self._may_end(now):
                ended, seconds, in_time = True, now - self.begin, self.all
                cpu = time.thread_time() - cpu
                self.last = now + self.plan.grace
            if ended and (not self.outstanding or now >= self.last):
                break
            while self._is_due(now):
                self._say()
                self.next += self.plan.interval
            if len(self.left) < self.most:
                until = self.next
            else:
                until = self.end if now < self.end else self.last
            for fd, _ in self.poll.poll(max(0.0, until - now)):
                self._hear(self.by_fd[fd])
        return Found(
            seconds,
            cpu,
            in_time,
            self.all,
            len(self.left),
            sum(self.left),
            self.closed,
            self.delays,
            self.slowest,
        )

    def _is_due(self, now: float) -> bool:
        if self.most:
            return len(self.left) < self.most and now >= self.next
        return now < self.end and self.outstanding < self.plan.in_flight

    def _may_end(self, now: float) -> bool:
        if now < self.end:
            return False
        return len(self.left) == self.most if self.most else self.all > 0 or now >= self.last

    def _say(self) -> None:
        number = len(self.left)
        speaker = next(self.speakers)
        digits = str(self.plan.first + number).zfill(DIGITS).encode()
        data = frame(TEXT, speaker.say.replace(NUMBER.encode(), digits))
        self.left.append(self.receivers)
        self.slowest.append(0.0)
        self.said_at.append(time.monotonic())
        try:
            whole = speaker.socket.send(data) == len(data)
            speaker.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except OSError:
            whole = False
        if whole:
            self.outstanding += 1
        elif not self.plan.interval:
            self.closed += 1

    def _hear(self, member: Member) -> None:
        try:
            data = member.socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._cut_off(member)
        now = time.monotonic()
        member.rest += data
        for opcode, payload in frames(member.rest):
            at = payload.find(b"#") + 1
            if at and opcode == TEXT:
                self._count(int(payload[at : at + DIGITS]) - self.plan.first, now)
            elif opcode == BYE:
                self._cut_off(member)
                break
            elif reply := answer(opcode, payload):
                member.socket.send(reply)

    def _cut_off(self, member: Member) -> None:
        """The server has ended a connection: this client speaks and hears no more."""
        self.closed += 1
        member.deaf = True
        self.poll.unregister(member.socket)

    def _count(self, number: int, now: float) -> None:
        if not 0 <= number < len(self.left):
            return
        delay = now - self.said_at[number]
        if self.plan.delays:
            self.delays.append(delay)
        self.slowest[number] = max(self.slowest[number], delay)
        self.all += 1
        self.left[number] -= 1
        self.outstanding -= not self.left[number]
