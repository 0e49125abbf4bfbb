"""A10, B2: the naive servers do what the source's own programs did.

Each expected value was seen of the source: its listings, started with `websocket=True` on a free port, were played the
same scenes over the same kind of sockets. What is not here is in test_errata.py, of the same kind.
"""

import json

import pytest

from demos.group_chat.clients.faults import is_alive, unread
from tests.support.waiting import eventually

# What a client sends, and the error that it makes in `json.loads` or in `.get`.
JUNK = {
    "no JSON": "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "": "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "[1, 2]": "AttributeError: 'list' object has no attribute 'get'",
    "7": "AttributeError: 'int' object has no attribute 'get'",
    "null": "AttributeError: 'NoneType' object has no attribute 'get'",
    '"text"': "AttributeError: 'str' object has no attribute 'get'",
}


class Scene:
    """A naive server, its clients of this test, and what it has logged since they came."""

    def __init__(self, server, *paths):
        self.server, self._before = server, len(server.log)
        self.clients = [server.ws(path) for path in paths]
        assert all(map(is_alive, self.clients)), "somebody is not in"

    def logs(self, line):
        return eventually(lambda: line in self.server.log[self._before :])


@pytest.fixture
def named(shared):
    """A10 with ann, bob and eve. Whoever was there before under these names is replaced, dead sockets too (W4)."""
    return Scene(shared("naive.chat", tracebacks=True), "ann", "bob", "eve")


@pytest.fixture
def nameless(shared):
    """B2 with two clients."""
    return Scene(shared("naive.nameless", tracebacks=True), "ql", "ql")


def test_a10_the_page_is_served(named):
    page = named.server.get("/ws")
    assert page.status == 200
    assert "ws://127.0.0.1:5000/" in page.body


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"username": "ann", "msg": "你好"}, r'{"username": "ann", "msg": "\u4f60\u597d"}'),
        (
            {"username": "eve", "msg": {"x": [1]}, "more": 1},
            '{"username": "eve", "msg": {"x": [1]}}',
        ),
        ({}, '{"username": null, "msg": null}'),
        ({"username": "ann", "msg": "\ud800"}, r'{"username": "ann", "msg": "\ud800"}'),
    ],
)
def test_a10_everybody_else_receives_these_bytes(named, sent, received):
    ann, bob, eve = named.clients
    ann.send(json.dumps(sent))
    assert is_alive(ann)
    assert [unread(one) for one in (ann, bob, eve)] == [[], [received], [received]]


def test_a10_a_binary_message_is_one_too(named):
    ann, bob, _ = named.clients
    ann.send(b'{"username": "ann", "msg": 1}')
    assert is_alive(ann)
    assert unread(bob) == ['{"username": "ann", "msg": 1}']


@pytest.mark.parametrize(("junk", "error"), JUNK.items())
def test_a10_junk_disconnects_its_sender_and_reaches_nobody(named, junk, error):
    ann, bob, _ = named.clients
    ann.send(junk)
    assert not is_alive(ann)
    assert (ann.close_code, ann.close_reason) == (1005, "")  # a close frame without a code
    assert unread(bob) == []
    assert named.logs(error)


def test_a10_junk_disconnects_also_who_is_alone(start):
    alone = Scene(start("naive.chat", tracebacks=True), "ann")
    alone.clients[0].send("[1, 2]")
    assert not is_alive(alone.clients[0])
    assert alone.logs(JUNK["[1, 2]"])


def test_a10_who_stands_before_the_dead_socket_hears_all_the_same(named):
    ann, bob, eve = named.clients
    eve.close()
    bob.send('{"msg": 1}')
    assert not is_alive(bob)
    assert unread(ann) == ['{"username": null, "msg": 1}']
    assert named.logs("geventwebsocket.exceptions.WebSocketError: Socket is dead")


def test_a10_three_clicks_and_only_the_last_socket_hears(named):
    _, bob, _ = named.clients
    clicks = Scene(named.server, "ann", "ann", "ann").clients
    bob.send('{"msg": 1}')
    assert is_alive(bob)
    assert [len(unread(one)) for one in clicks] == [0, 0, 1]
    clicks[0].send('{"msg": 2}')  # the deaf ones speak, and are not the last one's "self"
    assert is_alive(clicks[0])
    assert [len(unread(one)) for one in (*clicks, bob)] == [0, 0, 1, 1]


def test_b2_the_page_is_that_of_step_3(nameless):
    assert "static/nameless.js" in nameless.server.get("/chat").body


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"msg": "你好"}, r'{"msg": "\u4f60\u597d"}'),
        ({}, '{"msg": null}'),
        ({"username": "ann", "msg": 5}, '{"msg": 5}'),
    ],
)
def test_b2_everybody_else_receives_these_bytes(nameless, sent, received):
    ann, bob = nameless.clients
    ann.send(json.dumps(sent))
    assert is_alive(ann)
    assert [unread(one) for one in (ann, bob)] == [[], [received]]
    bob.send('{"msg": "and back"}')
    assert is_alive(bob)
    assert unread(ann) == ['{"msg": "and back"}']


@pytest.mark.parametrize(("junk", "error"), JUNK.items())
def test_b2_the_first_error_makes_deaf_in_silence_and_the_second_disconnects(nameless, junk, error):
    ann, bob = nameless.clients
    ann.send(junk)
    assert is_alive(ann)
    assert error not in nameless.server.log[nameless._before :]
    bob.send('{"msg": "do you hear me?"}')
    assert is_alive(bob)
    ann.send('{"msg": "who is there?"}')
    assert is_alive(ann)
    assert [unread(one) for one in (ann, bob)] == [[], ['{"msg": "who is there?"}']]
    ann.send(junk)
    assert not is_alive(ann)
    assert nameless.logs(error)
    assert nameless.logs("ValueError: list.remove(x): x not in list")
    assert unread(bob) == []


def test_b2_a_list_harms_nobody_who_is_alone(nameless):
    ann, bob = nameless.clients
    bob.close()
    for _ in range(2):  # `get` is asked for each receiver, and there is none
        ann.send("[1, 2]")
        assert is_alive(ann)


def test_b2_who_closes_a_tab_is_forgotten_and_the_others_go_on(nameless):
    ann, bob = nameless.clients
    eve = nameless.server.ws("ql")
    assert is_alive(eve)
    ann.close()
    bob.send('{"msg": 1}')
    assert is_alive(bob)
    assert unread(eve) == ['{"msg": 1}']
