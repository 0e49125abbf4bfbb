"""B3: register, log in, log out: what a user may be called, who is let in, and how a session ends."""

import re
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from werkzeug.security import check_password_hash

from demos.group_chat.rules import names
from tests.support.waiting import all_at_once, eventually

from .people import Person, ask, new_name, newcomer, stranger

TAKEN = "This name is taken, or looks like one that is."
ENDED = 4401


@pytest.fixture
def server(shared):
    return shared("step5_offline", "--proxies", "1")


def users():
    return ask("select count(*) as n from userinfo")[0]["n"]


def complaints(answer):
    """Return the text of the page without tags, in which the errors stand."""
    return re.sub(r"<[^>]*>", " ", answer.body)


# Registration.


def test_who_registers_can_log_in(server):
    person = Person(server, new_name("小甜甜"), "correct horse 电池")
    answer = person.register()
    assert (answer.status, answer.headers["Location"]) == (302, "login")
    assert "messenger" not in ask("select password from userinfo where name = %s", person.name)
    person.log_in()
    assert person.name in person.get("/single").body


def test_a_password_is_stored_as_a_scrypt_hash_and_written_nowhere_else(server):
    secret = f"do not keep this {secrets.token_hex(8)}"
    person = Person(server, new_name(), secret)
    assert person.register().status == 302
    person.log_in()
    (row,) = ask("select * from userinfo where name = %s", person.name)
    assert re.fullmatch(r"scrypt:32768:8:1\$[^$]{8,}\$[0-9a-f]{128}", row["password"])
    assert check_password_hash(row["password"], secret)
    assert secret not in str(row)
    assert secret not in server.log + server.output


def test_the_same_password_is_stored_differently(server):
    names = [new_name(), new_name()]
    for name in names:
        assert Person(server, name, "one for both").register().status == 302
    hashes = {
        row["password"]
        for name in names
        for row in ask("select password from userinfo where name = %s", name)
    }
    assert len(hashes) == 2


REFUSED = {
    "": "Enter a name.",
    " ": "",
    " Ann": "begin or end with a space",
    "Ann ": "begin or end with a space",
    "\u3000": "",
    "a/b": "slash",
    "x" * 33: "",
    "好" * 33: "",
    "a\nb": "control characters",
    "a\0b": "control characters",
    "\u202eAnn": "control characters",
    "Ann\ufe0f": "nobody sees",
    "A\u200cnn": "nobody sees",
    "An\u200dn": "nobody sees",
    "Ann\u3164": "nobody sees",
    "Ann\u115f\u1160": "nobody sees",
    "An\u2800n": "nobody sees",
    "\U000e0041Ann": "nobody sees",
    "Ann\U000e0101": "nobody sees",
    "Ann  Bo": "two in a row",
    "Ann \u3000Bo": "two in a row",
    "\u2ebc": "part of a character",
    "\u2fa6木": "part of a character",
    "\ue000": "Unicode does not know",
    "Ann\u0378": "Unicode does not know",
    "服务器": "reserved",
    "服务器\u0332": "reserved",
    "服务器\u0323": "reserved",
    "我": "reserved",
    "服务器\u200d": "",
    "Ann:hello": "colon",  # 来自Ann:hello would read as if Ann had said hello
    "Ann：hello": "colon",
}


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_names_that_are_refused(server, name):
    before = users()
    answer = stranger(server).register(username=name)
    assert answer.status == 422
    assert REFUSED[name] in complaints(answer)
    assert users() == before


