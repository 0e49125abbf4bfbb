"""A2: PersistentDB beside PooledDB.

Source: A2 names the two kinds of pool in DBUtils. PersistentDB has one connection per thread.
PooledDB has connections that threads can share.

See: eight threads run a query, call close() and stay alive. PersistentDB then has eight
connections, because it ignores close(). PooledDB has three, and the threads took turns with them.

Try: set THREADS to 20. Which of the two opens more connections? How many does a server with 2000
threads need?

New: steps 3a to 3g were about PooledDB. This step compares it with PersistentDB.
"""

from collections.abc import Callable
from threading import Barrier, Thread

import pymysql
from dbutils.persistent_db import PersistentDB
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args

THREADS = 8
POOLED = 3


def work(pool: PooledDB | PersistentDB, meet: Barrier) -> None:
    """Borrow, query and give back. Then stay alive while the main thread counts."""
    connection = pool.connection()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    connection.close()
    meet.wait()
    meet.wait()


def measure(pool: PooledDB | PersistentDB, count: Callable[[], int]) -> int:
    """Run the threads; return the count taken while all are alive and have given back."""
    meet = Barrier(THREADS + 1)
    threads = [Thread(target=work, args=(pool, meet)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    meet.wait()
    counted = count()
    meet.wait()
    for thread in threads:
        thread.join()
    return counted


def main() -> None:
    """Count both kinds of connections on the server."""
    with Witness() as witness:
        persistent = PersistentDB(creator=pymysql, **connect_args())
        own = measure(persistent, lambda: witness.settle(THREADS))
        del persistent  # this closes all its connections; it ignores close()
        witness.settle(0)

        limits = {"mincached": POOLED, "maxconnections": POOLED, "blocking": True}
        pool = PooledDB(creator=pymysql, **limits, **connect_args())
        turns = measure(pool, lambda: witness.settle(POOLED))
        pool.close()
    print(f"PersistentDB: {THREADS} threads, nothing borrowed, {own} connections on the server")
    print(f"PooledDB:     {THREADS} threads, nothing borrowed, {turns} connections on the server")
    conclude(
        f"PersistentDB needs {own / THREADS:g} connection per thread, PooledDB {turns} for all."
    )


if __name__ == "__main__":
    run(main)
