"""witness.py: what the server's process list says."""

from contextlib import suppress
from threading import Thread

import pymysql
import pytest

from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args
from tests.support.waiting import eventually


def test_it_sees_connections_come_and_go(witness):
    assert witness.ids() == []
    with pymysql.connect(**connect_args()) as one:
        (seen,) = witness.seen()
        assert seen.id == one.thread_id()
        assert seen.command == "Sleep"
        assert seen.seconds >= 0
        with pymysql.connect(**connect_args()) as two:
            assert witness.ids() == [one.thread_id(), two.thread_id()]
    assert eventually(lambda: witness.ids() == [])


def test_it_does_not_count_itself_or_what_was_open_before(book):
    with pymysql.connect(**connect_args()), Witness() as witness:
        assert witness.ids() == []


def test_it_does_not_count_another_database(witness):
    with pymysql.connect(**connect_args(database="information_schema")):
        assert witness.ids() == []


def test_kill_ends_a_connection(witness):
    with pymysql.connect(**connect_args()) as victim:
        witness.kill(victim.thread_id())
        assert witness.ids() == []
        with pytest.raises(pymysql.MySQLError):
            victim.cursor().execute("select 1")


@pytest.mark.parametrize("data", ["韩" * 200, b"\xff\xfe\x80"])
def test_it_does_not_mind_what_others_ask(witness, data):
    """The process list cuts statements off, also in the middle of a character."""
    with pymysql.connect(**connect_args()) as other:
        (number,) = witness.ids()

        def ask():
            with suppress(pymysql.MySQLError):  # killed in the end
                other.cursor().execute("select %s, sleep(30)", (data,))

        asking = Thread(target=ask, daemon=True)
        asking.start()
        assert eventually(lambda: [one.command for one in witness.seen()] == ["Query"])
        assert witness.ids() == [number]
        witness.kill(number)
        asking.join(60)


def test_settle_returns_what_there_is_when_time_is_up(witness):
    assert witness.settle(1, seconds=0.05) == 0


def test_settle_without_a_number_returns_the_count_that_stays(witness):
    connections = [pymysql.connect(**connect_args()) for _ in range(3)]
    assert witness.settle() == 3
    for connection in connections[1:]:
        connection.close()
    assert witness.settle() == 1
    connections[0].close()
