"""A2, A4: What maxshared does, and what it breaks.

Source: the comment of A4 on maxshared says: PyMySQL's threadsafety is 1, so all connections are
always shared, and maxcached is always 0. The opposite is true (E2, E3).

See: two borrowers always have two connections, whatever maxshared is. But maxshared and maxcached
raise maxconnections without a warning: a pool of 2 with maxshared=20 opens 20.

Try: change 20 and 5, and predict both columns before you run it. Then use
pool.connection(shareable=False) instead. Is there a difference?

New: step 3b changed how many idle connections stay. Here maxshared, which is for something else,
changes how many connections can be borrowed.
"""

import pymysql
from dbutils.pooled_db import PooledDB, TooManyConnections

from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args

POOLS = [
    {"maxshared": 0, "maxconnections": 2},
    {"maxshared": 1, "maxconnections": 2},
    {"maxshared": 20, "maxconnections": 2},
    {"maxshared": 1, "maxconnections": 2, "maxcached": 5},
]


def measure(witness: Witness, limits: dict[str, int]) -> dict[str, object]:
    """Count the server's connections for two borrowers, then for as many as the pool allows."""
    pool = PooledDB(creator=pymysql, **limits, **connect_args())
    borrowed = [pool.connection(), pool.connection()]
    for_two = witness.settle(2)
    try:
        while True:
            borrowed.append(pool.connection())
    except TooManyConnections:
        most = witness.settle(len(borrowed))
    for connection in borrowed:
        connection.close()
    pool.close()
    witness.settle(0)
    name = ", ".join(f"{key}={value}" for key, value in limits.items())
    return {"pool": name, "for two borrowers": for_two, "at most": most}


def main() -> None:
    """Measure four pools that all say maxconnections=2."""
    print(f"PyMySQL's threadsafety is {pymysql.threadsafety}; sharing needs 2.")
    with Witness() as witness:
        rows = [measure(witness, limits) for limits in POOLS]
    table("Connections on the server", rows)
    shared = sum(row["for two borrowers"] == 1 for row in rows)
    raised = [f"{row['pool']} allows {row['at most']}" for row in rows if row["at most"] != 2]
    conclude(f"{shared} of {len(rows)} pools shared a connection. {'; '.join(raised)}.")


if __name__ == "__main__":
    run(main)