@pytest.mark.parametrize(
    "name",
    [
        "n" * 32,
        "好" * 32,
        "👩‍👧 ❤️",
        "O'Brien & Söhne",
        "%s {{7*7}}",
        "ws",
        "🩷 1️⃣ 👨🏽‍💻",
        "🇨🇳 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "\U00031350\U0002ebf0",
        "علی\u200cرضا",
        "أحمد",
        "दीपक",
        "Nguyễn Thị Ánh",
        "Νίκος",
        "張　三",
    ],
    ids=ascii,
)
def test_names_that_are_fine(server, name):
    person = Person(server, name)
    assert person.register().status == 302
    assert person.log_in().page().welcome["name"] == name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Bob", "bob"),
        ("Eve", "ＥＶＥ"),
        ("ﬁn", "FIN"),
        ("ann\u0301", "anń"),
        ("Alice", "\u0410lice"),
        ("alice", "\u0430lice"),
        ("Helen", "\u041delen"),
        ("Iris", "lris"),
        ("iris", "IRlS"),
        ("Bobo", "B0bo"),
        ("Mamie", "Marnie"),
        ("Ngan", "Ng\u1ea1n"),
        ("韩雪梅", "韩雪梅\u0332"),
        ("工人", "エ人"),
        ("می\u200cنا", "مینا"),
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_a_taken_one_is_taken(server, first, second):
    mark = secrets.token_hex(3)
    assert Person(server, first + mark).register().status == 302
    for name in (first, second):
        answer = Person(server, name + mark).register()
        assert answer.status == 422
        assert TAKEN in complaints(answer)


PASSWORDS = {
    "": 422,
    "1234567": 422,
    "x" * 129: 422,
    "12345678": 302,
    "x" * 128: 302,
    "好" * 8: 302,
}


@pytest.mark.parametrize("password", PASSWORDS, ids=lambda password: f"{len(password)}")
def test_length_of_a_password(server, password):
    person = Person(server, new_name(), password)
    assert person.register().status == PASSWORDS[password]
    assert len(ask("select id from userinfo where name = %s", person.name)) == (
        PASSWORDS[password] == 302
    )


def test_a_password_counts_to_the_last_letter(server):
    person = Person(server, new_name(), "  Blanks count  ")
    assert person.register().status == 302
    for wrong in ("Blanks count", "  Blanks count ", "  blanks count  "):
        assert person.try_to_log_in(password=wrong).status == 401, wrong
    person.log_in()


def test_two_who_register_the_same_name_at_once(server):
    """One wins, the others read why not; the database decides, not who looked first."""
    name = new_name("Bob")
    spellings = iter([name, name.lower(), name.upper(), name])

    def register():
        answer = Person(server, next(spellings)).register()
        return answer.status, TAKEN in complaints(answer)

    results = all_at_once(4, register)
    assert sorted(results) == [(302, False)] + [(422, True)] * 3
    assert len(ask("select id from userinfo where name_key = %s", names.key(name))) == 1


def test_who_logs_in_does_not_wait_for_a_crowd_that_registers(server):
    """From the user's own address, and from others; each hash takes its time, and they are made one by one."""
    user = Person(server, new_name(), "takes its time")
    assert user.register().status == 302
    crowd = [Person(server, new_name()) for _ in range(12)]
    for person in crowd[::3]:
        person.address = user.address
    with crowding(crowd, "/register") as answers:
        assert user.post("/login", username=user.name, password=user.password).status == 302
        assert sum(answer.done() for answer in answers) < len(crowd) / 2
    # Who is at the end of the line of a slow machine is asked to come again.
    assert {answer.result().status for answer in answers} <= {302, 503}


def test_who_is_known_does_not_wait_for_a_crowd_that_guesses(server):
    """From as many addresses as there are guesses, of as many names."""
    user = Person(server, new_name(), "takes its time")
    assert user.register().status == 302
    crowd = [Person(server, new_name()) for _ in range(12)]
    user.log_in()
    with crowding(crowd, "/login") as answers:
        assert user.post("/login", username=user.name, password=user.password).status == 302
        assert sum(answer.done() for answer in answers) < len(crowd) / 2
    assert {answer.result().status for answer in answers} <= {401, 503}


@contextmanager
def crowding(crowd, path):
    """Let many send a form at once; yield their answers to come, when the first is there."""
    for person in crowd:
        person.get(path)
    with ThreadPoolExecutor(len(crowd)) as elsewhere:
        answers = [
            elsewhere.submit(person.post, path, username=person.name, password=person.password)
            for person in crowd
        ]
        assert eventually(lambda: any(answer.done() for answer in answers))
        yield answers


