"""A4: maxusage counts statements, not checkouts.

Source: A4 has maxusage=None: a connection may be used again without a limit.

See: maxusage is 3. First, five checkouts without a statement keep the connection. Then each
checkout runs two statements. The connection changes after every third statement, in the middle of a
checkout.

Try: set MAXUSAGE to 1. Then begin a transaction in `ids_of` with connection.begin(): does the
connection still change in the middle?

New: steps 3a to 3c were about how many connections there are. This step is about how long one
lives.
"""

from string import ascii_uppercase

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run, table
from demos.pool_demo.settings import connect_args

MAXUSAGE = 3


def ids_of(pool: PooledDB, statements: int) -> list[int]:
    """Borrow once, run statements, and return the connection id that each one saw."""
    connection = pool.connection()
    found = []
    with connection.cursor() as cursor:
        for _ in range(statements):
            cursor.execute("select connection_id()")
            found.append(cursor.fetchone()[0])
    connection.close()
    return found


def in_letters(checkouts: list[list[int]]) -> list[list[str]]:
    """Call the connection that appears first A, the next one B, and so on."""
    ids = list(dict.fromkeys(one for found in checkouts for one in found))
    return [[ascii_uppercase[ids.index(one)] for one in found] for found in checkouts]


def main() -> None:
    """Count the statements of each connection."""
    pool = PooledDB(creator=pymysql, maxconnections=1, maxusage=MAXUSAGE, **connect_args())
    for _ in range(5):
        ids_of(pool, statements=0)
    rows: list[dict[str, int]] = []
    for checkout in range(1, 5):
        for found in ids_of(pool, statements=2):
            rows.append({"checkout": checkout, "statement": len(rows) + 1, "connection": found})
    pool.close()
    table(f"maxusage={MAXUSAGE}", rows)
    ids = [row["connection"] for row in rows]
    lives = [ids.count(one) for one in dict.fromkeys(ids)]
    conclude(
        f"the connections lived for {lives} statements; "
        f"the {5 + rows[-1]['checkout']} checkouts did not count."
    )


if __name__ == "__main__":
    run(main)
