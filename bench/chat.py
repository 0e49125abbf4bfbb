"""The finished room against what a user would pick instead: `python -m bench.chat`.

All servers take turns in one run, with one load client, so a ratio is worth more than a figure. The
report goes to bench/results/chat.md and a plot beside it, or to another folder with --out.
"""

import argparse
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import chat_parts, chat_report, chat_targets
from bench.chat_load.joining import LoadError
from bench.chat_load.process import LoadClient
from bench.chat_servers import CONTENDERS, ROOM, Contender, ServerError
from bench.rounds import redis_url
from demos.pool_demo.show import prepare

RESULTS = Path(__file__).parent / "results"


def measure(contenders: Sequence[Contender], depth: chat_parts.Depth) -> chat_report.Run:
    """Measure all parts."""
    busy = os.getloadavg()[0]
    failures: dict[str, str] = {}
    with LoadClient() as load:
        figures = chat_parts.Figures(
            depth,
            chat_parts.talks(contenders, load, depth, failures),
            chat_parts.idle(contenders, load, depth, failures),
            chat_parts.deaf(contenders, load, depth, failures),
            failures=failures,
        )
        try:
            redis = redis_url(os.environ.get("REDIS_URL"), "chat")
            figures.shared = chat_parts.shared(load, depth, redis)
        except (ServerError, LoadError) as error:
            failures["the room with Redis"] = str(error)
    return chat_report.Run(figures, depth == chat_parts.QUICK, busy)


def compare(names: Sequence[str], depth: chat_parts.Depth) -> None:
    """Print the throughput of some servers, and how the room compares with the others."""
    chosen = [one for one in CONTENDERS if one.name in names]
    failures: dict[str, str] = {}
    with LoadClient() as load:
        found = chat_parts.talks(chosen, load, depth, failures)
    figures = chat_parts.Figures(depth, found)
    for in_flight in chat_parts.IN_FLIGHT:
        print(f"Thousand deliveries a second, {in_flight} in flight")
        print(chat_report.throughput(figures, in_flight))
    if ROOM in found:
        print("The room's throughput over each other's")
        print(chat_report.ratios(figures))
    print("CPU time of the server for a delivery")
    print(chat_report.costs(figures))
    for name, why in failures.items():
        print(f"{name}: {why}.")


def main() -> None:
    """Measure, write the report and the plot, and print the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and figures not to believe")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="bench/results")
    parser.add_argument(
        "--only",
        action="append",
        choices=[one.name for one in CONTENDERS],
        metavar="NAME",
        help="print the throughput of this server and of others so named, and write nothing",
    )
    chosen = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("This benchmark needs Linux: it counts with epoll and reads /proc.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    depth = chat_parts.QUICK if chosen.quick else chat_parts.FULL
    if chosen.only:
        compare(chosen.only, replace(depth, rounds=3))
        return
    done = measure(CONTENDERS, depth)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "chat.md").write_text(chat_report.markdown(done), "utf-8")
    chat_report.plot(done.figures).savefig(chosen.out / "chat.svg", metadata={"Date": None})
    for target in chat_targets.targets(done.figures):
        print(target)


if __name__ == "__main__":
    prepare()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
