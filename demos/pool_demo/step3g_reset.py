"""A4, A5: What happens to a transaction that a borrower did not finish.

Source: A5 closes the connection, which returns it to the pool. The parameter `reset` decides what
happens to an update that was not committed. A4 does not set it, so it has its default, True.

See: the first borrower sets the age of 韩雪 to 99 and gives back without a commit. The second
borrower, on the same connection, changes another row and commits. With reset=True the 99 is undone.
With False or None the commit includes it, unless the first borrower had called begin().

Try: let the first borrower use `with pool.connection() as connection:`. Does that commit?

New: in step 3e the next borrower found variables. Here it finds an unfinished transaction.
"""

import pymysql
from dbutils.pooled_db import PooledDB

from demos.instruments.screen import conclude, run, table
from demos.pool_demo.seed import restored
from demos.pool_demo.settings import connect_args


def borrow_twice(reset: bool | None, begin: bool) -> int:
    """The first borrower forgets the commit, the next one commits. Returns the age that stays."""
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
    conclude(f"with reset in {published} the next borrower commits the first one's update.")


if __name__ == "__main__":
    run(main)
