"""A11, B4: the naive servers do what the source's own programs did.

Each expected value was seen of the source: its listings, started with `websocket=True` on a free port, were played the
same scenes over the same kind of sockets. What is not here is in test_errata.py, of the same kind.
"""

import json

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from demos.group_chat.clients.faults import is_alive, unread
from tests.support.waiting import eventually

from .people import new_name


def said(act):
    """What this Python says of an error; its wording differs between versions."""
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("no error")


NO_JSON = "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
JUNK = {
    "no JSON": NO_JSON,
    "": NO_JSON,
    "[1, 2]": said(lambda: [].get),
    "7": said(lambda: (7).get),
    "null": said(lambda: None.get),
    '"text"': said(lambda: "".get),
}
NOBODY = "AttributeError: 'NoneType' object has no attribute 'send'"
NO_LIST = "TypeError: 'NoneType' object is not iterable"


class Scene:
    """A naive server, clients, and what it has logged since it began."""

    def __init__(self, server):
        self.server, self._before = server, len(server.log)

    def connect(self, path, **options):
        client = self.server.ws(path, **options)
        assert is_alive(client)
        return client

    def logs(self, line):
        return eventually(lambda: line in self.server.log[self._before :])


class ByName(Scene):
    """A11: names of this test's own, since the dead stay in the source's dictionary."""

    def __init__(self, server, *words):
        super().__init__(server)
        self.names = [new_name(word) for word in words]
        self.clients = [self.connect(name) for name in self.names]


class BySession(Scene):
    """B4: users of this test's own, whose sessions are signed with the key that the source has printed."""

    def __init__(self, server, *words):
        super().__init__(server)
        app = Flask("source")
        app.secret_key = "welcome to my site"
        self._signer = SecureCookieSessionInterface().get_signing_serializer(app)
        self.names = [new_name(word) for word in words]
        self.clients = [self.tab(name) for name in self.names]

    def tab(self, name):
        cookie = self._signer.dumps({"user_name": name, "is_login": True})
        return self.connect("single_ws", additional_headers={"Cookie": f"session={cookie}"})


@pytest.fixture
def by_name(shared):
    return ByName(shared("naive.one_chat", tracebacks=True), "ann", "bob")


@pytest.fixture
def by_session(shared):
    return BySession(shared("naive.single_chat", tracebacks=True), "ann", "bob")


def write(client, msg, to_friend):
    """Send in the format of B4; returns whether the server has kept the connection."""
    client.send(json.dumps({"to_friend": to_friend, "msg": msg}))
    return is_alive(client)


def test_naive_pages_are_served(by_name, by_session):
    assert by_name.server.get("/ws").status == 200
    assert by_session.server.get("/login").status == by_session.server.get("/single").status == 200
    assert by_session.server.get("/logout").status == 404  # the source has none


# A11.


@pytest.mark.parametrize("msg", ["你好", {"a": 1}, None])
def test_a11_only_the_recipient_receives_these_bytes(by_name, msg):
    (ann, bob), (name, to_user) = by_name.clients, by_name.names
    eve = by_name.connect(new_name("eve"))
    ann.send(json.dumps({"msg": msg, "to_user": to_user, "from_user": "eve"}))
    assert is_alive(ann)
    assert unread(bob) == [json.dumps({"msg": msg, "from_user": name})]
    assert unread(ann) == unread(eve) == []


def test_a11_a_message_to_oneself_comes_back(by_name):
    ann, name = by_name.clients[0], by_name.names[0]
    ann.send(json.dumps({"msg": "x", "to_user": name}))
    assert unread(ann) == [json.dumps({"msg": "x", "from_user": name})]


@pytest.mark.parametrize(
    ("to_user", "error"),
    [
        ("nobody", NOBODY),
        (None, NOBODY),
        (["bob"], said(lambda: {}.get([]))),
    ],
)
def test_a11_nobody_there_disconnects_the_sender(by_name, to_user, error):
    ann, _ = by_name.clients
    ann.send(json.dumps({"msg": "x", "to_user": to_user}))
    assert not is_alive(ann)
    assert (ann.close_code, ann.close_reason) == (1005, "")  # a close frame without a code
    assert by_name.logs(error)


def test_a11_somebody_who_has_left_disconnects_the_sender(by_name):
    (ann, bob), (_, to_user) = by_name.clients, by_name.names
    bob.close()
    ann.send(json.dumps({"msg": "x", "to_user": to_user}))
    assert not is_alive(ann)
    assert by_name.logs("geventwebsocket.exceptions.WebSocketError: Socket is dead")


@pytest.mark.parametrize(("junk", "error"), JUNK.items())
def test_a11_junk_disconnects_its_sender(by_name, junk, error):
    ann, _ = by_name.clients
    ann.send(junk)
    assert not is_alive(ann)
    assert by_name.logs(error)


