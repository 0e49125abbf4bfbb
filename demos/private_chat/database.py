"""B7: the messenger's connection to the database: the course's MysqlHelp, with little patience."""

from demos.pool_demo.mysqlhelp import MysqlHelp

WAIT = 2.0  # seconds for a connection from the pool
QUERY_LIMIT = 4.0  # seconds for one statement


def database() -> MysqlHelp:
    """Return the helper. A page has to say within five seconds that the database is away."""
    return MysqlHelp(wait=WAIT, query_limit=QUERY_LIMIT)
