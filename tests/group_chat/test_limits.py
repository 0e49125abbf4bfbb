"""Limits of the finished room belong to a person and to an address: who leaves and comes back brings nothing new.

The servers believe `X-Forwarded-For`, as behind a proxy, so each test has addresses of its own.
"""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from demos.group_chat.rules.limits import PATIENCE, REMEMBERED, REQUESTS, Limits
from tests.group_chat import hostile
from tests.group_chat.rich import RICH, Page, crowd, fresh, log_fields
from tests.support.waiting import eventually

RATE, BURST = 0.5, 30  # lines a second, and at once, of a person
PEOPLE = 10
ROW = 600  # requests that one connection sends without waiting for an answer
OF_ADDRESS = 4 * PEOPLE  # connections at a time, connections at once, lines at once


@pytest.fixture
def chat(shared):
    return shared("chat", "--proxies", "1", "--rate", str(RATE), "--people", str(PEOPLE))


def come(server, address, name=""):
    """Come in from an address; returns the client and the answer to its handshake."""
    client = hostile.Client(server.url, upgrade=False)
    headers = {"X_Forwarded_For": address, "Sec_WebSocket_Protocol": RICH}
    return client, client.ask(hostile.request(client.host, f"/{name or fresh()}", **headers))


def let_in(server, address, name):
    """The same; waits until the name is free, and the newcomer in the room."""

    def one():
        client, answer = come(server, address, name)
        assert answer.status == 101
        opcode, payload = client.receive()
        return (
            client if opcode == hostile.TEXT and json.loads(payload)["type"] == "welcome" else None
        )

    return eventually(one)


def say(client, *lines):
    """Say lines; returns the answers to them: the acknowledgements and the errors."""
    client.send(*(hostile.text(json.dumps({"msg": line, "client_id": fresh()})) for line in lines))
    answers = []
    while len(answers) < len(lines):
        frame = json.loads(client.hear())
        if frame["type"] in ("ack", "error"):
            answers.append(frame)
    return answers


def leave(client):
    client.send(hostile.close(1000))
    client.ended()


def test_who_has_said_enough_cannot_say_more_on_a_new_connection(chat):
    name = fresh()
    client = let_in(chat, "198.51.100.1", name)
    assert {answer["type"] for answer in say(client, *"x" * BURST)} == {"ack"}
    leave(client)
    again = let_in(chat, "198.51.100.2", name)
    (answer,) = say(again, "one more")
    assert (answer["code"], answer["reason"]) == ("too_fast", "At most 0.5 messages a second.")


def test_new_names_bring_an_address_no_new_lines(chat):
    for count in (BURST, OF_ADDRESS - BURST):
        client = let_in(chat, "198.51.100.3", fresh())
        assert {answer["type"] for answer in say(client, *"x" * count)} == {"ack"}
        leave(client)
    (answer,) = say(let_in(chat, "198.51.100.3", fresh()), "one more")
    assert (answer["code"], answer["reason"]) == (
        "too_fast",
        "Too many messages from your address.",
    )
    (answer,) = say(let_in(chat, "198.51.100.4", fresh()), "I am somewhere else")
    assert answer["type"] == "ack"


def test_the_nameless_are_known_by_their_address(chat):
    def guest():
        client = hostile.Client(chat.url, "/ql", X_Forwarded_For="2001:db8:0:1::1")
        client.send(*[hostile.text('{"msg": "x"}')] * 14, hostile.close(1000))
        before, _, _ = client.ended()
        return [json.loads(payload)["msg"] for opcode, payload in before if opcode == hostile.TEXT]

    heard = [words for _ in range(3) for words in guest()]
    assert "服务器: Too many messages from your address." in heard
    neighbour = hostile.Client(chat.url, "/ql", X_Forwarded_For="2001:db8:0:1:ffff::2")
    neighbour.send(*[hostile.text('{"msg": "x"}')] * 14)
    assert "Too many" in neighbour.hear()  # the first half of the address is the household's


def test_an_address_has_so_many_connections_and_no_more(chat):
    here = [come(chat, "198.51.100.5") for _ in range(OF_ADDRESS)]
    assert {answer.status for _, answer in here} == {101}
    _, refused = come(chat, "198.51.100.5")
    assert (refused.status, refused.body) == (429, b"Too many connections from your address.\n")
    assert come(chat, "198.51.100.6")[1].status == 101
    leave(here[0][0])
    assert eventually(lambda: come(chat, "198.51.100.5")[1].status == 101)


def test_who_comes_and_goes_has_to_wait_in_the_end(chat):
    began = time.monotonic()
    count = 0
    while (answer := come(chat, "198.51.100.7"))[1].status == 101 and count < 10 * OF_ADDRESS:
        count += 1
        answer[0].reset()
    assert count <= OF_ADDRESS + PEOPLE / 5 * (time.monotonic() - began)


