"""B5: friends: every move there is, two who move at once, and what a blocked user cannot find out."""

from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demos.pool_demo.settings import connect_args
from tests.support.waiting import all_at_once, eventually

from .locks import LETTER, hold_back, let_go, waiting_for_locks
from .people import ask, befriend, new_name, newcomer, stranger

MOVES = ["ask", "accept", "decline", "remove", "block", "unblock"]
SHARED = "select * from friendships where low_id = %s and high_id = %s lock in share mode"
CHANGED = """update friendships set changed_at = changed_at + interval 1 second
    where low_id = %s and high_id = %s"""
NOT_FRIENDS = "You can write to friends only; ask to be one."


@pytest.fixture
def server(shared):
    return shared("step5_offline", "--proxies", "1")


@pytest.fixture(params=["step4_friends", "step5_offline"])
def each_step(request, shared):
    return shared(request.param, "--proxies", "1")


def state(one, other):
    """Return what `one` sees of `other`; "" if nothing."""
    return one.friends().get(other.name, {"state": ""})["state"]


def row(one, other):
    """Return the pair's row, as names: state, who moved last, who blocks."""
    pair = sorted([(one.id, one.name), (other.id, other.name)])
    (low, low_name), (high, high_name) = pair
    found = ask("select * from friendships where low_id = %s and high_id = %s", low, high)
    if not found:
        return "none", "", set()
    (kept,) = found
    blocking = {low_name} if kept["low_blocks"] else set()
    blocking |= {high_name} if kept["high_blocks"] else set()
    return kept["state"], {low: low_name, high: high_name}[kept["actor_id"]], blocking


# The usual course of things.


def test_ask_and_accept(each_step):
    ann, bob = newcomer(each_step), newcomer(each_step)
    assert ann.move("ask", bob) == 200
    assert (state(ann, bob), state(bob, ann)) == ("asked", "asks")
    assert bob.move("accept", ann) == 200
    assert (state(ann, bob), state(bob, ann)) == ("accepted", "accepted")
    assert ann.move("remove", bob) == 200
    assert (state(ann, bob), state(bob, ann)) == ("", "")


def test_ask_and_decline_and_ask_again(each_step):
    ann, bob = newcomer(each_step), newcomer(each_step)
    ann.move("ask", bob)
    assert bob.move("decline", ann) == 200
    assert (state(ann, bob), state(bob, ann)) == ("", "")
    assert ann.move("ask", bob) == 200
    assert state(bob, ann) == "asks"
    assert ann.move("remove", bob) == 200, "a request can be taken back"
    assert state(bob, ann) == ""


def test_only_friends_may_write(each_step):
    ann, bob = newcomer(each_step), newcomer(each_step)
    page, other = ann.page(), bob.page()
    refused = page.say(bob, "hello")
    assert (refused["code"], refused["reason"]) == ("not_friends", NOT_FRIENDS)
    ann.move("ask", bob)
    assert page.say(bob, "please")["code"] == "not_friends"
    bob.move("accept", ann)
    assert page.say(bob, "hello, friend")["type"] == "message"
    assert other.message()["msg"] == "hello, friend"
    bob.move("remove", ann)
    assert page.say(bob, "are you there?")["code"] == "not_friends"


def test_a_client_of_the_source_hears_why_not(each_step):
    ann, bob = newcomer(each_step), newcomer(each_step)
    page = ann.page(rich=False)
    page.send({"to_friend": [bob.name, "nobody at all"], "msg": "hello"})
    assert {page.text(), page.text()} == {
        f"来自服务器:{NOT_FRIENDS}",
        "来自服务器:There is no user nobody at all.",
    }


