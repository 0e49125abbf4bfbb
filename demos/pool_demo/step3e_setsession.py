"""A4: setsession runs once per connection, and the next borrower finds what the last one set.

Source: A4 has setsession=[], a list of statements that prepare the session.

See: after three checkouts, the statement of setsession has run once, not three times. Then the
first borrower sets a variable and makes a temporary table. The second borrower finds both.

Try: set maxconnections=2 and borrow a connection just before the line that reads @secret. What does
that line read now?

New: step 3d replaced connections. Here one connection is used again, with its variables and tables.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run
from demos.pool_demo.settings import connect_args

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
    """Set something as one borrower, and read it as the next borrower."""
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
    conclude(f"setsession ran {times} time(s); the next borrower found {leaks}.")


if __name__ == "__main__":
    run(main)
