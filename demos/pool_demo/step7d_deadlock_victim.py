"""A5, A7: Two transfers in opposite directions, and a deadlock.

Source: A5 and A7 run their statements without begin(). A5 only reads. A7 commits what it writes.

See: 10 go from alice to bob, and at the same time 10 from bob to alice. Each transfer has locked
one account and needs the other one: a deadlock. The server chooses a victim, undoes its transaction
and answers with error 1213. DBUtils repeats only the victim's second update, so 10 appear from
nowhere. MysqlHelp raises 1213, and the whole transfer runs again.

Try: replace `lambda _: meet.wait()` by `lambda _: None`, and run the step a few times. How often is
there a victim now? How would you find this fault in a test?

New: in step 7c the connection died. Here it is alive, and only the transaction was undone.
"""

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread

import pymysql
from pymysql.constants import ER

from demos.instruments.bank import GIVE, TAKE, Bank
from demos.instruments.screen import conclude, run
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller

Between = Callable[[int], object]  # what happens between the updates; gets the connection's id


def transfer(db: MysqlHelp, payer: str, payee: str, amount: int, between: Between) -> None:
    """Move an amount: both updates, or none. Raises pymysql.OperationalError 1213 for a victim."""
    with db.transaction():
        db.update(TAKE, (amount, payer))
        between(0)
        db.update(GIVE, (amount, payee))


def transfer_again(db: MysqlHelp, payer: str, payee: str, amount: int, between: Between) -> None:
    """Transfer; if it was the victim, repeat it from its beginning."""
    try:
        transfer(db, payer, payee, amount, between)
    except pymysql.OperationalError as error:
        if error.args[0] != ER.LOCK_DEADLOCK:
            raise
        print(f"  {payer}'s transfer is the victim, and runs again: {error.args}")
        transfer(db, payer, payee, amount, lambda _: None)


def cross(bank: Bank, move: Callable[[str, str, int, Between], None]) -> int:
    """Run two transfers that each lock one account and then need the other. Returns the total."""
    bank.open(alice=100, bob=100)
    meet = Barrier(2, timeout=10)
    threads = [
        Thread(target=move, args=(payer, payee, 10, lambda _: meet.wait()))
        for payer, payee in (("alice", "bob"), ("bob", "alice"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"  {bank.balances()}")
    return bank.total()


def main() -> None:
    """Run two opposite transfers, with both ways."""
    with Bank() as bank:
        pool, db = teller.open_pool(), MysqlHelp()
        print("naive:")
        naive = cross(bank, partial(teller.transfer, pool))
        print("MysqlHelp:")
        ours = cross(bank, partial(transfer_again, db))
        pool.close()
        db.close()
    conclude(
        f"of 200 there are {naive} after the naive transfers, and {ours} after those of MysqlHelp."
    )


if __name__ == "__main__":
    run(main)
