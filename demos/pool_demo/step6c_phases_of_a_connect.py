"""A1: What one connect is made of.

Source: A1 says in one clause that connecting costs much, and takes long. It does not say what for.

See: each phase of pymysql.connect() with its time: the TLS context, the TCP handshake, the server's
greeting, and each message PyMySQL sends after that, with its answer. The TLS context is built even
where the server offers no TLS. phases.py says how the times are taken.

Try: run it with MYSQL_UNIX_SOCKET set to the server's socket and MYSQL_HOST to localhost. Which
phases get shorter?

New: step 6b counted what a connect waits for. Here each wait has its time, and so has the one large
cost that is no wait at all.
"""

from demos.pool_demo.charts import Plot, bars, options
from demos.pool_demo.measure import Sample, interleave, short
from demos.pool_demo.phases import CONTEXT, connect_once
from demos.pool_demo.settings import load
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.where import describe


def measure(rounds: int = 200) -> dict[str, Sample]:
    """Connect so many times; return the microseconds of each phase."""
    found = interleave("Phases of a connect", {"connect": connect_once}, rounds)["connect"]
    return {phase: Sample(tuple(one[phase] for one in found)) for phase in found[0]}


def plot(found: dict[str, Sample]) -> Plot:
    """Draw the phases but the TLS context, which would dwarf them."""
    phases = {phase: sample for phase, sample in found.items() if phase != CONTEXT}
    title = f"besides {short(found[CONTEXT].median)} microseconds of {CONTEXT}"
    return bars({title: phases}, "microseconds")


def sentence(found: dict[str, Sample]) -> str:
    """Say which phase takes most, and what is left without the TLS context."""
    medians = {phase: sample.median / 1000 for phase, sample in found.items()}
    longest, whole = max(medians, key=lambda phase: medians[phase]), sum(medians.values())
    return (
        f"the longest phase is {longest}, {medians[longest] / whole:.0%} of {short(whole)} ms; "
        f"without the {CONTEXT} a connect takes {short(whole - medians[CONTEXT])} ms."
    )


def main() -> None:
    """Measure, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    found = measure(10) if chosen.quick else measure()
    rows = [{"phase": phase, "microseconds": sample} for phase, sample in found.items()]
    table("The phases of a connect: median (lowest-highest)", rows)
    chosen.keep(plot(found), "phases_of_a_connect")
    conclude(sentence(found))


if __name__ == "__main__":
    run(main)
