"""A1, A5: Raw against pooled, measured honestly.

Source: A1 says that a pool saves the connect of each request. A5 borrows, queries and gives back.
The source does not measure how much that saves.

See: two ways without a pool, three with DBUtils, and MysqlHelp. Each reads the rows of student,
with 1, 8 and 32 callers, over TCP and over the unix socket. Then two ratios for each way: how many
times as fast as raw PyMySQL, and as raw PyMySQL with ssl_disabled=True. The two ratios are very
different.

Try: guess both ratios before you run it. Then set SIZE to 1. Which pools become slower than no
pool?

New: steps 1 to 5 showed what happens. This step measures time. PyMySQL makes a TLS context for each
new connection, even if the server does not use TLS. For that it reads all certificates of the
machine.
"""

from demos.instruments.plots import Plot, bars, options
from demos.instruments.rounds import Sample, ahead
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.ways import HELPER, RAW, RAW_NO_TLS, WAYS, lined_up, rates, transports
from demos.pool_demo.settings import load

SIZE = 8  # connections of each pool
CALLERS = (1, 8, 32)

Rates = dict[tuple[int, str], Sample]  # selects per second, by number of callers and way


def compare(
    callers: tuple[int, ...] = CALLERS, rounds: int = 5, seconds: float = 0.08
) -> dict[str, Rates]:
    """Measure all ways over each transport, for `seconds` in each round."""
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
    panels = {f"times as fast as\n{base}": times(found, base) for base in (RAW, RAW_NO_TLS)}
    return bars(panels, "1 caller")


def sentence(transport: str, found: Rates) -> str:
    """Say how much faster MysqlHelp is, and how much of that is the TLS context."""
    raw, bare, pooled = (1 / found[1, name].median for name in (RAW, RAW_NO_TLS, HELPER))
    most = max(count for count, _ in found)
    return (
        f"over {transport} with 1 caller, {HELPER} is {times(found, RAW)[HELPER]} times as fast as "
        f"{RAW} and {times(found, RAW_NO_TLS)[HELPER]} times as fast as {RAW_NO_TLS}; "
        f"{(raw - bare) / (raw - pooled):.0%} of the time it saves is the TLS context. With {most} "
        f"callers the fastest is {ahead({name: found[most, name] for name in WAYS})}."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    results = compare((1, 4), 2, 0.01) if chosen.quick else compare()
    chosen.keep(plot(next(iter(results.values()))), "raw_against_pooled")
    for transport, found in results.items():
        heads = {f"callers: {count}": count for count, name in found if name == RAW}
        table(
            f"\n{transport}: selects per second, median (lowest-highest), pools of {SIZE}",
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
