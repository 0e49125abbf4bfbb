"""All clients of one server: they come in, say and hear messages, and go."""

import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from bench.chat.load.dialects import DIALECTS, Dialect
from bench.chat.load.joining import Joining, LoadError, check_presence
from bench.chat.load.pump import Found, Member, Plan, pump

GRACE = 2.0  # seconds to wait for the last deliveries


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

    def join(self, count: int, size: int = 100, seconds: float = 60.0) -> float:
        """Let clients in until there are `count`; each will say messages of `size` characters.

        Returns:
            Seconds until all were in and, where the server tells, everybody knew of everybody.

        Raises:
            LoadError: not all were in after so many seconds.
        """
        began = time.monotonic()
        joining = Joining(self._dialect, count, began + seconds)
        for member in self._members:
            joining.watch(member)
        while len(self._members) < count:
            index = len(self._members)
            host, name = self._hosts[index % len(self._hosts)], f"c{index:04d}"
            self._members.append(joining.enter(host, name, self._dialect.say(name, size)))
        joining.run(until_under_way=1)
        joining.run_until_all_heard()
        took = time.monotonic() - began
        joining.settle()
        if self._dialect.presence:
            for name, told in joining.news.items():
                self._heard.setdefault(name, []).extend(told)
            check_presence(self._heard)
        self._call_roll(began + seconds)
        return took

    def flood(self, in_flight: int, seconds: float, warm_up: float = 0.2) -> Rate:
        """Keep so many messages in flight for so long, and count the deliveries."""
        before = self._pump(seconds=warm_up, in_flight=in_flight)
        found = self._pump(seconds=seconds, in_flight=in_flight)
        _check_open(before.closed + found.closed)
        lost = before.lost + found.lost
        if lost > 0:
            raise LoadError(f"{lost} deliveries did not come")
        if lost < 0:
            raise LoadError(f"{-lost} came twice, or to those who said them")
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

    def _call_roll(self, deadline: float) -> None:
        """Say something until all hear it: a server may answer before a client is in its list."""
        while len(self._members) > 1:
            found = self._pump(seconds=0.001, interval=0.001, grace=1.0)
            _check_open(found.closed)
            if found.lost <= 0:
                return
            if time.monotonic() > deadline:
                raise LoadError(f"a message did not reach {found.lost} clients")

    def _pump(
        self,
        seconds: float,
        in_flight: int = 0,
        interval: float = 0.0,
        grace: float = GRACE,
        delays: bool = False,
    ) -> Found:
        plan = Plan(self._said, seconds, in_flight, interval, grace, delays)
        found = pump(self._members, plan)
        self._said += found.said
        return found


def _check_open(closed: int) -> None:
    if closed:
        raise LoadError(f"the server cut off {closed} clients, or did not read them")
