"""What each step of group_chat promises, as functions of a running server: later steps keep the promises of earlier ones.

A server may be shared: every client has a nickname of its own, and nothing is asked about silence. That something did
not arrive is seen by what arrives instead.
"""

import itertools
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.waiting import eventually

SERVER = "服务器"
PATIENCE = 20.0  # seconds; nothing here takes long, unless something is wrong
JUNK = [
    "no JSON",
    "",
    "[1, 2]",
    "7",
    "null",
    "NaN",
    '"text"',
    "{}",
    '{"msg": 5}',
    '{"msg": null}',
    '{"msg": ["你好"]}',
    '{"msg": ""}',
    '{"msg": "\\ud800"}',
    '{"username": "Ann"}',
    "[" * 10_000,
    '{"msg":' * 2_000,
    b"\x00\xff",
]
_numbers = itertools.count(1)


def nickname(word="Ann"):
    """A nickname that nobody had before."""
    return f"{word}{next(_numbers)}"


def hear(client):
    return json.loads(client.recv(timeout=PATIENCE))


def say(client, msg, **more):
    client.send(json.dumps({"msg": msg, **more}))


def closed(client):
    """Wait until the server has closed; code and reason of its close frame."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            client.recv(timeout=PATIENCE)
    return caught.value.rcvd and (caught.value.rcvd.code, caught.value.rcvd.reason)


def named(server, *paths):
    """Clients at these paths, each of them in the room: it answers a ping only then."""
    clients = [server.ws(path) for path in paths]
    for client in clients:
        assert client.ping().wait(PATIENCE)
    return clients


def nameless(server, count):
    """Clients in the format of B2."""
    return named(server, *["ql"] * count)


# Step 3: the room without names.


def everyone_else_hears_it(server):
    first, second, third = nameless(server, 3)
    say(first, "大家好")
    assert hear(second) == hear(third) == {"msg": "大家好"}
    say(second, "<b>&amp;</b>")
    # The first one's own line did not come back.
    assert hear(first) == hear(third) == {"msg": "<b>&amp;</b>"}


def nameless_junk_is_answered(server):
    other, sender = nameless(server, 2)
    for junk in JUNK:
        sender.send(junk)
        assert hear(sender)["msg"].startswith(f"{SERVER}: "), junk
    say(sender, "still here")
    assert hear(other) == {"msg": "still here"}
    say(other, "and heard")
    assert hear(sender) == {"msg": "and heard"}


def nameless_tabs_come_and_go(server):
    stays, leaves, breaks = nameless(server, 3)
    leaves.close()
    breaks.socket.close()
    (newcomer,) = nameless(server, 1)
    say(stays, "who is here?")
    assert hear(newcomer) == {"msg": "who is here?"}
    say(newcomer, "me")
    assert hear(stays) == {"msg": "me"}


# Step 4: nicknames.


def everyone_else_hears_who_said_it(server):
    ann, bob, eve = nickname("小甜甜"), nickname(), nickname("👩‍👧")
    first, second, third = named(server, ann, bob, eve)
    say(first, "你好", username=ann)
    assert hear(second) == hear(third) == {"username": ann, "msg": "你好"}
    say(third, "<script>", username=eve)
    assert hear(first) == hear(second) == {"username": eve, "msg": "<script>"}


def the_name_is_that_of_the_socket(server):
    ann, bob = nickname(), nickname()
    first, second = named(server, ann, bob)
    for claim in (bob, SERVER, "", None, 7, ["x"]):
        say(first, "it was not me", username=claim)
        assert hear(second) == {"username": ann, "msg": "it was not me"}
    say(first, "no name at all")
    assert hear(second) == {"username": ann, "msg": "no name at all"}


def tabs_come_and_go(server):
    names = [nickname() for _ in range(4)]
    stays, leaves, breaks = named(server, *names[:3])
    leaves.close()
    breaks.socket.close()
    (newcomer,) = named(server, names[3])
    say(stays, "who is here?")
    assert hear(newcomer) == {"username": names[0], "msg": "who is here?"}
    say(newcomer, "me")
    assert hear(stays) == {"username": names[3], "msg": "me"}


def a_nickname_in_use_is_refused(server):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    code, reason = closed(server.ws(ann))
    assert code == 4409
    assert "in use" in reason
    say(other, "for the first one")
    assert hear(first) == {"username": bob, "msg": "for the first one"}


def a_nickname_is_free_again(server):
    ann, bob = nickname(), nickname()
    first, other = named(server, ann, bob)
    first.close()

    def comes_back():
        client = server.ws(ann)
        say(client, "back")
        try:
            # Others hear it only if the nickname was free.
            assert client.ping(ack_on_close=True).wait(PATIENCE)
            if client.close_code is not None:
                return None
            return hear(other) == {"username": ann, "msg": "back"}
        except ConnectionClosed:
            return None

    assert eventually(comes_back)


def bad_nicknames_are_refused(server):
    characters = ["a%0Ab", "a%00b", "a%7Fb", "%E2%80%AEbob"]
    for name in ["", "%20", "%E3%80%80", "ws", "static", SERVER, "a" * 33, "好" * 33, *characters]:
        code, reason = closed(server.ws(name))
        assert code == 4400, name
        assert reason.endswith("."), name
    named(server, *map(nickname, ["a" * 28, "好" * 28, "O'Brien & <b>", "100%25"]))


def junk_is_answered(server):
    ann, bob = nickname(), nickname()
    other, sender = named(server, ann, bob)
    for junk in JUNK:
        sender.send(junk)
        answer = hear(sender)
        assert answer.keys() == {"username", "msg"}
        assert answer["username"] == SERVER, junk
        assert answer["msg"].endswith("."), junk
    say(sender, "still here")
    assert hear(other) == {"username": bob, "msg": "still here"}


def too_large_a_message_closes_its_own_connection(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    other, sender, third = named(server, ann, bob, eve)
    say(sender, "x" * 16_000)
    assert hear(other)["msg"] == hear(third)["msg"] == "x" * 16_000
    say(sender, "x" * 16_384)
    assert closed(sender)[0] == 1009
    say(third, "next")
    assert hear(other) == {"username": eve, "msg": "next"}


def a_flood_is_held_back(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    other, flooding, third = named(server, ann, bob, eve)
    for number in range(40):
        say(flooding, f"{number}")
    assert hear(flooding)["username"] == SERVER
    assert flooding.ping().wait(20)
    say(third, "that was all")
    said = []
    while (frame := hear(other))["username"] != eve:
        said.append(frame["msg"])
    assert said == sorted(set(said), key=int)
    assert 10 <= len(said) < 40


def newcomers_get_no_history(server):
    ann, bob, eve = nickname(), nickname(), nickname()
    first, second = named(server, ann, bob)
    say(first, "before")
    assert hear(second)["msg"] == "before"
    (newcomer,) = named(server, eve)
    say(first, "after")
    assert hear(newcomer) == {"username": ann, "msg": "after"}


# Every step: how it is served.


def a_page_request_to_a_socket_is_answered_with_a_sentence(server, path):
    answer = server.get(f"/{path}")
    assert answer.status == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert "WebSocket" in answer.body


def a_socket_request_to_a_page_is_refused(server, page):
    with pytest.raises(InvalidStatus) as caught:
        server.ws(page)
    assert caught.value.response.status_code in (400, 404)


def foreign_pages_are_refused(server, path):
    for origin in ("https://elsewhere.example", "null", server.url.replace("http", "https") + "1"):
        with pytest.raises(InvalidStatus) as caught:
            server.ws(path, origin=origin)
        assert caught.value.response.status_code == 403
    assert server.ws(path, origin=server.url).ping().wait(PATIENCE)


NAMELESS = [everyone_else_hears_it, nameless_junk_is_answered, nameless_tabs_come_and_go]
NAMED = [
    everyone_else_hears_who_said_it,
    the_name_is_that_of_the_socket,
    tabs_come_and_go,
    a_nickname_in_use_is_refused,
    a_nickname_is_free_again,
    bad_nicknames_are_refused,
    junk_is_answered,
    too_large_a_message_closes_its_own_connection,
    a_flood_is_held_back,
    newcomers_get_no_history,
]
