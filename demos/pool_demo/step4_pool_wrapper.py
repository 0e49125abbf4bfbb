"""A6: The pool behind a context manager.

Source: A6 keeps the server's address and the pool's limits in DB_config. It wraps the pool in
PTConnectionPool, which borrows at the start of a block and gives back at its end. getconn() returns
a cursor and a connection. getPTConnection() makes a wrapper.

See: eight threads use the wrapper at the same time. They make one pool of 10 connections. Rows are
dicts. An error inside the block undoes the block's changes.

Try: leave out db.conn.commit() in `rename`. Is the new name there? Why not?

New: in steps 2 and 3 every user closed cursor and connection. Here the end of the block does that,
and limits and address come from settings.py.
"""

from threading import Thread

from demos.instruments.screen import conclude, run, table
from demos.instruments.witness import Witness
from demos.pool_demo.ptpool import PTConnectionPool, getPTConnection
from demos.pool_demo.seed import restored


def read() -> str:
    """Return the name of student 1."""
    with getPTConnection() as db:
        db.cursor.execute("select name from student where id = 1")
        return str(db.cursor.fetchone()["name"])


def rename(name: str, fail: bool) -> None:
    """Rename student 1. With `fail`, raises RuntimeError before the commit."""
    with getPTConnection() as db:
        db.cursor.execute("update student set name = %s where id = 1", (name,))
        if fail:
            raise RuntimeError("before the commit")
        db.conn.commit()


def main() -> None:
    """Use every way to borrow that the wrapper has."""
    with Witness() as witness, restored("student"):
        callers = [Thread(target=read) for _ in range(8)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        connections = witness.settle(10)

        cursor, connection = getPTConnection().getconn()
        cursor.execute("select * from student")
        table("getconn(): a cursor and a connection", cursor.fetchall())
        cursor.close()
        connection.close()

        names = []
        for new, fail in (("小甜甜", True), ("赵丽颖", False)):
            try:
                rename(new, fail)
            except RuntimeError as error:
                print(f"the block failed {error}")
            names.append(read())
        PTConnectionPool.close_pool()
    conclude(
        f"{len(callers)} first callers made one pool of {connections} connections. "
        f"After the failed block the name was {names[0]}, after the other block {names[1]}."
    )


if __name__ == "__main__":
    run(main)
