"""The parts of the chat benchmark: each measures one thing and returns its figures."""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from statistics import median

from bench.chat.load.crowd import Crowd, Delays, Rate
from bench.chat.load.joining import LoadError
from bench.chat.load.process import LoadClient
from bench.chat.servers import FLOOR, PYTHON_FLOOR, RICH, ROOM, Contender, room
from bench.neighbours import redis_cpu
from bench.rounds import rounds
from demos.instruments.rounds import Sample, interleave, samples

IN_FLIGHT = (1, 8)
PACE = 10.0  # messages a second, for the delay
DEAF_CROWD, DEAF_SIZE, DEAF_PACE = 20, 8000, 200.0  # 1.6 MB a second fill a reader's 4 MB in 3 s
LATE = 0.01  # seconds beyond the slowest of calm times
ALONE, WITH_REDIS, TWO = "one process", "one process with Redis", "two processes with Redis"


@dataclass(frozen=True)
class Depth:
    """How much to measure. The last two sizes are those that the targets are about.

    Args:
        sizes: clients.
        rounds: of throughput and delay; the other parts have fewer.
        seconds: of each throughput.
        paced: seconds of each delay.
        deaf: seconds before a reader stops, and after.
        few: whether only the room takes part where no target is about its peers.
    """

    sizes: tuple[int, ...]
    rounds: int
    seconds: float
    paced: float
    deaf: tuple[float, float]
    few: bool = False

    @property
    def few_rounds(self) -> int:
        """Rounds of the parts that take long or vary little."""
        return min(2, self.rounds)

    @property
    def most(self) -> int:
        """The largest number of clients."""
        return self.sizes[-1]


FULL = Depth((10, 100, 1000), 9, 0.25, 1.5, (1.5, 4.0))
QUICK = Depth((10, 20), 1, 0.02, 0.2, (0.2, 0.2), few=True)


@dataclass(frozen=True)
class Talk:
    """One server in one round: deliveries a second by clients and messages in flight, delays.

    Args:
        rates: by (clients, in flight).
        work: microseconds of the server's CPU time for a delivery, likewise.
        delays: at the most clients.
        words: what the server said when it was ready.
    """

    rates: Mapping[tuple[int, int], Rate]
    work: Mapping[tuple[int, int], float]
    delays: Delays
    words: str


@dataclass(frozen=True)
class Idle:
    """What clients cost who only came: kB of memory for each, and seconds until all were in."""

    memory: float
    joined: float


@dataclass(frozen=True)
class Deaf:
    """What a reader that stops costs the others.

    Args:
        extra: seconds by which the slowest delivery was slower than the slowest before.
        stalls: how often others had to wait longer than that and LATE.
        lost: deliveries to others that never came.
        closed: others that the server cut off.
    """

    extra: float
    stalls: int
    lost: int
    closed: int


@dataclass(frozen=True)
class Shared:
    """The room in one or two processes.

    Args:
        p50: seconds of delay at the median, with few clients.
        rate: deliveries a second, with many.
        work: microseconds of CPU time of the room's processes for a delivery.
        redis: the same of Redis.
    """

    p50: float
    rate: Rate
    work: float
    redis: float

    @property
    def client(self) -> float:
        """Microseconds of the load client's CPU time for a delivery."""
        return self.rate.busy * 1e6 / self.rate.deliveries

    @property
    def allowed(self) -> float:
        """Deliveries a second, if all that takes part shares this machine's cores without a gap."""
        return (os.cpu_count() or 1) * 1e6 / (self.work + self.redis + self.client)


