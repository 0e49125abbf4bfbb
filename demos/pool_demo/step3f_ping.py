"""A4: Every value of ping against a connection that the server has ended.

Source: A4 lists ping: 0 never, 1 at checkout, 2 when a cursor is made, 4 when a statement runs,
7 always.

See: a table with one row per value. An idle connection was killed before the checkout. The
columns say whether the borrower holds the dead connection or a new one, with its id, and what the
query gives. The last column is the same with begin(): there only a check at checkout helps.

Try: kill between begin() and the query instead. Which value of ping saves that transaction?

New: step 3d replaced connections that were too old. Here they are dead, and ping=0, as the source
has it, stops the checks but not the fail-over: DBUtils repeats the statement on a new connection.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run, table
from demos.pool_demo.witness import Witness


def trial(witness: Witness, ping: int, begin: bool) -> dict[str, str]:
    """Kill a pool's idle connection, borrow it, query; say which connection is there when."""
    pool = PooledDB(creator=pymysql, mincached=1, maxconnections=1, ping=ping, **connect_args())
    (old,) = witness.ids()
    witness.kill(old)
    connection = pool.connection()
    seen = {}

    def look(moment: str) -> None:
        now = connection.dbapi_connection.thread_id()
        seen[moment] = f"{'dead' if now == old else 'new'} {now}"

    look("checkout")
    try:
        if begin:
            connection.begin()
        with connection.cursor() as cursor:
            look("cursor()")
            cursor.execute("select 'answer'")
            look("execute()")
            seen["query"] = cursor.fetchone()[0]
    except pymysql.Error as error:
        seen["query"] = f"error {error.args[0]}"
    connection.close()
    pool.close()
    witness.settle(0)
    return seen


def main() -> None:
    """Try the five values, without and with a transaction."""
    rows: list[dict[str, object]] = []
    with Witness() as witness:
        for ping in (0, 1, 2, 4, 7):
            alone = trial(witness, ping, begin=False)
            begun = trial(witness, ping, begin=True)
            rows.append({"ping": ping, **alone, "begin() and query": begun["query"]})
    table("After a KILL of the idle connection", rows)
    answered = [row["ping"] for row in rows if row["query"] == "answer"]
    within = [row["ping"] for row in rows if row["begin() and query"] == "answer"]
    conclude(
        f"a lone query is answered with ping in {answered}, by check or by fail-over; "
        f"a transaction only with ping in {within}."
    )


if __name__ == "__main__":
    run(main)
