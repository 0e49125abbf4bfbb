"""A1, A4: Who gets the next connection.

Source: A1 says that callers beyond the maximum wait in a queue. A4 sets maxconnections=6.

See: 64 callers share 6 connections for two seconds. The table shows the fewest and the most turns
of one caller, the p99 of a turn, and all turns together. PooledDB has no queue: a caller that comes
back at once overtakes the callers that wait.

Try: set CALLERS to 7. Is it fair now? Then look at turnstile.py: which line keeps the order?

New: step 6e counted the work of all callers together. This step counts the turns of each caller.
"""

from functools import partial

from demos.instruments.plots import Plot, colour, options
from demos.instruments.rounds import Sample, Turns, interleave, samples, short
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.ways import HELPER, POOLED, TUNED, share
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe

CALLERS, SIZE = 64, 6
QUERY = "select sleep(0.005)"
COMPARED = (POOLED, TUNED, HELPER)

Results = dict[str, list[Turns]]  # one for each round
Columns = dict[str, dict[str, Sample]]  # by title and way


def measure(rounds: int = 3, seconds: float = 2.0) -> Results:
    """Let the callers share each pool, interleaved."""
    trials = {name: partial(share, name, SIZE, CALLERS, QUERY, seconds) for name in COMPARED}
    return interleave("Turns", trials, rounds)


def columns(results: Results) -> Columns:
    """Return the figures of the table."""
    return {
        "fewest turns": samples(results, lambda turns: min(turns.each)),
        "most turns": samples(results, lambda turns: max(turns.each)),
        "most/fewest": samples(results, lambda turns: max(turns.each) / min(turns.each)),
        "p99 ms": samples(results, lambda turns: turns.slowest() * 1000),
        "turns/s": samples(results, lambda turns: turns.rate),
    }


def plot(results: Results) -> Plot:
    """Draw the turns of each caller in the last round, the fewest first."""
    figure = Plot(1)
    (axes,) = figure.panels
    for name, rounds in results.items():
        turns, ink = sorted(rounds[-1].each), colour(name)
        axes.step(range(1, CALLERS + 1), turns, label=name, where="mid", color=ink)
    axes.set(xlabel="caller", ylabel="turns", title=f"{CALLERS} callers, {SIZE} connections")
    figure.legend()
    return figure


def sentence(found: Columns) -> str:
    """Compare MysqlHelp with the tuned pool, which has the same number of round trips."""
    uneven, slow, rate = found["most/fewest"], found["p99 ms"], found["turns/s"]
    return (
        f"one caller had {short(uneven[TUNED].median)} times as many turns as another with "
        f"{TUNED}, and {short(uneven[HELPER].median)} times with {HELPER}; p99 of a turn was "
        f"{short(slow[TUNED].median)} ms against {short(slow[HELPER].median)}. In all, "
        f"{HELPER} served {rate[HELPER].over(rate[TUNED])} times as many turns."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    results = measure(1, 0.2) if chosen.quick else measure()
    found = columns(results)
    table(
        f"{CALLERS} callers, {SIZE} connections, {QUERY}",
        [{"way": name} | {head: found[head][name] for head in found} for name in COMPARED],
    )
    chosen.keep(plot(results), "fair_turns")
    conclude(sentence(found))


if __name__ == "__main__":
    run(main)
