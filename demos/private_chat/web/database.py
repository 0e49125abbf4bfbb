"""B7: the messenger's connection to the database: the course's MysqlHelp, with short time-outs."""

from collections.abc import Callable
from typing import TypeVar

import pymysql
from pymysql.constants import ER

from demos.pool_demo.mysqlhelp import MysqlHelp, Row

T = TypeVar("T")

# Connections. Log-ins that all wait for a locked table must not use up those of the messages.
PAGES, MESSAGES = 10, 8
WAIT = 2.0  # seconds for a connection from the pool
QUERY_LIMIT = 4.0  # seconds for one statement
ATTEMPTS = 3  # to make a transaction that becomes the victim of a deadlock


def database(connections: int = PAGES) -> MysqlHelp:
    """Return the helper with a pool of so many connections; one number, one pool.

    A page has to say within five seconds that the database is away.
    """
    return MysqlHelp(connections=connections, wait=WAIT, query_limit=QUERY_LIMIT)


def whole(transaction: Callable[[], T]) -> T:
    """Make a transaction, and again if it was the victim of a deadlock: then nothing was done.

    Raises:
        pymysql.OperationalError: it was the victim each time, or another error.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return transaction()
        except pymysql.OperationalError as error:
            if error.args[0] != ER.LOCK_DEADLOCK:
                raise
    return transaction()


def find_user(db: MysqlHelp, name: str) -> Row | None:
    """Return id, name and password (a hash) of the user with this name, or None.

    The comparison is exact: the database itself would ignore blanks at the end.
    """
    try:
        name.encode()
    except UnicodeEncodeError:  # half a character, which no name has
        return None
    found = db.selectone("select id, name, password from userinfo where name = %s", (name,))
    return found if found and found["name"] == name else None
