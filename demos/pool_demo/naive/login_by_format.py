"""E5, E14: log-in and registration with SQL by %, and passwords in clear, as in B3.

Right: the table `userinfo` of sql/seed.sql takes only hashes, and step2b_pool_for_login.py passes
parameters. The functions work on a table `userinfo` that accepts clear passwords: `clear_passwords`
makes one that only the given connection sees, in front of the real one.
"""

import pymysql


def clear_passwords(connection: pymysql.Connection, users: dict[str, str]) -> None:
    """Hide the real `userinfo` from this connection behind a temporary one; {name: password}."""
    with connection.cursor() as cursor:
        cursor.execute("create temporary table userinfo (name varchar(32), password varchar(64))")
        cursor.executemany("insert into userinfo values (%s, %s)", list(users.items()))


def log_in(connection: pymysql.Connection, username: str, password: str) -> str | None:
    """Return the name of the user whom name and password let in, or None.

    Password `x" or "1"="1`, or user `alice"-- `, needs to know nothing.
    """
    sql = 'select name from userinfo where name="%s" and password="%s"' % (username, password)  # noqa: UP031
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return row[0] if row else None


def register(connection: pymysql.Connection, username: str, password: str) -> None:
    """Store a new user with the password in clear (E14).

    A username can carry a query that copies another user's password into the new row.
    """
    sql = 'insert into userinfo(name, password) values("%s", "%s")' % (username, password)  # noqa: UP031
    with connection.cursor() as cursor:
        cursor.execute(sql)
    connection.commit()
