"""A1, A5: A function that borrows calls a function that borrows.

Source: A1 says that callers beyond the maximum wait; A4 has maxconnections=6 and blocking=True. For
how long they wait is not said: for ever.

See: six callers hold one of six connections each, and each calls a function that borrows another
one. Two seconds later nobody has gone on, and no connection is at work; nothing would end that. The
step takes the connections away from their borrowers, and they finish. With MysqlHelp the inner call
uses the connection of the transaction around it. Where there is none, a time-out says what is up.

Try: set maxconnections=7 in naive/teller.py. Why is one more enough? And how many callers can six
connections bear?

New: in steps 7a to 7d a connection was lost. Here all are well, and there is no end to the waiting.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from typing import Any

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import nested_checkout, teller
from demos.pool_demo.show import conclude, run
from demos.pool_demo.turnstile import PoolTimeout
from demos.pool_demo.witness import Witness

CALLERS = 6
Meet = Callable[[], object]  # waits until all callers hold a connection


def report(db: MysqlHelp, meet: Meet) -> str:
    """Read in a transaction, and call `name_of`, which reads too."""
    with db.transaction():
        meet()
        row = db.selectone("select max(id) as id from student") or {}
        return name_of(db, row["id"])


def name_of(db: MysqlHelp, student_id: int) -> str:
    """Return a student's name."""
    sql = "select name from student where id = %s"
    return str((db.selectone(sql, (student_id,)) or {})["name"])


def count_waiting(witness: Witness, call: Callable[[Meet], str], held: list[Any]) -> int:
    """Return how many callers wait two seconds after all meet; then give back what is `held`."""
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
    """Nest, by both ways; then with MysqlHelp outside of a transaction."""
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
