"""From one process to a million people, on paper: `python -m bench.scale` writes docs/scale.md.

It measures nothing. It takes the figures of the reports, which stand in MEASURED, and writes the
tables of the page anew. After a new run of `bench chat` and `bench messenger`, put their figures
into MEASURED and run it again.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.pool.report import rows

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = (1_000, 10_000, 100_000, 1_000_000)  # people who are connected
ROOMS = (1_000, 10_000, 100_000)  # members of one room

# What people do.
EVERY = 60  # seconds between two messages of one person, on a lively evening
QUIETER = 3  # the average of a day is so many times less
LOG_IN_EVERY = 8 * 3600  # seconds
ROOM_RATE = 10  # messages a second in one room

# What a process may do.
BUSY = 0.4  # of its time; above, a message waits noticeably behind others
PEOPLE = 25_000  # in one process; so many come back when it ends


@dataclass(frozen=True)
class Costs:
    """What one person, one message or one log-in costs, and where that is measured.

    Args:
        memory: kB of a process for a person who is connected and silent.
        kernel: kB of the kernel for the same.
        alone: µs of CPU time of a process for a message, without Redis.
        apart: µs of two processes together, friends on different ones.
        redis: µs of Redis for the same message.
        database: µs of the database for the same message.
        row: bytes of a message in the tables, indexes included.
        log_in: ms of CPU time for the hash of a password.
        gathered: µs of a process for a delivery in a room, eight messages written together.
        single: µs for a delivery in a room, each message written by itself.
    """

    memory: float
    kernel: float
    alone: float
    apart: float
    redis: float
    database: float
    row: float
    log_in: float
    gathered: float
    single: float


MEASURED = Costs(
    memory=15,
    kernel=3.7,
    alone=55,
    apart=130,
    redis=11,
    database=59,
    row=518,
    log_in=75,
    gathered=0.90,
    single=6.2,
)


def costs(one: Costs) -> str:
    """Return the table of what one of each costs."""
    messenger = "[messenger](../bench/results/messenger.md)"
    chat = "[chat](../bench/results/chat.md)"
    two = f"{messenger}, “From one process to two”"
    return rows(
        ["what", "cost", "where it is measured"],
        [
            [
                "a person who is connected and silent: memory of the process",
                f"{one.memory:g} kB",
                f"{messenger}, “A user who is connected and silent”",
            ],
            ["the same: memory of the kernel", f"{one.kernel:g} kB", "below, 1"],
            [
                "a message between two people: CPU time of one process, without Redis",
                f"{one.alone:g} µs",
                f"{messenger}, “100 pairs, 8 in flight”",
            ],
            ["the same through Redis, friends on two processes", f"{one.apart:g} µs", two],
            ["the same: CPU time of Redis", f"{one.redis:g} µs", f"{two}; below, 4"],
            ["the same: CPU time of the database", f"{one.database:g} µs", f"{two}; below, 4"],
            ["a message in the tables, with its indexes", f"{one.row:g} bytes", "below, 2"],
            ["a log-in: CPU time of the hash", f"{one.log_in:g} ms", "below, 3"],
            [
                "a message to a room: CPU time for each member who gets it",
                f"{one.gathered:g} to {one.single:g} µs",
                f"{chat}, “CPU time of the server for a delivery”",
            ],
        ],
    )


def people(one: Costs) -> str:
    """Return the table of what so many connected people need."""
    return rows(
        [
            "people connected",
            "messages a second",
            "processes: cores",
            "processes: memory",
            "kernel: memory",
            "Redis: cores",
            "database: cores",
            "rows a day",
            "disk a day",
            "log-ins: cores",
            "processes needed",
        ],
        [_line(size, one) for size in SIZES],
    )


def _line(size: int, one: Costs) -> list[str]:
    a_second = size / EVERY
    cores = a_second * one.apart / 1e6
    a_day = a_second * 86_400 / QUIETER
    needed = max(2, -(-cores // BUSY), -(-size // PEOPLE))  # one may always be away
    return [
        f"{size:,}",
        f"{a_second:,.0f}",
        _short(cores),
        f"{_short(size * one.memory / 1e6)} GB",
        f"{_short(size * one.kernel / 1e6)} GB",
        _short(a_second * one.redis / 1e6),
        _short(a_second * one.database / 1e6),
        f"{_short(a_day / 1e6)} million",
        f"{_short(a_day * one.row / 1e9)} GB",
        _short(size / LOG_IN_EVERY * one.log_in / 1e3),
        f"{needed:.0f}",
    ]


def room(one: Costs) -> str:
    """Return the table of what one room of so many members needs."""
    deliveries = {size: size * ROOM_RATE for size in ROOMS}
    return rows(
        ["members", "deliveries a second", "cores, written together", "cores, each by itself"],
        [
            [
                f"{size:,}",
                f"{count:,}",
                _short(count * one.gathered / 1e6),
                _short(count * one.single / 1e6),
            ]
            for size, count in deliveries.items()
        ],
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def with_tables(page: str, one: Costs = MEASURED) -> str:
    """Return the page with its tables made anew; each stands between two comments.

    Raises:
        ValueError: a comment is missing.
    """
    for name, table in (("costs", costs(one)), ("people", people(one)), ("room", room(one))):
        before, begin, rest = page.partition(f"<!-- {name}: by bench.scale -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not begin or not end:
            raise ValueError(f"{PAGE.name} has no place for the table {name}")
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def main() -> None:
    """Write the tables of the page anew, and print them."""
    page = with_tables(PAGE.read_text("utf-8"))
    PAGE.write_text(page, "utf-8")
    print(costs(MEASURED), people(MEASURED), room(MEASURED), sep="\n\n")


if __name__ == "__main__":
    main()
