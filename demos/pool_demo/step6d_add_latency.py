"""A1, A5: The same comparison on slower networks.

Source: A1 draws many requests that borrow from one pool. On the source's own machine a round trip
takes almost no time. On a real network each round trip takes time.

See: the ways of step 6 with 0, 1, 5 and 20 ms added to each round trip, for 1 and for 32 callers.
With one caller the ratios come close to the round trips of step 6b. With 32 callers a pool can be
slower than no pool: PooledDB sends messages to the server while it holds its only lock.
PersistentDB has 32 connections then, and the other pools have 8.

Try: double SIZE. Which of the pools becomes faster with 32 callers, and which does not?

New: step 6 measured on this machine alone. Here delay_proxy.py is between us and the server.
"""

from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.plots import Plot, curves, options
from demos.instruments.rounds import Sample, ahead, verdict
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW_NO_TLS, WAYS, lined_up, rates
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe

SIZE = 8  # connections of each pool
ADDED = (0, 1, 5, 20)  # milliseconds for a round trip
CALLERS = (1, 32)

Rates = dict[int, dict[str, Sample]]  # selects per second, by added milliseconds and way


def compare(
    added: tuple[int, ...] = ADDED,
    callers: tuple[int, ...] = CALLERS,
    rounds: int = 3,
    seconds: float = 0.15,
) -> dict[int, Rates]:
    """Measure all ways for each number of callers. The pools' connections stay open."""
    results: dict[int, Rates] = {count: {ms: {} for ms in added} for count in callers}
    with DelayProxy() as proxy, lined_up(proxy.settings, SIZE, max(callers)) as ready:
        for ms in added:
            proxy.set_round_trip(ms / 1000)
            found = rates(f"{ms} ms added", ready, callers, rounds, seconds)
            for (count, name), sample in found.items():
                results[count][ms][name] = sample
    return results


def times(found: Rates, name: str) -> dict[int, Sample]:
    """Return for each added delay how many times as fast as raw without TLS the way is."""
    return {ms: ways[name].over(ways[RAW_NO_TLS]) for ms, ways in found.items()}


def plot(results: dict[int, Rates]) -> Plot:
    """Draw the ratios against the milliseconds, one panel for each number of callers."""
    panels = {
        f"{count} at once": {name: times(found, name) for name in WAYS}
        for count, found in results.items()
    }
    return curves(panels, "ms added to a round trip", f"times as fast as\n{RAW_NO_TLS}")


def sentence(count: int, found: Rates) -> str:
    """Name the fastest way on the slowest network, and compare MysqlHelp and PooledDB with raw."""
    ms = max(found)
    ours, pooled = (times(found, name)[ms] for name in (HELPER, POOLED))
    return (
        f"with {ms} ms added and {count} at once the fastest is {ahead(found[ms])}. Compared with "
        f"{RAW_NO_TLS}, {HELPER} is {ours} times as fast. {POOLED} is {pooled} times as "
        f"fast: {verdict(pooled)}."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    results = compare((0, 5), (1, 8), 1, 0.03) if chosen.quick else compare()
    chosen.keep(plot(results), "latency")
    for count, found in results.items():
        table(
            f"\n{count} at once: selects per second, by milliseconds added to a round trip",
            [{"way": name} | {f"{ms} ms": found[ms][name] for ms in found} for name in WAYS],
        )
        conclude(sentence(count, found))


if __name__ == "__main__":
    run(main)
