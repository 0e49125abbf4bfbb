"""The finished room against what a user would pick instead: `python -m bench.chat`.

All servers take turns in one run, with one load client, so a ratio is worth more than a figure. The
report goes to bench/results/chat.md and a plot beside it, or to another folder with --out.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

from bench import program
from bench.chat import parts, report, targets
from bench.chat.load.joining import LoadError
from bench.chat.load.process import LoadClient
from bench.chat.servers import CONTENDERS, ROOM, Contender, ServerError
from bench.rounds import redis_url
from demos.instruments.open_files import open_many_files


def measure(contenders: Sequence[Contender], depth: parts.Depth) -> report.Run:
    """Measure all parts."""
    busy = os.getloadavg()[0]
    failures: dict[str, str] = {}
    with LoadClient() as load:
        figures = parts.Figures(
            depth,
            parts.talks(contenders, load, depth, failures),
            parts.idle(contenders, load, depth, failures),
            parts.deaf(contenders, load, depth, failures),
            failures=failures,
        )
        try:
            redis = redis_url(os.environ.get("REDIS_URL"), "chat")
            figures.shared = parts.shared(load, depth, redis)
        except (ServerError, LoadError) as error:
            failures["the room with Redis"] = str(error)
    return report.Run(figures, depth == parts.QUICK, busy)


def compare(names: Sequence[str], depth: parts.Depth) -> None:
    """Print the throughput of some servers, and how the room compares with the others."""
    chosen = [one for one in CONTENDERS if one.name in names]
    failures: dict[str, str] = {}
    with LoadClient() as load:
        found = parts.talks(chosen, load, depth, failures)
    figures = parts.Figures(depth, found)
    for in_flight in parts.IN_FLIGHT:
        print(f"Thousand deliveries a second, {in_flight} in flight")
        print(report.throughput(figures, in_flight))
    if ROOM in found:
        print("The room's throughput over each other's")
        print(report.ratios(figures))
    print("CPU time of the server for a delivery")
    print(report.costs(figures))
    for name, why in failures.items():
        print(f"{name}: {why}.")


def main() -> None:
    """Measure, write the report and the plot, and print the targets."""
    parser = program.reporting(__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=[one.name for one in CONTENDERS],
        metavar="NAME",
        help="print the throughput of this server and of others so named, and write nothing",
    )
    chosen = parser.parse_args()
    program.on_linux_only()
    open_many_files()
    depth = parts.QUICK if chosen.quick else parts.FULL
    if chosen.only:
        compare(chosen.only, replace(depth, rounds=3))
        return
    done = measure(CONTENDERS, depth)
    found = targets.targets(done.figures)
    program.keep(chosen.out / "chat.md", report.markdown(done), found)
    (chosen.out / "chat.svg").write_text(report.plot(done.figures).svg(), "utf-8")


if __name__ == "__main__":
    program.run(main)