def test_who_asks_for_pages_too_often_waits_and_is_refused_in_the_end(shared):
    """Open sockets of the same address go on, and other addresses notice nothing."""
    chat = shared("chat", "--proxies", "1", "--people", "1")
    member, began = let_in(chat, "198.51.100.8", fresh()), time.monotonic()

    def asking(address):
        client = hostile.Client(chat.url, upgrade=False)
        line = f"GET /healthz HTTP/1.1\r\nHost: {client.host}\r\nX-Forwarded-For: {address}\r\n\r\n"
        return client, line.encode()

    client, line = asking("198.51.100.8")
    statuses = [client.ask(line).status for _ in range(REQUESTS + 2)]
    assert set(statuses) == {200}
    assert time.monotonic() - began > 1.0, "two too many, and one comes on top each second"
    with ExitStack() as waiting:
        for _ in range(4 * int(PATIENCE)):
            more, line = asking("198.51.100.8")
            waiting.enter_context(more).send(line)
        last, line = asking("198.51.100.8")
        refused = last.ask(line)
        assert (refused.status, refused.body) == (
            429,
            b"Too many requests from your address.\n",
        )
        other, line = asking("198.51.100.9")
        assert other.ask(line).status == 200
        (answer,) = say(member, "I am still here")
        assert answer["type"] == "ack"


REFUSED = [
    ({"Host": "evil.example"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Sec_WebSocket_Version": "8"}, 426),
    ({"Sec_WebSocket_Key": "short"}, 400),
]


def test_requests_that_are_refused_count_as_well_and_do_not_fill_the_log(shared):
    """Those that nobody can read count for the address of their connection: what a proxy says is in the headers."""
    chat = shared("chat", "--proxies", "1", "--people", "1")
    address, count = "198.51.100.13", REQUESTS + 1

    def refused(raw):
        with hostile.Client(chat.url, upgrade=False) as client:
            return client.ask(
                raw or hostile.request(client.host, X_Forwarded_For=address, **change)
            ).status

    began = time.monotonic()
    for number in range(count):
        change, status = REFUSED[number % len(REFUSED)]
        assert refused(b"") == status
    assert time.monotonic() - began > 0.5, "one too many, and one comes on top each second"
    assert refused(hostile.request("evil.example")) == 421  # no proxy says where it comes from
    between = time.monotonic()
    assert {refused(b"garbage\r\n\r\n") for _ in range(count)} == {400}
    assert time.monotonic() - between > 0.5

    def logged(words):
        lines = map(log_fields, chat.log.splitlines())
        found = [line for line in lines if words.items() <= line.items()]
        return len(found), sum(int(line.get("more", 1)) for line in found)

    assert eventually(lambda: logged({"address": address})[1] == count)
    assert eventually(lambda: logged({"event": "bad_request"})[1] == count)
    assert logged({"event": "foreign_host", "address": "127.0.0.1"}) == (1, 1)
    most = 2 + time.monotonic() - began  # of each kind
    assert logged({"address": address})[0] <= len(REFUSED) * most
    assert logged({"event": "bad_request"})[0] <= most
    assert not logged({"event": "http", "status": "421"})[0]


def test_a_row_of_requests_on_one_connection_lets_the_others_in_between(shared):
    """The next request of the row is here already, so its connection never waits for anything."""
    chat = shared("chat", "--proxies", "1", "--rate", "1000")
    member, visitor = (
        let_in(chat, "198.51.100.10", fresh()),
        hostile.Client(chat.url, upgrade=False),
    )
    row = hostile.Client(chat.url, upgrade=False)
    line = f"GET /ws HTTP/1.1\r\nHost: {row.host}\r\nX-Forwarded-For: {{}}\r\n\r\n"

    with ThreadPoolExecutor(1) as thread:
        row.send((line.format("198.51.100.12") * ROW).encode())
        read = thread.submit(lambda: [row.ask(b"").status for _ in range(ROW)])
        between = 0
        while not read.done():
            assert visitor.ask(line.format("198.51.100.11").encode()).status == 200
            assert [answer["type"] for answer in say(member, "x")] == ["ack"]
            between += 1
    assert set(read.result()) == {200}
    assert between > ROW / 20


def test_a_classroom_behind_one_address_is_not_held_back(shared):
    chat, pupils = shared("chat", "--proxies", "1"), [fresh("pupil") for _ in range(40)]
    listener = Page.join(chat, fresh())

    async def lesson():
        for turn in range(2):  # all load the page again in the same moment
            async with crowd([chat], pupils, at_once=len(pupils)) as clients:
                for pupil, client in zip(pupils, clients, strict=True):
                    for number in range(2):
                        await client.send(
                            json.dumps({"msg": "x", "client_id": f"{turn} {number} {pupil}"})
                        )
                for client in clients:
                    types = [""]
                    while types.count("ack") < 2:
                        async with asyncio.timeout(20):
                            types.append(json.loads(await client.recv())["type"])
                    assert "error" not in types

    asyncio.run(lesson())
    assert len([listener.message() for _ in range(160)]) == 160


def test_few_visitors_are_remembered():
    """However many come, and whoever has just done something is among them."""
    limits = Limits(rate=0.001, burst=1)
    for number in range(3 * REMEMBERED):
        limits.of(f"{number}").wait()
        assert limits.of("0").wait() > 0 or number == 0
    assert len(limits) == REMEMBERED