# Log-in and log-out.


def test_the_classroom_users_of_the_seed(server):
    person = Person(server, "韩雪").log_in()
    assert set(person.friends()) == {"舒畅", "唐嫣", "小甜甜"}


@pytest.mark.parametrize("path", ["/single", "/friends", "/history"])
def test_who_is_not_logged_in_is_sent_to_the_log_in(server, path):
    nobody = stranger(server)
    answer = nobody.get(path)
    assert (answer.status, answer.headers["Location"]) == (302, "login")
    assert nobody.fetch(path).status == 401
    assert nobody.fetch(path).json == {"reason": "Log in first."}
    assert nobody.fetch(path, Accept="*/*").status == 401, "a script that asks for nothing special"


def test_a_log_out_ends_the_session_and_its_sockets_only(server):
    here = newcomer(server)
    there = Person(server, here.name).log_in()
    mine, tab, theirs = here.page(), here.page(rich=False), there.page()
    assert mine.is_open() and tab.is_open()
    here.log_out()
    assert not mine.is_open() and not tab.is_open(), "closed before the answer came"
    assert mine.ended() == tab.ended() == (ENDED, "this log-in has ended")
    assert here.get("/single").status == 302
    assert theirs.is_open()
    assert there.get("/single").status == 200
    assert theirs.say("nobody", "hello")["code"] == "unknown"
    assert here.log_in().page().is_open()


def test_a_copied_cookie_is_dead_after_the_log_out(server):
    person = newcomer(server)
    thief = person.twin()
    stolen = thief.page()
    assert thief.fetch("/friends").status == 200
    person.log_out()
    assert stolen.ended()[0] == ENDED
    assert thief.fetch("/friends").status == 401
    assert thief.fetch("/history?friend=x").status == 401
    assert thief.fetch("/add_friends", {"name": "韩雪"}).status in (400, 401)
    with pytest.raises(ConnectionClosed) as caught:
        thief.page()
    assert caught.value.rcvd.code == ENDED


def test_a_log_in_that_ended_elsewhere_or_is_too_old_closes_its_sockets(server):
    """The process that heard of a log-out may have died before it could say so. And none lasts for ever."""
    ended, old, young = people = [newcomer(server) for _ in range(3)]
    pages = [person.page() for person in people]
    assert all(page.is_open() for page in pages)  # in for good, and not only as far as the welcome
    ask("update logins set ended_at = utc_timestamp(3) where user_id = %s", ended.id)
    for person, days in ((old, 30), (young, 29)):
        ask(
            "update logins set began_at = began_at - interval %s day where user_id = %s",
            days,
            person.id,
        )
    assert [person.fetch("/friends").status for person in people] == [401, 401, 200]
    assert [page.ended()[0] for page in pages[:2]] == [ENDED, ENDED]
    assert pages[2].is_open()
    assert old.log_in().page().is_open()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_passwords_are_hashed_at_a_lower_priority_than_messages_are_sent(server):
    newcomer(server)  # has registered and logged in
    pid = server.process.pid
    nice = {
        int(stat.parent.name): int(stat.read_text().rpartition(")")[2].split()[16])
        for stat in Path(f"/proc/{pid}/task").glob("*/stat")
    }
    own = nice.pop(pid)
    assert max(nice.values()) == min(own + 10, 19), "the thread that hashes"


def test_log_out_is_no_link(server):
    """A picture with that address on some page would log people out."""
    person = newcomer(server)
    assert person.get("/logout").status == 405
    assert person.get("/single").status == 200


def test_a_page_request_to_the_socket_is_answered_with_a_sentence(server):
    answer = newcomer(server).get("/single_ws")
    assert answer.status == 426
    assert "WebSocket" in answer.body
    with pytest.raises(InvalidStatus) as caught:
        server.ws("single")
    assert caught.value.response.status_code == 400
