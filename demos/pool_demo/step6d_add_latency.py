"""A1, A5: The same comparison on slower networks.

Source: A1 draws many requests that borrow from one pool. On the source's own machine a round trip
takes next to no time; on a real network every one counts.

See: the ways of step 6 with 0, 1, 5 and 20 ms added to each round trip, for 1 and for 32 callers.
With one caller the ratios tend to the round trips that step 6b counted. With 32, a pool can lose to
no pool: PooledDB talks to the server while it holds its one lock. PersistentDB has 32 connections
then, and the other pools 8.

Try: double SIZE. Which of the pools becomes faster with 32 callers, and which does not?

New: step 6 ran on this machine alone; here delay_proxy.py stands between us and the server.
"""

from demos.pool_demo.charts import Plot, curves, options
from demos.pool_demo.contestants import HELPER, POOLED, RAW_NO_TLS, WAYS, lined_up, rates
from demos.pool_demo.delay_proxy import DelayProxy
from demos.pool_demo.measure import Sample, ahead
from demos.pool_demo.settings import load
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.where import describe

SIZE = 8  # connections of each pool
ADDED = (0, 1, 5, 20)  # milliseconds for a round trip
CALLERS = (1, 32)

Rates = dict[int, dict[str, Sample]]  # selects a second, by added milliseconds and way


def compare(
    added: tuple[int, ...] = ADDED,
    callers: tuple[int, ...] = CALLERS,
    rounds: int = 3,
    seconds: float = 0.15,
) -> dict[int, Rates]:
    """Measure all ways for each number of callers; the pools' connections stay open."""
    results: dict[int, Rates] = {count: {ms: {} for ms in added} for count in callers}
    with DelayProxy() as proxy, lined_up(proxy.settings, SIZE, max(callers)) as ready:
        for ms in added:
            proxy.set_round_trip(ms / 1000)
            found = rates(f"{ms} ms added", ready, callers, rounds, seconds)
            for (count, name), sample in found.items():
                results[count][ms][name] = sample
    return results


def times(found: Rates, name: str) -> dict[int, Sample]:
    """Return how many times as fast as raw without TLS the way is, by milliseconds added."""
    return {ms: ways[name].over(ways[RAW_NO_TLS]) for ms, ways in found.items()}


def plot(results: dict[int, Rates]) -> Plot:
    """Draw the ratios against the milliseconds, one panel for each number of callers."""
    panels = {
        f"{count} at once": {name: times(found, name) for name in WAYS}
        for count, found in results.items()
    }
    return curves(panels, "ms added to a round trip", f"{RAW_NO_TLS} = 1")


def sentence(count: int, found: Rates) -> str:
    """Say who is in front on the slowest network, and how a default PooledDB does there."""
    ms = max(found)
    ours, pooled = (times(found, name)[ms] for name in (HELPER, POOLED))
    verdict = "more than" if pooled.low > 1 else "less than" if pooled.high < 1 else "as much as"
    return (
        f"with {ms} ms added and {count} at once, in front: {ahead(found[ms])}. {HELPER} does "
        f"{ours} times the work of {RAW_NO_TLS}, {POOLED} {pooled} times: {verdict} no pool."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    results = compare((0, 5), (1, 8), 1, 0.03) if chosen.quick else compare()
    chosen.keep(plot(results), "latency")
    for count, found in results.items():
        table(
            f"\n{count} at once: selects a second, by milliseconds added to a round trip",
            [{"way": name} | {f"{ms} ms": found[ms][name] for ms in found} for name in WAYS],
        )
        conclude(sentence(count, found))


if __name__ == "__main__":
    run(main)
