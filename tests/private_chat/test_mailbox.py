"""B6: the mailbox: stored before acknowledged, delivered in order, stored once, and many in one transaction."""

import socket
import threading

import pymysql
import pytest

from demos.pool_demo.settings import connect_args
from demos.private_chat.friends import Friendships
from demos.private_chat.mailbox import Mailbox
from demos.private_chat.switchboard import Switchboard, User
from demos.private_chat.web.database import MESSAGES, database
from tests.support.waiting import eventually

from .conftest import Doors
from .locks import LETTER, gathered, hold_back, let_go, waiting_for_locks
from .people import PATIENCE, ask, befriend, newcomer

WAITING = 3000  # more than a page of the past, and than the network holds


@pytest.fixture
def server(shared):
    return shared("step6_several_processes")


@pytest.fixture
def friends(finished):
    """Two friends."""
    ann, bob = newcomer(finished), newcomer(finished)
    befriend(ann, bob)
    return ann, bob


def row(number):
    """Return what is stored of a message."""
    (found,) = ask("select * from messages where id = %s", number)
    return found


def row_of(person, client_id):
    return ask(
        "select * from messages where sender_id = %s and client_id = %s", person.id, client_id
    )


def fill(sender, recipient, number, start=0):
    """Let messages wait for somebody, as if they had been sent."""
    values = ",".join(["(%s, %s, %s, %s)"] * number)
    ask(
        f"insert into messages(sender_id, recipient_id, client_id, body) values {values}",
        *(
            field
            for n in range(start, start + number)
            for field in (sender, recipient, f"w{n}", str(n))
        ),
    )


def times(page, number):
    """How often a message has come to a page."""
    return [one["id"] for one in page.frames if one["type"] == "message"].count(number)


def past(person, friend, **arguments):
    """Fetch a page of the history: its texts, and whether there are more."""
    query = "&".join(
        f"{name}={value}" for name, value in {"friend": friend.name, **arguments}.items()
    )
    answer = person.fetch(f"/history?{query}")
    assert answer.status == 200, answer
    return answer.json


def bodies(page, number):
    """Return the texts of the next messages."""
    return [page.message()["msg"] for _ in range(number)]


# Stored, then acknowledged.


def test_an_acknowledged_message_is_stored(friends):
    ann, bob = friends
    said = ann.page().say(bob, "你好 😀", "my-own-id")
    kept = row(said["id"])
    assert (kept["sender_id"], kept["recipient_id"], kept["body"]) == (ann.id, bob.id, "你好 😀")
    assert (kept["client_id"], kept["delivered_at"], kept["read_at"]) == ("my-own-id", None, None)
    assert said["time"] == kept["sent_at"].isoformat(timespec="milliseconds") + "Z"
    assert (said["from"], said["to"], said["delivered"], said["read"]) == (
        ann.name,
        bob.name,
        False,
        False,
    )


def test_nothing_is_acknowledged_before_its_commit(friends):
    """Somebody else's lock holds the transaction up; the acknowledgement waits for it."""
    ann, bob = friends
    page, other = ann.page(), bob.page()
    first = page.say(bob, "first")["id"]
    other.message()
    blocker = hold_back(page, bob, "held")
    other.heard()  # the first one may come again, because nobody has confirmed it
    told = {frame["id"] for frame in other.frames if frame["type"] == "message"}
    kept = row_of(ann, "held")
    let_go(blocker)
    assert (told, kept) == ({first}, [])
    assert page.message()["client_id"] == "held"
    assert other.message()["client_id"] == "held"


# Marks.


