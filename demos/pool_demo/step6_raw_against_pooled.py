"""A1, A5: Raw against pooled, measured honestly.

Source: A1 says that connecting for each request is what a pool saves, and A5 borrows, queries and
gives back. How much that saves, the source does not measure.

See: two ways without a pool, three with DBUtils, and MysqlHelp; each reads the rows of student,
with 1, 8 and 32 callers, over TCP and the unix socket. Then how many times as fast each is as raw
PyMySQL, and as raw PyMySQL with ssl_disabled=True: two very different answers.

Try: guess both ratios before you run it. Then set SIZE to 1. Which pools lose, and which do not?

New: steps 1 to 5 borrowed and looked; here a clock runs. PyMySQL builds a TLS context for each new
connection, also where no TLS is used, and for that it reads all certificates of the machine.
"""

from demos.pool_demo.charts import Plot, bars, options
from demos.pool_demo.contestants import HELPER, RAW, RAW_NO_TLS, WAYS, lined_up, rates, transports
from demos.pool_demo.measure import Sample, ahead
from demos.pool_demo.settings import load
from demos.pool_demo.show import conclude, run, table

SIZE = 8  # connections of each pool
CALLERS = (1, 8, 32)

Rates = dict[tuple[int, str], Sample]  # selects a second, by number of callers and way


def compare(
    callers: tuple[int, ...] = CALLERS, rounds: int = 5, seconds: float = 0.08
) -> dict[str, Rates]:
    """Measure all ways over each transport; every way has so many seconds in each round."""
    results = {}
    for transport, settings in transports(load()).items():
        with lined_up(settings, SIZE, max(callers)) as ready:
            results[transport] = rates(transport, ready, callers, rounds, seconds)
    return results


def times(found: Rates, base: str) -> dict[str, Sample]:
    """Return how many times as fast as `base` each way is, for one caller."""
    return {name: found[1, name].over(found[1, base]) for name in WAYS}


def plot(found: Rates) -> Plot:
    """Draw the ratios of one caller to raw PyMySQL, and to raw PyMySQL without a TLS context."""
    panels = {f"1 caller; {base} = 1": times(found, base) for base in (RAW, RAW_NO_TLS)}
    return bars(panels, "times as fast")


def sentence(transport: str, found: Rates) -> str:
    """Say what the helper's pool is worth, and how much of that is the TLS context."""
    raw, bare, pooled = (1 / found[1, name].median for name in (RAW, RAW_NO_TLS, HELPER))
    most = max(count for count, _ in found)
    return (
        f"over {transport} with 1 caller, {HELPER} is {times(found, RAW)[HELPER]} times as fast as "
        f"{RAW} and {times(found, RAW_NO_TLS)[HELPER]} times as fast as {RAW_NO_TLS}; "
        f"{(raw - bare) / (raw - pooled):.0%} of the time it saves is the TLS context. With {most} "
        f"callers in front: {ahead({name: found[most, name] for name in WAYS})}."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    results = compare((1, 4), 2, 0.01) if chosen.quick else compare()
    chosen.keep(plot(next(iter(results.values()))), "raw_against_pooled")
    for transport, found in results.items():
        heads = {f"callers: {count}": count for count, name in found if name == RAW}
        table(
            f"\n{transport}: selects a second, median (lowest-highest), pools of {SIZE}",
            [{"way": name} | {head: found[heads[head], name] for head in heads} for name in WAYS],
        )
        columns = {f"{base} = 1": times(found, base) for base in (RAW, RAW_NO_TLS)}
        table(
            f"\n{transport}, 1 caller: times as fast",
            [{"way": name} | {base: columns[base][name] for base in columns} for name in WAYS],
        )
        conclude(sentence(transport, found))


if __name__ == "__main__":
    run(main)
