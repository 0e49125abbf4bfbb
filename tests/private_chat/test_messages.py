"""B4: messages by session, from step 3 on: who gets them, in which format, and what a page can send that is none."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .people import ask, befriend, new_name, newcomer

STEPS = ["step3_messages", "step4_friends", "step5_offline"]
ALPHABET = 'ab 你😀"\\\0\ud800'


@pytest.fixture(params=STEPS)
def each_step(request, shared):
    return shared(request.param)


@pytest.fixture
def server(shared):
    return shared("step5_offline")


def friends(server, number):
    """Make users who are friends of the first."""
    people = [newcomer(server) for _ in range(number)]
    befriend(*people)
    return people


def write(page, *to_friend, msg):
    """Send a frame of the source's format."""
    page.send({"to_friend": [one.name for one in to_friend], "msg": msg})


# The source's format.


def test_several_recipients_get_the_sources_text(each_step):
    ann, bob, eve = friends(each_step, 3)
    pages = [one.page(rich=False) for one in (ann, bob, eve)]
    write(pages[0], bob, eve, msg="你们好 <b>")
    assert [page.text() for page in pages[1:]] == [f"来自{ann.name}:你们好 <b>"] * 2
    # The sender heard nothing of it: what comes next is the answer.
    write(pages[1], ann, msg="你好")
    assert pages[0].text() == f"来自{bob.name}:你好"


def test_both_formats_meet(each_step):
    ann, bob, eve = friends(each_step, 3)
    rich, plain, other = ann.page(), bob.page(rich=False), eve.page()
    assert rich.say(bob, "rich to plain")["type"] == "message"
    assert plain.text() == f"来自{ann.name}:rich to plain"
    write(plain, ann, msg="plain to rich")
    frame = rich.message()
    assert (frame["from"], frame["to"], frame["msg"]) == (bob.name, ann.name, "plain to rich")
    rich.send({"to_friend": [bob.name, eve.name], "msg": "to both", "client_id": "one for two"})
    assert plain.text() == f"来自{ann.name}:to both"
    assert other.message()["msg"] == "to both"


def test_one_who_is_named_twice_gets_it_once(each_step):
    ann, bob = friends(each_step, 2)
    page, other = ann.page(rich=False), bob.page(rich=False)
    write(page, bob, bob, bob, msg="once")
    write(page, bob, msg="the next")
    assert [other.text() for _ in range(2)] == [f"来自{ann.name}:once", f"来自{ann.name}:the next"]


@pytest.mark.parametrize("rich", [True, False], ids=["rich", "the source's"])
def test_all_tabs_of_both_users_hear_it(each_step, rich):
    ann, bob = friends(each_step, 2)
    page, tab, theirs = ann.page(), ann.page(), [bob.page(rich=rich) for _ in range(3)]
    said = page.say(bob, "hello")
    assert tab.message() == said
    if rich:
        assert [one.message() for one in theirs] == [said] * 3
    else:
        assert [one.text() for one in theirs] == [f"来自{ann.name}:hello"] * 3


def test_nobody_else_hears_it(each_step):
    ann, bob, eve = friends(each_step, 3)
    page, other, third = ann.page(), bob.page(), eve.page()
    page.say(bob, "secret")
    assert other.message()["msg"] == "secret"
    assert "message" not in third.heard()


def test_the_senders_name_is_the_sessions(each_step):
    ann, bob = friends(each_step, 2)
    page, other = ann.page(), bob.page()
    page.send(
        {
            "to": bob.name,
            "from": bob.name,
            "username": "服务器",
            "msg": "who am I",
            "id": 1,
            "type": "message",
        }
    )
    frame = other.message()
    assert (frame["from"], frame["type"]) == (ann.name, "message")


# What is refused.


def test_an_unknown_recipient_is_said_in_the_format_of_the_page(each_step):
    ann, bob = friends(each_step, 2)
    nobody = new_name("nobody")
    rich, plain, other = ann.page(), ann.page(rich=False), bob.page()
    assert rich.say(nobody, "?") | {"reason": ""} == {
        "type": "error",
        "code": "unknown",
        "reason": "",
        "client_id": rich.frames[-1]["client_id"],
    }
    plain.send({"to_friend": [nobody, bob.name], "msg": "one of two"})
    assert other.message()["msg"] == "one of two"
    texts = [plain.text()]
    assert texts == [f"来自服务器:There is no user {nobody}."]


