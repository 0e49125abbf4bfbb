"""A5, A7: The server goes away and comes back.

Source: A7's MysqlHelp, over the execute of its comment, swallows the error of a statement (E10).
The naive teller here is ours and does no more than that. A7's own update commits once more, so it
raises InterfaceError (0, '') when the connection is lost.

See: a deposit of 10, and a look at the balance, before, while the server is away, and after. The
naive teller says True each time, and that the account is not there (None). MysqlHelp raises error
2003. When the server is back, both go on at the first attempt.

Try: begin a transaction before relay.close(), and go on in it after relay.open().

New: steps 1 to 6 had a healthy server. Here a relay between us and it breaks all connections and
refuses new ones, which is what clients see of a restart. Your server itself keeps running: what it
does when it starts, such as undoing what was not committed, is the only part left out.
"""

from collections.abc import Callable

import pymysql

from demos.pool_demo.bank import GIVE, Bank
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive import teller
from demos.pool_demo.relay import Relay
from demos.pool_demo.show import conclude, run, table

BALANCE = "select balance from account where name = 'alice'"


def said(call: Callable[[], object]) -> str:
    """Return what the call returned, or which error it raised."""
    try:
        return str(call())
    except pymysql.Error as error:
        return f"error {error.args[0]}"


def three_moments(
    way: str, bank: Bank, relay: Relay, deposit: Callable[[], bool], balance: Callable[[], object]
) -> str:
    """Try before, during and after; return how many deposits were said to be done, and were."""
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
    """Deposit at three moments, by both ways."""
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
