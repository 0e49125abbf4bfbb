"""B1: who is reached, and who is seen to be there: the same in one process and in three with Redis.

Then what only several processes have: one of them, or Redis, dies, hangs, and comes back.
"""

import json
import signal
import socket
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import redis

from demos.private_chat.in_redis.connections import CONNECTIONS
from demos.private_chat.in_redis.switchboard import KEYS, PROOF_OF_LIFE
from tests.support.waiting import all_at_once, eventually

from .conftest import Doors
from .people import Person, befriend, enrolled, newcomer
from .test_steps import promised

MODULE = "step6_several_processes"
CROWD = 3 * CONNECTIONS


@pytest.fixture(params=["one process", "three processes"])
def doors(request, shared):
    """The doors into one messenger; tests go in through all of them in turn."""
    if request.param == "one process":
        return [shared(MODULE)] * 3
    return request.getfixturevalue("three_processes")


@pytest.fixture
def store(three_processes, _worker_redis):
    """The Redis of the three processes, which a test may kill or halt; afterwards they are one messenger again."""
    yield _worker_redis
    _worker_redis.process.send_signal(signal.SIGCONT)
    if _worker_redis.process.poll() is not None:
        _worker_redis.start()
    ann, bob = pair(three_processes)
    with bob.page().socket:
        for door in three_processes:
            assert eventually(lambda door=door: at(ann, door).friends()[bob.name]["online"])


@pytest.fixture
def two(three_processes):
    """Two of the three processes."""
    return three_processes[:2]


def client_of(store):
    """Connect to Redis itself."""
    return redis.Redis.from_url(store.url, socket_timeout=20)


def sign_of_life(client, user):
    """Return the key that says that the process lives which serves this user."""
    for sign in client.scan_iter(f"{KEYS}process:*"):
        if client.hexists(sign.replace(b"process:", b"users:"), user.id):
            return sign
    raise LookupError("no process says that it serves this user")


def times(servers, event):
    """Return how often each server has written down an event."""
    return [server.log.count(f"event={event}") for server in servers]


def at(person, server):
    """The same browser, at another process."""
    other = person.twin()
    other.server = server
    return other


def pair(doors):
    """Two friends at different doors."""
    ann, bob = newcomer(doors[0]), newcomer(doors[1])
    befriend(ann, bob)
    return ann, bob


