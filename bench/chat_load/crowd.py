"""All clients of one server: they come in, say and hear messages, and go."""

import json
import re
import select
import socket
import struct
import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from bench.chat_load import wire
from bench.chat_load.dialects import DIALECTS, Dialect
from bench.chat_load.pump import Found, Member, Plan, pump

GRACE = 2.0  # seconds to wait for the last deliveries
AT_ONCE = 50  # handshakes under way; more than a server's backlog would measure the kernel
_COUNT = re.compile(rb'"count": ?(\d+)')
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a closed socket leaves nothing behind


class LoadError(Exception):
    """A server did not do what every server here does. The message is one sentence."""


@dataclass(frozen=True)
class Rate:
    """Deliveries a second, and how much of its time the load client was busy (1: the limit)."""

    deliveries: float
    busy: float
    total: int  # deliveries, also those before and after the clock ran


@dataclass(frozen=True)
class Delays:
    """Seconds from saying to receiving.

    Args:
        p50: not exceeded by half of all deliveries.
        p99: not exceeded by 99 % of them.
        slowest: the longest of them for each message.
        lost: deliveries that never came.
        closed: clients that the server cut off.
    """

    p50: float
    p99: float
    slowest: list[float]
    lost: int
    closed: int


class Crowd:
    """Clients of one server, or of several workers of it in turn."""

    def __init__(self, urls: list[str], dialect: str) -> None:
        """Take the workers' addresses and the name of what to speak. Nobody connects yet."""
        self._hosts = [urlsplit(url) for url in urls]
        self._dialect: Dialect = DIALECTS[dialect]
        self._members: list[Member] = []
        self._heard: dict[str, list[bytes]] = {}
        self._said = 1

    def join(self, count: int, size: int = 100, seconds: float = 30.0) -> float:
        """Let clients in until there are `count`; each will say messages of `size` characters.

        Returns:
            Seconds until all were in and, where the server tells, everybody knew of everybody.

        Raises:
            LoadError: not all were in after so many seconds.
        """
        began = time.monotonic()
        joining = _Joining(self._dialect, count, began + seconds)
        for member in self._members:
            joining.watch(member)
        while len(self._members) < count:
            index = len(self._members)
            host, name = self._hosts[index % len(self._hosts)], f"c{index:04d}"
            link = socket.create_connection((host.hostname or "", host.port or 80), seconds)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            link.setblocking(False)
            path = self._dialect.path.format(name)
            link.send(wire.request(host.netloc, path, self._dialect.subprotocol))
            member = Member(link, name, self._dialect.say(name, size))
            self._members.append(member)
            joining.watch(member, is_new=True)
            joining.run(until_under_way=AT_ONCE)
        joining.run(until_under_way=1)
        joining.run_until_all_heard()
        took = time.monotonic() - began
        joining.settle()
        self._check_presence(joining.news)
        return took

    def flood(self, in_flight: int, seconds: float, warm_up: float = 0.2) -> Rate:
        """Keep so many messages in flight for so long, and count the deliveries."""
        before = self._pump(seconds=warm_up, in_flight=in_flight)
        found = self._pump(seconds=seconds, in_flight=in_flight)
        if closed := before.closed + found.closed:
            raise LoadError(f"the server cut off {closed} clients, or did not read them")
        if found.lost > 0:
            raise LoadError(f"{found.lost} deliveries did not come")
        if found.lost < 0:
            raise LoadError(f"{-found.lost} came twice, or to those who said them")
        rate = found.deliveries / found.seconds
        return Rate(rate, found.cpu / found.seconds, before.all + found.all)

    def pace(self, rate: float, seconds: float) -> Delays:
        """Say so many messages a second for so long, and measure how long they take."""
        found = self._pump(seconds=seconds, interval=1 / rate, delays=True)
        delays = sorted(found.delays) or [float("inf")]
        p99 = delays[-(-len(delays) * 99 // 100) - 1]
        return Delays(median(delays), p99, list(found.slowest), found.lost, found.closed)

    def deafen(self) -> None:
        """Let the last client stop reading. It stays connected."""
        self._members[-1].deaf = True

    def leave(self) -> None:
        """Close all connections at once, without a word."""
        for member in self._members:
            member.socket.close()
        self._members.clear()

    def _pump(
        self, seconds: float, in_flight: int = 0, interval: float = 0.0, delays: bool = False
    ) -> Found:
        plan = Plan(self._said, seconds, in_flight, interval, GRACE, delays)
        found = pump(self._members, plan)
        self._said += found.said
        return found

    def _check_presence(self, news: dict[str, list[bytes]]) -> None:
        """Raise LoadError unless what everybody was told adds up to everybody."""
        if not self._dialect.presence:
            return
        for name, frames in news.items():
            self._heard.setdefault(name, []).extend(frames)
        everybody = {member.name for member in self._members}
        for member in self._members:
            known = {member.name}
            for told in map(json.loads, self._heard[member.name]):
                known |= {*told.get("roster", ()), *told.get("joined", ())}
                known -= set(told.get("left", ()))
            if known != everybody:
                raise LoadError(f"{member.name} knows of {len(known)} of {len(everybody)} clients")


class _Joining:
    """Reads what arrives while clients come in, and knows who is in and who knows of all."""

    def __init__(self, dialect: Dialect, count: int, deadline: float) -> None:
        self.dialect, self.count, self.deadline = dialect, count, deadline
        self.news: dict[str, list[bytes]] = {}
        self._poll = select.epoll()
        self._by_fd: dict[int, Member] = {}
        self._new: set[int] = set()  # waiting for the handshake
        self._outside: set[int] = set()  # waiting for the welcome
        self._unaware: set[int] = set()  # waiting to hear of all

    def watch(self, member: Member, is_new: bool = False) -> None:
        fd = member.socket.fileno()
        self._by_fd[fd] = member
        self._poll.register(fd, select.EPOLLIN)
        if self.dialect.presence:
            self._unaware.add(fd)
        if is_new:
            self._new.add(fd)
            self._outside.add(fd)

    def run(self, until_under_way: int) -> None:
        while len(self._outside) >= until_under_way:
            self._read()

    def run_until_all_heard(self) -> None:
        while self._unaware:
            self._read()

    def settle(self, quiet: float = 0.1) -> None:
        """Read until nothing has arrived for so many seconds."""
        while self._read(quiet) or any(member.rest for member in self._by_fd.values()):
            pass
        self._poll.close()

    def _read(self, patience: float | None = None) -> bool:
        if time.monotonic() > self.deadline:
            raise LoadError(
                f"of {self.count} clients {len(self._outside)} are not in"
                f" and {len(self._unaware)} do not know of all"
            )
        events = self._poll.poll(patience or 1.0)
        for fd, _ in events:
            self._hear(fd, self._by_fd[fd])
        return bool(events)

    def _hear(self, fd: int, member: Member) -> None:
        data = member.socket.recv(1 << 18)
        if not data:
            raise LoadError(f"the server cut off {member.name}")
        member.rest += data
        if fd in self._new:
            head, end, rest = member.rest.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise LoadError(f"the server answered {head.splitlines()[0].decode()!r}")
            member.rest[:] = rest
            self._new.discard(fd)
            if self.dialect.hello:
                member.socket.send(wire.frame(wire.TEXT, self.dialect.hello))
            if not self.dialect.welcome:
                self._outside.discard(fd)
        for opcode, payload in wire.frames(member.rest):
            if opcode == wire.BYE:
                raise LoadError(f"the server closed on {member.name}: {payload[2:].decode()!r}")
            if reply := wire.answer(opcode, payload):
                member.socket.send(reply)
            is_welcome = bool(self.dialect.welcome and self.dialect.welcome.match(payload))
            if is_welcome:
                self._outside.discard(fd)
            if self.dialect.presence:
                self._note(fd, member, payload, is_welcome)

    def _note(self, fd: int, member: Member, payload: bytes, is_welcome: bool) -> None:
        """Keep who is in, and see whether that is everybody."""
        if is_welcome:
            count = len(json.loads(payload)["roster"])
        elif b'"presence"' in payload and (found := _COUNT.search(payload)):
            count = int(found[1])
        else:
            return
        self.news.setdefault(member.name, []).append(payload)
        if count >= self.count:
            self._unaware.discard(fd)
