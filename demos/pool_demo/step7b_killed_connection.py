"""A4, A5: A killed connection loses its locks.

Source: A4 has ping=0, so the pool checks no connection. If a statement fails on a dead connection,
DBUtils repeats it on a new one. For a query alone that is useful.

See: two tellers pay one salary of 100 under a lock (get_lock). The server kills the first teller's
connection while it holds the lock. The naive teller goes on, on a connection without the lock, and
the salary is paid twice. In a transaction of MysqlHelp the teller gets an error. After that, a
query alone on killed connections: both ways answer it.

Try: set ping=7 in naive/teller.py. Does the teller learn now that the lock is lost?

New: step 7a broke all connections at the same time. Here one connection dies, and it held a lock.
"""

from collections.abc import Callable
from functools import partial
from threading import Thread

import pymysql

from demos.instruments.bank import GIVE, Bank
from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller
from demos.pool_demo.settings import load

Between = Callable[[int], object]  # what happens after the teller has read the account

SEE = "select balance from account where name = 'alice'"


def pay_once(db: MysqlHelp, lock: str, between: Between) -> str:
    """Pay alice, if she has no salary yet, under a lock that belongs to the connection."""
    with db.transaction():
        got = db.selectone("select get_lock(%s, 1) as got, connection_id() as id", (lock,)) or {}
        paid = (db.selectone(SEE) or {})["balance"]
        between(got["id"])
        if got["got"] and not paid:
            db.update(GIVE, (100, "alice"))
            return "paid 100"
    return "paid nothing"


def pay_day(name: str, bank: Bank, witness: Witness, pay: Callable[[Between], str]) -> int:
    """Let two tellers pay; the first one loses its connection. Returns the balance of alice."""
    bank.open(alice=0)

    def interrupt(connection_id: int) -> None:
        witness.kill(connection_id)
        second = Thread(target=lambda: print(f"{name}: second teller {pay(lambda _: None)}"))
        second.start()
        second.join()

    try:
        print(f"{name}: first teller {pay(interrupt)}")
    except pymysql.Error as error:
        print(f"{name}: first teller was told: {type(error).__name__} {error.args}")
    return bank.total()


def main() -> None:
    """Kill the connection of one of two tellers, then idle connections, with both ways."""
    with Bank() as bank, Witness() as witness:
        lock = f"{load().database}.payday"[-64:]  # the name of a lock is valid for the whole server
        pool, db = teller.open_pool(), MysqlHelp()
        naive = pay_day("naive", bank, witness, partial(teller.pay_once, pool, lock))
        ours = pay_day("MysqlHelp", bank, witness, partial(pay_once, db, lock))
        for connection_id in witness.ids():
            witness.kill(connection_id)
        answers = [teller.balance(pool, "alice"), (db.selectone(SEE) or {}).get("balance")]
        print(f"a lone query after a KILL of all: {answers}, and alice has {bank.total()}")
        pool.close()
        db.close()
    conclude(f"of one salary of 100 alice has {naive} by the naive tellers, {ours} by MysqlHelp.")


if __name__ == "__main__":
    run(main)
