"""A4: setsession runs once per connection, and what a borrower sets stays.

Source: A4 has setsession=[], a list of statements that prepare the session.

See: the statement of setsession has run once after three checkouts, not three times. What the
first borrower then sets (a variable, a temporary table), the second one finds.

Try: set maxconnections=2 and borrow a connection just before the secret is asked for. Who has it
now?

New: step 3d replaced connections. Here one is used again, and it remembers.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run

PREPARE = ["set @prepared = coalesce(@prepared, 0) + 1"]


def ask(pool: PooledDB, *statements: str) -> object:
    """Borrow once, run the statements, and return the first value of the last answer."""
    connection = pool.connection()
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        row = cursor.fetchone()
    connection.commit()
    connection.close()
    return row[0] if row else None


def main() -> None:
    """Prepare a session, leave something in it, and look with the next borrower's eyes."""
    pool = PooledDB(creator=pymysql, maxconnections=1, setsession=PREPARE, **connect_args())
    times = [ask(pool, "select cast(@prepared as signed)") for _ in range(3)][-1]
    print(f"setsession has run {times} time(s) after 3 checkouts")
    ask(
        pool,
        "set @secret = 'of the first borrower'",
        "create temporary table basket (item varchar(20))",
        "insert into basket values ('apples')",
    )
    secret = ask(pool, "select @secret")
    basket = ask(pool, "select item from basket")
    print(f"the next borrower reads @secret: {secret!r}, and the temporary table: {basket!r}")
    pool.close()
    leaks = [name for name, value in [("@secret", secret), ("basket", basket)] if value]
    conclude(f"setsession ran {times} time(s); the next borrower inherited {leaks}.")


if __name__ == "__main__":
    run(main)
