"""A transaction of the test's own that holds up the one in which the mailbox stores a message."""

import pymysql

from demos.pool_demo.settings import connect_args
from tests.support.waiting import eventually

from .people import ask

LETTER = "insert into messages(sender_id, recipient_id, client_id, body) values (%s, %s, %s, '')"


def hold_back(page, friend, client_id="first"):
    """Send a message and hold up its transaction, so that what comes after it gathers; for less than four seconds.

    Returns the connection that has the lock, for `let_go`.
    """
    blocker = pymysql.connect(**connect_args())
    blocker.begin()
    # Whether this letter is there already, is known only when this transaction has ended.
    blocker.cursor().execute(LETTER, (page.person.id, friend.id, client_id))
    page.send({"to": friend.name, "msg": "holds back", "client_id": client_id})
    assert eventually(waiting_for_locks)
    return blocker


def let_go(blocker):
    """Take the lock away."""
    blocker.rollback()
    blocker.close()


def waiting_for_locks():
    """Return how many transactions wait for a row that another one has."""
    ask("do sleep(0.12)")  # who asks more often gets an old answer
    return len(
        ask(
            "select id from information_schema.processlist"
            " join information_schema.innodb_trx on id = trx_mysql_thread_id"
            " where db = database() and trx_state = 'LOCK WAIT'"
        )
    )


def gathered(server):
    """Wait until the server has read what the test has sent before."""
    for _ in range(3):
        assert server.get("/healthz").status == 200
