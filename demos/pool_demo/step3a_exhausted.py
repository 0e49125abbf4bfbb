"""A1, A5: What a caller gets when all connections are borrowed.

Source: A5 says: below the maximum, the caller gets an idle connection or a new one. At the maximum
the caller waits, or gets the error TooManyConnections with blocking=False. Today that error is
called TooManyConnectionsError; the old name still works.

See: with blocking=False the caller gets an error at once. With blocking=True three callers wait.
Each goes on when a connection comes back. The server never has more than two connections.

Try: make HOLD longer. Then leave out the two close() calls in `wait`: the callers wait for ever,
because the pool has no time-out. Ctrl-C ends the step.

New: step 2 borrowed one connection. Here there are more callers than connections.
"""

import time
from threading import Thread

import pymysql
from dbutils.pooled_db import PooledDB, TooManyConnections

from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args

HOLD = 0.4  # seconds for which two borrowers keep their connections


def refuse() -> str:
    """Borrow three times from a pool of two, with blocking=False; return the error's name."""
    pool = PooledDB(creator=pymysql, maxconnections=2, blocking=False, **connect_args())
    borrowed = [pool.connection(), pool.connection()]
    try:
        borrowed.append(pool.connection())
        return "no error"
    except TooManyConnections as error:
        return type(error).__name__
    finally:
        for connection in borrowed:
            connection.close()
        pool.close()


def wait(witness: Witness) -> tuple[list[float], int]:
    """Let three callers wait for two connections.

    Returns how long each waited, in seconds, and the number of connections on the server.
    """
    pool = PooledDB(creator=pymysql, maxconnections=2, blocking=True, **connect_args())
    borrowed = [pool.connection(), pool.connection()]
    waits: list[float] = []

    def caller() -> None:
        began = time.perf_counter()
        connection = pool.connection()
        waits.append(time.perf_counter() - began)
        connection.close()

    callers = [Thread(target=caller, daemon=True) for _ in range(3)]
    for thread in callers:
        thread.start()
    time.sleep(HOLD)
    connections = witness.settle(2)
    for connection in borrowed:
        connection.close()
    for thread in callers:
        thread.join()
    pool.close()
    return waits, connections


def main() -> None:
    """Borrow all connections of a pool of two, with both values of blocking."""
    with Witness() as witness:
        error = refuse()
        print(f"blocking=False: the third caller gets {error}")
        witness.settle(0)
        waits, connections = wait(witness)
        for seconds in waits:
            print(f"blocking=True: a caller waited {seconds:.2f} s for a connection")
    conclude(
        f"at the maximum, blocking=False means {error}; blocking=True means waiting, here "
        f"{min(waits):.2f} s or more, while the server has {connections} connections."
    )


if __name__ == "__main__":
    run(main)
