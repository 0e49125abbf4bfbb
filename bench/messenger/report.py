"""The report of the private chat's benchmark: tables and a plot."""

import os
import platform
from dataclasses import dataclass
from statistics import median

from bench.chat.targets import BUSY
from bench.messenger.parts import IN_FLIGHT, LOG_INS, TOGETHER, WITH_REDIS, Figures, Paced
from bench.messenger.peers import MOST
from bench.messenger.servers import CEILING, COMMIT_EACH, CONTENDERS, IN_TURN, MESSENGER
from bench.messenger.targets import case, pace, targets
from bench.pool.peers import version
from bench.pool.report import opening, rows, two
from demos.instruments.plots import Plot, bars
from demos.instruments.rounds import Sample, samples

_WORDS = (
    "Every server is the messenger's own stack: the same socket layer, format, log-in and list of"
    f" friends, with another post in it. “{CEILING}” hands a message over and asks no database."
    f" “{COMMIT_EACH}” does for each message what the source does for a row before it has a pool"
    " (A3; it stores no messages): it opens a PyMySQL connection without TLS, inserts, commits,"
    f" closes, and then hands it over; {MOST} at once at most. It asks for no friendship and notes"
    f" no delivery, which the messenger does. “{IN_TURN}” stores a message when the one before is"
    " stored, as a program without gevent's monkey patching does, such as the source's (W12)."
)


@dataclass(frozen=True)
class Run:
    """A run: its figures, the database's name and version, and the load of the machine before."""

    figures: Figures
    database: str
    quick: bool
    load: float  # processes that wanted to run, on average in the minute before


def plot(figures: Figures) -> Plot:
    """Draw the messages a second, with one and with many in flight."""
    panels = {case(figures, count): figures.rates(count) for count in IN_FLIGHT}
    return bars(panels, "messages a second, stored and delivered")


def markdown(run: Run) -> str:
    """Return the whole report."""
    figures, cores = run.figures, os.cpu_count()
    sections = [
        *opening(
            "# The messenger against its ceiling, and against a connection for each message",
            "messenger",
            targets(figures),
        ),
        "## What is compared",
        _WORDS,
        *_throughput(figures),
        *_paced(figures),
        *_shared(figures),
        "## What took part",
        rows(["package", "version"], _versions(run)),
        *[f"- {name} is missing; {why}." for name, why in figures.failures.items()],
        f"{platform.system()} {platform.release().partition('-')[0]}, {cores} cores, servers,"
        " database and load client on the same machine. Every message was acknowledged, stored"
        f" and delivered once; {figures.repeated()} came again under the same id, which a page"
        f" shows once. Load before the run: {run.load:.1f} (0 is an idle machine, {cores} a busy"
        " one)." + (" A quick run: too short to believe." if run.quick else ""),
    ]
    return "\n\n".join(sections) + "\n"


def _throughput(figures: Figures) -> list[str]:
    if not figures.talks:
        return []
    found = []
    for count in IN_FLIGHT:
        rates = figures.rates(count)
        found += [
            f"## {case(figures, count)}",
            rows(
                [
                    "server",
                    "messages a second",
                    f"“{MESSENGER}” / this",
                    "delivery p50, ms",
                    "p99, ms",
                    "CPU time for a message, µs",
                    "load client busy",
                ],
                [_line(figures, name, count, rates) for name in figures.talks],
            ),
        ]
    return [
        *found,
        "A message counts when its sender has the acknowledgement and its recipient the message."
        " In flight are so many of each pair; whoever gets one writes the next. The CPU time is"
        " the server's without its database. A star: the load client was busy over"
        f" {BUSY:.0%} of the time, and perhaps was the limit.",
        "![Messages a second](messenger.svg)",
    ]


