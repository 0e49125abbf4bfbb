"""The pool benchmark's report: tables, the targets with their verdicts, a plot."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.pool.parts import (
    CALLERS,
    FAIR_CALLERS,
    FAIR_SIZE,
    INSERTED,
    QUICK,
    ROUND_TRIP,
    SIZE,
    Depth,
    Fairness,
    Figures,
)
from bench.pool.peers import (
    C_FLOOR,
    C_HELPER,
    CONNECTOR,
    FLOOR,
    PEERS,
    RESET,
    SQLALCHEMY,
    version,
)
from demos.instruments.plots import Plot, bars
from demos.instruments.rounds import Sample
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED

AHEAD_OF = (RAW, RAW_NO_TLS, POOLED, SQLALCHEMY, CONNECTOR)


@dataclass(frozen=True)
class Run:
    """A run: its figures, the server's name and version, the missing peers with the reason."""

    figures: Figures
    server: str
    missing: Mapping[str, str]
    depth: Depth
    load: float  # processes that wanted to run, on average in the minute before


@dataclass(frozen=True)
class Target:
    """A target and what came out.

    Args:
        text: what was to be reached.
        measured: what came out.
        reached: whether it was; None where it could not be measured.
        why: a sentence for the case that it was missed, with figures of the same run.
    """

    text: str
    measured: str
    reached: bool | None
    why: str = ""

    @property
    def verdict(self) -> str:
        """One or two words."""
        return {True: "reached", False: "MISSED", None: "not measured"}[self.reached]

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.verdict:12} {self.text}: {self.measured}"


def targets(figures: Figures) -> list[Target]:
    """Compare the figures with the targets."""
    one = figures.selects[1]
    floor = one[FLOOR].over(one[HELPER])
    checkout = figures.checkouts[HELPER]
    slow = figures.slow_network
    allowed = slow[HELPER].over(slow[FLOOR])
    nominal = slow[HELPER].median * ROUND_TRIP / SIZE
    fair = figures.fairness
    uneven, wait = fair.unevenness()[HELPER], fair.waits()[HELPER].scaled(1 / fair.ideal_wait)
    found = [
        Target(
            "1 caller: at most 1.25 x the time of an open PyMySQL connection",
            f"{two(floor)} x",
            floor.median <= 1.25,
            _price_of_the_reset(one),
        ),
        *[_ahead(figures, count) for count in CALLERS],
        Target(
            "checkout and return without a query: at most 10 µs",
            f"{checkout} µs",
            checkout.median <= 10,
        ),
        _at_least(
            f"5 ms round trip, 32 callers, {SIZE} connections: at least 2 x SQLAlchemy pre_ping",
            slow,
            SQLALCHEMY,
            2,
        ),
        Target(
            f"the same: at least 80 % of what {SIZE} connections allow",
            f"{percent(allowed)} of {SIZE} callers with a connection each; "
            f"{nominal:.0%} of {SIZE} / 5 ms",
            allowed.median >= 0.8,
        ),
        Target(
            f"{FAIR_CALLERS} callers on {FAIR_SIZE} connections: most / least served at most 1.2",
            two(uneven),
            uneven.median <= 1.2,
        ),
        Target(
            "the same: p99 wait at most 1.5 x the ideal",
            f"{two(wait)} x {fair.ideal_wait * 1000:.0f} ms",
            wait.median <= 1.5,
        ),
        *[
            _at_least(
                f"the same: throughput no lower than {name}'s",
                fair.figures(lambda turns: turns.rate),
                name,
                1,
                _price_of_the_order(fair, name),
            )
            for name in (POOLED, TUNED)
        ],
        Target(
            f"insertmany of {INSERTED:,} rows: at most 12 µs a row",
            f"{figures.inserts[HELPER]} µs",
            figures.inserts[HELPER].median <= 12,
        ),
        Target(
            f"stream() of {figures.stream.rows:,} rows: under 60 MB of memory",
            f"{figures.stream.peak:.0f} MB in all, {figures.stream.growth:.1f} MB by the stream",
            figures.stream.peak < 60,
        ),
    ]
    return found


