"""A2: PersistentDB beside PooledDB.

Source: A2 names the two faces of DBUtils: PersistentDB, one connection per thread, and PooledDB,
connections that threads can share.

See: eight threads query, call close() and stay alive. PersistentDB has eight connections then,
because it ignores close(); PooledDB has three, and the threads took turns with them.

Try: set THREADS to 20. Which of the two grows? What would a server with 2000 threads need?

New: steps 3a to 3g were all about PooledDB. This one shows what you would have without it.
"""

from collections.abc import Callable
from threading import Barrier, Thread

import pymysql
from dbutils.persistent_db import PersistentDB
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run
from demos.pool_demo.witness import Witness

THREADS = 8
POOLED = 3


def work(pool: PooledDB | PersistentDB, meet: Barrier) -> None:
    """Borrow, query, give back; then stay alive while the main thread counts."""
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
        del persistent  # the only way to close them all: close() is ignored
        witness.settle(0)

        limits = {"mincached": POOLED, "maxconnections": POOLED, "blocking": True}
        pool = PooledDB(creator=pymysql, **limits, **connect_args())
        turns = measure(pool, lambda: witness.settle(POOLED))
        pool.close()
    print(f"PersistentDB: {THREADS} threads, all gave back, {own} connections on the server")
    print(f"PooledDB:     {THREADS} threads, all gave back, {turns} connections on the server")
    conclude(
        f"PersistentDB needs {own / THREADS:g} connection per thread, PooledDB {turns} for all."
    )


if __name__ == "__main__":
    run(main)
