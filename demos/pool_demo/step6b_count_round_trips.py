"""A1, A5: How often each way waits for the server.

Source: A1 says that a connection costs time. A5 has the few lines that borrow, query and give back.
Neither says what is sent over the network.

See: a table with one row for each way. It shows the round trips until the answer to the first
query, and those of each further query. Then the time that these round trips take on networks of 1,
5 and 20 ms.

Try: set reset=True in TUNED of compared/ways.py, then ping=7. How many round trips does each add to
a query?

New: step 6 measured time, which has many causes. This step counts round trips, with a proxy between
us and the server. The count is the same on every machine.
"""

from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.plots import Plot, bars, options
from demos.instruments.rounds import Sample
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.compared.ways import WAYS, opened
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe

QUERIES = 10
NETWORKS = (1, 5, 20)  # milliseconds for a round trip


def count(name: str, proxy: DelayProxy) -> tuple[int, float]:
    """Return the round trips until the first answer, and those of each query after that."""
    marks = [proxy.round_trips()]
    with opened(name, proxy.settings, 1) as way:
        way.select()
        marks.append(proxy.round_trips())
        for _ in range(QUERIES):
            way.select()
        marks.append(proxy.round_trips())
    return marks[1] - marks[0], (marks[2] - marks[1]) / QUERIES


def count_all() -> dict[str, tuple[int, float]]:
    """Count for all ways, with one caller and pools of one connection."""
    with DelayProxy() as proxy:
        return {name: count(name, proxy) for name in WAYS}


def plot(found: dict[str, tuple[int, float]]) -> Plot:
    """Draw the round trips of a query."""
    each = {
        name: Sample((trips if trips % 1 else int(trips),)) for name, (_, trips) in found.items()
    }
    return bars({"round trips for a query": each}, "counted")


def sentence(found: dict[str, tuple[int, float]]) -> str:
    """Name the ways with most and fewest round trips, and the ratio on a very slow network."""
    each = {name: trips for name, (_, trips) in found.items()}
    most, least = max(each.values()), min(each.values())
    names = {trips: " and ".join(n for n in each if each[n] == trips) for trips in (most, least)}
    return (
        f"round trips for a query: {most:g} with {names[most]}, {least:g} with {names[least]}. "
        "The slower the network, the closer the ratio of their times comes to "
        f"{most / least:g}, for one caller."
    )


def main() -> None:
    """Count, show, draw, conclude."""
    chosen = options(__doc__)
    print(describe(load()))
    found = count_all()
    table(
        "Round trips, and their time for a query on slower networks",
        [
            {"way": name, "first": first, "each": f"{each:g}"}
            | {f"{ms} ms network": f"{each * ms:g} ms" for ms in NETWORKS}
            for name, (first, each) in found.items()
        ],
    )
    chosen.keep(plot(found), "round_trips")
    conclude(sentence(found))


if __name__ == "__main__":
    run(main)
