"""What it costs a load to be watched on the page of step 8: `python -m bench.pool.watching`.

Each way to the database runs twice in a round: alone, and under the step, whose stream a client
takes as a page does. The report goes to bench/results/watching.md, or to another folder with --out.
"""

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from itertools import takewhile
from typing import Any

import psutil

from bench import program
from bench.pool.report import Target, opening, rows, two
from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.rounds import Sample, interleave, samples
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW_NO_TLS, TUNED
from demos.pool_demo.live.load_process import Load, LoadProcess
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import ROOT, load
from demos.pool_demo.where import describe

WAYS = (RAW_NO_TLS, POOLED, TUNED, HELPER)
CLIENTS, SIZE = 32, 8
QUERIES = {"a query of 5 ms": 5, "no query time: the most notes there can be": 0}
START_TIME = 60.0  # seconds that the step has to say where it is
GOODBYE = 10.0  # seconds that it has to end
PATIENCE = 60.0  # seconds for an answer
ALONE, WATCHED = "alone", "watched"
LEAST = 0.9  # of the turns that a load has alone

Key = tuple[str, str, str]  # query, way, alone or watched


@dataclass(frozen=True)
class Depth:
    """How much to measure: rounds, seconds of each load, and seconds that it runs before."""

    rounds: int
    seconds: float
    settled: float


FULL, QUICK = Depth(5, 1.5, 0.5), Depth(1, 0.05, 0.05)


@dataclass(frozen=True)
class Rate:
    """How fast a load was: turns a second, notes a millisecond; and what it costs to watch it.

    `watching` counts the processors that the step itself used on average, without the load.
    """

    turns: float
    notes: float
    watching: float = 0.0


def rate(progress: Iterator[tuple[int, int, int]], depth: Depth) -> Rate:
    """Measure from so many (nanoseconds, turns, notes), which arrive as they happen.

    The time is over when the seconds have passed, and one turn at least was had.

    Raises:
        RuntimeError: they end too early, or there are no turns.
    """
    first: tuple[int, int, int] | None = None
    begin, turns, notes = next(progress)
    for now, all_turns, all_notes in progress:
        if first is None:
            if now - begin > depth.settled * 1e9:
                first = begin, turns, notes = now, all_turns, all_notes
        elif now - begin > depth.seconds * 1e9 and all_turns > turns:
            time_taken = (now - begin) / 1e9
            return Rate((all_turns - turns) / time_taken, (all_notes - notes) / time_taken / 1000)
        elif now - begin > PATIENCE * 1e9:
            raise RuntimeError("the load stands still")
    raise RuntimeError("the load ended too early")


def alone(way: str, query: int, port: int, depth: Depth) -> Rate:
    """Run a load that nobody watches: nothing is noted, only turns are counted."""
    chosen = Load(way, CLIENTS, SIZE, query / 1000, port, watch=False)
    with LoadProcess(chosen) as process:
        ready = (report for report in process.reports() if report["ready"])
        return rate(((one["until"], one["turns"], 0) for one in ready), depth)


class Step:
    """The step as its users start it, and a viewer of its stream."""

    def __init__(self) -> None:
        """Start it on a free port."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demos.pool_demo.step8_see_the_pool", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._process.stdout
        limit = threading.Timer(START_TIME, self._process.kill)
        limit.start()
        found = re.search(r"http://([\d.]+):(\d+)/", self._process.stdout.readline())
        limit.cancel()
        if not found:
            self.close()
            raise RuntimeError("step 8 does not say where its page is")
        self._host, self._port = found[1], int(found[2])

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(GOODBYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def watched(self, way: str, query: int, depth: Depth) -> Rate:
        """Run a load, and take the frames of its page as they come."""
        choice = {"way": way, "clients": CLIENTS, "size": SIZE, "query": query, "latency": 0}
        self._press("start", choice)
        began, used = time.perf_counter_ns(), self._cpu()
        viewer = HTTPConnection(self._host, self._port, timeout=PATIENCE)
        viewer.request("GET", "/frames")
        answer = viewer.getresponse()
        try:
            frames = (json.loads(line[6:]) for line in answer if line.startswith(b"data: "))
            # A viewer gets the last seconds of the load before, too.
            current = (one for one in frames if one["until"] > began)
            # After the last frame of a load that has failed the stream goes on, with silence.
            running = takewhile(lambda one: one["running"], current)
            ready = (one for one in running if one["ready"])
            found = rate(((one["until"], one["turns"], one["notes"]) for one in ready), depth)
            seconds = (time.perf_counter_ns() - began) / 1e9
            return replace(found, watching=(self._cpu() - used) / seconds)
        finally:
            viewer.close()
            self._press("stop", {})

    def _cpu(self) -> float:
        """Return the seconds of CPU time of the step's own process."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def _press(self, name: str, values: Mapping[str, Any]) -> None:
        connection = HTTPConnection(self._host, self._port, timeout=PATIENCE)
        kind = {"Content-Type": "application/json"}
        connection.request("POST", f"/{name}", json.dumps(values), kind)
        said = json.loads(connection.getresponse().read())
        connection.close()
        if said.get("done") is False:
            raise RuntimeError(said["said"])