def test_delivered_and_read_reach_all_pages(friends):
    ann, bob = friends
    page, tab, other, second = ann.page(), ann.page(), bob.page(), bob.page()
    ids = [page.say(bob, text)["id"] for text in ("one", "two", "three")]
    for each in (other, second):
        assert [each.message()["id"] for _ in ids] == ids
    other.send({"got": ids})
    for each in (page, tab):
        told = []
        while len(told) < 3:
            frame = each.next("delivered")
            assert frame["friend"] == bob.name
            told += frame["ids"]
        assert sorted(told) == ids
    assert all(row(number)["delivered_at"] for number in ids)
    other.send({"read": ann.name, "upto": ids[1]})
    for each in (page, tab, other, second):
        assert each.next("read") == {
            "type": "read",
            "reader": bob.name,
            "friend": ann.name,
            "upto": ids[1],
        }
    assert [row(number)["read_at"] is None for number in ids] == [False, False, True]
    assert bob.friends()[ann.name]["unread"] == 1
    assert [(one["delivered"], one["read"]) for one in past(ann, bob)["messages"]] == [
        (True, True)
    ] * 2 + [(True, False)]


def test_what_was_read_was_delivered(friends):
    ann, bob = friends
    said = ann.page().say(bob, "hello")
    page = bob.page()
    page.message()
    page.send({"read": ann.name, "upto": said["id"] + 1000})
    assert page.next("read")["upto"] == said["id"], "no further than there are messages"
    assert row(said["id"])["delivered_at"] and row(said["id"])["read_at"]


def test_a_plain_client_has_what_was_sent_to_it(friends):
    ann, bob = friends
    page, plain = ann.page(), bob.page(rich=False)
    said = page.say(bob, "hello")
    assert plain.text() == f"来自{ann.name}:hello"
    assert page.next("delivered")["ids"] == [said["id"]]


# Away, and back.


@pytest.mark.parametrize("rich", [True, False], ids=["rich", "the source's"])
def test_what_was_sent_meanwhile_comes_in_order(friends, rich):
    ann, bob = friends
    page = ann.page()
    texts = [f"while you were away {n}" for n in range(20)]
    ids = [page.say(bob, text)["id"] for text in texts]
    other = bob.page(rich=rich)
    if rich:
        assert bodies(other, 20) == texts
        other.send({"got": ids})
    else:
        assert [other.text() for _ in texts] == [f"来自{ann.name}:{text}" for text in texts]
    assert eventually(lambda: row(ids[-1])["delivered_at"])
    other.close()
    # What was delivered does not come again.
    again = bob.page(rich=rich)
    page.say(bob, "the next")
    assert (again.message()["msg"] if rich else again.text()).endswith("the next")


def test_what_was_not_confirmed_comes_again(friends):
    ann, bob = friends
    said = ann.page().say(bob, "hello")
    for _ in range(3):
        other = bob.page()
        assert other.message()["id"] == said["id"]
        other.close()


def test_a_message_from_each_of_several_friends_waits(server):
    bob, *others = [newcomer(server) for _ in range(4)]
    befriend(bob, *others)
    for one in others:
        one.page().say(bob, f"from {one.name}")
    page = bob.page()
    assert bodies(page, 3) == [f"from {one.name}" for one in others]
    assert {name: friend["unread"] for name, friend in bob.friends().items()} == {
        one.name: 1 for one in others
    }


def test_thousands_of_messages_wait_for_one_who_reads_slowly(friends):
    """They come in order, once, and what is said meanwhile comes after them; nobody else has to wait."""
    ann, bob = friends
    sender, recipient = ann.id, bob.id
    fill(sender, recipient, WAITING)
    page = ann.page()
    slow = bob.page(max_queue=16)  # reads nothing more until it is asked
    said = [page.say(bob, f"live {number}")["id"] for number in range(5)]
    assert ann.page().say(bob, "still quick")["id"]
    texts, ids = [], []
    while len(texts) < WAITING + 6:
        frame = slow.message()
        if frame["id"] not in ids[-20:]:
            texts.append(frame["msg"])
            ids.append(frame["id"])
    assert texts == [
        *map(str, range(WAITING)),
        *(f"live {number}" for number in range(5)),
        "still quick",
    ]
    assert ids == sorted(set(ids))
    assert said == ids[WAITING : WAITING + 5]
    assert slow.is_open()


