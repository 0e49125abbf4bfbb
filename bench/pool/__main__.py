"""MysqlHelp against what a user would pick instead: `python -m bench.pool`.

All peers take turns in one run, so a ratio is worth more than a figure. The report goes to
bench/results/pool.md and a plot beside it, or to another folder with --out.
"""

import os

from bench import program
from bench.pool import parts, report
from bench.pool.peers import ASYNCMY, C_FLOOR, CONNECTOR, FLOOR, MARIADB, SQLALCHEMY, working
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW_NO_TLS, TUNED
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import load
from demos.pool_demo.where import describe


def measure(depth: parts.Depth) -> report.Run:
    """Measure all parts. Raises pymysql.OperationalError if there is no server."""
    settings, busy = load(), os.getloadavg()[0]
    server = describe(settings).partition(" at ")[0]
    restore("student", if_missing=True)
    peers, missing = working(settings)
    lent = (HELPER, POOLED, TUNED, SQLALCHEMY, CONNECTOR, MARIADB)
    network = (FLOOR, HELPER, RAW_NO_TLS, *lent[1:], ASYNCMY)
    figures = parts.Figures(
        parts.selects(peers, settings, depth),
        parts.checkouts(parts.some(peers, lent), settings, depth),
        parts.slow_network(parts.some(peers, network), settings, depth),
        parts.round_trips(parts.some(peers, network), settings),
        parts.fairness(parts.some(peers, (HELPER, POOLED, TUNED, SQLALCHEMY)), settings, depth),
        parts.inserts(parts.some(peers, (HELPER, FLOOR, C_FLOOR)), settings, depth),
        parts.stream(depth),
    )
    return report.Run(figures, server, missing, depth, busy)


def main() -> None:
    """Measure, write the report and the plot, and print the targets."""
    chosen = program.reporting(__doc__).parse_args()
    done = measure(parts.QUICK if chosen.quick else parts.FULL)
    program.keep(chosen.out / "pool.md", report.markdown(done), report.targets(done.figures))
    (chosen.out / "pool.svg").write_text(report.plot(done.figures).svg(), "utf-8")


if __name__ == "__main__":
    program.run(main)
