"""A5, A7: The server stops and starts again.

Source: A7's MysqlHelp, with the execute of its comment, hides the error of a statement (E10). The
naive teller here is our own code and hides the error in the same way. A7's own update commits a
second time, so it raises InterfaceError (0, '') when the connection is lost.

See: a deposit of 10 and a query of the balance, at three moments: before the server stops, while it
is stopped, and after it has started. The naive teller returns True each time. While the server is
stopped, it says that there is no account (None). MysqlHelp raises error 2003. When the server is
back, both work again at the first attempt.

Try: begin a transaction before relay.close(), and continue it after relay.open().

New: steps 1 to 6 had a server that works. Here a relay, a program between us and the server, breaks
all connections and refuses new ones. That is what clients see of a restart. Your server itself
keeps running, so one part is missing: what a server does when it starts, such as undoing
transactions without a commit.
"""

from collections.abc import Callable

import pymysql

from demos.instruments.bank import GIVE, Bank
from demos.instruments.closable_port import Relay
from demos.instruments.screen import conclude, run, table
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller

BALANCE = "select balance from account where name = 'alice'"


def said(call: Callable[[], object]) -> str:
    """Return the result of the call, or the error that it raised."""
    try:
        return str(call())
    except pymysql.Error as error:
        return f"error {error.args[0]}"


def three_moments(
    way: str, bank: Bank, relay: Relay, deposit: Callable[[], bool], balance: Callable[[], object]
) -> str:
    """Deposit before, during and after; return how many were reported, and how many are there."""
    bank.open(alice=100)
    rows: list[dict[str, object]] = []
    for moment, change in (("before", None), ("away", relay.close), ("back", relay.open)):
        if change:
            change()
        answers = {"deposit": said(deposit), "balance": said(balance)}
        rows.append({"moment": moment, **answers, "really": bank.total()})
    table(way, rows)
    told = sum(row["deposit"] == "True" for row in rows)
    return f"{way} said True to {told} deposits, of which {(bank.total() - 100) // 10} arrived"


def main() -> None:
    """Deposit at three moments, with both tellers."""
    with Bank() as bank, Relay() as relay:
        pool, db = teller.open_pool(relay.settings), MysqlHelp(relay.settings)
        naive = three_moments(
            "naive",
            bank,
            relay,
            lambda: teller.deposit(pool, "alice", 10),
            lambda: teller.balance(pool, "alice"),
        )
        ours = three_moments(
            "MysqlHelp",
            bank,
            relay,
            lambda: db.update(GIVE, (10, "alice")),
            lambda: (db.selectone(BALANCE) or {}).get("balance"),
        )
        pool.close()
        db.close()
    conclude(f"{naive}; {ours}.")


if __name__ == "__main__":
    run(main)
