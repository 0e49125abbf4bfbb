"""A4: Every value of ping with a connection that the server has ended.

Source: A4 lists the values of ping: 0 never, 1 at checkout, 2 when a cursor is made, 4 when a
statement runs, 7 always.

See: a table with one row for each value. The server ended an idle connection before the checkout.
The columns say whether the borrower holds the dead connection or a new one, and the result of a
query. The last column is the result after begin(): there only a check at checkout helps.

Try: end the connection between begin() and the query instead. Which value of ping saves that
transaction?

New: step 3d replaced connections after many statements. Here a connection is dead. The source's
ping=0 switches the checks off, but not the fail-over: DBUtils repeats a failed statement on a new
connection.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args


def trial(witness: Witness, ping: int, begin: bool) -> dict[str, str]:
    """End a pool's idle connection, borrow it and query.

    Returns "dead" or "new" for each moment: the connection that the borrower holds then. And for
    the query: its answer, or "error".
    """
    pool = PooledDB(creator=pymysql, mincached=1, maxconnections=1, ping=ping, **connect_args())
    (old,) = witness.ids()
    witness.kill(old)
    connection = pool.connection()
    seen = {}

    def look(moment: str) -> None:
        now = connection.dbapi_connection.thread_id()
        seen[moment] = "dead" if now == old else "new"

    look("checkout")
    try:
        if begin:
            connection.begin()
        with connection.cursor() as cursor:
            look("cursor()")
            cursor.execute("select 'answer'")
            look("execute()")
            seen["query"] = cursor.fetchone()[0]
    except pymysql.Error:
        seen["query"] = "error"
    connection.close()
    pool.close()
    witness.settle(0)
    return seen


def compare(witness: Witness, ping: int) -> dict[str, object]:
    """Return the table's row for one value of ping: a query alone, and one after begin()."""
    alone = trial(witness, ping, begin=False)
    begun = trial(witness, ping, begin=True)
    return {"ping": ping, **alone, "after begin()": begun["query"]}


def main() -> None:
    """Try the five values, without and with a transaction."""
    with Witness() as witness:
        rows = [compare(witness, ping) for ping in (0, 1, 2, 4, 7)]
    table("The server ended the idle connection", rows)
    answered = [row["ping"] for row in rows if row["query"] == "answer"]
    within = [row["ping"] for row in rows if row["after begin()"] == "answer"]
    conclude(
        f"a query alone gets its answer with ping in {answered}, by a check or by fail-over; "
        f"a transaction only with ping in {within}."
    )


if __name__ == "__main__":
    run(main)
