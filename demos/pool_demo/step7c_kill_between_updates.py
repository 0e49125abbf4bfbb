"""A5, A7: A kill between two updates creates money.

Source: A5 and A7 run their statements without begin(). A5 only reads. A7 commits what it writes.

See: 30 go from alice to bob with two updates. Between them the server kills the connection, and
undoes the first update. The naive teller does not notice: DBUtils runs the second update on a new
connection, and the commit succeeds. MysqlHelp raises an error, and no money has moved.

Try: call connection.begin() in `transfer` of naive/teller.py, after the checkout. What changes? And
who must remember this in every function?

New: step 7b lost a lock. Here the first half of a transaction is lost, and the second half is kept.
"""

from collections.abc import Callable

import pymysql

from demos.instruments.bank import GIVE, TAKE, Bank
from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller


def transfer(db: MysqlHelp, amount: int, between: Callable[[int], object]) -> None:
    """Move an amount from alice to bob: both updates, or none. Raises pymysql.Error."""
    with db.transaction():
        row = db.selectone("select connection_id() as id") or {}
        db.update(TAKE, (amount, "alice"))
        between(row["id"])
        db.update(GIVE, (amount, "bob"))


def outcome(bank: Bank, call: Callable[[], None]) -> dict[str, object]:
    """Run a transfer on accounts of 100. Returns its result and the balances on the server."""
    bank.open(alice=100, bob=100)
    try:
        call()
        said = "done"
    except pymysql.Error as error:
        said = f"{type(error).__name__} {error.args[0]}"
    return {"said": said, **bank.balances(), "total": bank.total()}


def main() -> None:
    """Transfer with both ways, with a KILL between the updates."""
    with Bank() as bank, Witness() as witness:
        pool, db = teller.open_pool(), MysqlHelp()
        naive = outcome(bank, lambda: teller.transfer(pool, "alice", "bob", 30, witness.kill))
        ours = outcome(bank, lambda: transfer(db, 30, witness.kill))
        again = outcome(bank, lambda: transfer(db, 30, lambda connection_id: None))
        pool.close()
        db.close()
    ways = {"naive, KILL": naive, "MysqlHelp, KILL": ours, "MysqlHelp, again": again}
    table("30 from alice to bob", [{"way": name, **row} for name, row in ways.items()])
    conclude(
        f"of 200 there are {naive['total']} after the naive transfer, which said {naive['said']}, "
        f"and {ours['total']} after MysqlHelp's, which raised {ours['said']}."
    )


if __name__ == "__main__":
    run(main)
