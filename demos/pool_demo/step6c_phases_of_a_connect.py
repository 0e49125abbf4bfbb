"""A1: What one connect consists of.

Source: A1 says that connecting is expensive and takes long. It does not say why.

See: the time of each phase of pymysql.connect(): the TLS context, the TCP handshake, the server's
greeting, and each message of PyMySQL with its answer. PyMySQL makes the TLS context even if the
server offers no TLS. phases.py says how the times are measured.

Try: run it with MYSQL_UNIX_SOCKET set to the server's socket and MYSQL_HOST to localhost. Which
phases get shorter?

New: step 6b counted the round trips of a connect. This step measures the time of each one, and of
the TLS context, which is no round trip at all.
"""

from demos.instruments.plots import Plot, bars, options
from demos.instruments.rounds import Sample, interleave, short
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.phases import CONTEXT, connect_once
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe


def measure(rounds: int = 200) -> dict[str, Sample]:
    """Connect `rounds` times; return the microseconds of each phase."""
    found = interleave("Phases of a connect", {"connect": connect_once}, rounds)["connect"]
    return {phase: Sample(tuple(one[phase] for one in found)) for phase in found[0]}


def plot(found: dict[str, Sample]) -> Plot:
    """Draw all phases without the TLS context, which is much longer than the others."""
    phases = {phase: sample for phase, sample in found.items() if phase != CONTEXT}
    title = f"without the {CONTEXT} ({short(found[CONTEXT].median)} microseconds)"
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
