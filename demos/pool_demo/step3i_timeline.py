"""A1, A4, A5: The timeline of a pool: idle, checked out, waiting.

Source: A1 says what becomes of callers beyond the maximum: they wait in a queue.

See: one lane for each connection, and below it one for each caller, from asking to borrowing. Five
callers take four turns each, over a pool with mincached=1 and maxconnections=3. One connection is
there before anybody comes. The others are opened when somebody finds none idle, one after the other
while all wait. Later a caller's bar ends when a connection comes back.

Try: add maxcached=1 to LIMITS. There are more lanes now: which parameter closed the others? Set
maxconnections to 5: where are the callers' lanes?

New: step 3a timed the callers' waits. Here the pool itself says what happens, and when.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from demos.pool_demo.charts import lanes, options
from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run
from demos.pool_demo.timeline import Log, Span, WatchedPool
from demos.pool_demo.witness import Witness

CALLERS, TURNS = 5, 4
LIMITS = {"mincached": 1, "maxconnections": 3, "blocking": True}


def record(witness: Witness) -> tuple[Log, int]:
    """Let the callers take their turns; return the log, and how many connections the server has."""
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
    """Return how many connections were checked out at the same time, at most."""
    out = [span for span in spans if span.doing == "checked out"]
    return max(sum(one.begin <= span.begin < one.end for one in out) for span in out)


def unanswered(log: Log) -> int:
    """Return how many of those who waited at the maximum got a connection, and none came back."""
    returns = [event.when for event in log.events if event.what == "returned"]
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
        f"connections, and the server had {left}; at most {most_out(log.spans())} were out at a "
        f"time. {len(waits)} turns began with a wait at the maximum, of {max(waits):.2f} s or "
        f"less; {unanswered(log)} of these ended without a connection that came back."
    )


if __name__ == "__main__":
    run(main)
