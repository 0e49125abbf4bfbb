"""The targets of the private chat's benchmark, and whether they were reached."""

import os

from bench.chat.targets import BUSY
from bench.messenger.parts import IN_FLIGHT, LOG_INS, Figures
from bench.messenger.servers import CEILING, COMMIT_EACH, MESSENGER
from bench.pool.report import Target, percent, two
from demos.instruments.rounds import Sample, samples

P99 = 0.05  # seconds
SLOWER = 1.5  # times the delay without log-ins
_NOTHING = "not measured"


def targets(figures: Figures) -> list[Target]:
    """Compare the figures with the targets."""
    return [
        *[_at_least(figures, count, COMMIT_EACH, 10.0) for count in IN_FLIGHT],
        *[_at_least(figures, count, CEILING, 0.5) for count in IN_FLIGHT],
        *_delay(figures),
    ]


def case(figures: Figures, in_flight: int) -> str:
    """Return pairs and messages in flight as a phrase."""
    return f"{figures.depth.pairs} pairs, {in_flight} in flight"


def pace(figures: Figures) -> str:
    """Return pace and users as a phrase."""
    depth = figures.depth
    return f"{depth.pace:,.0f} messages a second, {depth.users:,} users connected"


def _at_least(figures: Figures, in_flight: int, name: str, least: float) -> Target:
    share = f"{least:g} x" if least >= 1 else f"{least:.0%} of"
    text = f"{case(figures, in_flight)}: at least {share} “{name}”"
    rates = figures.rates(in_flight)
    if MESSENGER not in rates or name not in rates:
        return Target(text, _NOTHING, None)
    ratio = rates[MESSENGER].over(rates[name])
    measured = f"{two(ratio)} x" if least >= 1 else percent(ratio)
    if any(figures.busy(one, in_flight) > BUSY for one in (MESSENGER, name)):
        measured += ", limited by the load client"
    return Target(text, measured, ratio.median >= least, _allowed(figures, in_flight, name))


def _allowed(figures: Figures, in_flight: int, name: str) -> str:
    """Say what the processors would allow, by the CPU time that a message needs."""
    talks, cores = figures.talks[MESSENGER], os.cpu_count() or 1
    server = Sample(tuple(talk.work[in_flight] for talk in talks))
    database = Sample(tuple(talk.database[in_flight] for talk in talks))
    flows = [talk.flows[in_flight] for talk in talks]
    load = Sample(tuple(flow.busy * 1e6 / flow.rate for flow in flows))
    most = Sample(
        tuple(
            cores * 1e6 / sum(each)
            for each in zip(server.values, database.values, load.values, strict=True)
        )
    )
    rates = figures.rates(in_flight)
    ratio = most.over(rates[name])
    return (
        f"a message takes {server} µs of the server's CPU time, {database} µs of the database's and"
        f" {load} µs of the load client's, which share {cores} cores: always busy, they would do"
        f" {most} messages a second, {two(ratio)} x “{name}”; they were busy"
        f" {percent(rates[MESSENGER].over(most))} of the time, and in the rest a transaction was"
        " waited for"
    )


def _delay(figures: Figures) -> list[Target]:
    texts = [
        f"{pace(figures)}: p99 under {P99 * 1000:g} ms",
        f"the same while {LOG_INS:g} people a second log in: p99 under {P99 * 1000:g} ms",
        f"log-ins do not slow messages: p99 at most {SLOWER:g} x that without",
    ]
    if MESSENGER not in figures.paced:
        return [Target(text, _NOTHING, None) for text in texts]
    calm = samples(figures.paced, lambda one: one.calm.p99)[MESSENGER]
    busy = samples(figures.paced, lambda one: one.busy.p99)[MESSENGER]
    ratio = busy.over(calm)
    found = [
        (_milliseconds(calm), calm.median < P99),
        (_milliseconds(busy), busy.median < P99),
        (f"{two(ratio)} x", ratio.median <= SLOWER),
    ]
    why = _processors(figures)
    return [Target(text, *one, why=why) for text, one in zip(texts, found, strict=True)]


def _processors(figures: Figures) -> str:
    calm = samples(figures.paced, lambda one: one.calm_cores)[MESSENGER]
    busy = samples(figures.paced, lambda one: one.busy_cores)[MESSENGER]
    return (
        f"messages keep {two(calm)} of {os.cpu_count()} cores busy in the server, and with the"
        f" log-ins, nearly all of whose time is the hash of a password, it is {two(busy)}, beside"
        " the database and the load client"
    )


def _milliseconds(sample: Sample) -> str:
    return f"{sample.scaled(1000)} ms"
