"""Reads what arrives while clients come in."""

import json
import re
import select
import socket
import struct
import time
from collections.abc import Mapping
from urllib.parse import SplitResult

from bench.chat.load import wire
from bench.chat.load.dialects import Dialect
from bench.chat.load.pump import Member

AT_ONCE = 50  # handshakes under way; more than a server's backlog would measure the kernel
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a closed socket leaves nothing behind
_COUNT = re.compile(rb'"count": ?(\d+)')


class LoadError(Exception):
    """A server did not do what every server here does. The message is one sentence."""


class Joining:
    """Reads what arrives while clients come in, and knows who is in and who knows of all."""

    def __init__(
        self, dialect: Dialect, count: int, deadline: float, at_once: int = AT_ONCE
    ) -> None:
        """Expect `count` clients until the deadline, a time of `time.monotonic`."""
        self.dialect, self.count, self.deadline = dialect, count, deadline
        self.at_once = at_once
        self.news: dict[str, list[bytes]] = {}
        self._poll = select.epoll()
        self._by_fd: dict[int, Member] = {}
        self._new: set[int] = set()  # waiting for the handshake
        self._outside: set[int] = set()  # waiting for the welcome
        self._unaware: set[int] = set()  # waiting to hear of all

    def enter(self, url: SplitResult, name: str, say: bytes, cookie: str = "") -> Member:
        """Let a new client come to the server at a URL; it waits while many are on their way in.

        Args:
            url: of the server, or of one of its workers.
            name: of the client; it goes into the path, if the dialect has a place for it.
            say: the client's message.
            cookie: what the server knows the client by, if that is not the path.

        Raises:
            LoadError: those before did not come in in time.
        """
        address = url.hostname or "", url.port or 80
        link = socket.create_connection(address, max(0.1, self.deadline - time.monotonic()))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        link.setblocking(False)
        path = self.dialect.path.format(name)
        link.send(wire.request(url.netloc, path, self.dialect.subprotocol, cookie))
        member = Member(link, name, say)
        self.watch(member, is_new=True)
        self.run(until_under_way=self.at_once)
        return member

    def watch(self, member: Member, is_new: bool = False) -> None:
        """Read what this client is sent; a new one waits for the handshake's answer."""
        fd = member.socket.fileno()
        self._by_fd[fd] = member
        self._poll.register(fd, select.EPOLLIN)
        if self.dialect.presence:
            self._unaware.add(fd)
        if is_new:
            self._new.add(fd)
            self._outside.add(fd)

    def run(self, until_under_way: int) -> None:
        """Read until fewer than so many clients are on their way in. Raises LoadError."""
        while len(self._outside) >= until_under_way:
            self._read()

    def run_until_all_heard(self) -> None:
        """Read until everybody knows that all are in, where the server tells. Raises LoadError."""
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


def check_presence(heard: Mapping[str, list[bytes]]) -> None:
    """Raise LoadError unless what each client was told, by its name, adds up to all of them."""
    for name, frames in heard.items():
        known = {name}
        for told in map(json.loads, frames):
            known |= {*told.get("roster", ()), *told.get("joined", ())}
            known -= set(told.get("left", ()))
        if known != heard.keys():
            raise LoadError(f"{name} knows of {len(known)} of {len(heard)} clients")
