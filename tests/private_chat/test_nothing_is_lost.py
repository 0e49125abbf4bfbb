"""No message is lost and none shown twice, whatever dies: servers, the database, connections.

turmoil.py has the people; `python -m tests.private_chat.turmoil` plays it in full. The database here is this file's own.
"""

import asyncio
import time

import pytest

from tests.waiting import eventually

from .own_database import OwnDatabase
from .people import ask, befriend, newcomer
from .turmoil import Door, disasters_of, turmoil, writers_of


@pytest.fixture(scope="module", autouse=True)
def own_database(_surroundings, tmp_path_factory):
    """A server of this file's own, for the file's servers as well."""
    with OwnDatabase(tmp_path_factory.mktemp("own")) as database:
        yield database


def conversation(*people):
    """Two friends with a page each: people, pages."""
    one, other = people
    befriend(one, other)
    pages = [one.page(), other.page()]
    assert all(page.is_open() for page in pages)  # in for good, and not only as far as the welcome
    return one, other, *pages


def bodies(one, other):
    """What is stored of what one wrote to the other, in order."""
    rows = ask(
        "select body from messages where sender_id = %s and recipient_id = %s order by id",
        one.id,
        other.id,
    )
    return [row["body"] for row in rows]


# The show.


@pytest.mark.parametrize(("processes", "messages", "kills"), [(1, 600, 2), (3, 400, 2)])
def test_no_message_is_lost_and_none_shown_twice(
    start, request, own_database, processes, messages, kills
):
    options = ["--redis", request.getfixturevalue("redis_server").url] if processes > 1 else []
    doors = [Door(start, *options) for _ in range(processes)]
    writers = writers_of(doors[0], 20, messages)
    seen = asyncio.run(turmoil(doors, writers, disasters_of(doors, own_database, kills, 1)))
    assert seen.connections > 20
    assert (seen.lost, seen.doubled, seen.disordered, seen.false) == ([], [], [], [])
    assert seen.shown == seen.sent == messages


# The database is away, slow or full.


def test_without_a_database_nothing_is_acknowledged_and_all_recovers(start, own_database):
    server = start("step5_offline")
    ann, bob, one, other = conversation(newcomer(server), newcomer(server))
    assert one.say(bob, "before")["id"]
    own_database.kill()
    began = time.monotonic()
    refused = one.say(bob, "while it is away", "again")
    assert (refused["type"], refused["code"]) == ("error", "not_stored")
    assert time.monotonic() - began < 8
    assert one.is_open() and other.is_open()
    own_database.start()
    assert bodies(ann, bob) == ["before"]
    said = eventually(
        lambda: (
            (answer := one.say(bob, "while it is away", "again"))["type"] == "message" and answer
        )
    )
    assert other.message()["msg"] == "before"
    assert other.message()["id"] == said["id"]
    assert bodies(ann, bob) == ["before", "while it is away"]


def test_a_database_that_hangs(start, own_database):
    """The refusal comes in time; what is sent again is stored once; pages that were open stay open."""
    server = start("step5_offline")
    ann, bob, one, other = conversation(newcomer(server), newcomer(server))
    assert one.say(bob, "before")["id"]
    began = time.monotonic()
    with own_database.halted():
        assert one.say(bob, "while it hangs", "again")["code"] == "not_stored"
        assert time.monotonic() - began < 8
        assert one.is_open() and other.is_open()
    assert one.say(bob, "while it hangs", "again")["type"] == "message"
    last = one.say(bob, "after")["id"]
    shown = {}
    while last not in shown:
        frame = other.message()
        shown[frame["id"]] = frame["msg"]
    assert (
        [shown[number] for number in sorted(shown)]
        == bodies(ann, bob)
        == ["before", "while it hangs", "after"]
    )


def test_marks_wait_for_the_database(start, own_database):
    server = start("step5_offline")
    _, bob, one, other = conversation(newcomer(server), newcomer(server))
    said = one.say(bob, "hello")
    assert other.message()["id"] == said["id"]
    own_database.kill()
    other.send({"got": [said["id"]]})
    assert eventually(lambda: "not_marked" in server.log)
    own_database.start()
    assert one.next("delivered")["ids"] == [said["id"]]


def test_a_full_table_is_said_and_recovers(start, own_database):
    """The table refuses every row, as one does whose disk is full."""
    server = start("step5_offline")
    ann, bob, one, other = conversation(newcomer(server), newcomer(server))
    ask(
        "create trigger full before insert on messages for each row signal sqlstate 'HY000' set mysql_errno = 1114"
    )
    try:
        assert one.say(bob, "no room")["code"] == "not_stored"
    finally:
        ask("drop trigger full")
    said = one.say(bob, "room again")
    assert other.message()["id"] == said["id"]
    assert bodies(ann, bob) == ["room again"]
