"""No message is lost and none shown twice, whatever dies: servers, the database, connections.

turmoil.py has the people; `python -m tests.private_chat.turmoil` plays it in full. The database here is this file's own.
"""

import asyncio

import pytest

from .own_database import OwnDatabase
from .turmoil import Door, disasters_of, turmoil, writers_of


@pytest.fixture(scope="module", autouse=True)
def own_database(_surroundings, tmp_path_factory):
    """A server of this file's own, for the file's servers as well."""
    with OwnDatabase(tmp_path_factory.mktemp("own")) as database:
        yield database


@pytest.mark.parametrize(("processes", "messages", "kills"), [(1, 240, 2), (3, 240, 1)])
def test_no_message_is_lost_and_none_shown_twice(
    start, request, own_database, processes, messages, kills
):
    options = ["--redis", request.getfixturevalue("redis_server").url] if processes > 1 else []
    doors = [Door(start, *options) for _ in range(processes)]
    writers = writers_of(doors[0], 12, messages)
    seen = asyncio.run(turmoil(doors, writers, disasters_of(doors, own_database, kills, 1)))
    assert seen.connections > 12
    assert (seen.lost, seen.doubled, seen.disordered, seen.false) == ([], [], [], [])
    assert seen.shown == seen.sent == messages
