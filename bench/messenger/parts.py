"""The parts of the private chat's benchmark: each measures one thing and returns its figures."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from bench.chat.load.process import LoadClient
from bench.chat.servers import Contender, Server
from bench.messenger.load.pairs import Flow, Pairs, User
from bench.messenger.people import check_stored, empty, logging_in
from bench.messenger.servers import CEILING, COMMIT_EACH, IN_TURN, MESSENGER, messenger
from bench.neighbours import database_cpu, redis_cpu
from bench.rounds import rounds
from demos.instruments.rounds import Sample, interleave, samples

IN_FLIGHT = (1, 8)  # messages of one pair under way
PACE = 1000.0  # messages a second, for the delay
WARM_UP = 0.3  # seconds before each measurement, which do not count
LOG_INS = 8.0  # a second
STORING = (MESSENGER, COMMIT_EACH, IN_TURN)
ALONE, WITH_REDIS = "one process", "one process with Redis"
TOGETHER, APART = "two with Redis, friends on the same", "two with Redis, friends apart"


@dataclass(frozen=True)
class Depth:
    """How much to measure.

    Args:
        pairs: of friends, for throughput.
        users: connected, for delay and memory.
        rounds: of throughput; the other parts have fewer.
        seconds: of each throughput.
        paced: seconds of each delay.
        pace: messages a second, for the delay.
        few: whether only the messenger takes part where no target is about the others.
    """

    pairs: int
    users: int
    rounds: int
    seconds: float
    paced: float
    pace: float = PACE
    few: bool = False

    @property
    def warm_up(self) -> float:
        """Seconds before each measurement; fewer in a quick run."""
        return min(WARM_UP, self.seconds)

    @property
    def few_rounds(self) -> int:
        """Rounds of the parts that take long."""
        return min(3, self.rounds)


FULL = Depth(100, 1000, 5, 2.0, 5.0)
QUICK = Depth(2, 24, 1, 0.05, 0.2, 100.0, few=True)


@dataclass(frozen=True)
class Talk:
    """One server in one round of throughput.

    Args:
        flows: by messages of a pair in flight.
        work: microseconds of the server's CPU time for a message, likewise.
        database: the same of the database; 0 if it is on another machine.
    """

    flows: Mapping[int, Flow]
    work: Mapping[int, float]
    database: Mapping[int, float]


@dataclass(frozen=True)
class Paced:
    """One server in one round of delay.

    Args:
        memory: kB for a user who is connected and silent.
        calm: what came of writing at an even pace.
        busy: the same while people log in.
        log_ins: seconds that each of them took.
        calm_cores: processors that the server used on average while it was calm.
        busy_cores: the same while people logged in.
    """

    memory: float
    calm: Flow
    busy: Flow
    log_ins: Sequence[float]
    calm_cores: float
    busy_cores: float


@dataclass(frozen=True)
class Shared:
    """The messenger in one or two processes.

    Args:
        flow: what came of it.
        work: µs of CPU time of the processes for a message.
        redis: the same of Redis.
        database: the same of the database; 0 if it is on another machine.
    """

    flow: Flow
    work: float
    redis: float
    database: float


@dataclass
class Figures:
    """All that was measured, and what failed where, by contender."""

    depth: Depth
    talks: dict[str, list[Talk]] = field(default_factory=dict)
    paced: dict[str, list[Paced]] = field(default_factory=dict)
    shared: dict[str, list[Shared]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def rates(self, in_flight: int) -> dict[str, Sample]:
        """Return the messages a second."""
        return samples(self.talks, lambda one: one.flows[in_flight].rate)

    def busy(self, name: str, in_flight: int) -> float:
        """Return how much of its time the load client was busy, in the middle round."""
        return median(talk.flows[in_flight].busy for talk in self.talks[name])

    def repeated(self) -> int:
        """Return how often a message came again under its id."""
        flows = [
            flow for ones in self.talks.values() for one in ones for flow in one.flows.values()
        ]
        flows += [one.busy for ones in self.paced.values() for one in ones]
        flows += [one.flow for ones in self.shared.values() for one in ones]
        return sum(flow.repeated for flow in flows)


Contenders = Sequence[Contender]


def talks(
    contenders: Contenders,
    load: LoadClient,
    users: Sequence[User],
    depth: Depth,
    failures: dict[str, str],
) -> dict[str, list[Talk]]:
    """Measure throughput, and the delay that comes with it."""

    def trial(contender: Contender) -> Talk:
        flows, work, database, total = {}, {}, {}, 0
        empty()
        with contender.started() as server:
            load.begin(Pairs, [server.url], users)
            load.call(Pairs.join, 2 * depth.pairs)
            for in_flight in IN_FLIGHT:
                before = server.cpu(), database_cpu()
                flow = load.call(Pairs.flood, in_flight, depth.seconds, depth.warm_up)
                each = 1e6 / (flow.total - total)
                flows[in_flight] = flow
                work[in_flight] = (server.cpu() - before[0]) * each
                database[in_flight] = (database_cpu() - before[1]) * each
                total = flow.total
            if contender.name in STORING:
                check_stored(total)
            return Talk(flows, work, database)

    return rounds("Throughput", contenders, trial, depth.rounds, failures)


def paced(
    contenders: Contenders,
    load: LoadClient,
    users: Sequence[User],
    depth: Depth,
    failures: dict[str, str],
) -> dict[str, list[Paced]]:
    """Measure the memory of users who are silent, then delays at an even pace."""

    def trial(contender: Contender) -> Paced:
        empty()
        with contender.started() as server:
            load.begin(Pairs, [server.url], users)
            load.call(Pairs.join, 20)
            load.call(Pairs.flood, 1, 0.1)  # from now on it has its connections to the database
            before = server.memory()
            load.call(Pairs.join, depth.users)
            memory = (server.memory() - before) / (depth.users - 20)

            def pace() -> tuple[Flow, float]:
                began, used = time.monotonic(), server.cpu()
                flow: Flow = load.call(Pairs.pace, depth.pace, depth.paced, depth.warm_up)
                return flow, (server.cpu() - used) / (time.monotonic() - began)

            calm, calm_cores = pace()
            with logging_in(server.url, LOG_INS) as log_ins:
                busy, busy_cores = pace()
            if contender.name in STORING:
                check_stored(busy.total)
            return Paced(memory, calm, busy, log_ins, calm_cores, busy_cores)

    # A connection for each message does not reach this pace, so its delay would only grow.
    names = (MESSENGER,) if depth.few else (MESSENGER, CEILING)
    chosen = [one for one in contenders if one.name in names]
    return rounds("Delay, log-ins, memory", chosen, trial, depth.few_rounds, failures)


def shared(
    load: LoadClient, users: Sequence[User], depth: Depth, redis: str
) -> dict[str, list[Shared]]:
    """Compare one process, one with Redis, and two with Redis, which is at the URL `redis`.

    Raises:
        ServerError: the messenger does not start with it, or has lost a message.
        LoadError: it did not serve all users.
    """

    def trial(processes: int, apart: bool, *arguments: str) -> Shared:
        empty()
        with ExitStack() as stack:
            # They leave the map in Redis when they say goodbye.
            servers = [
                stack.enter_context(messenger(*arguments).started(patience=5.0))
                for _ in range(processes)
            ]
            load.begin(Pairs, [server.url for server in servers], users, apart)
            load.call(Pairs.join, 2 * depth.pairs)
            before = _cpu_times(servers, redis)
            flow = load.call(Pairs.flood, max(IN_FLIGHT), depth.seconds, depth.warm_up)
            after = _cpu_times(servers, redis)
            check_stored(flow.total)
            load.call(Pairs.leave)
            each = (
                (now - then) * 1e6 / flow.total for then, now in zip(before, after, strict=True)
            )
            return Shared(flow, *each)

    with_redis = "--redis", redis
    trials = {
        ALONE: partial(trial, 1, False),
        WITH_REDIS: partial(trial, 1, False, *with_redis),
        TOGETHER: partial(trial, 2, False, *with_redis),
        APART: partial(trial, 2, True, *with_redis),
    }
    return interleave("Redis", trials, depth.few_rounds)


def _cpu_times(servers: Sequence[Server], redis: str) -> tuple[float, float, float]:
    """Return the seconds of CPU time so far: of the servers, of Redis, of the database."""
    return sum(server.cpu() for server in servers), redis_cpu(redis), database_cpu()
