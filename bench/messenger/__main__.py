"""The messenger, its ceiling, and a connection for each message: `python -m bench.messenger`.

All servers take turns in one run, with one load client, so a ratio is worth more than a figure. The
report goes to bench/results/messenger.md and a plot beside it, or to another folder with --out.
"""

import os
import sys

from bench import program
from bench.chat.load.joining import LoadError
from bench.chat.load.process import LoadClient
from bench.chat.servers import ServerError
from bench.messenger import parts, report, targets
from bench.messenger.people import described, enrol, log_in_all, own_database
from bench.messenger.servers import CONTENDERS, messenger
from bench.rounds import redis_url
from demos.instruments.open_files import open_many_files


def measure(depth: parts.Depth) -> report.Run:
    """Measure all parts.

    Raises:
        ServerError: the messenger does not start, or lets nobody in.
        pymysql.MySQLError: there is no database, or no right to make one.
    """
    busy = os.getloadavg()[0]
    found = parts.Figures(depth)
    with own_database(), LoadClient() as load:
        names = enrol(depth.users)
        with messenger().started() as server:
            users = log_in_all(server.url, names)
        case = load, users, depth
        found.talks = parts.talks(CONTENDERS, *case, found.failures)
        found.paced = parts.paced(CONTENDERS, *case, found.failures)
        try:
            redis = redis_url(os.environ.get("REDIS_URL"), "messenger")
            found.shared = parts.shared(*case, redis)
        except (ServerError, LoadError) as error:
            found.failures["the messenger with Redis"] = str(error)
        return report.Run(found, described(), depth == parts.QUICK, busy)


def main() -> None:
    """Measure, write the report and the plot, and print the targets."""
    chosen = program.reporting(__doc__).parse_args()
    program.on_linux_only()
    open_many_files()
    try:
        done = measure(parts.QUICK if chosen.quick else parts.FULL)
    except ServerError as error:
        sys.exit(f"The messenger cannot be measured: {error}.")
    program.keep(chosen.out / "messenger.md", report.markdown(done), targets.targets(done.figures))
    if done.figures.talks:
        (chosen.out / "messenger.svg").write_text(report.plot(done.figures).svg(), "utf-8")


if __name__ == "__main__":
    program.run(main)
