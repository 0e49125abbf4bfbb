"""A11: a message for one nickname; in the source's format, and safe from whoever sends something else."""

import json

import pytest

from tests.group_chat import promises
from tests.group_chat.promises import JUNK, SERVER, closed, hear, named, nickname


@pytest.fixture
def server(shared):
    return shared("step1_by_name")


def say(client, msg, to_user, **more):
    client.send(json.dumps({"msg": msg, "to_user": to_user, **more}))


def answer(client):
    """Return the server's own words; they have to be a sentence."""
    frame = hear(client)
    assert frame.keys() == {"msg", "from_user"}
    assert frame["from_user"] == SERVER
    assert frame["msg"].endswith(".")
    return frame["msg"]


def test_only_the_one_it_is_for_receives_it(server):
    ann, bob, eve = nickname("小甜甜"), nickname("韩雪"), nickname()
    first, second, third = named(server, ann, bob, eve)
    say(first, "你好 <b>", bob)
    assert hear(second) == {"msg": "你好 <b>", "from_user": ann}
    # What reaches the others next was not preceded by it.
    say(second, "for you", eve)
    assert hear(third) == {"msg": "for you", "from_user": bob}
    say(third, "and you", ann)
    assert hear(first) == {"msg": "and you", "from_user": eve}


def test_the_name_of_the_sources_program_runs_it(shared):
    ann, bob = nickname(), nickname()
    first, second = named(shared("one_chat"), ann, bob)
    say(first, "你好", bob)
    assert hear(second) == {"msg": "你好", "from_user": ann}


def test_a_message_to_oneself_arrives_once(server):
    ann = nickname()
    (first,) = named(server, ann)
    say(first, "note to self", ann)
    say(first, "next", ann)
    assert [hear(first)["msg"], hear(first)["msg"]] == ["note to self", "next"]


def test_the_sender_is_the_name_in_the_sockets_address(server):
    ann, bob = nickname(), nickname()
    first, second = named(server, ann, bob)
    for claim in ("from_user", "username", "from"):
        say(first, "it was not me", bob, **{claim: bob})
        assert hear(second) == {"msg": "it was not me", "from_user": ann}


@pytest.mark.parametrize("to_user", ["nobody-at-all", SERVER, "ws", "x" * 5000, "a%s' or '1'='1"])
def test_who_is_not_here_is_said(server, to_user):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    say(first, "hello?", to_user)
    assert answer(first) == f"{to_user[:32]} is not online."
    say(first, "still here", bob)
    assert hear(other)["msg"] == "still here"


def test_who_has_left_is_not_here(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    first, leaves, breaks = named(server, ann, bob, eve)
    leaves.close()
    breaks.socket.close()
    say(first, "hello?", bob)
    assert answer(first) == f"{bob} is not online."

    def is_gone():
        say(first, "hello?", eve)
        return answer(first) == f"{eve} is not online."

    assert promises.eventually(is_gone)


JUNK_RECIPIENTS = [None, 7, True, [], ["Ann", "Bob"], {"name": "Ann"}, "", "  ", "\ud800"]


@pytest.mark.parametrize("to_user", JUNK_RECIPIENTS, ids=repr)
def test_a_recipient_that_is_no_name_is_answered(server, to_user):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    say(first, "hello", to_user)
    answer(first)
    say(first, "still here", bob)
    assert hear(other)["msg"] == "still here"


def test_junk_is_answered(server):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    for junk in JUNK:
        first.send(junk)
        answer(first)
    say(first, "still here", bob)
    assert hear(other) == {"msg": "still here", "from_user": ann}


def test_a_nickname_in_use_is_refused_and_its_messages_stay_private(server):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    code, reason = closed(server.ws(ann))
    assert (code, reason) == (4409, "This nickname is in use.")
    say(other, "for the first one", ann)
    assert hear(first) == {"msg": "for the first one", "from_user": bob}


def test_a_nickname_that_looks_like_one_in_use_is_refused(server):
    first, _ = named(server, "Alice", nickname())
    for other in ("ALICE", "Аlice", "ａｌｉｃｅ", "Alicẹ"):
        assert closed(server.ws(other)) == (4409, "This nickname is in use.")
    say(first, "hello", "Alice")
    assert hear(first)["msg"] == "hello"


def test_nicknames_that_are_none_are_refused(server):
    promises.bad_nicknames_are_refused(server)
    for name in ["%EF%BD%97%EF%BD%93", "a/b", "/", "a%0A", "%0Aa%0A%0Ab", "a%0D%0Ab"]:
        code, reason = closed(server.ws(name))
        assert code == 4400, name
        assert reason.endswith("."), name


def test_a_flood_is_held_back_and_stops_nobody(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    flooding, other, third = named(server, ann, bob, eve)
    for number in range(40):
        say(flooding, f"{number}", bob)
    assert "10 messages a second" in answer(flooding)
    say(third, "me too", bob)
    said = []
    while (frame := hear(other))["from_user"] != eve:
        said.append(frame["msg"])
    assert 10 <= len(said) < 40


def test_too_large_a_message_closes_its_own_connection(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    first, other, third = named(server, ann, bob, eve)
    say(first, "x" * 16_384, bob)
    assert closed(first)[0] == 1009
    say(third, "next", bob)
    assert hear(other) == {"msg": "next", "from_user": eve}


def test_foreign_pages_and_page_requests_are_refused(server):
    promises.foreign_pages_are_refused(server, nickname())
    promises.a_page_request_to_a_socket_is_answered_with_a_sentence(server, "Ann")


def test_sigterm_says_goodbye(start):
    server = start("step1_by_name")
    (client,) = named(server, "Ann")
    assert server.stop() == 0
    assert closed(client) == (1012, "the server restarts")
