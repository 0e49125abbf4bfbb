"""Pairs of friends: they come in, write to each other and go.

In Python, because a message costs a server here much more than it costs the load client; how busy
that was stands beside each figure. Recipients confirm what they get as the page does (reports.py).
"""

import gc
import json
import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.chat.load import wire
from bench.chat.load.dialects import NUMBER, Dialect
from bench.chat.load.joining import Joining, LoadError
from bench.chat.load.pump import Member
from bench.messenger.load.ledger import Ledger, Letter
from bench.messenger.load.reports import Reports
from demos.instruments.rounds import percentile

AT_ONCE = 10  # users on their way in; the messenger asks its database about each
GRACE = 20.0  # seconds to wait for the last messages; more than any server here needs for them
QUIET = 0.1  # seconds without a frame, after which none is expected any more
TEXT = "你好，今天晚上有空吗？ "  # a line as people write them
_RICH = Dialect(
    lambda friend, text: json.dumps(
        {"to": friend, "msg": text, "client_id": NUMBER}, ensure_ascii=False
    ),
    path="/single_ws",
    subprotocol="im.v1",
    welcome=re.compile(rb'{"type": ?"welcome"'),
)

User = tuple[str, str]  # name, cookie


@dataclass(frozen=True)
class Flow:
    """What came of a time of writing.

    Args:
        rate: messages a second that were acknowledged and delivered, while the clock ran.
        p50: seconds to a message's delivery, not exceeded by half of them.
        p99: not exceeded by 99 % of them.
        stored_p99: seconds to the sender's acknowledgement, likewise.
        busy: how much of its time the load client was busy; 1 is the limit.
        total: messages, also those before and after the clock ran.
        repeated: how often a message came again under its id.
    """

    rate: float
    p50: float
    p99: float
    stored_p99: float
    busy: float
    total: int
    repeated: int