@contextmanager
def started() -> Iterator[Step]:
    """Have the step for a block."""
    step = Step()
    try:
        yield step
    finally:
        step.close()


def measure(depth: Depth) -> dict[Key, list[Rate]]:
    """Let all loads take turns. Raises pymysql.OperationalError if there is no server."""
    with DelayProxy() as proxy, started() as step:
        port = proxy.settings.port
        trials: dict[Key, Any] = {}
        for title, query in QUERIES.items():
            for way in WAYS:
                trials[title, way, ALONE] = partial(alone, way, query, port, depth)
                trials[title, way, WATCHED] = partial(step.watched, way, query, depth)
        return interleave("Watching", trials, depth.rounds)


def targets(found: Mapping[Key, list[Rate]]) -> list[Target]:
    """Compare what the watched loads do with what they do alone."""
    rates = samples(found, lambda one: one.turns)
    notes = samples(found, lambda one: one.notes)
    cores = samples(found, lambda one: one.watching)

    def why(title: str, way: str) -> str:
        key = title, way, WATCHED
        return (
            f"its {notes[key]} notes a millisecond are read, drawn and sent by a process that takes"
            f" {two(cores[key])} of {os.cpu_count()} cores, which the load,"
            " the proxy and the database need, too"
        )

    return [
        Target(
            f"{way}, {title}: at least {LEAST:.0%} of the turns it has alone",
            f"{two(ratio)} x",
            ratio.median >= LEAST,
            why(title, way),
        )
        for title in QUERIES
        for way in WAYS
        for ratio in [rates[title, way, WATCHED].over(rates[title, way, ALONE])]
    ]


def markdown(found: Mapping[Key, list[Rate]], server: str, busy: float, quick: bool) -> str:
    """Return the report."""
    turns = samples(found, lambda one: one.turns)
    notes = samples(found, lambda one: one.notes)

    def line(title: str, way: str) -> list[str | Sample]:
        one, other = turns[title, way, ALONE], turns[title, way, WATCHED]
        return [way, one, other, two(other.over(one)), notes[title, way, WATCHED]]

    head = ["way", "turns a second alone", "watched", "watched / alone", "notes a millisecond"]
    sections = opening("# What it costs to be watched", "watching", targets(found))
    for title in QUERIES:
        sections += [
            f"## {CLIENTS} clients, {SIZE} connections, {title}",
            rows(head, [line(title, way) for way in WAYS]),
        ]
    sections += [
        "Alone, the load notes nothing. Watched, it notes all that its callers and connections do,"
        " the step reads, draws and compares it with the server's process list, and a client"
        " takes the stream of its page. Both go through the delay proxy, with no delay. A browser"
        " that draws on the same machine takes from the processors what it takes.",
        f"Python {platform.python_version()}, {server}."
        f" {platform.system()}, {os.cpu_count()} cores,"
        f" server and clients on the same machine. Load before the run: {busy:.1f} (0 is an idle"
        f" machine, {os.cpu_count()} a busy one)."
        + (" A quick run: too short to believe." if quick else ""),
    ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    """Measure, write the report, and print the targets."""
    chosen = program.reporting(__doc__).parse_args()
    busy, began = os.getloadavg()[0], time.monotonic()
    restore("student", if_missing=True)
    found = measure(QUICK if chosen.quick else FULL)
    server = describe(load()).partition(" at ")[0]
    text = markdown(found, server, busy, chosen.quick)
    program.keep(chosen.out / "watching.md", text, targets(found))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    program.run(main)