@dataclass
class Figures:
    """All that was measured, and what failed where, by contender."""

    depth: Depth
    talks: dict[str, list[Talk]] = field(default_factory=dict)
    idle: dict[str, list[Idle]] = field(default_factory=dict)
    deaf: dict[str, list[Deaf]] = field(default_factory=dict)
    shared: dict[str, list[Shared]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def rates(self, size: int, in_flight: int) -> dict[str, Sample]:
        """Return the deliveries a second."""
        return samples(self.talks, lambda one: one.rates[size, in_flight].deliveries)

    def busy(self, name: str, size: int, in_flight: int) -> float:
        """Return how much of its time the load client was busy, in the middle round."""
        return median(talk.rates[size, in_flight].busy for talk in self.talks[name])


Contenders = Sequence[Contender]


def talks(
    contenders: Contenders, load: LoadClient, depth: Depth, failures: dict[str, str]
) -> dict[str, list[Talk]]:
    """Measure throughput at all sizes, and the delay at the largest."""

    def trial(contender: Contender) -> Talk:
        rates, work = {}, {}
        with contender.started() as server:
            load.connect([server.url], contender.dialect)
            for size in depth.sizes:
                load.call(Crowd.join, size)
                for in_flight in IN_FLIGHT:
                    before = server.cpu()
                    warm_up = depth.seconds * 0.6
                    rate = load.call(Crowd.flood, in_flight, depth.seconds, warm_up)
                    rates[size, in_flight] = rate
                    work[size, in_flight] = (server.cpu() - before) * 1e6 / rate.total
            delays = load.call(Crowd.pace, PACE, depth.paced)
            if delays.lost or delays.closed:
                raise LoadError(f"{delays.lost} deliveries did not come")
            return Talk(rates, work, delays, server.words)

    return rounds("Throughput and delay", contenders, trial, depth.rounds, failures)


def idle(
    contenders: Contenders, load: LoadClient, depth: Depth, failures: dict[str, str]
) -> dict[str, list[Idle]]:
    """Let everybody join a server that just started; look at its memory before and after."""

    def trial(contender: Contender) -> Idle:
        with contender.started() as server:
            load.connect([server.url], contender.dialect)
            load.call(Crowd.join, 1)
            before = server.memory()
            joined = load.call(Crowd.join, depth.most)
            return Idle((server.memory() - before) / (depth.most - 1), joined)

    if depth.few:
        contenders = _ours(contenders)
    return rounds("Joining and memory", contenders, trial, depth.few_rounds, failures)


def deaf(
    contenders: Contenders, load: LoadClient, depth: Depth, failures: dict[str, str]
) -> dict[str, list[Deaf]]:
    """Let one reader stop, and see how much longer the others wait than before."""

    def trial(contender: Contender) -> Deaf:
        with contender.started() as server:
            load.connect([server.url], contender.dialect)
            load.call(Crowd.join, DEAF_CROWD, DEAF_SIZE)
            calm = load.call(Crowd.pace, DEAF_PACE, depth.deaf[0])
            load.call(Crowd.deafen)
            after = load.call(Crowd.pace, DEAF_PACE, depth.deaf[1])
            return Deaf(
                math.inf if after.lost else max(0.0, max(after.slowest) - max(calm.slowest)),
                stalls(after.slowest, max(calm.slowest) + LATE),
                after.lost,
                after.closed,
            )

    # The floors promise nothing, and drop what a receiver has no room for.
    peers = [one for one in contenders if one.name not in (ROOM, RICH, FLOOR, PYTHON_FLOOR)]
    count, title = depth.few_rounds, "A reader that stops"
    return rounds(title, _ours(contenders), trial, count, failures) | rounds(
        title, [] if depth.few else peers, trial, 1, failures
    )


def _ours(contenders: Contenders) -> Contenders:
    return [one for one in contenders if one.name in (ROOM, RICH)]


def stalls(slowest: Sequence[float], limit: float) -> int:
    """Return how often a message was later than the limit while the one before was not."""
    late = [False, *(one > limit for one in slowest)]
    return sum(now and not before for before, now in pairwise(late))


def shared(load: LoadClient, depth: Depth, redis: str) -> dict[str, list[Shared]]:
    """Compare one process, one with Redis, and two with Redis, which is at the URL `redis`.

    Raises:
        ServerError: the room does not start with it.
        LoadError: it did not serve all clients.
    """

    def trial(processes: int, *arguments: str) -> Shared:
        with ExitStack() as stack:
            # Those who share something say goodbye, so that their nicknames are free again.
            servers = [
                stack.enter_context(room(*arguments).started(patience=5.0))
                for _ in range(processes)
            ]
            load.connect([server.url for server in servers], "named")
            load.call(Crowd.join, depth.sizes[-2])
            delays = load.call(Crowd.pace, PACE, depth.paced)
            load.call(Crowd.join, depth.most)
            before, shared_before = sum(server.cpu() for server in servers), redis_cpu(redis)
            rate = load.call(Crowd.flood, max(IN_FLIGHT), depth.seconds * 2)
            work = sum(server.cpu() for server in servers) - before
            of_redis = redis_cpu(redis) - shared_before
            load.call(Crowd.leave)
            return Shared(delays.p50, rate, work * 1e6 / rate.total, of_redis * 1e6 / rate.total)

    trials = {
        ALONE: partial(trial, 1),
        WITH_REDIS: partial(trial, 1, "--redis", redis),
        TWO: partial(trial, 2, "--redis", redis),
    }
    return interleave("Redis", trials, depth.rounds // 2 + 1)
