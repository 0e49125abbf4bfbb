"""A1, A4: How many idle connections are kept, and for how long.

Source: A1 says that a pool always keeps the minimum, and that it closes further connections after
an idle time-out. A4 sets mincached=2 and maxcached=5. For DBUtils both sentences are wrong (E4).

See: mincached counts only at the start. maxcached counts only when a connection comes back. Then an
idle connection stays open until the server ends it: the only time-out is the server's wait_timeout.
After that the pool opens no new connection until somebody borrows.

Try: set maxcached=0, which means: keep all. Then ask the server for the value of wait_timeout.

New: step 3a was about borrowed connections. This step is about idle connections.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args


def grow_and_shrink(witness: Witness) -> list[dict[str, object]]:
    """Borrow six connections and return them; count the server's connections each time."""
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
    """Leave two pools idle; the server ends the connections of the first after one second.

    Returns the connections that are left: of the first pool, of the second pool, and of the first
    pool after one more checkout.
    """
    lasting = PooledDB(creator=pymysql, mincached=2, **connect_args())
    before = set(witness.ids())
    short = ["set session wait_timeout = 1"]  # seconds; the server's usual value is 28800
    expiring = PooledDB(creator=pymysql, mincached=2, setsession=short, **connect_args())
    witness.settle(2, seconds=10)  # until the server has ended two connections
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
        print(f"After a time-out of 1 s: {expired} of 2 left; without it: {lasted} of 2 left")
        print(f"After one more checkout: {again} on the server")
    conclude(
        f"the pool kept {rows[-1]['server']} idle connections (maxcached). It closed none because "
        f"of age. The server's time-out left {expired}. The pool did not open mincached again."
    )


if __name__ == "__main__":
    run(main)