def _ahead(figures: Figures, count: int) -> Target:
    rates = figures.selects[count]
    leads = {name: rates[HELPER].over(rates[name]) for name in AHEAD_OF if name in rates}
    nearest = min(leads, key=lambda name: leads[name].median)
    left_out = [name for name in AHEAD_OF if name not in rates]
    return Target(
        f"callers: {count}: ahead of {', '.join(AHEAD_OF)}",
        f"the nearest is {nearest}, {two(leads[nearest])} x"
        + (f"; not measured: {', '.join(left_out)}" if left_out else ""),
        leads[nearest].median > 1 and (None if left_out else True),
    )


def _price_of_the_reset(rates: Mapping[str, Sample]) -> str:
    if RESET not in rates:
        return ""
    reset, both = rates[FLOOR].over(rates[RESET]), rates[RESET].over(rates[HELPER])
    return (
        "MysqlHelp resets the session between two borrowers, which no other pool here does; an open"
        f" connection that only does the same takes {two(reset)} x the floor's time, and MysqlHelp"
        f" {two(both)} x the time of that one"
    )


def _at_least(
    text: str, rates: Mapping[str, Sample], name: str, least: float, why: str = ""
) -> Target:
    if name not in rates:
        return Target(text, f"{name} is missing", None)
    ratio = rates[HELPER].over(rates[name])
    return Target(text, f"{two(ratio)} x", ratio.median >= least, why)


def _price_of_the_order(fair: Fairness, name: str) -> str:
    """Say why MysqlHelp may serve a little fewer turns than a pool without an order of callers."""
    if name not in fair.turns:
        return ""
    allowed = fair.figures(lambda turns: turns.rate)[HELPER].scaled(fair.lone.median / FAIR_SIZE)
    uneven = fair.unevenness()
    return (
        f"MysqlHelp hands each connection to the caller who came first, which takes a change of "
        f"threads, and reaches {percent(allowed)} of what {FAIR_SIZE} connections allow; {name} "
        f"gives it to whoever asks next, often the one who has just had it: its most served caller "
        f"gets {uneven[name].median:.0f} x the turns of the least served, MysqlHelp's "
        f"{uneven[HELPER].median:.2f} x"
    )


def two(sample: Sample) -> str:
    """Return a ratio with two decimals, so that a target is not met by rounding."""
    return f"{sample.median:.2f} ({sample.low:.2f}-{sample.high:.2f})"


def percent(sample: Sample) -> str:
    """Return a share as per cent."""
    return f"{sample.median:.0%} ({sample.low:.0%}-{sample.high:.0%})"


def plot(figures: Figures) -> Plot:
    """Draw the selects: one caller, and many."""
    most = max(CALLERS)
    one = {name: Sample((1e6,) * len(rate.values)).over(rate) for name, rate in _no_raw(figures, 1)}
    panels = {"1 caller: microseconds a select": one}
    panels[f"{most} callers, {SIZE} connections: selects a second"] = dict(_no_raw(figures, most))
    return bars(panels, "median, lowest to highest")


def _no_raw(figures: Figures, count: int) -> list[tuple[str, Sample]]:
    # Its 20 ms of TLS context would dwarf all others.
    return [(name, rate) for name, rate in figures.selects[count].items() if name != RAW]


def ceiling(figures: Figures) -> str:
    """Say what a C driver would give."""
    one, most = figures.selects[1], max(CALLERS)
    if C_HELPER not in one or C_FLOOR not in one:
        return "mysqlclient is missing, so the ceiling was not measured."
    many = figures.selects[most]
    return (
        f"With mysqlclient behind the same pool, `selectall` takes "
        f"{two(one[HELPER].over(one[C_HELPER]))} x the time it takes with PyMySQL for 1 caller, and"
        f" {most} callers do {two(many[C_HELPER].over(many[HELPER]))} x the work. An open"
        f" mysqlclient connection needs {two(one[FLOOR].over(one[C_FLOOR]))} x the time of an open"
        " PyMySQL connection: the floor of C drivers."
    )


