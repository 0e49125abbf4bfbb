"""The chat benchmark's report: tables and a plot. The targets are in targets.py."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from bench.chat.load.pump import language
from bench.chat.parts import (
    DEAF_CROWD,
    DEAF_PACE,
    DEAF_SIZE,
    IN_FLIGHT,
    LATE,
    PACE,
    Figures,
)
from bench.chat.servers import CONTENDERS, NODE, ROOM
from bench.chat.targets import (
    BUSY,
    apart_by_cpu,
    case,
    compared,
    floor,
    milliseconds,
    targets,
)
from bench.pool.peers import version
from bench.pool.report import opening, rows, two
from demos.instruments.plots import Plot, bars
from demos.instruments.rounds import Sample, samples


@dataclass(frozen=True)
class Run:
    """A run: its figures, and the load of the machine before."""

    figures: Figures
    quick: bool
    load: float  # processes that wanted to run, on average in the minute before


def plot(figures: Figures) -> Plot:
    """Draw the deliveries a second to the most clients, with one and with many in flight."""
    panels = {
        case(*one): {name: rate.scaled(1e-3) for name, rate in figures.rates(*one).items()}
        for one in compared(figures)[-2:]
    }
    return bars(panels, "thousand deliveries a second")


def markdown(run: Run) -> str:
    """Return the whole report."""
    figures = run.figures
    cores = os.cpu_count()
    sections = [
        *opening(
            "# The finished room against what you would pick instead", "chat", targets(figures)
        ),
        "A target about a ratio says in how many rounds it was met. If only chance decides, 8 or"
        " more of 9 rounds are on the same side in one run of 26.",
        *_throughput(figures),
        "![Deliveries a second](chat.svg)",
        *_ratios(figures),
        "## CPU time of the server for a delivery",
        costs(figures),
        "Other programs on the machine disturb these figures less than all others. The last column"
        " says how much of its time the load client was busy, in the busiest of the four cases.",
        *_delays(figures),
        *_idle(figures),
        *_deaf(figures),
        *_shared(figures),
        "## What took part",
        rows(["package", "version"], _versions(figures)),
        *[f"- {name} is missing; {why}." for name, why in figures.failures.items()],
        f"{platform.system()} {platform.release().partition('-')[0]}, {cores} cores, server and"
        f" clients on the same machine, TCP with {_congestion_control()}, load client in"
        f" {language()}. Load before the run: {run.load:.1f} (0 is an idle machine, {cores} a busy"
        " one)." + (" A quick run: too short to believe." if run.quick else ""),
    ]
    return "\n\n".join(sections) + "\n"


def throughput(figures: Figures, in_flight: int) -> str:
    """Return the table of deliveries a second, with a star where the load client was the limit."""
    sizes = figures.depth.sizes
    rates = {size: figures.rates(size, in_flight) for size in sizes}

    def cell(name: str, size: int) -> str:
        star = " *" if figures.busy(name, size, in_flight) > BUSY else ""
        return f"{rates[size][name].scaled(1e-3)}{star}"

    return rows(
        ["server", *(f"{size:,} clients" for size in sizes)],
        [[name, *(cell(name, size) for size in sizes)] for name in figures.talks],
    )


def _throughput(figures: Figures) -> list[str]:
    found = []
    for count in IN_FLIGHT:
        messages = "messages" if count > 1 else "message"
        found.append(f"## {count} {messages} in flight: thousand deliveries a second")
        found.append(throughput(figures, count))
    return [
        *found,
        f"A star: the load client was busy over {BUSY:.0%} of the time, and perhaps was the limit.",
    ]


def ratios(figures: Figures) -> str:
    """Return the table of the room's throughput over each other's. The room is in it."""
    rates = {one: figures.rates(*one) for one in compared(figures)}
    return rows(
        ["server", *(case(*one) for one in rates)],
        [
            [name, *(two(rate[ROOM].over(rate[name])) for rate in rates.values())]
            for name in figures.talks
        ],
    )


def costs(figures: Figures) -> str:
    """Return the table of CPU time: the servers' for a delivery, the load client's of all time."""
    cases = compared(figures)

    def work(name: str, one: tuple[int, int]) -> Sample:
        return Sample(tuple(talk.work[one] for talk in figures.talks[name]))

    return rows(
        ["server", *(f"{case(*one)}, µs" for one in cases), "load client"],
        [
            [
                name,
                *(work(name, one) for one in cases),
                f"{max(figures.busy(name, *one) for one in cases):.0%}",
            ]
            for name in figures.talks
        ],
    )


def _ratios(figures: Figures) -> list[str]:
    if ROOM not in figures.talks:
        return []
    return [
        "## The room's throughput over each other's",
        ratios(figures),
        f"The floor is “{floor(figures)}”: one encoded frame and one plain `send` for each"
        " receiver. It reads no JSON and promises nothing. With several messages in flight a"
        " server can be ahead of it by writing together what waits for the same client.",
    ]


def _delays(figures: Figures) -> list[str]:
    p50 = samples(figures.talks, lambda one: one.delays.p50)
    p99 = samples(figures.talks, lambda one: one.delays.p99)
    return [
        f"## {PACE:g} messages a second to {figures.depth.most:,} clients: delay in ms",
        rows(
            ["server", "p50", "p99"],
            [[name, milliseconds(p50[name]), milliseconds(p99[name])] for name in figures.talks],
        ),
    ]


def _idle(figures: Figures) -> list[str]:
    memory = samples(figures.idle, lambda one: one.memory)
    joined = samples(figures.idle, lambda one: one.joined)
    return [
        f"## {figures.depth.most:,} clients join and are idle",
        rows(
            ["server", "kB for a client", "seconds until all are in"],
            [[name, memory[name], two(joined[name])] for name in figures.idle],
        ),
        "The memory is the process's own, after minus before. The kernel's socket buffers are not"
        " in it. Rich clients are in when each of them has heard of all others.",
    ]


def _deaf(figures: Figures) -> list[str]:
    extra = samples(figures.deaf, lambda one: one.extra)
    often = samples(figures.deaf, lambda one: one.stalls)
    lost = samples(figures.deaf, lambda one: one.lost)
    closed = samples(figures.deaf, lambda one: one.closed)
    return [
        f"## One of {DEAF_CROWD} clients stops reading",
        rows(
            ["server", "the slowest, ms more", f"{LATE * 1000:g} ms more", "lost", "cut off"],
            [
                [name, milliseconds(extra[name]), often[name], lost[name], closed[name]]
                for name in figures.deaf
            ],
        ),
        f"{DEAF_PACE:g} messages of {DEAF_SIZE:,} bytes a second fill the kernel's buffers of the"
        " one that stopped. The figures are those of the others: how much slower their slowest"
        " delivery was than the slowest before; how often others had to wait"
        f" {LATE * 1000:g} ms longer than that; deliveries that had not come 2 s after the last"
        " message; connections that the server ended.",
    ]


def _shared(figures: Figures) -> list[str]:
    if not figures.shared:
        return []
    most, few = figures.depth.most, figures.depth.sizes[-2]
    delay = samples(figures.shared, lambda one: one.p50)
    rate = samples(figures.shared, lambda one: one.rate.deliveries / 1000)
    busy = samples(figures.shared, lambda one: one.rate.busy * 100)
    work = samples(figures.shared, lambda one: one.work)
    redis = samples(figures.shared, lambda one: one.redis)
    client = samples(figures.shared, lambda one: one.client)
    columns = rate, work, redis, client, busy
    return [
        "## Redis",
        rows(
            [
                "the room in",
                f"p50 delay of {few:,} clients, ms",
                f"thousand deliveries a second, {case(most, max(IN_FLIGHT))}",
                "CPU time for a delivery, µs",
                "of Redis, µs",
                "of the load client, µs",
                "load client busy, %",
            ],
            [[name, milliseconds(delay[name]), *(one[name] for one in columns)] for name in rate],
        ),
        f"Both processes, Redis and the load client share {os.cpu_count()} cores, so the deliveries"
        " a second of two processes are limited by the sum of the three CPU times. By the CPU time"
        f" of the processes alone, two with a core each would do {two(apart_by_cpu(figures))} x the"
        " work of one.",
    ]


def _versions(figures: Figures) -> list[list[str]]:
    packages = dict.fromkeys(package for one in CONTENDERS for package in one.packages)
    return [
        ["Python", platform.python_version()],
        *([name, version(name)] for name in packages),
        *(["Node", talk.words.partition(" at ")[0]] for talk in figures.talks.get(NODE, [])[:1]),
    ]


def _congestion_control() -> str:
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
