"""Each step keeps the promises of the one before, unless its table here says where a promise ends.

A promise is a function of a running step. `PROMISES` says from which step on it holds, and up to which one; where one
ends, the next begins that takes its place.
"""

import pytest

from tests.support.waiting import eventually

from .people import Page, Person, ask, befriend, new_name, newcomer, stranger

ENDED = 4401
STEPS = {
    2: "step2_accounts",
    3: "step3_messages",
    4: "step4_friends",
    5: "step5_offline",
    6: "step6_several_processes",
}


def who_has_registered_can_log_in_and_out(server):
    person = Person(server, new_name("新人"))
    answer = person.register()
    assert (answer.status, answer.headers["Location"]) == (302, "login")
    person.log_in()
    assert person.name in person.get("/single").body
    copied = person.twin()
    person.log_out()
    assert person.get("/single").headers["Location"] == "login"
    assert copied.get("/single").headers["Location"] == "login"


def nobody_gets_in_without_a_session(server):
    person = stranger(server)
    assert person.get("/single").headers["Location"] == "login"
    assert person.try_to_log_in(password="not the password").status == 401


def the_server_says_that_it_lives(server):
    assert server.get("/healthz").status == 200


def there_is_no_socket(server):
    assert newcomer(server).get("/single_ws").status == 404


def a_socket_knows_its_user_by_the_session(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page, other = ann.page(rich=False), bob.page(rich=False)
    page.send({"to_friend": [bob.name], "msg": "你好", "username": "somebody else"})
    assert other.text() == f"来自{ann.name}:你好"


def both_formats_meet(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page, other = ann.page(), bob.page(rich=False)
    assert page.say(bob, "hello")["type"] == "message"
    assert other.text() == f"来自{ann.name}:hello"


def a_log_out_closes_open_pages(server):
    ann = newcomer(server)
    copied = ann.twin()
    page, tab = ann.page(), ann.page(rich=False)
    ann.log_out()
    reason = "this log-in has ended"
    assert page.ended() == tab.ended() == (ENDED, reason)
    for cookies in (ann, copied):
        assert cookies.get("/single").headers["Location"] == "login"


def a_socket_needs_a_session(server):
    for rich in (True, False):
        assert Page(stranger(server), rich).ended()[0] == ENDED


def junk_is_refused_and_the_page_stays(server):
    page = newcomer(server).page()
    for junk in ("", "[]", b"\0", '{"to": "%s", "msg": 1}'):
        page.send(junk)
        assert page.next("error")["reason"]
    assert page.is_open()


def anybody_writes_to_anybody(server):
    ann, bob = newcomer(server), newcomer(server)
    page, other = ann.page(), bob.page()
    assert page.say(bob, "we never met")["type"] == "message"
    assert other.message()["msg"] == "we never met"
    assert ann.fetch("/friends").status == 404


def only_friends_write_to_each_other(server):
    ann, bob = newcomer(server), newcomer(server)
    page, other = ann.page(), bob.page()
    assert page.say(bob, "we never met")["code"] == "not_friends"
    assert ann.move("ask", bob) == 200
    assert page.next("friends") == other.next("friends")
    assert page.say(bob, "please")["code"] == "not_friends"
    assert bob.move("accept", ann) == 200
    assert page.say(bob, "thank you")["type"] == "message"
    assert other.message()["msg"] == "thank you"


def friends_see_each_other_come_and_go(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    other = bob.page()
    assert page.next("presence") == {"type": "presence", "name": bob.name, "online": True}
    other.close()
    assert page.next("presence")["online"] is False
    assert eventually(lambda: not ann.friends()[bob.name]["online"])


def who_is_away_misses_it_and_the_sender_is_told(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    assert page.welcome["kept"] is False
    assert page.say(bob, "are you there")["code"] == "not_online"
    assert ask("select id from messages where sender_id = %s", ann.id) == []


def who_is_away_gets_it_later(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    assert page.welcome["kept"] is True
    said = [page.say(bob, text)["id"] for text in ("one", "two")]
    other = bob.page()
    assert [other.message()["id"] for _ in said] == said
    other.send({"got": said})
    assert page.next("delivered")["friend"] == bob.name
    history = bob.fetch(f"/history?friend={ann.name}").json["messages"]
    assert [frame["id"] for frame in history] == said


PROMISES = [
    (who_has_registered_can_log_in_and_out, 2, 6),
    (nobody_gets_in_without_a_session, 2, 6),
    (the_server_says_that_it_lives, 2, 6),
    (there_is_no_socket, 2, 2),
    (a_socket_knows_its_user_by_the_session, 3, 6),
    (both_formats_meet, 3, 6),
    (a_log_out_closes_open_pages, 3, 6),
    (a_socket_needs_a_session, 3, 6),
    (junk_is_refused_and_the_page_stays, 3, 6),
    (anybody_writes_to_anybody, 3, 3),
    (only_friends_write_to_each_other, 4, 6),
    (friends_see_each_other_come_and_go, 4, 6),
    (who_is_away_misses_it_and_the_sender_is_told, 3, 4),
    (who_is_away_gets_it_later, 5, 6),
]


def promised(step):
    return [promise for promise, first, last in PROMISES if first <= step <= last]


@pytest.mark.parametrize(
    ("step", "promise"),
    [(step, promise) for step in STEPS for promise in promised(step)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_step(shared, step, promise):
    promise(shared(STEPS[step]))
