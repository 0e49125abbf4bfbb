"""A1, A5: A function that borrows calls another function that borrows.

Source: A1 says that callers beyond the maximum wait. A4 has maxconnections=6 and blocking=True. The
source does not say how long they wait: for ever.

See: six callers hold one of six connections each. Each calls a function that borrows another one.
Two seconds later all six still wait, and no connection is busy. They would wait for ever. Then the
step gives the connections back, and the callers finish. With MysqlHelp the inner function uses the
connection of the transaction around it. Without a transaction, a time-out ends the wait with an
error message.

Try: set maxconnections=7 in naive/teller.py. Why is one more enough? With how many callers do six
connections still work?

New: in steps 7a to 7d a connection was lost. Here all connections work, but the callers wait for
each other.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from typing import Any

from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.lending.turnstile import PoolTimeout
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import nested_checkout, teller

CALLERS = 6
Meet = Callable[[], object]  # waits until all callers hold a connection


def report(db: MysqlHelp, meet: Meet) -> str:
    """Read in a transaction, and call `name_of`, which also reads."""
    with db.transaction():
        meet()
        row = db.selectone("select max(id) as id from student") or {}
        return name_of(db, row["id"])


def name_of(db: MysqlHelp, student_id: int) -> str:
    """Return a student's name."""
    sql = "select name from student where id = %s"
    return str((db.selectone(sql, (student_id,)) or {})["name"])


def count_waiting(witness: Witness, call: Callable[[Meet], str], held: list[Any]) -> int:
    """Return how many callers still wait after two seconds; then give back the `held` ones."""
    meet = Barrier(CALLERS + 1, timeout=60)
    with ThreadPoolExecutor(CALLERS) as callers:
        futures = [callers.submit(call, meet.wait) for _ in range(CALLERS)]
        try:
            meet.wait()
            waiting = len(wait(futures, timeout=2).not_done)
            idle = sum(connection.command == "Sleep" for connection in witness.seen())
            print(f"  {waiting} of {CALLERS} wait; idle connections: {idle}")
        finally:
            for connection in held:
                connection.close()
        print(f"  then: {[future.result() for future in futures]}")
    return waiting


def main() -> None:
    """Borrow inside a borrow, with both ways; then with MysqlHelp without a transaction."""
    print("naive, then MysqlHelp:")
    with Witness() as witness:
        pool, held = teller.open_pool(), list[Any]()
        naive = count_waiting(witness, partial(nested_checkout.report, pool, held), held)
        pool.close()
        witness.settle(0)
        db = MysqlHelp(connections=CALLERS, wait=0.5)
        ours = count_waiting(witness, partial(report, db), [])
    told = "nothing"
    try:
        with ExitStack() as borrowed:
            [borrowed.enter_context(db.lender.lend()) for _ in range(CALLERS + 1)]
    except PoolTimeout as error:
        told = f"{type(error).__name__}: {error}"
    db.close()
    conclude(
        f"{naive} of {CALLERS} naive callers waited for each other, and {ours} of {CALLERS} of "
        f"MysqlHelp's. Who borrows too many outside of a transaction is told {told}."
    )


if __name__ == "__main__":
    run(main)