def _line(figures: Figures, name: str, count: int, rates: dict[str, Sample]) -> list[object]:
    flows = [talk.flows[count] for talk in figures.talks[name]]
    busy = figures.busy(name, count)
    return [
        name,
        f"{rates[name]}{' *' * (busy > BUSY)}",
        two(rates[MESSENGER].over(rates[name])) if MESSENGER in rates else "",
        Sample(tuple(flow.p50 * 1000 for flow in flows)),
        Sample(tuple(flow.p99 * 1000 for flow in flows)),
        Sample(tuple(talk.work[count] for talk in figures.talks[name])),
        f"{busy:.0%}",
    ]


def _paced(figures: Figures) -> list[str]:
    if not figures.paced:
        return []
    found = figures.paced
    ratio = {
        name: Sample(tuple(one.busy.p99 / one.calm.p99 for one in ones))
        for name, ones in found.items()
    }

    def milliseconds(seconds: dict[str, Sample], name: str) -> Sample:
        return seconds[name].scaled(1000)

    columns = [
        samples(found, lambda one: one.calm.p50),
        samples(found, lambda one: one.calm.p99),
        samples(found, lambda one: one.calm.stored_p99),
        samples(found, lambda one: one.busy.p50),
        samples(found, lambda one: one.busy.p99),
    ]
    memory = samples(found, lambda one: one.memory)
    return [
        f"## {pace(figures)}",
        rows(
            [
                "server",
                "delivery p50, ms",
                "p99, ms",
                "acknowledged p99, ms",
                "while people log in: p50, ms",
                "p99, ms",
                "p99 with / without",
            ],
            [
                [name, *(milliseconds(one, name) for one in columns), two(ratio[name])]
                for name in found
            ],
        ),
        "Messages are due at an even pace, one pair after the other, and a delay is counted from"
        f" the moment at which its message was due. {LOG_INS:g} people a second log in at the full"
        f" cost of a password. {_log_ins(found)}",
        "## A user who is connected and silent",
        rows(["server", "kB of memory"], [[name, memory[name]] for name in found]),
        "The memory is the server process's own, after minus before. The kernel's socket buffers"
        " and the database's memory are not in it.",
    ]


def _log_ins(found: dict[str, list[Paced]]) -> str:
    took = {
        name: [seconds for one in ones for seconds in one.log_ins] for name, ones in found.items()
    }
    sentences = [
        f"{name}: a log-in, both pages, takes {median(seconds) * 1000:.0f} ms at the median of"
        f" {len(seconds)}."
        for name, seconds in took.items()
        if seconds
    ]
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _shared(figures: Figures) -> list[str]:
    if not figures.shared:
        return []
    found = figures.shared
    rate = samples(found, lambda one: one.flow.rate)
    work = samples(found, lambda one: one.work)
    redis = samples(found, lambda one: one.redis)
    database = samples(found, lambda one: one.database)
    p50 = samples(found, lambda one: one.flow.p50 * 1000)
    busy = samples(found, lambda one: one.flow.busy)
    apart = work[WITH_REDIS].over(work[TOGETHER]).scaled(2)
    return [
        f"## From one process to two: {case(figures, max(IN_FLIGHT))}",
        rows(
            [
                "the messenger in",
                "messages a second",
                f"x “{WITH_REDIS}”",
                "delivery p50, ms",
                "CPU time for a message, µs",
                "of Redis, µs",
                "of the database, µs",
                "load client busy",
            ],
            [
                [
                    name,
                    rate[name],
                    two(rate[name].over(rate[WITH_REDIS])),
                    p50[name],
                    work[name],
                    redis[name],
                    database[name],
                    f"{busy[name].median:.0%}",
                ]
                for name in found
            ],
        ),
        f"The processes, the database, Redis and the load client share {os.cpu_count()} cores. By"
        " their CPU time, two processes with a core each, friends on the same one, would do"
        f" {two(apart)} x the work of one with Redis.",
    ]


def _versions(run: Run) -> list[list[str]]:
    packages = dict.fromkeys(package for one in CONTENDERS for package in one.packages)
    return [
        ["Python", platform.python_version()],
        ["database", run.database],
        *([name, version(name)] for name in packages),
    ]
