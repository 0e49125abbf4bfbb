"""A1, A4: How many connections are enough.

Source: A1 says what the minimum and the maximum of a pool do, and A4 sets maxconnections=6. How to
choose the number it does not say.

See: 64 callers share MysqlHelp pools of 1 to 64 connections, and each query takes the server 5 ms.
A table with the queries a second and the time of the slowest one in a hundred. At first twice the
connections do twice the work. From some size on, your machine's, they bring less and less.

Try: set SLEEP to 0. A query then costs only processor time. Where does the curve bend now?

New: the steps before compared ways to get a connection at one size. Here one way has many sizes.
"""

from functools import partial

from demos.pool_demo.charts import Plot, curves, options
from demos.pool_demo.contestants import HELPER, share
from demos.pool_demo.measure import Sample, interleave, samples, short
from demos.pool_demo.settings import load
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.where import describe

CALLERS = 64
SIZES = (1, 2, 4, 8, 16, 32, 64)
SLEEP = 0.005  # seconds that the server takes for a query
WELL = 0.8  # a size works well where each connection does this much of what a lone one does

Results = tuple[dict[int, Sample], dict[int, Sample]]  # by size: queries a second, p99 in ms


def measure(sizes: tuple[int, ...] = SIZES, rounds: int = 3, seconds: float = 0.6) -> Results:
    """Measure all sizes, interleaved."""
    query = f"select sleep({SLEEP})"
    trials = {size: partial(share, HELPER, size, CALLERS, query, seconds) for size in sizes}
    found = interleave("Size of the pool", trials, rounds)
    slowest = samples(found, lambda turns: turns.slowest() * 1000)
    return samples(found, lambda turns: turns.rate), slowest


def bend(rates: dict[int, Sample]) -> int:
    """Return the largest size at which the connections still work well."""
    first = min(rates)
    alone = rates[first].median / first
    return max(size for size, rate in rates.items() if rate.median >= WELL * size * alone)


def plot(results: Results) -> Plot:
    """Draw the queries a second against the size."""
    lines = {HELPER: results[0]}
    return curves({f"{CALLERS} callers": lines}, "connections", "queries a second", "log")


def sentence(results: Results) -> str:
    """Say where more connections begin to bring less."""
    rates, slowest = results
    first, best, last = min(rates), bend(rates), max(rates)
    more = (
        f"{last} connections, {short(last / best)} times as many, do only "
        f"{rates[last].over(rates[best])} times the work of {best}."
        if best < last
        else "more might bring more."
    )
    return (
        f"up to {best} connections each does {WELL:.0%} or more of what a lone one does; p99 falls "
        f"from {short(slowest[first].median)} to {short(slowest[best].median)} ms; {more}"
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
