"""Measure one server that is running: `python -m bench.chat.load http://127.0.0.1:5000`."""

import argparse
import sys

from bench.chat.load.crowd import Crowd
from bench.chat.load.dialects import DIALECTS
from bench.chat.load.joining import LoadError
from bench.chat.load.pump import language
from demos.instruments.open_files import open_many_files


def main() -> None:
    """Let clients in, let them talk, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat.load", description=__doc__)
    parser.add_argument("url", nargs="+", help="of the server, or of each worker")
    parser.add_argument("--dialect", choices=DIALECTS, default="named")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 8])
    chosen = parser.parse_args()
    open_many_files()
    crowd = Crowd(chosen.url, chosen.dialect)
    try:
        crowd.join(1)
        print(f"{chosen.clients} clients joined in {crowd.join(chosen.clients):.2f} s", flush=True)
        for in_flight in chosen.in_flight:
            rate = crowd.flood(in_flight, chosen.seconds)
            print(
                f"{in_flight} in flight: {rate.deliveries:,.0f} deliveries a second,"
                f" load client ({language()}) busy {rate.busy:.0%} of the time",
                flush=True,
            )
        paced = crowd.pace(10, max(2.0, chosen.seconds))
        print(f"10 messages a second: p50 {paced.p50 * 1e3:.2f} ms, p99 {paced.p99 * 1e3:.2f} ms")
    except LoadError as error:
        sys.exit(f"{error}.")
    finally:
        crowd.leave()


if __name__ == "__main__":
    main()