@contextmanager
def frozen(process):
    """A process that gets no time."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def arrives(page, number):
    """Read until a message is there; what came before it stays in `frames`."""
    while page.message()["id"] != number:
        pass


# One process and three.


def test_all_pages_of_both_hear_a_message_once(doors):
    ann, bob = pair(doors)
    page, tabs = ann.page(), [at(ann, door).page() for door in doors]
    theirs = [at(bob, door).page() for door in doors]
    said = [page.say(bob, f"number {n}") for n in range(20)]
    for each in (*tabs, *theirs):
        assert [each.message() for _ in said] == said
        each.send({"got": [frame["id"] for frame in said]})
    last = page.say(bob, "last")
    for each in (*tabs, *theirs):
        assert each.message() == last


def test_plain_clients_are_reached_as_well(doors):
    ann, bob = pair(doors)
    plain = [at(bob, door).page(rich=False) for door in doors]
    page = ann.page(rich=False)
    for number in range(5):
        page.send({"to_friend": [bob.name], "msg": str(number)})
    for each in plain:
        assert [each.text() for _ in range(5)] == [
            f"来自{ann.name}:{number}" for number in range(5)
        ]


def test_marks_reach_all_pages(doors):
    ann, bob = pair(doors)
    pages = [at(ann, door).page() for door in doors]
    other = bob.page()
    said = pages[0].say(bob, "hello")
    assert other.message() == said
    other.send({"got": [said["id"]]})
    for page in pages:
        assert page.next("delivered") == {
            "type": "delivered",
            "friend": bob.name,
            "ids": [said["id"]],
        }
    other.send({"read": ann.name, "upto": said["id"]})
    for page in pages:
        assert page.next("read") == {
            "type": "read",
            "reader": bob.name,
            "friend": ann.name,
            "upto": said["id"],
        }


def test_friends_see_who_comes_and_goes_once(doors):
    """A second page, at whichever door, is no news; nor is a reload."""
    ann, bob = pair(doors)
    page = at(ann, doors[2]).page()
    assert not ann.friends()[bob.name]["online"]
    first = bob.page()
    assert page.next("presence") == {"type": "presence", "name": bob.name, "online": True}
    second = at(bob, doors[0]).page()
    first.close()
    assert second.say(ann, "still here")["type"] == "message"
    assert all(at(ann, door).friends()[bob.name]["online"] for door in doors)
    second.close()
    assert page.next("presence") == {"type": "presence", "name": bob.name, "online": False}
    assert eventually(lambda: not ann.friends()[bob.name]["online"])
    assert page.heard().count("presence") == 2


def test_a_reload_is_no_news(doors):
    ann, bob = pair(doors)
    page, other = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    for _ in range(3):
        other.close()
        other = bob.page()
    assert other.say(ann, "here I am")["type"] == "message"
    arrives(page, other.frames[-1]["id"])
    assert all(frame["online"] for frame in page.frames if frame["type"] == "presence")


def test_a_change_of_friends_reaches_both(doors):
    ann, bob = newcomer(doors[0]), newcomer(doors[1])
    page, other = at(ann, doors[2]).page(), bob.page()
    assert ann.move("ask", bob) == 200
    assert page.next("friends") == other.next("friends") == {"type": "friends"}
    assert bob.move("accept", ann) == 200
    assert page.next("friends") == other.next("friends")
    assert page.say(bob, "we are friends")["type"] == "message"


def test_a_log_out_closes_the_pages_of_that_session_alone(doors):
    ann, bob = pair(doors)
    pages = [at(ann, door).page() for door in doors]
    elsewhere = newcomer_again(ann, doors[1]).page()
    ann.log_out()
    assert [page.ended()[0] for page in pages] == [4401] * 3
    assert elsewhere.say(bob, "another session")["type"] == "message"


def newcomer_again(person, door):
    """The same user at another browser: a session of its own."""
    other = type(person)(door, person.name)
    return other.log_in()


@pytest.mark.parametrize("promise", promised(6), ids=lambda promise: promise.__name__)
def test_three_processes_keep_the_promises_of_one(three_processes, promise):
    """Whatever process a request or a socket comes to."""
    promise(Doors(three_processes))


# A process dies, stops, or hangs.


def test_friends_see_within_ten_seconds_that_a_process_has_died(start, three_processes, store):
    doors = [three_processes[0], start(MODULE, "--redis", store.url), three_processes[2]]
    ann, bob = pair(doors)
    page, _theirs = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    assert ann.friends()[bob.name]["online"]
    with client_of(store) as client:
        sign = sign_of_life(client, bob)
        doors[1].kill()
        said = page.say(bob, "are you there")  # while nobody knows yet that he is not
        # Its sign of life lasts for less than that; the others look so often.
        lasts = client.pttl(sign)
        assert lasts < 10_000 - 2000 * PROOF_OF_LIFE
        client.delete(sign)
    assert page.next("presence")["online"] is False
    assert not ann.friends()[bob.name]["online"]
    back = at(bob, doors[2]).page()
    assert back.message()["id"] == said["id"]
    assert page.next("presence")["online"] is True


def test_a_process_that_stops_says_who_went(start, three_processes, store):
    doors = [three_processes[0], start(MODULE, "--redis", store.url)]
    ann, bob = pair(doors)
    page, other = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    with client_of(store) as client:
        sign = sign_of_life(client, bob)
        assert doors[1].stop() == 0
        assert not client.exists(sign), "nobody has to wait until it is taken for dead"
        assert not client.exists(f"{KEYS}where:{bob.id}")
    assert other.ended()[0] == 1012
    assert page.next("presence")["online"] is False


def test_a_process_that_was_taken_for_dead_is_back_in_the_map(two, store):
    ann, bob = pair(two)
    page, other = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    with frozen(two[1].process), client_of(store) as client:
        # As if it had stood still for longer: its sign of life is gone.
        assert client.delete(sign_of_life(client, bob))
        assert page.next("presence")["online"] is False
    assert page.next("friends")
    assert eventually(lambda: ann.friends()[bob.name]["online"])
    said = page.say(bob, "welcome back")
    assert other.message()["id"] == said["id"]


def test_what_a_process_tells_late_of_a_blocked_user_is_not_heard(two, store):
    """It has stored a message before the block, stood still, and goes on afterwards."""
    ann, bob = pair(two)
    page, other = ann.page(), bob.page()
    said = other.say(ann, "before")
    arrives(page, said["id"])
    with client_of(store) as client:
        inbox = KEYS + "inbox:" + sign_of_life(client, ann).decode().rpartition(":")[2]

        def tell(**event):
            client.publish(inbox, json.dumps({"event": event, "to": [ann.id]}))

        assert ann.move("block", bob) == 200
        tell(**said | {"id": said["id"] + 1, "msg": "late"})
        tell(type="read", reader=bob.name, friend=ann.name, upto=said["id"])
        tell(type="delivered", friend=bob.name, ids=[said["id"]])
        tell(type="friends", again=1)
        while "again" not in page.next("friends"):
            pass
        told = [frame["type"] for frame in page.frames]
        assert told.count("message") == 1 and not {"read", "delivered"} & set(told)
        assert ann.move("unblock", bob) == 200
        tell(**said | {"id": said["id"] + 2, "msg": "after it"})
        assert page.message()["msg"] == "after it"


# Many at once.


def test_a_crowd_comes_and_goes_at_once(start, wire, store):
    """There are more than Redis has connections for. Each waits for one, and none takes Redis for lost."""
    delay = 0.0
    line = wire(store, answer=lambda data: time.sleep(delay) or data)
    url = store.url.replace(f":{store.port}", f":{urlsplit(line.url).port}")
    server = start(MODULE, "--redis", url, "--proxies", "1")
    watcher = newcomer(server)
    crowd = [enrolled(server) for _ in range(CROWD)]
    befriend(watcher, *crowd)

    def online():
        return {name for name, friend in watcher.friends().items() if friend["online"]}

    def all_of_them(act):
        coming = list(crowd)
        return all_at_once(CROWD, lambda: act(coming.pop()))

    all_of_them(Person.log_in)
    delay = 0.05  # as long as over a wide network: calls overlap
    pages = all_of_them(Person.page)
    assert online() == {person.name for person in crowd}
    for page in pages:
        page.socket.socket.shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: not online())
    # That an answer is late is the machine's doing, which the line in between makes worse.
    lost = [line for line in server.log.splitlines() if "redis_lost" in line]
    assert [line for line in lost if "Timeout reading" not in line] == []


# Redis dies, or hangs.


def test_redis_dies_and_comes_back_empty(two, store):
    """Messages arrive out of the database; then all is as it was."""
    before = times(two, "redis_back")
    ann, bob = pair(two)
    page, other = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    store.kill()
    said = [page.say(bob, f"without {number}")["id"] for number in range(5)]
    arrives(other, said[-1])
    other.send({"got": said})
    store.start()
    assert page.next("friends")
    assert eventually(lambda: all(map(int.__gt__, times(two, "redis_back"), before)))
    assert eventually(lambda: ann.friends()[bob.name]["online"])
    last = page.say(bob, "with Redis")["id"]
    arrives(other, last)
    assert sorted({frame["id"] for frame in other.frames if frame["type"] == "message"}) == [
        *said,
        last,
    ]


def test_redis_hangs(two, store):
    lost, back = times(two, "redis_lost"), times(two, "redis_back")
    ann, bob = pair(two)
    page, other = ann.page(), bob.page()
    assert page.next("presence")["online"] is True
    with frozen(store.process):
        arrives(other, page.say(bob, "Redis hangs")["id"])
        assert at(ann, two[1]).page().is_open()
        assert eventually(lambda: times(two, "redis_lost")[0] > lost[0])
    assert eventually(lambda: times(two, "redis_back")[0] > back[0])
    arrives(other, page.say(bob, "Redis is back")["id"])


def test_a_crowd_logs_in_while_redis_hangs(two, store):
    """Each is let in, or asked to try again: to count log-ins is no reason for an error of the server's."""
    crowd = [enrolled(two[number % 2]) for number in range(CROWD)]
    for person in crowd:
        person.get("/login")

    def knock(coming=iter(list(crowd))):  # noqa: B008 - one for all threads
        person = next(coming)
        answer = person.post("/login", username=person.name, password=person.password)
        return answer.status, answer.headers["Retry-After"]

    with frozen(store.process):
        answers = all_at_once(CROWD, knock)
    assert set(answers) <= {(302, None), (503, "5")}, answers
    assert (302, None) in answers