def markdown(run: Run) -> str:
    """Return the report."""
    figures, depth = run.figures, run.depth
    fair = figures.fairness
    trips = figures.round_trips
    unit = {name: Sample((1e6,) * len(rate.values)) for name, rate in figures.selects[1].items()}
    versions = {peer.package: version(peer.package) for peer in PEERS}
    sections = [
        *opening("# MysqlHelp against what you would pick instead", "pool", targets(figures)),
        "## One caller: the three rows of `student`",
        rows(
            ["way", "µs a select", "x the floor"],
            [
                [name, unit[name].over(rate), two(figures.selects[1][FLOOR].over(rate))]
                for name, rate in figures.selects[1].items()
            ],
        ),
        "The floor is an open PyMySQL connection with a `DictCursor`. Every pool has one connection"
        f" here. {ceiling(figures)}",
        "![The selects of one caller and of many](pool.svg)",
        f"## More callers, {SIZE} connections: selects a second",
        rows(
            ["way", *(f"{count} callers" for count in CALLERS[1:])],
            [
                [name, *(figures.selects[count][name] for count in CALLERS[1:])]
                for name in figures.selects[1]
            ],
        ),
        "An open connection for each caller has as many as callers, and so have the pools of"
        " mysql-connector and the MariaDB connector, which refuse a caller when all are out."
        " asyncmy's callers are tasks of one event loop.",
        "## Checkout and return, without a query",
        rows(["way", "µs"], [[name, found] for name, found in figures.checkouts.items()]),
        f"## {ROUND_TRIP * 1000:g} ms added to a round trip, {max(CALLERS)} callers",
        rows(
            ["way", "selects a second", "x the first row", "round trips of a select"],
            [
                [name, rate, two(rate.over(figures.slow_network[FLOOR])), f"{trips[name]:g}"]
                for name, rate in figures.slow_network.items()
            ],
        ),
        f"The first row is {SIZE} callers with an open connection each: what {SIZE} connections"
        " allow. The round trips are counted with 1 caller.",
        f"## {FAIR_CALLERS} callers on {FAIR_SIZE} connections, a query of 5 ms",
        rows(
            [
                "way",
                "fewest turns",
                "most turns",
                "most / fewest",
                "p99 wait, ms",
                "turns a second",
            ],
            [
                [
                    name,
                    fair.figures(lambda one: min(one.each))[name],
                    fair.figures(lambda one: max(one.each))[name],
                    fair.unevenness()[name],
                    fair.waits()[name].scaled(1000),
                    fair.figures(lambda one: one.rate)[name],
                ]
                for name in fair.turns
            ],
        ),
        f"A lone turn takes {fair.lone.scaled(1000)} ms, so the ideal wait is "
        f"{fair.ideal_wait * 1000:.0f} ms.",
        f"## {INSERTED:,} rows in one transaction",
        rows(["way", "µs a row"], [[name, found] for name, found in figures.inserts.items()]),
        "## What took part",
        rows(
            ["package", "version"],
            [
                ["Python", platform.python_version()],
                ["server", run.server],
                *([package, found] for package, found in versions.items()),
            ],
        ),
        *[f"- {name} did not take part: {why}." for name, why in run.missing.items()],
        f"{platform.system()}, {os.cpu_count()} cores, server and clients on the same machine, TCP."
        f" Load before the run: {run.load:.1f} (0 is an idle machine, {os.cpu_count()} a busy one)."
        + (" A quick run: too short to believe." if depth == QUICK else ""),
    ]
    return "\n\n".join(sections) + "\n"


def opening(title: str, bench: str, targets: Sequence[Target]) -> list[str]:
    """Return the first sections of a report: what it is, and its targets with their verdicts.

    Args:
        title: the headline, as Markdown.
        bench: the benchmark's name on the command line.
        targets: what was to be reached.
    """
    return [
        title,
        f"A run of `python3 -m course bench {bench}` wrote this, and another one will overwrite it."
        " Figures are medians with the lowest and the highest round; ratios are taken round by"
        " round.",
        "## Targets",
        rows(
            ["target", "measured", "verdict"],
            [[target.text, target.measured, target.verdict] for target in targets],
        ),
        *reasons(targets),
    ]


def reasons(targets: Sequence[Target]) -> list[str]:
    """Return a list that says of each missed target why, in Markdown; empty if there is none."""
    whys: dict[str, list[str]] = {}
    for target in targets:
        if target.reached is False and target.why:
            whys.setdefault(target.why, []).append(target.text)
    points = [f"- {'; '.join(texts)}: {why}." for why, texts in whys.items()]
    head = "Why a target was missed, by the figures of this run:"
    return [head, "\n".join(points)] if points else []


def rows(head: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