@pytest.mark.parametrize("step", ["step3_messages", "step4_friends"])
def test_who_is_not_online_gets_nothing_before_step_5(shared, step):
    ann, bob = friends(shared(step), 2)
    page = ann.page()
    assert page.say(bob, "are you there?")["code"] == "not_online"
    assert page.say(bob, "here again", "the same")["code"] == "not_online"
    other = bob.page()
    assert page.say(bob, "now")["id"] is None
    assert other.message()["msg"] == "now"


@pytest.mark.parametrize("step", ["step4_friends", "step5_offline"])
def test_only_friends_write_to_each_other_from_step_4_on(shared, step):
    server = shared(step)
    ann, bob = newcomer(server), newcomer(server)
    page, other = ann.page(), bob.page()
    assert page.say(bob, "hello")["code"] == "not_friends"
    befriend(ann, bob)
    assert page.say(bob, "hello")["type"] == "message"
    ann.fetch("/friends/remove", {"name": bob.name})
    assert page.say(bob, "hello?")["code"] == "not_friends"
    assert other.message()["msg"] == "hello"
    assert other.heard().count("message") == 1


HOSTILE = [
    ("[]", "no_message"),
    ("null", "no_message"),
    ('"text"', "no_message"),
    ("{}", "no_message"),
    ("", "not_json"),
    ("{", "not_json"),
    ("[" * 8000, "not_json"),
    (b"{}", "not_text"),
    ({"msg": "nobody"}, "no_message"),
    ({"to": "", "msg": "m"}, "no_message"),
    ({"to": 7, "msg": "m"}, "no_message"),
    ({"to": None, "msg": "m"}, "no_message"),
    ({"to": ["a"], "msg": "m"}, "no_message"),
    ({"to_friend": [], "msg": "m"}, "no_message"),
    ({"to_friend": "a", "msg": "m"}, "no_message"),
    ({"to_friend": {"a": 1}, "msg": "m"}, "no_message"),
    ({"to_friend": [["a"]], "msg": "m"}, "no_message"),
    ({"to_friend": [str(n) for n in range(21)], "msg": "m"}, "no_message"),
    ({"to": "' or 1=1 -- ", "msg": "m"}, "unknown"),
    ({"to": "x" * 9000, "msg": "m"}, "unknown"),
    ({"to": "\ud800", "msg": "m"}, "no_message"),
    ({"to": "%s\0", "msg": "m"}, "unknown"),
    ({"to": "x", "msg": " \n"}, "no_message"),
    ({"to": "x", "msg": 5}, "no_message"),
    ({"to": "x", "msg": "\ud800"}, "no_message"),
    ({"to": "x", "msg": "m", "client_id": 5}, "no_message"),
    ({"to": "x", "msg": "m", "client_id": "x" * 37}, "no_message"),
    ({"to": "x", "msg": "m", "client_id": "\ud800"}, "no_message"),
    ({"got": 5}, "no_message"),
    ({"got": ["1"]}, "no_message"),
    ({"got": [True]}, "no_message"),
    ({"got": [1.5]}, "no_message"),
    ({"got": [0]}, "no_message"),
    ({"got": [-1]}, "no_message"),
    ({"got": [1 << 62]}, "no_message"),
    ({"got": [10**400]}, "no_message"),
    ({"got": list(range(1, 1002))}, "no_message"),
    ({"read": "x"}, "no_message"),
    ({"read": "x", "upto": "1"}, "no_message"),
    ({"read": "x", "upto": 1 << 63}, "no_message"),
    ({"read": 5, "upto": 1}, "no_message"),
]


def test_junk_is_answered_and_does_no_harm(each_step):
    ann, bob = friends(each_step, 2)
    other = bob.page()
    for rows in (HOSTILE[:25], HOSTILE[25:]):  # more at once would be too fast
        page = ann.page()
        for frame, code in rows:
            page.send(frame)
            answer = page.next("error")
            assert answer["code"] == code, (frame, answer)
            assert answer["reason"].endswith("."), answer
        assert page.say(bob, "still here")["type"] == "message"
        assert other.message()["msg"] == "still here"
    assert other.is_open()


