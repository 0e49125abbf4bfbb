"""A1, A4: How many connections are enough.

Source: A1 says what the minimum and the maximum of a pool do. A4 sets maxconnections=6. The source
does not say how to choose the number.

See: 64 callers share MysqlHelp pools of 1 to 64 connections, and the server takes 5 ms for each
query. The table has the queries per second and p99, the time that 99 of 100 queries do not exceed.
At first, twice the connections do twice the work. From some size on, which depends on your machine,
more connections help less and less.

Try: set SLEEP to 0. Then a query uses only the processor. At which size do more connections stop
helping now?

New: the steps before compared ways to get a connection, with pools of one size. Here one way has
many sizes.
"""

from functools import partial

from demos.instruments.plots import Plot, curves, options
from demos.instruments.rounds import Sample, interleave, samples, short
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.ways import HELPER, share
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe

CALLERS = 64
SIZES = (1, 2, 4, 8, 16, 32, 64)
SLEEP = 0.005  # seconds that the server takes for a query
WELL = 0.8  # a size works well if each connection does this share of a single one's work

Results = tuple[dict[int, Sample], dict[int, Sample]]  # by size: queries per second, p99 in ms


def measure(sizes: tuple[int, ...] = SIZES, rounds: int = 3, seconds: float = 0.6) -> Results:
    """Measure all sizes, interleaved."""
    query = f"select sleep({SLEEP})"
    trials = {size: partial(share, HELPER, size, CALLERS, query, seconds) for size in sizes}
    found = interleave("Size of the pool", trials, rounds)
    slowest = samples(found, lambda turns: turns.slowest() * 1000)
    return samples(found, lambda turns: turns.rate), slowest


def bend(rates: dict[int, Sample]) -> int:
    """Return the largest size at which each connection still works well."""
    first = min(rates)
    alone = rates[first].median / first
    return max(size for size, rate in rates.items() if rate.median >= WELL * size * alone)


def plot(results: Results) -> Plot:
    """Draw the queries per second against the size."""
    lines = {HELPER: results[0]}
    return curves({f"{CALLERS} callers": lines}, "connections", "queries per second", "log")


def sentence(results: Results) -> str:
    """Say from which size on more connections help less."""
    rates, slowest = results
    first, best, last = min(rates), bend(rates), max(rates)
    more = (
        f"{last} connections, {short(last / best)} times as many, do only "
        f"{rates[last].over(rates[best])} times the work of {best}."
        if best < last
        else "more connections could do more."
    )
    return (
        f"with up to {best} connections each does {WELL:.0%} or more of the work of a single one. "
        f"p99 falls from {short(slowest[first].median)} to {short(slowest[best].median)} ms. {more}"
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    results = measure((1, 8, 64), 1, 0.1) if chosen.quick else measure()
    rows = [
        {"connections": size, "queries/s": rate, "p99 ms": results[1][size]}
        for size, rate in results[0].items()
    ]
    table(f"{CALLERS} callers, {SLEEP * 1000:g} ms a query: median (lowest-highest)", rows)
    chosen.keep(plot(results), "size_of_the_pool")
    conclude(sentence(results))


if __name__ == "__main__":
    run(main)
