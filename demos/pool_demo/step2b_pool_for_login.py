"""B7: The same pool serves the log-in.

Source: B7 makes the pool of A4 again, with maxshared=3, the password 123456 and another database.
Log-in and registration borrow from it. Here user, password and database come from the settings.

See: four log-ins. One of them succeeds. The last line says how many connections the server saw.

Try: log in as one of the other users of sql/seed.sql. Set mincached=0: how many connections are
there now?

New: step 2 ran one query. Here a function borrows for each log-in, and always gives back, even
after an error. The source's log-in does not do this. maxshared=3 changes nothing: step 3c shows
why.
"""

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import DictCursor
from werkzeug.security import check_password_hash

from demos.instruments.screen import conclude, run
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args

LIMITS = {"maxconnections": 6, "mincached": 2, "maxcached": 5, "maxshared": 3, "blocking": True}


def log_in(pool: PooledDB, name: str, password: str) -> bool:
    """Return whether the user exists and the password fits the stored hash."""
    connection = pool.connection()
    try:
        with connection.cursor(DictCursor) as cursor:
            cursor.execute("select password from userinfo where name = %s", (name,))
            row = cursor.fetchone()
    finally:
        connection.close()
    return row is not None and check_password_hash(row["password"], password)


def main() -> None:
    """Try four log-ins over one pool."""
    tries = [("韩雪", "let-me-learn"), ("韩雪", "123456"), ('韩雪"-- ', ""), ("nobody", "")]
    with Witness() as witness:
        pool = PooledDB(creator=pymysql, **LIMITS, ping=0, **connect_args())
        results = [log_in(pool, name, password) for name, password in tries]
        for (name, password), welcome in zip(tries, results, strict=True):
            print(f"{name!r} with {password!r}: {'welcome' if welcome else 'refused'}")
        connections = witness.settle(2)
        pool.close()
    conclude(f"{len(tries)} log-ins, {sum(results)} let in, over {connections} connections.")


if __name__ == "__main__":
    run(main)
