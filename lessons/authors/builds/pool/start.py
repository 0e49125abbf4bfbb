"""Your pool, in about forty lines.

Write a class `Pool`. The judge imports this file and uses the class like this:

    pool = Pool(connect, size, timeout)
    with pool.connection() as connection:
        connection.cursor().execute("select 1")
    pool.close()

- `connect` is a function without arguments. It opens a new connection to the course's database and
  returns it, as `pymysql.connect` does, or raises.
- `size` is the number of connections that may be open at the same time, at most.
- `timeout` is how many seconds a borrower waits for a connection. After that: TimeoutError.
- Many threads use one pool at the same time.
- What the block did is kept only if the block called `connection.commit()`.

You may import the standard library and pymysql. Do not import dbutils or demos.pool_demo: what they
do is what you build.
"""