def test_a_page_that_comes_back_gets_what_it_missed(friends):
    """Its own user's lines from another tab too, and what that other tab has confirmed."""
    ann, bob = friends
    page, other = ann.page(), bob.page()
    first = page.say(bob, "first")
    assert other.message()["id"] == first["id"]
    page.close()
    tab = ann.page()
    missed = [tab.say(bob, "mine, elsewhere")["id"], other.say(ann, "theirs")["id"]]
    while tab.message()["id"] != missed[1]:
        pass
    tab.send({"got": [missed[1]]})
    assert eventually(lambda: row(missed[1])["delivered_at"])
    back = ann.page(since=first["id"])
    heard = []
    while heard[-2:] != missed:
        heard.append(back.message()["id"])
    assert heard == [first["id"], *missed], "first the overlap, then what is new"


def test_an_id_that_was_overtaken_is_not_missed(friends):
    """Transactions of two processes may end in another order than they began, and a page be away for long."""
    ann, bob = friends
    page = ann.page()
    early, late = (page.say(bob, text)["id"] for text in ("early", "late"))
    # Long ago, bob's page saw the later one before the earlier one was there; another tab had both.
    ask(
        "update messages set sent_at = sent_at - interval 1 hour, delivered_at = utc_timestamp(3) where id in (%s, %s)",
        early,
        late,
    )
    back = bob.page(since=late)
    assert back.message()["id"] == early


def test_a_since_that_is_none_does_no_harm(friends):
    ann, bob = friends
    said = ann.page().say(bob, "undelivered")
    for since in ("0", "-5", "99999999999999999999999", str(1 << 62), "abc", "1.5", "%20"):
        with (page := bob.page(since=since)).socket:
            assert page.message()["id"] == said["id"], since


def test_since_shows_nobody_elses_messages(finished, friends):
    ann, bob = friends
    said = ann.page().say(bob, "for bob")
    eve = newcomer(finished)
    befriend(eve, bob)
    page = eve.page(since=max(1, said["id"] - 5))
    assert page.say(bob, "hello")["type"] == "message"
    assert [frame["msg"] for frame in page.frames if frame["type"] == "message"] == ["hello"]


def test_a_plain_client_gets_nothing_twice(friends):
    """It could not tell: not when the sender repeats himself, not when the server looks for what got lost."""
    ann, bob = friends
    page, plain = ann.page(), bob.page(rich=False)
    first = page.say(bob, "once", "same")
    assert plain.text() == f"来自{ann.name}:once"
    # The mark was lost, so the server takes it for undelivered, and looks for it every two seconds.
    assert eventually(lambda: row(first["id"])["delivered_at"])
    ask(
        "update messages set delivered_at = null, sent_at = sent_at - interval 3 second where id = %s",
        first["id"],
    )
    rich = bob.page()
    assert rich.message()["id"] == first["id"]
    assert rich.next("message")["id"] == first["id"], "the server has looked"
    assert page.say(bob, "once", "same")["id"] == first["id"]
    page.say(bob, "the next")
    assert plain.text() == f"来自{ann.name}:the next"


def test_who_reads_nothing_and_breaks_off_gets_it_all_the_next_time(friends):
    """A client of the source's format; the network takes what is sent to it, and that is not yet delivered."""
    ann, bob = friends
    page = ann.page()
    deaf = plain_and_deaf(bob)
    ids = [page.say(bob, f"{number}")["id"] for number in range(50)]
    # Marks are noted in the order in which they come: when this one is, the others would have been.
    other = newcomer(bob.server)
    befriend(ann, other)
    reader = other.page(rich=False)
    last = page.say(other, "to somebody who reads")["id"]
    assert reader.text().endswith("who reads")
    assert page.next("delivered")["ids"] == [last]
    assert not any(row(number)["delivered_at"] for number in ids)
    deaf.close()
    back = bob.page(rich=False)
    assert [back.text() for _ in ids] == [f"来自{ann.name}:{number}" for number in range(50)]
    assert eventually(lambda: row(ids[-1])["delivered_at"])


def plain_and_deaf(person):
    """Return a TCP connection that has opened a socket in the source's format, and reads no more."""
    host, port = address_of(person)
    connection = socket.create_connection((host, port), 20)
    connection.sendall(
        f"GET /single_ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Cookie: {person.cookie}\r\n\r\n".encode()
    )
    assert connection.recv(12) == b"HTTP/1.1 101"
    return connection


