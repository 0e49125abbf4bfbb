"""course/messenger_client.py: somebody who logs in, sends forms, and opens sockets with the cookie."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from course import demo
from course.lesson import LessonError
from course.messenger_client import Visitor, log_in


@pytest.fixture(scope="module")
def messenger(database):
    """The messenger with friends, whose server is ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", "the tests' own")
        started = demo.start("private_chat/step4_friends")
        yield started
        started.end()
        demo._running.clear()


def test_a_visitor_logs_in_and_is_known_to_page_and_socket(messenger, book):
    ann = log_in(messenger, "韩雪")
    assert set(ann.cookies) == {"messenger", "known_browser"}
    assert "韩雪" in ann.get("single").body
    with ann.ws("single_ws", subprotocols=["im.v1"]) as page:
        assert json.loads(page.recv(60))["name"] == "韩雪"


def test_a_script_sends_json_with_the_token(messenger, book):
    eve = log_in(messenger, "唐嫣")
    assert eve.fetch("add_friends", {"name": "小甜甜"})[0] == 200
    status, content = eve.fetch("friends")
    states = {friend["name"]: friend["state"] for friend in content["friends"]}
    assert (status, states["小甜甜"]) == (200, "asked")
    eve.token = ""
    status, content = eve.fetch("friends/remove", {"name": "小甜甜"})
    assert (status, list(content)) == (400, ["reason"])


def test_a_log_out_takes_the_cookie_and_the_socket(messenger, book):
    ann = log_in(messenger, "韩雪")
    with ann.ws("single_ws") as page:
        assert page.ping().wait(60)
        answer = ann.post("logout")
        with pytest.raises(ConnectionClosed) as closed:
            page.recv(60)
    assert (answer.status, answer.headers["Location"]) == (302, "login")
    assert closed.value.rcvd.code == 4401
    assert set(ann.cookies) == {"known_browser"}
    assert ann.get("single").headers["Location"] == "login"


def test_who_is_not_let_in_is_one_sentence(messenger, book):
    with pytest.raises(LessonError, match="韩雪 is not let in") as caught:
        log_in(messenger, "韩雪", "a wrong one")
    assert "\n" not in str(caught.value)


def test_a_visitor_without_a_cookie_is_nobody(messenger, book):
    nobody = Visitor(messenger)
    assert nobody.fetch("friends")[0] == 401
    with nobody.ws() as page, pytest.raises(ConnectionClosed) as closed:
        page.recv(60)
    assert closed.value.rcvd.code == 4401
