"""A5, A7: Two transfers that cross, and the victim of their deadlock.

Source: A5 and A7 run their statements without begin(). A5 only reads; A7 commits what it writes.

See: 10 go from alice to bob, and 10 from bob to alice, at the same time. Each has updated one
account and needs the other's. The server picks a victim, undoes it and answers 1213. DBUtils
repeats the victim's second update alone, and 10 appear. MysqlHelp raises 1213, and the whole
transfer runs again.

Try: let nobody meet (`lambda _: None` for `lambda _: meet.wait()`), and run it a few times. How
often is there a victim now, and how would you find this fault in a test?

New: in step 7c the connection died. Here it lives, and only the transaction was undone.
"""

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread

import pymysql
from pymysql.constants import ER

from demos.pool_demo.bank import GIVE, TAKE, Bank
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller
from demos.pool_demo.show import conclude, run

Between = Callable[[int], object]  # what happens between the updates; gets the connection's id


def transfer(db: MysqlHelp, payer: str, payee: str, amount: int, between: Between) -> None:
    """Move an amount: both updates, or none. Raises pymysql.OperationalError 1213 for a victim."""
    with db.transaction():
        db.update(TAKE, (amount, payer))
        between(0)
        db.update(GIVE, (amount, payee))


def transfer_again(db: MysqlHelp, payer: str, payee: str, amount: int, between: Between) -> None:
    """Transfer, and if that was a victim, once more from its beginning."""
    try:
        transfer(db, payer, payee, amount, between)
    except pymysql.OperationalError as error:
        if error.args[0] != ER.LOCK_DEADLOCK:
            raise
        print(f"  {payer}'s transfer is the victim, and begins again: {error.args}")
        transfer(db, payer, payee, amount, lambda _: None)


def cross(bank: Bank, move: Callable[[str, str, int, Between], None]) -> int:
    """Run two transfers, until each has one account locked, then on; return what is there then."""
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
    """Cross two transfers, by both ways."""
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
