"""A1, A4, A5: The timeline of a pool: idle, checked out, waiting.

Source: A1 says that callers beyond the maximum wait in a queue.

See: a plot with one row for each connection. Below it one row for each caller, from asking to
borrowing. Five callers take four turns each with a pool of mincached=1 and maxconnections=3. One
connection is open at the start. The pool opens the others when no connection is idle, one after the
other, and all callers wait for this. Later a caller's bar ends when a connection comes back.

Try: add maxcached=1 to LIMITS. Now there are more rows of connections: which parameter closed the
others? Then set maxconnections to 5: where are the callers' rows?

New: step 3a measured how long callers wait. Here the pool itself logs what happens, and when.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from demos.instruments.plots import options
from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.live.timeline import Log, Span, WatchedPool, What
from demos.pool_demo.live.timeline_plot import lanes
from demos.pool_demo.settings import connect_args

CALLERS, TURNS = 5, 4
LIMITS = {"mincached": 1, "maxconnections": 3, "blocking": True}


def record(witness: Witness) -> tuple[Log, int]:
    """Run all callers. Returns the log, and the number of connections on the server."""
    log = Log()
    pool = WatchedPool(log, **LIMITS, **connect_args())

    def caller(number: int) -> None:
        threading.current_thread().name = f"caller {number}"
        luck = random.Random(number)
        for _ in range(TURNS):
            connection = pool.connection()
            with connection.cursor() as cursor:
                cursor.execute("select sleep(%s)", (luck.uniform(0.05, 0.15),))
            connection.close()
            time.sleep(luck.uniform(0.01, 0.08))  # busy with something else

    with ThreadPoolExecutor(CALLERS) as people:
        list(people.map(caller, range(1, CALLERS + 1)))
    left = witness.settle(len(log.connections()))
    pool.close()
    return log, left


def most_out(spans: list[Span]) -> int:
    """Return the largest number of connections that were checked out at the same time."""
    out = [span for span in spans if span.doing == "checked out"]
    return max(sum(one.begin <= span.begin < one.end for one in out) for span in out)


def unanswered(log: Log) -> int:
    """Count the waits at the maximum that ended although no connection came back meanwhile."""
    returns = [event.when for event in log.events if event.what == What.RETURNED]
    return sum(not any(begin < when < end for when in returns) for begin, end in log.waits())


def main() -> None:
    """Record, draw, conclude."""
    chosen = options(__doc__)
    with Witness() as witness:
        log, left = record(witness)
    waits = [end - begin for begin, end in log.waits()]
    chosen.keep(lanes(log), "timeline")
    conclude(
        f"{CALLERS} callers took {CALLERS * TURNS} turns over {len(log.connections())} "
        f"connections, and the server had {left}. At most {most_out(log.spans())} were borrowed at "
        f"the same time. {len(waits)} turns began with a wait at the maximum, at most "
        f"{max(waits):.2f} s. {unanswered(log)} waits ended although no connection came back."
    )


if __name__ == "__main__":
    run(main)