@pytest.mark.parametrize(
    "frame", [{"got": [1, 99999999]}, {"got": []}, {"got": [7] * 1000}, {"read": "x", "upto": 1}]
)
def test_marks_on_messages_that_are_not_ones_own_change_nothing(server, frame):
    ann, bob = friends(server, 2)
    page, other = ann.page(), bob.page()
    said = page.say(bob, "unread")
    page.send(frame | ({"got": [*frame["got"], said["id"]][:1000]} if "got" in frame else {}))
    page.send({"read": bob.name, "upto": said["id"]})
    assert page.say(bob, "after")["type"] == "message"
    (row,) = ask("select delivered_at, read_at from messages where id = %s", said["id"])
    assert row == {"delivered_at": None, "read_at": None}
    assert "read" not in other.heard()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ALPHABET, max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abto", max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
FRAMES = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=100),
    JSON.map(json.dumps),
    st.fixed_dictionaries(
        {},
        optional={
            name: JSON for name in ("to", "to_friend", "msg", "client_id", "got", "read", "upto")
        },
    ).map(json.dumps),
)


def test_whatever_a_page_sends_it_is_answered_or_ignored(shared):
    """The connection stays, nobody hears anything of it, and the next message arrives."""
    server = shared("step5_offline")
    bob = newcomer(server)
    other = bob.page()

    @settings(
        max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(FRAMES, min_size=5, max_size=25))
    def play(frames):
        ann = newcomer(server)
        befriend(ann, bob)
        page = ann.page()
        for frame in frames:
            page.send(
                frame.encode("utf-8", "replace").decode() if isinstance(frame, str) else frame
            )
        assert page.say(bob, "and then")["type"] == "message"
        assert other.message()["msg"] == "and then"
        page.close()

    play()
    assert not [
        frame for frame in other.frames if frame["type"] == "message" and frame["msg"] != "and then"
    ]


def test_who_writes_too_fast_is_slowed_and_told(server):
    ann, bob = friends(server, 2)
    page, other = ann.page(), bob.page()
    count = 120
    for number in range(count):
        page.send({"to": bob.name, "msg": str(number), "client_id": f"n{number}"})
    answers = {}
    while len(answers) < count:
        frame = page.next("message", "error")
        answers[frame["client_id"]] = frame
    refused = [one for one in answers.values() if one["type"] == "error"]
    assert {one["code"] for one in refused} == {"too_fast"}
    kept = [int(one["msg"]) for one in answers.values() if one["type"] == "message"]
    assert 60 <= len(kept) < count
    assert [int(other.message()["msg"]) for _ in kept] == kept == sorted(kept)


def test_the_longest_message_arrives_whole_and_a_longer_one_is_refused(server):
    ann, bob = friends(server, 2)
    page, other, plain = ann.page(), bob.page(), bob.page(rich=False)
    for letter in ("x", "你", "\n", "'"):
        longest = "a" + letter * 3999
        page.send(json.dumps({"to": bob.name, "msg": longest}, ensure_ascii=False))
        assert other.message()["msg"] == longest
        assert plain.text() == f"来自{ann.name}:{longest}"
    page.send({"to": bob.name, "msg": "x" * 4001, "client_id": "long"})
    refused = page.next("error")
    assert (refused["code"], refused["client_id"]) == ("no_message", "long")
    page.send({"to": bob.name, "msg": "早", "client_id": "早"})
    assert "ASCII" in page.next("error")["reason"]
    assert page.say(bob, "after")["type"] == "message"


def test_a_dead_pages_user_is_gone_and_the_others_go_on(each_step):
    """A client that vanishes in the middle of a frame takes nothing with it."""
    ann, bob = friends(each_step, 2)
    page, other, tab = ann.page(), bob.page(), bob.page()
    tab.socket.socket.sendall(b"\x81\xfe\x01")
    tab.socket.socket.close()
    assert page.say(bob, "still one")["type"] == "message"
    assert other.message()["msg"] == "still one"
    assert other.is_open()