class Pairs:
    """Users who are friends by twos: the first and the second, the third and the fourth."""

    def __init__(self, urls: Sequence[str], users: Sequence[User], apart: bool = False) -> None:
        """Nobody comes in yet.

        Args:
            urls: of the server's processes.
            users: name and cookie of each.
            apart: whether friends connect to different processes, and not to the same.
        """
        gc.disable()  # a pause in here would count as the server's
        self._hosts = [urlsplit(url) for url in urls]
        self._users, self._apart = users, apart
        self._members: list[Member] = []
        self._places: dict[int, int] = {}  # file descriptor → place in _members
        self._ledger, self._reports = Ledger(), Reports()
        self._poll = select.epoll()

    def join(self, count: int, seconds: float = 60.0) -> float:
        """Let users in until there are `count`, an even number; return the seconds it took.

        Raises:
            LoadError: not all were in after so many seconds.
        """
        began = time.monotonic()
        joining = Joining(_RICH, count, began + seconds, AT_ONCE)
        for member in self._members:
            joining.watch(member)
        for place in range(len(self._members), count):
            name, cookie = self._users[place]
            friend, _ = self._users[place ^ 1]
            host = self._hosts[(place if self._apart else place // 2) % len(self._hosts)]
            say = _RICH.message(friend, TEXT * 2).encode()
            member = joining.enter(host, name, say, cookie)
            self._members.append(member)
            self._places[member.socket.fileno()] = place
            self._poll.register(member.socket, select.EPOLLIN)
        joining.run(until_under_way=1)
        took = time.monotonic() - began
        joining.settle()
        return took

    def flood(self, in_flight: int, seconds: float, warm_up: float = 0.3) -> Flow:
        """Let each pair keep so many messages under way; whoever gets one writes the next.

        The clock runs until the seconds are over, and one message at least was delivered.

        Raises:
            LoadError: a message was lost, came twice or was refused.
        """
        first, done = len(self._ledger.letters), 0

        def reply(place: int, letter: Letter) -> None:
            nonlocal done
            done += 1
            own = letter.recipient == self._members[place].name
            self._write(place if own else place ^ 1, time.monotonic())

        for place in range(0, len(self._members), 2):
            for turn in range(in_flight):
                self._write(place + turn % 2, time.monotonic())
        self._listen(time.monotonic() + warm_up, reply)
        done, begin, cpu = 0, time.monotonic(), time.thread_time()
        self._listen(begin + seconds, reply)
        while not done and time.monotonic() < begin + seconds + GRACE:
            self._listen(time.monotonic() + 0.01, reply)
        took, cpu = time.monotonic() - begin, time.thread_time() - cpu
        rate = done / took
        self._finish()
        return self._flow(self._ledger.letters[first:], rate, cpu / took)

    def pace(self, rate: float, seconds: float, warm_up: float = 0.3) -> Flow:
        """Write so many messages a second, whatever becomes of them, one pair after the other.

        A delay is counted from the moment at which the message was due. Raises LoadError, as
        `flood` does.
        """
        pairs = len(self._members) // 2
        first = len(self._ledger.letters) + round(rate * warm_up)
        begin, cpu = time.monotonic(), time.thread_time()
        for number in range(round(rate * (warm_up + seconds))):
            due = begin + number / rate
            self._listen(due)
            self._write(number % pairs * 2 + number // pairs % 2, due)
        took, cpu = time.monotonic() - begin, time.thread_time() - cpu
        self._finish()
        return self._flow(self._ledger.letters[first:], rate, cpu / took)

    def leave(self) -> None:
        """Close all connections at once, without a word."""
        gc.enable()
        self._poll.close()
        for member in self._members:
            member.socket.close()
        self._members.clear()

    def _write(self, place: int, due: float) -> None:
        sender = self._members[place]
        number = self._ledger.write(sender.name, self._members[place ^ 1].name, due)
        digits = str(number).zfill(len(NUMBER)).encode()
        self._send(sender, sender.say.replace(NUMBER.encode(), digits))

    def _listen(
        self, until: float, done: Callable[[int, Letter], None] = lambda place, letter: None
    ) -> None:
        """Read until that time, and once at least; call `done` with each letter that is done."""
        while True:
            now = time.monotonic()
            # epoll itself counts in whole milliseconds.
            select.select([self._poll], [], [], max(0.0, min(until, self._reports.next()) - now))
            for fd, _ in self._poll.poll(0):
                place = self._places[fd]
                for letter in self._hear(place):
                    done(place, letter)
            self._report()
            if time.monotonic() >= until:
                return

    def _report(self, early: bool = False) -> None:
        """Confirm what it is time for, or, early, all that there is."""
        for place, ids in self._reports.take(time.monotonic(), early):
            self._send(self._members[place], json.dumps({"got": ids}).encode())

    def _hear(self, place: int) -> Iterator[Letter]:
        """Read what has arrived for one member; yield the letters that are done."""
        member = self._members[place]
        data = member.socket.recv(1 << 18)
        now = time.monotonic()
        if not data:
            raise LoadError(f"the server cut off {member.name}")
        member.rest += data
        for opcode, payload in wire.frames(member.rest):
            if opcode == wire.BYE:
                raise LoadError(f"the server closed on {member.name}: {payload[2:].decode()!r}")
            if reply := wire.answer(opcode, payload):
                member.socket.send(reply)
            frame: dict[str, Any] = json.loads(payload) if opcode == wire.TEXT else {"type": ""}
            if frame["type"] == "error":
                raise LoadError(f"a message was refused ({frame['reason'].rstrip('.')})")
            if frame["type"] == "message":
                if frame["to"] == member.name and isinstance(frame["id"], int):
                    self._reports.add(place, frame["id"], now)
                if letter := self._ledger.hear(member.name, frame, now):
                    yield letter

    def _send(self, member: Member, payload: bytes) -> None:
        data = wire.frame(wire.TEXT, payload)
        try:
            sent = member.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            raise LoadError(f"the server does not read {member.name}")

    def _finish(self) -> None:
        """Wait for what is under way, and for what should not come. Raises LoadError."""
        deadline = time.monotonic() + GRACE
        while self._ledger.under_way and time.monotonic() < deadline:
            self._listen(time.monotonic() + 0.01)
        self._report(early=True)
        self._listen(time.monotonic() + QUIET)
        self._ledger.check()

    def _flow(self, letters: Sequence[Letter], rate: float, busy: float) -> Flow:
        arrived = [one.arrived - one.due for one in letters]
        stored = [one.stored - one.due for one in letters]
        return Flow(
            rate,
            percentile(arrived, 50),
            percentile(arrived, 99),
            percentile(stored, 99),
            busy,
            len(self._ledger.letters),
            self._ledger.repeated,
        )