def test_what_is_not_possible_is_said(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    answers = {
        ("ask", bob.name): "You are friends already.",
        ("ask", ann.name): "That is you.",
        ("ask", "nobody at all"): "There is no user nobody at all.",
        ("ask", f"{bob.name} "): f"There is no user {bob.name} .",
        ("accept", bob.name): "There is nothing to change.",
        ("unblock", bob.name): "There is nothing to change.",
    }
    for (what, name), reason in answers.items():
        path = "/add_friends" if what == "ask" else f"/friends/{what}"
        answer = ann.fetch(path, {"name": name})
        assert (answer.status, answer.json) == (409, {"reason": reason})
    assert ann.fetch("/friends/marry", {"name": bob.name}).status == 404
    for content in ({}, {"name": ""}, {"name": 7}, {"name": [bob.name]}, [], "x", None, 7):
        answer = ann.fetch("/add_friends", content if content is not None else [None])
        assert (answer.status, answer.json) == (400, {"reason": "Say whose name."}), content


def test_a_form_without_a_script_works_too(server):
    ann, bob = newcomer(server), newcomer(server)
    assert ann.post("/add_friends", name=bob.name).status == 200
    assert state(bob, ann) == "asks"


# Live.


def test_the_list_changes_live_in_all_pages(each_step):
    ann, bob = newcomer(each_step), newcomer(each_step)
    pages = [ann.page(), ann.page(), bob.page()]
    for person, what, other in [
        (ann, "ask", bob),
        (bob, "accept", ann),
        (ann, "remove", bob),
    ]:
        person.move(what, other)
        for page in pages:
            assert page.next("friends") == {"type": "friends"}


def test_presence_is_live_and_for_friends_only(each_step):
    ann, bob, eve = (newcomer(each_step) for _ in range(3))
    befriend(ann, bob)
    watching, strange = ann.page(), eve.page()
    assert ann.friends()[bob.name]["online"] is False
    first = bob.page()
    assert watching.next("presence") == {"type": "presence", "name": bob.name, "online": True}
    assert ann.friends()[bob.name]["online"] is True
    second = bob.page()
    first.close()  # one page is left
    second.close()
    assert watching.next("presence") == {"type": "presence", "name": bob.name, "online": False}
    assert ann.friends()[bob.name]["online"] is False
    assert "presence" not in strange.heard()


def test_a_request_does_not_show_who_is_online(server):
    ann, bob = newcomer(server), newcomer(server)
    pages = [ann.page(), bob.page()]
    ann.move("ask", bob)
    assert ann.friends()[bob.name]["online"] is False
    assert bob.friends()[ann.name]["online"] is False
    assert [page.heard().count("presence") for page in pages] == [0, 0]


def test_unread_messages_are_counted_for_each_friend(server):
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(bob, ann, eve)
    page = ann.page()
    ids = [page.say(bob, f"{number}")["id"] for number in range(3)]
    eve.page().say(bob, "me too")
    assert {name: one["unread"] for name, one in bob.friends().items()} == {
        ann.name: 3,
        eve.name: 1,
    }
    assert ann.friends()[bob.name]["unread"] == 0
    reader = bob.page()
    reader.send({"read": ann.name, "upto": ids[1]})
    assert page.next("read")["upto"] == ids[1]
    assert bob.friends()[ann.name]["unread"] == 1
    reader.send({"read": ann.name, "upto": ids[2]})
    assert reader.next("read")["upto"] in ids
    assert eventually(lambda: bob.friends()[ann.name]["unread"] == 0)
    assert bob.friends()[eve.name]["unread"] == 1


# Every order of moves.


class Pair:
    """What should be between two users, in words of this file: friends, one who asked, those who block."""

    def __init__(self):
        self.friends, self.asker, self.blocks = False, "", set()

    def sees(self, me, other):
        if me in self.blocks:
            return "blocked"
        if self.friends:
            return "accepted"
        return {me: "asked", other: "asks"}.get(self.asker, "")

    def move(self, me, what, other):
        """Make the move; say whether it is possible."""
        seen = self.sees(me, other)
        if what == "ask" and seen in ("", "asks"):
            self.friends, self.asker = seen == "asks", me if seen == "" else ""
        elif what == "accept" and seen == "asks":
            self.friends, self.asker = True, ""
        elif (what == "decline" and seen == "asks") or (what == "remove" and seen == "asked"):
            self.asker = ""
        elif what == "remove" and seen == "accepted":
            self.friends = False
        elif what == "block" and seen != "blocked":
            self.friends, self.asker = False, ""
            self.blocks.add(me)
        elif what == "unblock" and seen == "blocked":
            self.blocks.remove(me)
        else:
            return False
        return True

    def copy(self):
        other = Pair()
        other.friends, other.asker, other.blocks = self.friends, self.asker, set(self.blocks)
        return other

    def agrees(self, state, actor, blocks):
        """Say whether a row of the database says the same."""
        same = {"accepted": self.friends, "requested": bool(self.asker)}
        return (
            same.get(state, not self.friends and not self.asker)
            and blocks == self.blocks
            and (state != "requested" or actor == self.asker)
        )


one_move = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(MOVES))
crossing = st.tuples(st.just("both"), st.sampled_from(MOVES), st.sampled_from(MOVES))


