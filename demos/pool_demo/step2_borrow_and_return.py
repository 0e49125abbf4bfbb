"""A4, A5: Borrow, query, give back.

Source: A4 makes POOL in a module of its own and explains its limits (pool.py). A5 borrows a
connection, reads student with a DictCursor, and closes the cursor and the connection.

See: the three rows of student, one dict on each line.

Try: print `connection` before and after `connection.close()`. Then use it after close().

New: step 1 opened a connection and closed it. Here close() returns the connection to the pool, and
the pool keeps it open.
"""

from pymysql.cursors import DictCursor

from demos.instruments.screen import run


def main() -> None:
    """Print the rows of `student`."""
    # The import opens the pool, so it stands here and not at the top of the file.
    from demos.pool_demo.pool import POOL

    connection = POOL.connection()
    cursor = connection.cursor(DictCursor)
    cursor.execute("select * from student")
    for row in cursor.fetchall():
        print(row)
    cursor.close()
    connection.close()
    POOL.close()


if __name__ == "__main__":
    run(main)
