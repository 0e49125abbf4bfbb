"""The parts of the pool benchmark: each measures one thing and returns its figures."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pymysql

from bench.pool.peers import FLOOR, Peer, turns
from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.rounds import Callers, Sample, Turns, interleave, samples
from demos.pool_demo.compared.ways import HELPER, SELECT, Helper, Way
from demos.pool_demo.settings import ROOT, Settings

SIZE = 8  # connections of each pool, but in the part about fairness
CALLERS = (1, 8, 32)
ROUND_TRIP = 0.005  # seconds added by the delay proxy
FAIR_CALLERS, FAIR_SIZE, FAIR_QUERY = 64, 6, "select sleep(0.005)"
INSERT = "insert into bench_rows(name, age, gender) values(%s, %s, %s)"
INSERTED = 10_000

Peers = Mapping[str, Peer]


@dataclass(frozen=True)
class Depth:
    """How long to measure: rounds, and seconds of each round."""

    rounds: int
    seconds: float
    stream_digits: int = 6  # 10 ** 6 rows

    def split(self, rounds: int) -> int:
        """Return into how many short rounds each round is split; a quick run splits none."""
        return rounds if self.rounds > 1 else 1

    def times(self, factor: float) -> float:
        """Return so many times the seconds."""
        return self.seconds * factor


FULL, QUICK = Depth(5, 0.2), Depth(1, 0.02, stream_digits=4)


def selects(peers: Peers, settings: Settings, depth: Depth) -> dict[int, dict[str, Sample]]:
    """Return the selects of three rows a second, by number of callers and peer."""
    found = {}
    for count in CALLERS:
        # One caller tells small differences: many short rounds, which others disturb alike. And
        # one connection for it, because several in rotation are faster than the floor's one.
        more, size = (depth.split(6), 1) if count == 1 else (depth.split(2), SIZE)
        seconds = depth.times(1 / more)
        trials = {
            name: partial(turns, peer, settings, size, count, SELECT, seconds)
            for name, peer in peers.items()
        }
        done = interleave(f"Callers: {count}", trials, depth.rounds * more)
        found[count] = samples(done, lambda one: one.rate)
    return found


def checkouts(peers: Peers, settings: Settings, depth: Depth) -> dict[str, Sample]:
    """Return the microseconds of getting a connection and giving it back, without a query."""

    def checkout(way: Way) -> None:
        with way.borrow():
            pass

    def trial(peer: Peer) -> float:
        with peer.opened(settings, SIZE, 1) as way, Callers(1) as callers:
            callers.run(partial(checkout, way), 1, 0)
            return 1e6 / callers.run(partial(checkout, way), 1, depth.times(0.5)).rate

    trials = {name: partial(trial, peer) for name, peer in peers.items()}
    return samples(interleave("Checkout and return", trials, depth.rounds), lambda one: one)


def slow_network(peers: Peers, settings: Settings, depth: Depth) -> dict[str, Sample]:
    """Return the selects a second of 32 callers on 8 connections, with 5 ms a round trip.

    The floor is 8 callers with a connection each: what 8 connections allow.
    """
    with DelayProxy(settings, ROUND_TRIP) as proxy:
        trials = {
            name: partial(
                turns,
                peer,
                proxy.settings,
                SIZE,
                SIZE if name == FLOOR else max(CALLERS),
                SELECT,
                depth.times(1.5),
            )
            for name, peer in peers.items()
        }
        return samples(interleave("5 ms round trip", trials, depth.rounds), lambda one: one.rate)


def round_trips(peers: Peers, settings: Settings, selects: int = 10) -> dict[str, float]:
    """Return how often a caller waits for the server in a select, connecting not counted."""
    found = {}
    with DelayProxy(settings) as proxy:
        for name, peer in peers.items():
            with peer.opened(proxy.settings, 1, 1) as way:
                way.select()
                before = proxy.round_trips()
                for _ in range(selects):
                    way.select()
                found[name] = (proxy.round_trips() - before) / selects
    return found


@dataclass(frozen=True)
class Fairness:
    """What 64 callers got on 6 connections, round by round; and how long a lone turn takes."""

    turns: dict[str, list[Turns]]
    lone: Sample  # seconds; 6 callers on 6 connections

    @property
    def ideal_wait(self) -> float:
        """Seconds that everyone waits if the turns go round in order."""
        return (FAIR_CALLERS / FAIR_SIZE - 1) * self.lone.median

    def figures(self, figure: Callable[[Turns], float]) -> dict[str, Sample]:
        """Return one figure of all."""
        return samples(self.turns, figure)

    def unevenness(self) -> dict[str, Sample]:
        """Return the turns of the most-served caller over those of the least-served."""
        return self.figures(lambda one: max(one.each) / min(one.each))

    def waits(self) -> dict[str, Sample]:
        """Return the 99th percentile of the wait for a connection, in seconds."""
        return self.figures(lambda one: one.slowest(99) - self.lone.median)


def fairness(peers: Peers, settings: Settings, depth: Depth) -> Fairness:
    """Let 64 callers share 6 connections."""
    seconds = depth.times(10)
    trials: dict[str, Callable[[], Turns]] = {
        name: partial(turns, peer, settings, FAIR_SIZE, FAIR_CALLERS, FAIR_QUERY, seconds)
        for name, peer in peers.items()
    }
    trials[""] = partial(
        turns, peers[HELPER], settings, FAIR_SIZE, FAIR_SIZE, FAIR_QUERY, depth.seconds
    )
    found = interleave("Fairness", trials, max(1, depth.rounds // 2 + 1))
    lone = samples({0: found.pop("")}, lambda one: one.slowest(50))[0]
    return Fairness(found, lone)


def inserts(peers: Peers, settings: Settings, depth: Depth) -> dict[str, Sample]:
    """Return the microseconds a row of 10,000 rows, written and committed."""
    rows = [(f"小甜甜 {number}", number % 100, "女") for number in range(INSERTED)]

    def by_driver(way: Way) -> None:
        with way.borrow() as connection, connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)
            connection.commit()

    def trial(peer: Peer) -> float:
        with connection.cursor() as cursor:
            cursor.execute("truncate table bench_rows")
        with peer.opened(settings, 1, 1) as way, Callers(1) as callers:
            if isinstance(way, Helper):
                once = callers.run(lambda: way.db.insertmany(INSERT, rows), 1, 0)
            else:
                once = callers.run(partial(by_driver, way), 1, 0)
        return once.seconds * 1e6 / INSERTED

    with pymysql.connect(**settings.connect_args(ssl_disabled=True)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("drop table if exists bench_rows")
            cursor.execute("create table bench_rows like student")
        try:
            trials = {name: partial(trial, peer) for name, peer in peers.items()}
            return samples(
                interleave("Insert", trials, depth.split(3) * depth.rounds), lambda one: one
            )
        finally:
            with connection.cursor() as cursor:
                cursor.execute("drop table bench_rows")


@dataclass(frozen=True)
class Stream:
    """Memory of a process that streams: added by it, and at most in all, in MB; and seconds."""

    rows: int
    growth: float
    peak: float
    seconds: float


def stream(depth: Depth) -> Stream:
    """Stream a million rows in a process of its own. Raises RuntimeError if that fails."""
    program = "from bench.pool.stream_child import main; main()"
    command = [sys.executable, "-c", program, str(depth.stream_digits)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the stream failed: {done.stderr.strip()}")
    return Stream(**json.loads(done.stdout))


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    selects: dict[int, dict[str, Sample]]
    checkouts: dict[str, Sample]
    slow_network: dict[str, Sample]
    round_trips: dict[str, float]
    fairness: Fairness
    inserts: dict[str, Sample]
    stream: Stream


def some(peers: Peers, names: Sequence[str]) -> dict[str, Peer]:
    """Return those of the named peers that work here."""
    return {name: peers[name] for name in names if name in peers}