@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=st.lists(one_move | one_move | crossing, min_size=6, max_size=12))
def test_any_moves_of_two_users(server, moves):
    """Each move is answered as the model says, both lists and the row agree with it, and nobody hears for nothing."""
    ann, bob = newcomer(server), newcomer(server, word="Bob")
    people, model = {"ann": ann, "bob": bob}, Pair()
    pages = {who: person.page() for who, person in people.items()}
    told = {who: 0 for who in people}
    other = {"ann": "bob", "bob": "ann"}

    def views(pair):
        return {who: pair.sees(people[who].name, people[other[who]].name) for who in people}

    def made(pair, who, what):
        return pair.move(people[who].name, what, people[other[who]].name)

    for who, what, *more in moves:
        before = views(model)
        if who == "both":
            model = _at_once(people, {"ann": what, "bob": more[0]}, model, made, views)
            told = {who: page.heard().count("friends") for who, page in pages.items()}
        else:
            expected = 200 if made(model, who, what) else 409
            assert people[who].move(what, people[other[who]]) == expected
            after = views(model)
            told = {one: count + (before[one] != after[one]) for one, count in told.items()}
            assert {one: page.heard().count("friends") for one, page in pages.items()} == told
        assert views(model) == {"ann": state(ann, bob), "bob": state(bob, ann)}
        assert model.agrees(*row(ann, bob))
    may_write = pages["ann"].say(bob, "hello")["type"] == "message"
    assert may_write == model.friends


def _at_once(people, moves, model, made, views):
    """Let both move at the same time; return the model after whichever order explains what came of it."""
    todo = list(moves.items())
    ann, bob = people["ann"], people["bob"]

    def move():
        who, what = todo.pop()
        return who, people[who].move(what, {"ann": bob, "bob": ann}[who])

    answers = dict(all_at_once(2, move))
    seen = {"ann": state(ann, bob), "bob": state(bob, ann)}
    for order in (["ann", "bob"], ["bob", "ann"]):
        after = model.copy()
        expected = {who: 200 if made(after, who, moves[who]) else 409 for who in order}
        if expected == answers and views(after) == seen:
            return after
    raise AssertionError(f"{moves} from {views(model)}: {answers}, then {seen}")


def test_two_requests_that_cross_make_friends(server):
    for _ in range(4):
        ann, bob = newcomer(server), newcomer(server)
        todo = [(ann, bob), (bob, ann)]

        def move(todo=todo):
            one, other = todo.pop()
            return one.move("ask", other)

        assert all_at_once(2, move) == [200, 200]
        assert (state(ann, bob), state(bob, ann)) == ("accepted", "accepted")
        assert row(ann, bob)[0] == "accepted"


# A block.


def test_a_move_that_is_the_victim_of_a_deadlock_is_made_all_the_same(server):
    """The other transaction has written more, so the database ends the move's."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    pair = sorted([ann.id, bob.id])
    other = pymysql.connect(**connect_args())
    with other, other.cursor() as cursor, ThreadPoolExecutor(1) as elsewhere:
        other.begin()
        cursor.executemany(LETTER, [(ann.id, bob.id, f"d{number}") for number in range(50)])
        cursor.execute(SHARED, pair)
        answer = elsewhere.submit(ann.move, "block", bob)
        assert eventually(waiting_for_locks)
        cursor.execute(CHANGED, pair)
        other.rollback()
        assert answer.result() == 200
    assert state(ann, bob) == "blocked"


def test_a_block_does_not_show(server):
    """What somebody who was blocked can see and do is exactly what somebody sees whose friend has only left."""
    story = [
        ("", "look"),
        ("ask", "look"),
        ("ask", "look"),
        ("accept", "look"),
        ("remove", "look"),
        ("remove", "look"),
        ("ask", "look"),
        ("block", "look"),
        ("ask", "look"),
        ("unblock", "look"),
        ("ask", "look"),
    ]
    left, blocked = (_experience(server, parting, story) for parting in ("remove", "block"))
    assert blocked == left


def _experience(server, parting, story):
    """Part two friends in one of two ways; return all that the one who is left then gets to see."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page, theirs = bob.page(), ann.page()
    page.send({"got": [theirs.say(bob, "goodbye")["id"]]})  # or it would come again after a while
    theirs.next("delivered")
    assert ann.move(parting, bob) == 200
    seen = []
    for what, _ in story:
        if what:
            path = "/add_friends" if what == "ask" else f"/friends/{what}"
            answer = bob.fetch(path, {"name": ann.name})
            seen.append((what, answer.status, answer.body))
        seen.append(sorted(bob.friends().items()))
        seen.append(page.say(ann, "hello?"))
        seen.append(bob.fetch(f"/history?friend={ann.name}").json)
    theirs.close()
    again = ann.page()  # neither her going nor her coming is news to somebody who is no friend
    again.send({"read": bob.name, "upto": 1 << 40})
    assert again.is_open()
    page.heard()
    seen.append([frame for frame in page.frames if frame["type"] != "beat"])
    return _without_chance(repr(seen), ann, bob)


def _without_chance(text, ann, bob):
    """Replace what differs between any two runs: names, ids and times."""
    import re

    text = text.replace(ann.name, "ann").replace(bob.name, "bob")
    text = re.sub(r"'time': '[^']+'|'(id|last)': \d+|'client_id': '[^']*'", "", text)
    return text


