"""A4, A5: What happens to the last borrower's unfinished work.

Source: A5 closes the connection, which returns it. What becomes of an update that nobody committed
is decided by `reset`, which A4 does not name, so that its default True holds.

See: the first borrower sets the age of 韩雪 to 99 and returns without a commit. The second one, on
the same connection, changes something else and commits. With reset=True the 99 is undone. With
False or None it is published, unless the first borrower had called begin().

Try: let the first borrower use `with pool.connection() as connection:`. Does that commit?

New: step 3e leaked variables to the next borrower. Here it is a half-done transaction.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.pool_demo.seed import restored
from demos.pool_demo.settings import connect_args
from demos.pool_demo.show import conclude, run, table


def borrow_twice(reset: bool | None, begin: bool) -> int:
    """Let one borrower forget the commit and the next one commit; return the age that stays."""
    pool = PooledDB(creator=pymysql, maxconnections=1, reset=reset, **connect_args())
    first = pool.connection()
    if begin:
        first.begin()
    with first.cursor() as cursor:
        cursor.execute("update student set age = 99 where name = '韩雪'")
    first.close()

    second = pool.connection()
    with second.cursor() as cursor:
        cursor.execute("update student set age = 30 where name = '舒畅'")
        second.commit()
        cursor.execute("select age from student where name = '韩雪'")
        age = cursor.fetchone()[0]
        second.commit()
    second.close()
    pool.close()
    return int(age)


def main() -> None:
    """Try every value of reset, without and with begin()."""
    rows: list[dict[str, object]] = []
    for reset in (True, False, None):
        row: dict[str, object] = {"reset": reset}
        for begin in (False, True):
            with restored("student"):
                age = borrow_twice(reset, begin)
            row["with begin()" if begin else "without begin()"] = "99" if age == 99 else "undone"
        rows.append(row)
    table("The first borrower's uncommitted 99", rows)
    published = [row["reset"] for row in rows if row["without begin()"] == "99"]
    conclude(f"an uncommitted update is published by the next borrower with reset in {published}.")


if __name__ == "__main__":
    run(main)
