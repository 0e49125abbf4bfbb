"""A1: how to measure a comparison fairly.

Two things are compared in the same run, in rounds: each of them once, then each of them again. If
the machine is slow for a while, both are slow. A figure is the median of all rounds, with the
lowest and the highest round. A ratio is computed for each round.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from statistics import median
from threading import Barrier, BrokenBarrierError
from typing import Self, TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Sample:
    """The same figure from several rounds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    @property
    def low(self) -> float:
        """The lowest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The highest value."""
        return max(self.values)

    def over(self, other: "Sample") -> "Sample":
        """Return the ratios to another sample, round by round."""
        pairs = zip(self.values, other.values, strict=True)
        return Sample(tuple(mine / its for mine, its in pairs))

    def scaled(self, factor: float) -> "Sample":
        """Return all values times `factor`: for another unit."""
        return Sample(tuple(value * factor for value in self.values))

    def __str__(self) -> str:
        """Return the median with the lowest and the highest value: `2.1 (1.9-2.4)`."""
        if len(self.values) == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)}-{short(self.high)})"


def milliseconds(action: Callable[[], object], times: int = 15) -> float:
    """Run an action several times; return the median time of one run."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return 1000 * median(taken)


def short(value: float) -> str:
    """Return a figure with two digits, or all its digits before the point."""
    if value >= 9.95 or isinstance(value, int):  # counts stay whole
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def ahead(samples: Mapping[str, Sample]) -> str:
    """Name the highest, and with "and" each other one that was higher in at least one round."""
    best = max(samples, key=lambda name: samples[name].median)
    level = [name for name in samples if samples[name].over(samples[best]).high >= 1]
    return " and ".join(sorted(level, key=lambda name: -samples[name].median))


def verdict(times: Sample) -> str:
    """Say what all rounds of a ratio agree on: "helps" above 1, "loses" below 1, or neither."""
    return "helps" if times.low > 1 else "loses" if times.high < 1 else "no clear difference"


def percentile(values: list[float], percent: int) -> float:
    """Return the value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


@dataclass(frozen=True)
class Turns:
    """What callers did together: the seconds of each turn of each caller, and of the whole run."""

    times: list[list[float]]
    seconds: float

    @property
    def each(self) -> list[int]:
        """The number of turns of each caller."""
        return [len(times) for times in self.times]

    @property
    def rate(self) -> float:
        """Turns per second, of all callers together."""
        return sum(self.each) / self.seconds

    def slowest(self, percent: int = 99) -> float:
        """Return the seconds that `percent` of all turns did not exceed."""
        return percentile([one for times in self.times for one in times], percent)


class Callers:
    """Threads that repeat an operation at the same time. They stay alive between runs."""

    def __init__(self, most: int) -> None:
        """Make room for up to `most` callers."""
        self._threads = ThreadPoolExecutor(most)

    def __enter__(self) -> Self:
        """Return the callers."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End the threads."""
        self._threads.shutdown()

    def run(self, operation: Callable[[], object], count: int, seconds: float) -> Turns:
        """Let `count` callers repeat the operation for `seconds`, each at least once.

        The first error of any caller is raised.
        """
        begins: list[float] = []
        meet = Barrier(count, action=lambda: begins.append(time.perf_counter()))

        def caller() -> tuple[list[float], float]:
            times: list[float] = []
            try:
                meet.wait()
                now = time.perf_counter()
                end = begins[0] + seconds
                while not times or now < end:
                    before = now
                    operation()
                    now = time.perf_counter()
                    times.append(now - before)
                return times, now
            except BaseException:
                meet.abort()  # the other callers do not wait for this one
                raise

        callers = [self._threads.submit(caller) for _ in range(count)]
        errors = [error for one in callers if (error := one.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error
        done = [one.result() for one in callers]
        return Turns([times for times, _ in done], max(end for _, end in done) - begins[0])


def interleave(
    title: str, trials: Mapping[Key, Callable[[], Found]], rounds: int
) -> dict[Key, list[Found]]:
    """Run all trials once per round, in a new order each time; a terminal shows a progress bar.

    The order is random, so that no trial always follows the same other trial. It is the same in
    every run of the program.
    """
    # Imported here, because a lesson does not need it.
    from rich.console import Console
    from rich.progress import Progress

    found: dict[Key, list[Found]] = {key: [] for key in trials}
    draw, screen = Random(1), Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(title, total=rounds * len(trials))
        for _ in range(rounds):
            for key in draw.sample(list(trials), len(trials)):
                found[key].append(trials[key]())
                bar.advance(task)
    return found


def samples(
    found: Mapping[Key, list[Found]], figure: Callable[[Found], float]
) -> dict[Key, Sample]:
    """Take one figure from each result of `interleave`."""
    return {key: Sample(tuple(figure(one) for one in ones)) for key, ones in found.items()}
