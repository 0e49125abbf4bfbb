"""The messenger, its ceiling, and a connection for each message: `python -m bench.private`.

All servers take turns in one run, with one load client, so a ratio is worth more than a figure. The
report goes to bench/results/private.md and a plot beside it, or to another folder with --out.
"""

import argparse
import os
import resource
import signal
import sys
from pathlib import Path

from bench import private_parts, private_report, private_targets
from bench.chat_load.joining import LoadError
from bench.chat_load.process import LoadClient
from bench.chat_servers import ServerError
from bench.private_people import described, enrol, log_in_all, own_database
from bench.private_servers import CONTENDERS, messenger
from bench.rounds import redis_url
from demos.pool_demo.show import run

RESULTS = Path(__file__).parent / "results"


def measure(depth: private_parts.Depth) -> private_report.Run:
    """Measure all parts.

    Raises:
        ServerError: the messenger does not start, or lets nobody in.
        pymysql.MySQLError: there is no database, or no right to make one.
    """
    busy = os.getloadavg()[0]
    found = private_parts.Figures(depth)
    with own_database(), LoadClient() as load:
        names = enrol(depth.users)
        with messenger().started() as server:
            users = log_in_all(server.url, names)
        case = load, users, depth
        found.talks = private_parts.talks(CONTENDERS, *case, found.failures)
        found.paced = private_parts.paced(CONTENDERS, *case, found.failures)
        try:
            redis = redis_url(os.environ.get("REDIS_URL"), "private")
            found.shared = private_parts.shared(*case, redis)
        except (ServerError, LoadError) as error:
            found.failures["the messenger with Redis"] = str(error)
        return private_report.Run(found, described(), depth == private_parts.QUICK, busy)


def main() -> None:
    """Measure, write the report and the plot, and print the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and figures not to believe")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="bench/results")
    chosen = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("This benchmark needs Linux: it counts with epoll and reads /proc.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        done = measure(private_parts.QUICK if chosen.quick else private_parts.FULL)
    except ServerError as error:
        sys.exit(f"The messenger cannot be measured: {error}.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "private.md").write_text(private_report.markdown(done), "utf-8")
    if done.figures.talks:
        plot = private_report.plot(done.figures)
        plot.savefig(chosen.out / "private.svg", metadata={"Date": None})
    for target in private_targets.targets(done.figures):
        print(target)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    run(main)