def address_of(person):
    servers = getattr(person.server, "servers", [person.server])
    host, port = servers[0].url.removeprefix("http://").split(":")
    return host, int(port)


def test_what_is_sent_again_does_not_come_again_to_a_plain_client_that_came_back(friends):
    ann, bob = friends
    page, plain = ann.page(), bob.page(rich=False)
    first = page.say(bob, "once", "same")
    assert plain.text() == f"来自{ann.name}:once"
    assert page.next("delivered")["ids"] == [first["id"]]
    plain.close()
    back = bob.page(rich=False)
    assert ann.page().say(bob, "once", "same")["id"] == first["id"]
    page.say(bob, "the next")
    assert back.text() == f"来自{ann.name}:the next"


def test_what_a_plain_client_has_read_does_not_come_again_while_the_database_is_slow(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    said = page.say(bob, "once")
    with pymysql.connect(**connect_args()) as blocker, blocker.cursor() as cursor:
        blocker.begin()
        cursor.execute("select id from messages where id = %s for update", (said["id"],))
        plain = bob.page(rich=False)
        assert plain.text() == f"来自{ann.name}:once"
        assert eventually(waiting_for_locks), "the server wants to note that it was delivered"
        plain.close()
        back = bob.page(rich=False)
        page.say(bob, "the next")
        assert back.text() == f"来自{ann.name}:the next"
        blocker.rollback()
    assert eventually(lambda: row(said["id"])["delivered_at"])


# Sent again.


def test_the_same_frame_again_is_stored_once_and_answered_each_time(friends):
    ann, bob = friends
    page, other = ann.page(), bob.page()
    first = page.say(bob, "hello", "same")
    again = [page.say(bob, "hello", "same"), ann.page().say(bob, "hello", "same")]
    assert [one["id"] for one in again] == [first["id"]] * 2
    assert [one["msg"] for one in again] == ["hello"] * 2
    page.say(bob, "next")
    heard = []
    while "next" not in heard:
        heard.append(other.message()["msg"])
    assert set(heard) == {"hello", "next"}
    assert ask("select count(*) n from messages where sender_id = %s", ann.id)[0]["n"] == 2


def test_the_same_id_in_one_batch_is_stored_once(friends):
    ann, bob = friends
    pages = [ann.page() for _ in range(8)]
    blocker = hold_back(ann.page(), bob)
    for page in pages:
        page.send({"to": bob.name, "msg": "eight times", "client_id": "same"})
    gathered(ann.server)
    let_go(blocker)
    answers = []
    for page in pages:
        while (frame := page.message())["client_id"] != "same":
            pass
        answers.append(frame["id"])
    assert len(set(answers)) == 1
    assert ask(
        "select count(*) n from messages where client_id = 'same' and sender_id = %s", ann.id
    ) == [{"n": 1}]


def test_an_id_that_another_message_has_is_refused(finished, friends):
    """Acknowledged means stored: what has another text, or goes to another friend, is another message."""
    ann, bob = friends
    eve = newcomer(finished)
    befriend(ann, eve)
    page, other, third = ann.page(), bob.page(), eve.page()
    first = page.say(bob, "for bob", "same")
    for to, text in ((eve, "for bob"), (eve, "for eve"), (bob, "another text"), (bob, "for bob ")):
        refused = page.say(to, text, "same")
        assert (refused["type"], refused["code"]) == ("error", "id_taken"), (to.name, text)
    assert page.say(bob, "for bob", "same")["id"] == first["id"]
    assert page.say(eve, "for eve", "its own")["type"] == "message"
    assert third.message()["msg"] == "for eve"
    page.say(bob, "the next")
    while other.message()["msg"] != "the next":
        pass
    assert {one["msg"] for one in other.frames if one["type"] == "message"} == {
        "for bob",
        "the next",
    }
    stored = ask("select body from messages where sender_id = %s order by id", ann.id)
    assert [one["body"] for one in stored] == ["for bob", "for eve", "the next"]


def test_of_two_messages_with_one_id_in_a_batch_one_is_stored(server):
    """The other one is refused, and nobody is told that it was sent."""
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    pages = [ann.page(), ann.page()]
    blocker = hold_back(ann.page(), bob)
    for page, to in zip(pages, (bob, eve), strict=True):
        page.send({"to": to.name, "msg": f"for {to.name}", "client_id": "same"})
    gathered(server)
    let_go(blocker)
    assert eventually(lambda: sum("error" in page.heard() for page in pages) == 1)
    stored = ask(
        "select recipient_id from messages where client_id = 'same' and sender_id = %s", ann.id
    )
    assert len(stored) == 1


def test_what_was_stored_among_friends_is_acknowledged_after_they_have_parted(finished, friends):
    """The sender's page may not have heard of it. What is new is refused, and nobody else hears either."""
    ann, bob = friends
    eve = newcomer(finished)
    befriend(eve, bob)
    page, other = ann.page(), bob.page()
    first = page.say(bob, "hello", "same")
    assert other.message()["id"] == first["id"]
    other.send({"got": [first["id"]]})
    assert page.next("delivered")["ids"] == [first["id"]]
    assert bob.move("remove", ann) == 200
    other.heard()  # it may have come twice: from the past, and live
    before = times(other, first["id"])
    back = ann.page()
    again = back.say(bob, "hello", "same")
    assert (again["type"], again["id"], again["msg"]) == ("message", first["id"], "hello")
    assert back.say(bob, "new", "another")["code"] == "not_friends"
    assert eve.page().say(bob, "I am still a friend")["type"] == "message"
    assert other.message()["from"] == eve.name
    assert times(other, first["id"]) == before
    assert [
        one["body"] for one in ask("select body from messages where sender_id = %s", ann.id)
    ] == ["hello"]


def test_in_one_batch_each_letter_has_its_own_answer(server):
    """Two that were stored before their writers parted, one that is new, and one among friends."""
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    pages, third = [ann.page() for _ in range(4)], eve.page()
    assert all(page.is_open() for page in pages)
    stored = [pages[0].say(bob, text, text)["id"] for text in ("one", "two")]
    assert bob.move("remove", ann) == 200
    blocker = hold_back(third, ann)
    letters = [(bob, "one"), (bob, "two"), (bob, "new"), (eve, "friends")]
    for page, (to, text) in zip(pages, letters, strict=True):
        page.send({"to": to.name, "msg": text, "client_id": text})
    gathered(ann.server)
    let_go(blocker)
    answers = []
    for page, (_, text) in zip(pages, letters, strict=True):
        while (frame := page.next("message", "error")).get("client_id") != text:
            pass
        answers.append(frame)
    assert [frame.get("id") for frame in answers[:2]] == stored
    assert answers[2]["code"] == "not_friends"
    assert third.message()["msg"] == "holds back" and third.message()["msg"] == "friends"


def test_ids_that_differ_by_a_blank_are_not_confused(friends):
    ann, bob = friends
    page = ann.page()
    assert page.say(bob, "one", "x")["type"] == "message"
    page.send({"to": bob.name, "msg": "two", "client_id": "x "})
    assert page.next("error")["code"] == "no_message"


# History.


def test_history_comes_in_pages_the_oldest_first(friends):
    ann, bob = friends
    fill(ann.id, bob.id, 60)
    fill(bob.id, ann.id, 65)
    for one, friend in ((ann, bob), (bob, ann)):
        newest = past(one, friend)
        middle = past(one, friend, before=newest["messages"][0]["id"])
        oldest = past(one, friend, before=middle["messages"][0]["id"])
        assert [len(each["messages"]) for each in (oldest, middle, newest)] == [25, 50, 50]
        assert [each["more"] for each in (oldest, middle, newest)] == [False, True, True]
        ids = [frame["id"] for each in (oldest, middle, newest) for frame in each["messages"]]
        assert ids == sorted(set(ids))
    few = past(ann, bob, limit=10)
    assert [frame["msg"] for frame in few["messages"]] == [str(n) for n in range(55, 65)]
    assert few["more"]


def test_history_is_that_of_the_two_alone(finished, friends):
    ann, bob = friends
    eve = newcomer(finished)
    befriend(bob, eve)
    ann.page().say(bob, "secret")
    assert past(eve, bob)["messages"] == past(eve, ann)["messages"] == []
    assert eve.fetch("/history?friend=nobody-at-all").status == 404
    assert eve.fetch("/history").status == 404


def test_a_number_that_is_none_does_no_harm(friends):
    ann, bob = friends
    fill(ann.id, bob.id, 60)
    for bad in (
        "before=-1",
        "before=x",
        "limit=0",
        "limit=-1",
        f"before={1 << 80}",
        "limit=9999999",
    ):
        answer = ann.fetch(f"/history?friend={bob.name}&{bad}")
        assert answer.status == 200, bad
        assert len(answer.json["messages"]) <= 50, bad


READS = "show session status where variable_name like 'Handler_read%%'"


def test_a_page_of_the_past_and_a_mark_cost_the_same_however_long_the_conversation(server):
    """Counted are the rows that the database looks at, with most of the conversation on either side."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    fill(ann.id, bob.id, 4000)
    first, last = (
        ask(f"select {m}(id) id from messages where sender_id = %s", ann.id)[0]["id"]
        for m in ("min", "max")
    )
    db = database(MESSAGES)
    post, reader = Mailbox(db, Switchboard()), User(bob.id, bob.name, "")

    def rows_read(act, *arguments):
        with db.transaction() as tx:  # all on one connection
            before = sum(int(row["Value"]) for row in tx.selectall(READS))
            act(reader, ann.name, *arguments)
            return sum(int(row["Value"]) for row in tx.selectall(READS)) - before

    try:
        places = [first + 60, (first + last) // 2, last - 60]
        history = [rows_read(post.history, number, 51) for number in [*places, 1 << 62]]
        post.read(reader, ann.name, (first + last) // 2)
        again = [rows_read(post.read, number) for number in (first, *places[:2])]
    finally:
        post.stop()
    assert max(history) < 300, history
    assert max(again) < 300, again


class Screen:
    """A page that keeps what it is shown, in place of a socket."""

    rich = True

    def __init__(self, user):
        self.user, self.events = user, []

    def show(self, event):
        self.events.append(event)
        return True

    def release(self):
        pass


def test_a_page_that_comes_back_after_long_reads_what_is_new_and_its_users(server):
    """However much its user had written before, and the others have written since."""
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    befriend(bob, eve)
    fill(bob.id, eve.id, 4000, start=10_000)
    ask("update messages set delivered_at = utc_timestamp(3) where recipient_id = %s", eve.id)
    first = eve.page().say(bob, "before")["id"]
    db, board = database(MESSAGES), Switchboard()
    post = Mailbox(db, board, Friendships(db, board))

    def come_back():
        screen = Screen(User(eve.id, eve.name, ""))
        with db.transaction() as tx:
            before = sum(int(row["Value"]) for row in tx.selectall(READS))
            post.connect(screen, first)
            after = sum(int(row["Value"]) for row in tx.selectall(READS))
        return after - before, {event["msg"] for event in screen.events}

    try:
        soon, shown = come_back()
        assert "before" in shown
        fill(ann.id, bob.id, 4000)
        fill(bob.id, eve.id, 3)
        late, shown = come_back()
        assert {"before", "0", "1", "2"} <= shown
    finally:
        post.stop()
    assert late - soon < 100


# Many at once.


def test_messages_that_arrive_together_are_one_transaction(server):
    people = [newcomer(server) for _ in range(20)]
    for number, person in enumerate(people):
        befriend(person, *people[number + 1 :])
    pages = [person.page() for person in people]
    for page, friend in zip(pages, people[1:] + people[:1], strict=True):
        page.say(
            friend, "before"
        )  # the server looks names up once; below it asks nobody before it gathers
    blocker = hold_back(pages[0], people[1])
    for page, friend in zip(pages[1:], people[2:] + people[:1], strict=True):
        page.send({"to": friend.name, "msg": "together", "client_id": "x"})
    gathered(server)
    let_go(blocker)
    ids = [_mine(page, "x") for page in pages[1:]]
    assert len(set(ids)) == 19
    # Rows of one transaction have one time.
    times = ask(
        "select count(distinct sent_at) n from messages where client_id = 'x' and id between %s and %s",
        min(ids),
        max(ids),
    )
    assert times == [{"n": 1}]


def _mine(page, client_id):
    while (frame := page.message())["client_id"] != client_id or frame["from"] != page.person.name:
        pass
    return frame["id"]


def test_a_letter_that_cannot_be_stored_does_not_take_the_others_with_it(server):
    people = [newcomer(server) for _ in range(4)]
    befriend(people[0], *people[1:])
    page, other, third = people[0].page(), people[0].page(), people[2].page()
    ask(
        "create trigger no_bad_ones before insert on messages for each row"
        " if new.body = 'bad' then signal sqlstate '22001' set mysql_errno = 1406; end if"
    )
    try:
        tab = people[0].page()
        blocker = hold_back(page, people[1])
        other.send({"to_friend": [people[2].name], "msg": "good"})
        tab.send({"to": people[3].name, "msg": "bad", "client_id": "bad"})
        gathered(server)
        let_go(blocker)
        refused = tab.next("error")
    finally:
        ask("drop trigger no_bad_ones")
    assert (refused["code"], refused["client_id"]) == ("not_stored", "bad")
    assert third.message()["msg"] == "good"


def test_a_deadlock_is_repeated_and_nobody_notices(friends):
    """Each of two transactions waits for what the other has. The server ends the one that has done less."""
    ann, bob = friends
    page, other = ann.page(), bob.page()
    blocker = hold_back(page, bob, "victim")
    with blocker.cursor() as cursor:
        cursor.executemany(LETTER, [(bob.id, bob.id, f"heavy {n}") for n in range(100)])
        # Succeeds at once, because the mailbox's transaction, which has a row here, is the victim.
        cursor.execute("select id from messages where sender_id = %s for update", (ann.id,))
    let_go(blocker)
    said = page.next("message", "error")
    assert (said["type"], said["client_id"], said["msg"]) == ("message", "victim", "holds back")
    assert other.message()["id"] == said["id"]


# The server's own house.


def test_pages_that_come_and_go_leave_nothing_behind(friends):
    """A page that leaves while its past is shown ends the showing; the server goes on."""
    ann, bob = friends
    fill(ann.id, bob.id, 2000)
    for _ in range(5):
        page = bob.page(max_queue=4)
        page.socket.socket.close()
    assert ann.page().say(bob, "and on")["id"]
    last = bob.page()
    assert [last.message()["msg"] for _ in range(2001)][-1] == "and on"


def test_who_confirms_nothing_holds_nobody_else_up(finished, friends):
    """Messages that wait for one page do not keep the server from looking for those of another."""
    ann, bob = friends
    eve = newcomer(finished)
    befriend(eve, bob)
    fill(ann.id, bob.id, 1500)
    silent = bob.page()
    while silent.message()["msg"] != "1499":
        pass
    page = eve.page()
    # Stored by a process that died before it could tell anybody.
    fill(bob.id, eve.id, 1, start=7)
    assert page.message(seconds=PATIENCE)["msg"] == "7"


def test_a_page_that_sends_many_at_once_keeps_its_order(friends):
    ann, bob = friends
    pages, other = [ann.page(), ann.page()], bob.page()

    def write(page, name):
        for number in range(25):
            page.send({"to": bob.name, "msg": f"{name}{number}", "client_id": f"{name}{number}"})

    threads = [
        threading.Thread(target=write, args=(page, name), daemon=True)
        for page, name in zip(pages, "ab", strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    frames = [other.message() for _ in range(50)]
    for name in "ab":
        assert [one["msg"] for one in frames if one["msg"][0] == name] == [
            f"{name}{n}" for n in range(25)
        ]
    if not isinstance(ann.server, Doors):  # of several processes each stores in its own time
        assert [one["id"] for one in frames] == sorted(one["id"] for one in frames)
