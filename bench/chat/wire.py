"""What looking at the wire costs the room: pages with and without a tap, in turns.

A hundred clients say as much as the room takes. Beside them a few pages listen, as those that an
instructor shows: directly, and through a wire tap each whose lines are read. Linux only.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO
from urllib.request import urlopen

from bench import program
from bench.chat.load.crowd import Crowd, Delays, Rate
from bench.chat.load.joining import LoadError
from bench.chat.load.process import LoadClient
from bench.chat.servers import START_TIME, Server, ServerError, room
from bench.chat.wire_people import People
from course.ground import tether
from demos.instruments.rounds import Sample, interleave, samples
from demos.instruments.screen import table
from demos.pool_demo.settings import ROOT

CLIENTS = 100
PAGES = 4  # as many as the stage shows side by side
IN_FLIGHT = (1, 8)
PACE = 50.0  # messages a second: more than a class types
LEAVING = 10.0  # seconds for the room to notice that clients have gone
TARGET = 0.9  # of the room's throughput has to be left
FULL, QUICK = (25, 0.3), (2, 0.05)  # rounds, and seconds of each measurement
PLAIN, WATCHED = "not watched", "watched"


@dataclass(frozen=True)
class Trial:
    """One way, measured once.

    Args:
        rates: of the clients, by messages in flight.
        work: microseconds of the room's CPU time for a delivery, likewise.
        busy: how much of a core all taps together used, likewise.
        paced: delays of the clients at an even pace.
        lost: pages that the room has cut off, because they did not keep up.
    """

    rates: dict[int, Rate]
    work: dict[int, float]
    busy: dict[int, float]
    paced: Delays
    lost: int


@contextmanager
def tap(url: str) -> Iterator[tuple[int, str]]:
    """Have a tap in front of a server, and read its lines; yields its process id and address."""
    process = tether.start(
        [sys.executable, "-m", "demos.group_chat.wire_tap", "--to", url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    with process:
        try:
            limit = threading.Timer(START_TIME, process.kill)
            limit.start()
            said = process.stdout.readline().decode().split()
            limit.cancel()
            if len(said) < 2:
                raise ServerError("a tap does not start")
            address = said[1]
            reader = threading.Thread(target=_read, args=(process.stdout,), daemon=True)
            reader.start()
            yield process.pid, address.rstrip("/")
        finally:
            process.kill()


def _read(lines: IO[bytes]) -> None:
    for _ in lines:
        pass


class Bench:
    """One room, in which pages come and go; the taps are there all the time."""

    def __init__(self, stack: ExitStack, seconds: float) -> None:
        """Start everything; it ends with `stack`. A measurement takes so many seconds."""
        self.seconds = seconds
        self.server = stack.enter_context(room().started())
        found = [stack.enter_context(tap(self.server.url)) for _ in range(PAGES)]
        self.taps = [Server(pid, url, "") for pid, url in found]
        self.ways = {PLAIN: [self.server.url] * PAGES, WATCHED: [one.url for one in self.taps]}
        self.load, self.pages = (stack.enter_context(LoadClient()) for _ in range(2))

    def trials(self, rounds: int) -> dict[str, list[Trial]]:
        """Let many talk while the pages listen, directly and through taps."""
        self.load.connect([self.server.url], "named")
        self.load.call(Crowd.join, CLIENTS)
        trials = {name: partial(self._trial, urls) for name, urls in self.ways.items()}
        found = interleave("Clients", trials, rounds)
        self._leave()
        return found

    def alone(self, rounds: int) -> dict[str, list[dict[int, Rate]]]:
        """Let the pages talk among themselves; all they say goes through two taps."""
        trials = {name: partial(self._alone, urls) for name, urls in self.ways.items()}
        return interleave("Pages", trials, rounds)

    def _trial(self, urls: list[str]) -> Trial:
        self.pages.begin(People, urls)
        rates, work, busy = {}, {}, {}
        for count in IN_FLIGHT:
            before, taps_before = self.server.cpu(), self._cpu_of_taps()
            rate = rates[count] = self.load.call(Crowd.flood, count, self.seconds)
            work[count] = (self.server.cpu() - before) * 1e6 / rate.total
            took = rate.total / rate.deliveries
            busy[count] = (self._cpu_of_taps() - taps_before) / took
        paced = self.load.call(Crowd.pace, PACE, self.seconds)
        heard, lost = self.pages.call(People.report)
        self.pages.call(People.leave)
        if not heard:
            raise LoadError("the pages heard nothing")
        return Trial(rates, work, busy, paced, lost)

    def _alone(self, urls: list[str]) -> dict[int, Rate]:
        self.load.connect(urls, "named")
        self.load.call(Crowd.join, PAGES)
        found = {count: self.load.call(Crowd.flood, count, self.seconds) for count in IN_FLIGHT}
        self._leave()
        return found

    def _leave(self) -> None:
        """Let all clients go, and wait until the room knows: the next ones have the same names."""
        self.load.call(Crowd.leave)
        deadline = time.monotonic() + LEAVING
        while time.monotonic() < deadline:
            with urlopen(f"{self.server.url}/healthz", timeout=LEAVING) as answer:
                if json.load(answer)["connections"] == 0:
                    return
            time.sleep(0.01)
        raise LoadError("clients who have gone are still in the room")

    def _cpu_of_taps(self) -> float:
        return sum(one.cpu() for one in self.taps)


def report(done: dict[str, list[Trial]], alone: dict[str, list[dict[int, Rate]]]) -> bool:
    """Print all figures; return whether the target is reached."""
    rows, left = [], []
    for count in IN_FLIGHT:
        rates = samples(done, lambda one: one.rates[count].deliveries / 1e3)  # noqa: B023
        work = samples(done, lambda one: one.work[count])  # noqa: B023
        own = samples(alone, lambda one: one[count].deliveries / 1e3)  # noqa: B023
        left.append(rates[WATCHED].over(rates[PLAIN]).median)
        flight = f", {count} in flight"
        rows += [
            _row(f"{CLIENTS} clients{flight}: 1,000 deliveries/s", rates),
            _row("the room's CPU time for a delivery, µs", work),
            _row(f"the {PAGES} pages alone{flight}: 1,000 deliveries/s", own),
        ]
    for name in ("p50", "p99"):
        delays = samples(done, lambda one: getattr(one.paced, name) * 1e3)  # noqa: B023
        rows.append(_row(f"{CLIENTS} clients, {PACE:.0f} messages/s: {name}, ms", delays))
    table(f"The room, with {PAGES} pages that listen", rows)
    for count in IN_FLIGHT:
        busy = Sample(tuple(one.busy[count] for one in done[WATCHED]))
        print(f"The taps used {_fine(busy)} of a core, with {count} in flight.")
    lost = {name: sum(one.lost for one in ones) for name, ones in done.items()}
    each = PAGES * len(done[PLAIN])
    print(
        f"Of {each} pages each the room cut off {lost[PLAIN]} {PLAIN}, {lost[WATCHED]} {WATCHED}."
    )
    return min(left) > TARGET


def _fine(sample: Sample) -> str:
    return f"{sample.median:.2f} ({sample.low:.2f}-{sample.high:.2f})"


def _row(what: str, found: dict[str, Sample]) -> dict[str, object]:
    ratio = _fine(found[WATCHED].over(found[PLAIN]))
    return {"what": what, **{name: str(one) for name, one in found.items()}, "ratio": ratio}


def main() -> None:
    """Measure in turns, print the figures and the target."""
    rounds, seconds = QUICK if program.options(__doc__).parse_args().quick else FULL
    program.on_linux_only()
    try:
        with ExitStack() as stack:
            bench = Bench(stack, seconds)
            done, alone = bench.trials(rounds), bench.alone(max(2, rounds // 3))
    except (LoadError, ServerError) as error:
        sys.exit(f"{error}.")
    verdict = "reached" if report(done, alone) else "MISSED"
    what = f"more than {TARGET:.0%} of the clients' throughput is left while pages are watched"
    print(f"{verdict}: {what}")


if __name__ == "__main__":
    program.run(main)
