"""A4, A5: Borrow, query, give back.

Source: A4 makes POOL in a module of its own, and explains its limits (pool.py); A5 borrows a
connection, reads student with a DictCursor, and closes cursor and connection.

See: the three rows of student, one dict a line, and nothing else.

Try: print `connection` before and after `connection.close()`. Then use it after it was closed.

New: step 1 connected and disconnected. Here close() returns the connection to the pool, open.
"""

from pymysql.cursors import DictCursor

from demos.pool_demo.show import run


def main() -> None:
    """Print the rows of `student`."""
    # Importing the module opens the pool, so it waits until the step begins.
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
