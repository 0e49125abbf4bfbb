"""B4: what one user, and one address, may do: more pages and new connections bring no more of it.

The messenger of this file lets a user send a message in a hundred seconds, and all else as rarely: what is allowed at
once is all there is while a test runs.
"""

import pytest
from websockets.exceptions import InvalidStatus

from demos.group_chat.rules import quotas
from demos.group_chat.rules.quotas import Quotas, place
from tests.support.waiting import eventually

from .people import Page, ask, befriend, newcomer, stranger

RARELY = 0.01
AT_ONCE = {"message": 60, "mark": 60, "join": 60, "history": 100, "friends": 60}
PEOPLE = 20  # behind one address


@pytest.fixture
def server(shared):
    limits = "--rate", str(RARELY), "--people", str(PEOPLE)
    return shared("step6_several_processes", *limits, "--proxies", "1")


def stored(person):
    return ask("select count(*) n from messages where sender_id = %s", person.id)[0]["n"]


def test_messages_belong_to_the_user_and_not_to_a_page(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    pages = [ann.page() for _ in range(3)]
    for number in range(30):
        for page in pages[:2]:
            assert page.say(bob, f"{number}")["type"] == "message"
    assert [page.say(bob, "more")["code"] for page in pages] == ["too_fast"] * 3
    for page in pages:
        page.close()
    back = ann.page()  # a new connection has no more
    assert back.say(bob, "again")["code"] == "too_fast"
    assert stored(ann) == 60
    assert bob.page().say(ann, "others may")["type"] == "message"


def test_a_message_to_many_counts_as_many(server):
    ann, *others = [newcomer(server) for _ in range(6)]
    befriend(ann, *others)
    page = ann.page(rich=False)
    for number in range(14):
        page.send({"to_friend": [one.name for one in others], "msg": str(number)})
    assert [page.text() for _ in range(2)] == ["来自服务器:Not so fast, please."] * 2
    assert stored(ann) == 60


def test_marks_of_twenty_pages_are_no_more_than_those_of_one(server):
    """A mark too many waits, and then is refused; nobody else waits."""
    ann = newcomer(server)
    pages = [ann.page() for _ in range(20)]
    for page in pages:
        for _ in range(5):
            page.send({"read": "nobody at all", "upto": 1})

    def answered():
        for page in pages:
            while True:
                try:
                    page.next("error", seconds=0)
                except TimeoutError:
                    break
        errors = [frame for page in pages for frame in page.frames if frame["type"] == "error"]
        return sum(frame["code"] == "unknown" for frame in errors)

    assert eventually(lambda: answered() >= AT_ONCE["mark"])
    other = newcomer(server).page()
    for number in range(50):
        other.send({"read": "nobody at all", "upto": 1})
        assert other.next("error")["code"] == "unknown", number
    assert answered() == AT_ONCE["mark"]


def test_a_long_list_of_marks_counts_as_several(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page, other = ann.page(), bob.page()
    for _ in range(5):
        other.send({"got": [1] * 1000})  # 11 each
    sent = [page.say(bob, text)["id"] for text in ("one", "two", "three", "four", "five", "six")]
    for number in sent:
        other.send({"got": [number]})
    told = set()
    while len(told) < 5:
        told |= set(page.next("delivered")["ids"])
    assert told == set(sent[:5])
    assert page.heard().count("delivered") <= 5
    assert ask("select id from messages where sender_id = %s and delivered_at is null", ann.id) == [
        {"id": sent[5]}
    ]


def test_nothing_of_a_blocked_user_reaches_who_blocks_and_marks_wear_out(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    ids = [page.say(bob, f"{number}")["id"] for number in range(3)]
    pages = [bob.page() for _ in range(20)]
    assert ann.move("block", bob) == 200
    page.next("friends")
    before = [kind for kind in page.heard() if kind != "beat"]
    for one in pages:
        one.send({"got": ids})
        one.send({"read": ann.name, "upto": ids[-1]})
        one.send({"to": ann.name, "msg": "hello?", "client_id": "x"})
    assert eventually(
        lambda: (
            not ask("select id from messages where sender_id = %s and delivered_at is null", ann.id)
        )
    )
    assert bob.move("ask", ann) == 200
    assert [kind for kind in page.heard() if kind != "beat"] == before


def test_joins_belong_to_the_user(server):
    ann = newcomer(server)
    for _ in range(AT_ONCE["join"]):
        ann.page().close()
    assert Page(ann).ended() == (1008, "too many connections, one after the other")
    assert newcomer(server).page().is_open()


def test_a_user_has_a_bounded_number_of_pages(server):
    ann = newcomer(server)
    pages = [ann.page() for _ in range(50)]
    assert Page(ann).ended() == (1008, "too many open pages")
    assert all(page.is_open() for page in pages)
    pages.pop().close()
    assert eventually(lambda: Page(ann).is_open())
    assert newcomer(server).page().is_open()


def test_an_address_has_a_bounded_number_of_pages(server):
    """However many names there are behind it; who is not even logged in counts as well."""
    one, other, late = (newcomer(server) for _ in range(3))
    for person in (other, late):
        person.address = one.address
    pages = [person.page() for person in (one, other) for _ in range(2 * PEOPLE)]
    for person in (late, one, stranger(server)):
        person.address = one.address
        with pytest.raises(InvalidStatus) as refused:
            Page(person)
        assert refused.value.response.status_code == 429
    assert all(page.is_open() for page in pages)
    assert late.get("/single").status == 200, "what is no socket is not counted with them"
    late.address = "192.0.2.9"
    assert late.page().is_open()


@pytest.mark.parametrize(
    ("what", "path"), [("history", "/history?friend=x"), ("friends", "/friends")]
)
def test_lists_belong_to_the_user(server, what, path):
    ann = newcomer(server)
    elsewhere = ann.twin()
    elsewhere.address = "192.0.2.7"
    statuses = [
        person.fetch(path).status for _ in range(AT_ONCE[what] // 2) for person in (ann, elsewhere)
    ]
    assert 429 not in statuses
    refused = ann.fetch(path)
    assert refused.status == 429
    assert refused.json["reason"].startswith("Too many") and refused.json["reason"].endswith(".")
    assert int(refused.headers["Retry-After"]) > 0
    assert newcomer(server).fetch(path).status != 429


# The counting itself.


def test_an_address_has_as_much_as_a_class():
    few = Quotas(RARELY, 3, people=4)
    first = [few.wait(name, "192.0.2.7") for name in "abcd" for _ in range(3)]
    assert first == [0.0] * 12
    assert few.wait("e", "192.0.2.7") > 0
    assert few.wait("e", "192.0.2.8") == 0.0
    assert [few.wait("f", f"2001:db8::{number}") for number in range(3)] == [0.0] * 3
    assert few.wait("f", "2001:db8::9") > 0


def test_what_an_act_costs_is_paid_whole_or_not_at_all():
    few = Quotas(RARELY, 10)
    assert few.wait("a", "", cost=8) == 0.0
    assert few.wait("a", "", cost=3) > 0
    assert few.wait("a", "", cost=2) == 0.0
    assert few.wait("b", "", cost=25) == 0.0, "a full bucket pays for anything once"
    assert few.wait("b", "") > 1 / RARELY


def test_the_room_that_counts_take_is_bounded(monkeypatch):
    """Those who have done nothing for a while are forgotten, and a crowd without end shares one count."""
    monkeypatch.setattr(quotas, "TIDY", 0)
    lively = Quotas(1e9, 1)
    for number in range(200):
        lively.wait(number, "192.0.2.7")
    assert len(lively) < 5
    monkeypatch.setattr(quotas, "MOST", 50)
    crowd = Quotas(RARELY, 1, people=2)
    for number in range(60):
        crowd.wait(number, f"192.0.2.{number}")
    assert len(crowd) == 50
    assert crowd.wait("one more", "192.0.2.99") > 0
    assert crowd.wait(0, "192.0.2.0") > 0, "who was counted before, still is"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:52001", "192.0.2.7"),
        ("[2001:db8:0:7:1:2:3:4]:52001", "2001:db8:0:7::/64"),
        ("[2001:db8:0:7::9]", "2001:db8:0:7::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_what_stands_for_an_address(address, expected):
    assert place(address) == expected