def test_a11_when_the_stranger_leaves_the_first_stays_deaf(by_name):
    (ann, bob), (name, _) = by_name.clients, by_name.names
    by_name.connect(name).close()
    bob.send(json.dumps({"msg": "x", "to_user": name}))
    assert not is_alive(bob)
    assert is_alive(ann)
    assert unread(ann) == []


# B4.


def test_b4_each_recipient_receives_this_text_as_often_as_named(by_session):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    assert write(ann, "你好", [other, other, one])
    assert unread(bob) == [f"来自{one}:你好", f"来自{one}:你好"]
    assert unread(ann) == [f"来自{one}:你好"]


@pytest.mark.parametrize(
    ("msg", "text"), [(None, "None"), ({"a": "好"}, "{'a': '好'}"), (5, "5"), ("", "")]
)
def test_b4_a_msg_of_any_type_becomes_text(by_session, msg, text):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    assert write(ann, msg, [other])
    assert unread(bob) == [f"来自{one}:{text}"]


def test_b4_the_first_tab_hears_and_the_second_is_deaf_until_it_makes_both_deaf(by_session):
    (first, bob), (one, other) = by_session.clients, by_session.names
    second = by_session.tab(one)
    assert write(bob, "1", [one])
    assert [unread(tab) for tab in (first, second)] == [[f"来自{other}:1"], []]
    assert write(second, "2", [other])
    assert unread(bob) == [f"来自{one}:2"]
    second.close()
    assert write(bob, "3", [one])  # bob's own first error
    assert unread(first) == []
    assert not write(first, "4", [other])  # bob is forgotten, and so is this one
    assert by_session.logs(f"KeyError: '{one}'")


def test_b4_when_the_first_tab_closes_the_second_stays_deaf(by_session):
    (first, bob), (one, _) = by_session.clients, by_session.names
    second = by_session.tab(one)
    first.close()
    assert write(bob, "1", [one])
    assert unread(second) == []


def test_b4_a_page_that_is_loaded_again_hears(by_session):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    ann.close()
    again = by_session.tab(one)
    assert write(bob, "1", [one])
    assert unread(again) == [f"来自{other}:1"]


@pytest.mark.parametrize(
    "to_friend", [["nobody"], "nobody", [None], 7, None, [["a list"]]], ids=str
)
def test_b4_an_error_makes_the_sender_deaf_and_the_next_disconnects(by_session, to_friend):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    assert write(ann, "1", to_friend)
    assert write(bob, "2", [])
    assert write(ann, "3", [other])
    assert unread(bob) == [f"来自{one}:3"]
    assert write(bob, "4", [one])  # to a deaf one: now bob is deaf as well
    assert unread(ann) == []
    assert not write(ann, "5", to_friend)
    assert not write(bob, "6", [one])
    assert by_session.logs(f"KeyError: '{one}'")
    assert by_session.logs(f"KeyError: '{other}'")


def test_b4_who_stands_before_the_unknown_one_hears_it(by_session):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    eve = by_session.tab(name := new_name("eve"))
    assert write(ann, "1", [other, "nobody", name])
    assert unread(bob) == [f"来自{one}:1"]
    assert unread(eve) == []


@pytest.mark.parametrize(("junk", "error"), JUNK.items())
def test_b4_the_first_junk_is_swallowed_and_the_second_disconnects(by_session, junk, error):
    (ann, _), (one, _) = by_session.clients, by_session.names
    ann.send(junk)
    assert is_alive(ann)
    assert error not in by_session.server.log[by_session._before :]
    ann.send(junk)
    assert not is_alive(ann)
    assert by_session.logs(error)
    assert by_session.logs(f"KeyError: '{one}'")


def test_b4_a_frame_without_recipients_is_an_error_of_its_own(by_session):
    ann, _ = by_session.clients
    for stays in (True, False):
        ann.send('{"msg": "x"}')
        assert is_alive(ann) is stays
    assert by_session.logs(NO_LIST)


def test_b4_the_zombies_next_error_makes_the_new_tab_deaf(by_session):
    (ann, bob), (one, other) = by_session.clients, by_session.names
    ann.send("no JSON")
    assert is_alive(ann)
    again = by_session.tab(one)
    assert write(bob, "1", [one])
    assert [unread(tab) for tab in (ann, again)] == [[], [f"来自{other}:1"]]
    ann.send("no JSON")
    assert is_alive(ann)  # it had something to forget: the new tab
    assert write(bob, "2", [one])
    assert unread(again) == []


def test_b4_nobody_speaks_as_none_and_is_no_key(by_session):
    (_, bob), (_, other) = by_session.clients, by_session.names
    nobody = by_session.connect("single_ws")
    assert write(nobody, "guess", [other])
    assert unread(bob) == ["来自None:guess"]
    assert write(bob, "to None", [None])  # bob's first error: there is no such key
    assert unread(nobody) == []
    nobody.send("no JSON")
    assert not is_alive(nobody)  # the first error is the last
    assert by_session.logs(NO_JSON)
    assert by_session.logs("KeyError: None")