def test_the_one_who_blocks_hears_nothing(server):
    ann, bob = newcomer(server), newcomer(server)
    page = ann.page()
    ann.move("block", bob)
    page.next("friends")
    bob.move("ask", ann)
    assert page.heard().count("friends") == 1
    assert state(ann, bob) == "blocked"
    assert ann.fetch("/add_friends", {"name": bob.name}).json["reason"].endswith("unblock first.")
    ann.move("unblock", bob)
    assert state(ann, bob) == "asks", "the request was kept"
    assert ann.move("accept", bob) == 200


def test_nothing_is_stored_after_the_block_was_confirmed(server):
    """A message that was allowed, and waits for a lock before it is stored, holds the block up as well."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = bob.page()
    assert page.say(ann, "before")["type"] == "message"

    def stored():
        return len(ask("select id from messages where sender_id = %s", bob.id))

    def block():
        assert ann.move("block", bob) == 200
        return stored()

    blocker = hold_back(page, ann)
    with ThreadPoolExecutor(1) as elsewhere:
        blocked = elsewhere.submit(block)
        assert eventually(lambda: blocked.done() or waiting_for_locks() == 2)
        let_go(blocker)
        at_once = blocked.result(20)
    page.next("message", "error")
    assert page.say(ann, "after")["code"] == "not_friends"
    assert stored() == at_once


def test_marks_go_to_friends_only(server):
    """Who was blocked, or left, may mark what came before; the other one's pages hear nothing of it."""
    for parting in ("block", "remove"):
        ann, bob = newcomer(server), newcomer(server)
        befriend(ann, bob)
        page, theirs = ann.page(), bob.page()
        ids = [page.say(bob, f"{number}")["id"] for number in range(3)]
        assert [theirs.message()["id"] for _ in ids] == ids
        theirs.send({"read": ann.name, "upto": ids[0]})
        assert page.next("read")["upto"] == ids[0]
        assert ann.move(parting, bob) == 200
        theirs.send({"got": ids})
        theirs.send({"read": ann.name, "upto": ids[-1]})
        assert eventually(lambda: delivered(ids[-1]))  # noqa: B023
        assert theirs.is_open()
        heard = page.heard()
        assert (heard.count("read"), heard.count("delivered")) == (1, 0), parting
        again = ann.fetch(f"/history?friend={bob.name}").json["messages"]
        assert [one["read"] for one in again] == [True, False, False], parting


def delivered(number):
    return ask("select delivered_at from messages where id = %s", number)[0]["delivered_at"]


def test_what_waits_for_one_who_has_blocked_its_sender_goes_on_waiting(server):
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    first = eve.page().say(ann, "first")["id"]
    bob.page().say(ann, "of somebody blocked")
    ann.move("block", bob)
    eve.page().say(ann, "of a friend")
    for since in ("", str(first)):
        page = ann.page(since=since)
        texts = [page.message()["msg"] for _ in range(2)]
        assert texts == ["first", "of a friend"]
        page.close()
    ann.move("unblock", bob)
    page = ann.page()
    assert [page.message()["msg"] for _ in range(3)] == [
        "first",
        "of somebody blocked",
        "of a friend",
    ]


def test_who_is_blocked_cannot_lift_it(server):
    ann, bob = newcomer(server), newcomer(server)
    ann.move("block", bob)
    for what in MOVES:
        bob.move(what, ann)
    assert bob.page().say(ann, "hello")["code"] == "not_friends"
    assert state(ann, bob) == "blocked"


def test_both_may_block_each_other(server):
    ann, bob = newcomer(server), newcomer(server)
    assert ann.move("block", bob) == bob.move("block", ann) == 200
    assert ann.move("unblock", bob) == 200
    assert (state(ann, bob), state(bob, ann)) == ("", "blocked")


def test_a_stranger_cannot_be_made_a_friend_by_others(server):
    """Who is not logged in makes no move, and nobody makes one for somebody else."""
    ann, bob, eve = (newcomer(server) for _ in range(3))
    ann.move("ask", bob)
    assert eve.move("accept", ann) == 409
    assert (
        eve.fetch("/friends/accept", {"name": ann.name, "user": bob.name, "as": bob.id}).status
        == 409
    )
    assert stranger(server).move("ask", bob) in (400, 401)
    assert state(ann, bob) == "asked"


def test_too_many_moves_have_to_wait(server):
    ann, bob = newcomer(server), newcomer(server)
    statuses = [ann.move("ask", f"nobody {new_name()}") for _ in range(61)]
    assert statuses == [409] * 60 + [429]
    assert bob.move("ask", ann) == 200, "it is counted for each user"
