"""A1, A4: How many idle connections are kept, and for how long.

Source: A1 says that the minimum is always kept, and that connections above it go after an idle
time-out; A4 sets mincached=2 and maxcached=5. Both sentences of A1 are wrong (E4).

See: mincached counts only at the start, maxcached only when a connection is returned. An idle
connection then stays as long as the server lets it: the only time-out is the server's wait_timeout.
When that ends idle connections, the pool makes no new ones until somebody borrows.

Try: set maxcached=0, which means: keep all. What does the server's own wait_timeout say?

New: step 3a was about the maximum of borrowed connections. This is about the idle ones.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.witness import Witness


def grow_and_shrink(witness: Witness) -> list[dict[str, object]]:
    """Borrow six from a pool and return them; say what the server has at each moment."""
    pool = PooledDB(creator=pymysql, mincached=2, maxcached=3, **connect_args())
    rows: list[dict[str, object]] = [{"moment": "at the start", "server": witness.settle(2)}]
    borrowed = [pool.connection() for _ in range(6)]
    rows.append({"moment": "six borrowed", "server": witness.settle(6)})
    for connection in borrowed:
        connection.close()
    rows.append({"moment": "six returned", "server": witness.settle(3)})
    pool.close()
    witness.settle(0)
    return rows


def grow_old(witness: Witness) -> tuple[int, int, int]:
    """Leave connections idle past a time-out of the server's.

    Returns how many are left of a pool with that time-out, of one without, and how many the first
    has when one was borrowed again.
    """
    lasting = PooledDB(creator=pymysql, mincached=2, **connect_args())
    before = set(witness.ids())
    short = ["set session wait_timeout = 1"]  # seconds; the server's usual value is 28800
    expiring = PooledDB(creator=pymysql, mincached=2, setsession=short, **connect_args())
    witness.settle(2, seconds=10)  # until the server has ended the idle two
    left = set(witness.ids())
    with expiring.connection():
        again = set(witness.ids()) - before
    lasting.close()
    expiring.close()
    return len(left - before), len(left & before), len(again)


def main() -> None:
    """Watch idle connections come, stay and go."""
    with Witness() as witness:
        rows = grow_and_shrink(witness)
        table("mincached=2, maxcached=3", rows)
        expired, lasted, again = grow_old(witness)
        print(f"Idle past wait_timeout: {expired} of 2 left; without one: {lasted} of 2")
        print(f"One borrowed again: {again} on the server")
    conclude(
        f"the pool kept {rows[-1]['server']} idle connections (maxcached) and closed none for age. "
        f"The server's time-out left {expired}, and the pool did not refill to mincached."
    )


if __name__ == "__main__":
    run(main)
