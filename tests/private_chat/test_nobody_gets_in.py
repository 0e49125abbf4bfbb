"""Nobody gets in who is not let in: the session, the cookie, forms and sockets, conversations, what pages give away."""

import json
import re
import secrets
import signal
import stat
import subprocess

import psutil
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from limits.errors import StorageError
from websockets.exceptions import InvalidStatus
from werkzeug.security import generate_password_hash

from course.ground.place import ROOT
from demos.pool_demo.seed import restore
from demos.private_chat.accounts import accounts
from demos.private_chat.conversations import conversations
from demos.private_chat.friends import Friendships, friends
from demos.private_chat.post import Post
from demos.private_chat.switchboard import Switchboard
from demos.private_chat.web.app import SLOTS, create_app, limiter, secret_key, slot
from demos.private_chat.web.guessing import attempt
from demos.private_chat.web.hashing import HASH
from demos.private_chat.web.serving import options
from tests.group_chat.hostile import Client
from tests.group_chat.rich import log_fields
from tests.support.waiting import all_at_once

from .people import PASSWORD, Page, Person, ask, befriend, enrolled, new_name, newcomer, stranger

ENDED = 4401
TOO_MANY = "Too many attempts. Wait a minute and try again."
COOKIE = "messenger"


@pytest.fixture
def server(shared):
    return shared("step5_offline", "--proxies", "1")


def closed(page):
    """Return the code with which a page's socket closes, whatever it is told before."""
    return page.ended()[0]


def set_cookie(answer):
    """Return the attributes of the session cookie that an answer sets, in lower case."""
    (line,) = (one for one in answer.headers.get_all("Set-Cookie") if one.startswith(COOKIE))
    return {word.strip().lower() for word in line.split(";")[1:]}


# Guessing.


def test_wrong_passwords_are_counted_for_a_name(server):
    """Also from other addresses; and the right one has to wait as well, or guessing would go on."""
    person = newcomer(server)
    for _ in range(8):
        assert stranger(server).try_to_log_in(person.name, "a guess").status == 401
    refused = stranger(server).try_to_log_in(person.name, "a guess")
    assert refused.status == 429
    assert TOO_MANY in refused.body
    assert refused.headers["Retry-After"] == "60"
    assert Person(server, person.name).try_to_log_in().status == 429
    assert newcomer(server), "others log in"


def test_one_stranger_who_guesses_keeps_nobody_out(server):
    """Not the user at a browser that has never been here, and who mistypes, as long as it is somewhere else."""
    person, guesser = enrolled(server), stranger(server)
    elsewhere = Person(server, person.name)
    for number in range(11):
        guess = guesser.try_to_log_in(person.name, "a guess").status
        assert guess == (401 if number < 4 else 429)
        if number in (1, 5, 8):
            assert elsewhere.try_to_log_in(password="a slip").status == 401
        assert Person(server, person.name).try_to_log_in().status == 302, number


def test_a_class_that_logs_in_at_once_is_not_taken_for_a_stranger_who_guesses(server):
    """More than the wrong passwords that their address may send; each is checked for as long as a real one is."""
    hashed = generate_password_hash(PASSWORD, HASH)
    people = [enrolled(server) for _ in range(24)]
    for person in people:
        ask("update userinfo set password = %s where name = %s", hashed, person.name)
        person.address = people[0].address
    to_log_in = iter(people)
    statuses = all_at_once(24, lambda: next(to_log_in).try_to_log_in().status)
    assert statuses == [302] * 24


def test_a_browser_that_the_user_has_logged_in_with_gets_in_whoever_guesses(server):
    """From wherever strangers guess, and however often; even from behind the same address."""
    person = newcomer(server)
    person.log_out()
    guessers = [stranger(server) for _ in range(8)]
    guessers[0].address = person.address
    for _ in range(2):
        statuses = [guesser.try_to_log_in(person.name, "a guess").status for guesser in guessers]
    assert statuses == [429] * 8
    neighbour = stranger(server)
    neighbour.address = person.address
    for _ in range(22):  # the address is used up as well
        neighbour.try_to_log_in(new_name(), "a guess")
    assert Person(server, person.name).try_to_log_in().status == 429, "strange browsers wait"
    for _ in range(3):
        person.log_in()
        person.log_out()


def test_who_has_such_a_browser_guesses_no_more_than_others(server):
    """Five wrong ones, of this user; for the password of any other one it is a strange browser."""
    person, other = newcomer(server), newcomer(server)
    copies = [person.twin() for _ in range(3)]
    statuses = [copies[n % 3].try_to_log_in(password="a guess").status for n in range(6)]
    assert statuses == [401] * 5 + [429]
    assert Person(server, person.name).try_to_log_in().status == 302, (
        "elsewhere nothing has changed"
    )
    assert [person.try_to_log_in(other.name, "a guess").status for _ in range(5)] == [
        *[401] * 4,
        429,
    ]
    for cookie in ("", "x", other.cookies["known_browser"], person.cookies["known_browser"] + "A"):
        guesser = stranger(server)
        guesser.cookies["known_browser"] = cookie
        statuses = [guesser.try_to_log_in(person.name, "a guess").status for _ in range(5)]
        assert statuses[-1] == 429 and statuses.count(401) <= 4, "a strange browser"


def test_the_cookie_of_a_known_browser_is_for_the_server_only_and_says_no_names(server):
    person = enrolled(server)
    answer = person.try_to_log_in()
    (line,) = [one for one in answer.headers.get_all("Set-Cookie") if one.startswith("known_")]
    attributes = {word.strip().lower() for word in line.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=15552000"} <= attributes
    kept = URLSafeTimedSerializer("another key", salt="known_browser")
    _, content = kept.loads_unsafe(person.cookies["known_browser"])
    assert len(content) == 2 and person.name not in str(content)


def test_an_ipv6_customer_is_one_address(server):
    """He has 2**64 of them, and tries from a new one each time."""
    person = enrolled(server)
    statuses = []
    for number in range(6):
        guesser = stranger(server)
        guesser.address = f"2001:db8:0:7::{number:x}"
        statuses.append(guesser.try_to_log_in(person.name, "a guess").status)
    assert statuses == [401] * 4 + [429] * 2
    assert Person(server, person.name).try_to_log_in().status == 302


def test_what_is_counted_takes_no_more_room_however_many_names_there_are():
    app = create_app()
    with app.app_context():
        names = {slot("name", str(number)) for number in range(2 * SLOTS)}
        assert SLOTS * 0.8 < len(names) <= SLOTS
        assert slot("name", "Ann") == slot("name", "Ann") != slot("pair", "Ann")
        before = [slot("name", str(number)) for number in range(9)]
        app.secret_key = "another key"
        assert [slot("name", str(number)) for number in range(9)] != before


def test_many_guesses_at_once_are_not_all_the_first(server):
    person = newcomer(server)
    statuses = all_at_once(20, lambda: stranger(server).try_to_log_in(person.name, "x").status)
    assert sorted(statuses) == [401] * 8 + [429] * 12


def test_wrong_passwords_are_counted_for_an_address(server):
    """Of unknown users as of known ones; names are tried one after the other with the same password."""
    guesser = stranger(server)
    names = [enrolled(server).name for _ in range(18)] + [new_name() for _ in range(4)]
    statuses = [guesser.try_to_log_in(name, "123456").status for name in names]
    assert statuses == [401] * 20 + [429] * 2
    assert newcomer(server), "from other addresses people log in"


def test_right_passwords_are_not_counted(server):
    person = newcomer(server)
    for _ in range(7):
        assert person.try_to_log_in().status == 302
    assert person.try_to_log_in(password="a slip").status == 401
    assert person.try_to_log_in().status == 302


def test_a_name_with_blanks_behind_it_is_not_another_way_in(server):
    """The database would find the user, and the guesses would count for another name."""
    person = newcomer(server)
    for blanks in (" ", "  ", "\t", "\u3000"):
        assert person.try_to_log_in(person.name + blanks).status == 401


def test_an_address_that_a_client_claims_counts_only_behind_a_proxy(shared):
    server = shared("step5_offline")
    names = [enrolled(server).name for _ in range(21)]
    statuses = [stranger(server).try_to_log_in(name, "123456").status for name in names]
    assert statuses == [401] * 20 + [429]


def test_a_senseless_number_of_proxies_is_refused(capsys):
    for number in ("-1", "x"):
        with pytest.raises(SystemExit) as ended:
            options("A step.").parse_args(["--proxies", number])
        assert ended.value.code == 2
        assert "argument --proxies" in capsys.readouterr().err


def test_the_same_answer_for_an_unknown_user_and_a_wrong_password(server):
    person, nobody = newcomer(server), new_name()
    answers = []
    for name in (person.name, nobody):
        answer = stranger(server).try_to_log_in(name, "a guess")
        text = re.sub(r'value="[^"]*"', "", answer.body).replace(name, "")
        answers.append((answer.status, text, sorted(answer.headers.keys())))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_the_same_time_for_an_unknown_user_and_a_wrong_password(server):
    """Time of the processor, which others that want it do not make longer."""
    hashed = generate_password_hash(PASSWORD, HASH)
    took = {"known": 0, "unknown": 0}
    for _ in range(4):
        for kind in took:
            name = new_name()
            if kind == "known":
                ask("insert into userinfo(name, password) values(%s, %s)", name, hashed)
            guesser = stranger(server)
            guesser.get("/login")
            before = cpu_time(server)
            assert guesser.post("/login", username=name, password="a guess").status == 401
            took[kind] += cpu_time(server) - before
    assert 0.4 < took["known"] / took["unknown"] < 2.5


def cpu_time(server):
    """Return the seconds that a process has had of the processor."""
    return sum(psutil.Process(server.process.pid).cpu_times()[:2])


def test_processes_count_together(start, redis_server):
    options = ["--redis", redis_server.url, "--proxies", "1"]
    servers = [start("step6_several_processes", *options) for _ in range(2)]
    person = newcomer(servers[0])
    for _ in range(6):
        assert person.try_to_log_in().status == 302
    for number in range(8):
        guesser = stranger(servers[number % 2])
        assert guesser.try_to_log_in(person.name, "a guess").status == 401
    for server in servers:
        assert stranger(server).try_to_log_in(person.name, "a guess").status == 429

    # A log-out is heard by the other process, too.
    here = newcomer(servers[0])
    there = here.twin()
    there.server = servers[1]
    pages = [here.page(), there.page()]
    there.get("/single")
    there.log_out()
    assert [closed(page) for page in pages] == [ENDED, ENDED]

    # A Redis that hangs, or is gone, stops nobody: each process counts alone, and finds log-outs in the database.
    redis_server.process.send_signal(signal.SIGSTOP)
    assert stranger(servers[0]).try_to_log_in(person.name, "a guess").status == 401
    redis_server.process.send_signal(signal.SIGCONT)
    redis_server.kill()
    assert stranger(servers[1]).try_to_log_in(person.name, "a guess").status == 401
    here = Person(servers[0], here.name).log_in()
    there = here.twin()
    there.server = servers[1]
    pages = [here.page(), there.page()]
    here.log_out()
    assert [closed(page) for page in pages] == [ENDED, ENDED]


def test_who_comes_after_the_one_who_lost_redis_does_not_wait_for_it(monkeypatch):
    """Tries are counted one by one, and each would wait for a Redis that hangs."""
    app, name = create_app(), new_name()
    monkeypatch.setattr(limiter, "_storage_dead", False)  # and again when the test has ended
    asked = []

    def lost(*_, **__):
        asked.append(1)
        raise StorageError(TimeoutError())

    with app.test_request_context("/login", method="POST"):
        monkeypatch.setattr(limiter.limiter, "hit", lost)
        with pytest.raises(StorageError), attempt(name):
            pass
        for _ in range(3):
            with attempt(name):
                pass
    assert len(asked) == 1


# The session and its cookie.


def test_a_session_is_a_new_one_after_the_log_in(server):
    """Somebody plants the cookie of his own session, and waits until the victim logs in with it."""
    attacker, victim = stranger(server), newcomer(server)
    attacker.get("/login")
    planted = attacker.twin()
    planted.name = victim.name
    planted.log_in()
    assert attacker.cookies != planted.cookies
    assert attacker.fetch("/friends").status == 401
    # A token that was good before is good no more.
    assert planted.post("/logout", csrf_token=attacker.token).status == 400
    assert planted.fetch("/friends").status == 200


def test_a_log_in_over_another_ones_session_leaves_nothing_of_it(server):
    first, second = newcomer(server), newcomer(server)
    shared_browser = first.twin()
    shared_browser.name = second.name
    shared_browser.log_in()
    assert shared_browser.page().welcome["name"] == second.name
    assert first.cookies[COOKIE] != shared_browser.cookies[COOKIE]
    # The first one's session has ended with it, wherever its cookie was copied to.
    assert first.fetch("/friends").status == 401


def test_every_log_in_is_another_one(server):
    person = newcomer(server)
    cookies = {person.log_in().cookies[COOKIE] for _ in range(3)}
    assert len(cookies) == 3
    assert len(ask("select id from logins where user_id = %s", person.id)) == 4


def test_the_cookie_is_for_the_server_only(server):
    person = newcomer(server)
    for answer in (stranger(server).get("/login"), person.try_to_log_in()):
        attributes = set_cookie(answer)
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert "secure" not in attributes
        assert not any(word.startswith(("domain", "expires", "max-age")) for word in attributes)


@pytest.fixture
def behind_tls(shared):
    """A server whose log may have tracebacks."""
    return shared("step2_accounts", "--https", tracebacks=True)


def test_behind_tls_the_cookie_travels_over_tls_only(behind_tls):
    assert "secure" in set_cookie(stranger(behind_tls).get("/login"))


def forged(content, key):
    """Return the cookie that a server with this key would make."""
    app = Flask("forger")
    app.secret_key = key
    return SecureCookieSessionInterface().get_signing_serializer(app).dumps(content)


def test_a_cookie_that_was_tampered_with_is_worth_nothing(server):
    person, victim = newcomer(server), newcomer(server)
    (login,) = ask("select token from logins where user_id = %s", victim.id)
    content = {"is_login": True, "user_name": victim.name, "user_id": victim.id} | {
        "login": login["token"]
    }
    good = person.cookies[COOKIE]
    payload, moment, signature = good.rsplit(".", 2)
    other = forged(content, "the tests' own")  # what the attacker would like to have
    wrong = [
        "",
        "x",
        forged(content, "another key"),
        forged(content, "secret"),
        f"{other.rsplit('.', 2)[0]}.{moment}.{signature}",
        f"{payload}.{moment}.{signature[:-2]}AA",
        f"{payload}.{moment}.",
        f"{payload}.{moment}",
        good + "A",
        json.dumps(content).replace('"', "'"),
    ]
    for value in wrong:
        person.cookies = {COOKIE: value}
        assert person.fetch("/friends").status == 401, value
        assert closed(Page(person)) == ENDED, value
    person.cookies = {COOKIE: other}
    assert person.page().welcome["name"] == victim.name, "with the key it would have worked"


def test_a_login_that_never_was_is_none(server):
    """The signature is good, and the row it names is another user's, ended, or missing."""
    person, victim = newcomer(server), newcomer(server)
    (login,) = ask("select id, token from logins where user_id = %s", person.id)
    for number in (login["token"], login["id"], str(login["id"]), "", 0, -1, ["x"], {}):
        content = {"is_login": True, "user_name": victim.name, "user_id": victim.id}
        person.cookies = {COOKIE: forged(content | {"login": number}, "the tests' own")}
        assert person.fetch("/friends").status == 401
        assert closed(Page(person)) == ENDED


def test_an_old_cookie_is_nobodys_after_the_tables_were_made_anew(server, book):
    """Users and log-ins are counted from 1 again; who comes first then has the numbers of who came first before."""
    restore()
    old = [newcomer(server) for _ in range(3)]
    before = [person.id for person in old]
    restore()
    new = [newcomer(server) for _ in range(3)]
    assert [person.id for person in new] == before
    for person in old:
        assert person.fetch("/friends").status == 401
        assert closed(Page(person)) == ENDED
    assert all(person.fetch("/friends").status == 200 for person in new)


def test_an_open_page_is_nobodys_after_the_tables_were_made_anew(server, book):
    """It would hear what is written to whoever has its user's number next; and a name has another number now."""
    names = new_name(), new_name()
    restore()
    old = [newcomer(server, name) for name in names]
    befriend(*old)
    pages = [person.page() for person in old]
    assert pages[0].say(old[1], "before")["type"] == "message"
    numbers = [person.id for person in old]
    restore()
    assert [page.ended()[0] for page in pages] == [ENDED] * 2
    new = [newcomer(server, name) for name in reversed(names)]
    befriend(*new)
    assert [person.id for person in new] == numbers
    page, other = (person.page() for person in new)
    said = page.say(new[1], "to who has this name now")
    assert (said["type"], other.message()) == ("message", said)


def test_the_secret_key_is_made_once_and_kept_to_oneself(start, tmp_path):
    env = {"SECRET_KEY": "", "COURSE_STATE_DIR": str(tmp_path / "state")}
    first = start("step3_messages", env=env)
    person = newcomer(first)
    other = person.twin()
    # As after a restart, which is to log nobody out.
    other.server = second = start("step3_messages", env=env)
    assert other.fetch("/history").status != 401
    assert other.page().welcome["name"] == person.name
    key = tmp_path / "state" / "secret_key"
    assert re.fullmatch("[0-9a-f]{64}", key.read_text())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(key.parent.iterdir()) == [key]
    for server in (first, second):
        assert key.read_text() not in server.log + server.output


def test_processes_that_start_together_agree_on_the_key(tmp_path, monkeypatch):
    monkeypatch.delenv("SECRET_KEY")
    for number in range(20):
        monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / str(number)))
        (key,) = set(all_at_once(8, secret_key))
        assert len(key) == 64


def test_the_key_is_not_in_the_repository():
    tracked = subprocess.run(
        ["git", "check-ignore", ".course/secret_key"], cwd=ROOT, capture_output=True, check=False
    )
    if tracked.returncode == 128:
        pytest.skip("this is no git checkout")
    assert tracked.stdout.strip() == b".course/secret_key"


# Forms and sockets of other sites.

CHANGES = {
    "/register": {"username": "Mallory", "password": PASSWORD},
    "/login": {"username": "韩雪", "password": PASSWORD},
    "/logout": {},
    "/add_friends": {"name": "韩雪"},
    **{f"/friends/{move}": {"name": "韩雪"} for move in ("accept", "remove", "block", "unblock")},
    "/friends/decline": {"name": "小甜甜"},
}


def test_every_change_is_among_them():
    board = Switchboard()
    features = accounts(None, board), friends(Friendships(None, board))
    app = create_app(*features, conversations(None, board, Post(None, board)))
    rules = {
        rule.rule for rule in app.url_map.iter_rules() if rule.methods - {"GET", "HEAD", "OPTIONS"}
    }
    named = {re.sub(r"/friends/\w+", "/friends/*", path) for path in CHANGES}
    assert {re.sub(r"<any.*>", "*", rule) for rule in rules} == named


@pytest.mark.parametrize("path", CHANGES)
def test_every_change_needs_the_token_of_this_session(server, path):
    person, other = newcomer(server), newcomer(server)
    before = ask("select count(*) as n from userinfo"), ask("select * from friendships")
    for token in (None, "", "x", other.token, person.token[:-1]):
        answer = person.post(path, csrf_token=token, **CHANGES[path])
        assert answer.status == 400, token
        assert "Load the page again" in answer.body
        answer = person.fetch(path, CHANGES[path], X_CSRFToken=token or "")
        assert answer.status == 400
        assert answer.json == {"reason": "This form is too old. Load the page again."}
    assert person.fetch("/friends").json == {"friends": []}
    assert before == (ask("select count(*) as n from userinfo"), ask("select * from friendships"))


def test_pages_of_other_origins_open_no_socket(server):
    """The browser would add the cookie: for another port of the same host it is the same site."""
    person = newcomer(server)
    host, port = server.url.removeprefix("http://").split(":")
    for origin in (
        "https://elsewhere.example",
        f"http://{host}:{int(port) - 1}",
        f"http://{host}",
        f"http://localhost:{port}",
        f"{server.url}.elsewhere.example",
        "null",
        "file://",
    ):
        for rich in (True, False):
            with pytest.raises(InvalidStatus) as caught:
                person.page(rich, origin=origin)
            assert caught.value.response.status_code == 403, origin
    assert person.page(origin=server.url).is_open()


def test_a_strangers_name_for_this_machine_is_refused(server):
    """DNS rebinding: a stranger's name leads to 127.0.0.1, so that Host and Origin are alike, and foreign."""
    port = server.url.rpartition(":")[2]
    for name in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        for path, method in (
            ("/login", "GET"),
            ("/login", "POST"),
            ("/friends", "GET"),
            ("/static/chat.css", "GET"),
        ):
            answer = server.get(path, method, Host=name, Origin=f"http://{name}")
            assert answer.status == 421, (name, path)
            assert "csrf" not in answer.body
    assert server.get("/login", Host=f"localhost:{port}").status == 200


# Input that is no input.

INJECTIONS = [
    "' or '1'='1",
    '" or "1"="1" -- ',
    "韩雪' -- ",
    '韩雪"-- ',
    "x'; drop table logins; -- ",
    "%s %(name)s %%",
    "\\' or 1=1 #",
    "x' union select 1, name, 1--",
    "韩雪\0",
    "韩雪\ufeff",
    "%' or name like '%",
]


def test_sql_in_every_input_is_only_text(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    tables = ask("show tables")
    for text in INJECTIONS:
        it_is_only_text(server, ann, bob, text)
    assert ask("show tables") == tables


def it_is_only_text(server, ann, bob, text):
    page, other = ann.page(), bob.page()
    nobody = stranger(server)
    for name, password in ((text, text), (enrolled(server).name, text)):
        assert nobody.try_to_log_in(name, password).status == 401
    assert nobody.get("/single").status == 302
    for path in ("/add_friends", "/friends/accept", "/friends/block", "/friends/unblock"):
        assert ann.fetch(path, {"name": text}).json == {"reason": f"There is no user {text}."}
    assert (
        ann.fetch(f"/history?friend={text.replace('%', '%25').replace('#', '%23')}").status == 404
    )
    for query in ("before", "limit"):
        assert ann.fetch(f"/history?friend={bob.name}&{query}=1' or 1=1").status == 200
    assert page.say(text, "hello")["code"] == "unknown"
    sent = page.say(bob, text, client_id=f"{secrets.token_hex(3)}' or '1'='1")
    assert (sent["type"], sent["msg"]) == ("message", text)
    while other.message()["id"] != sent["id"]:
        pass
    assert other.frames[-1]["msg"] == text
    other.send({"got": [sent["id"]]})
    page.send({"read": text, "upto": 1})
    assert page.next("error")["code"] == "unknown"
    assert bob.fetch(f"/history?friend={ann.name}").json["messages"][-1]["msg"] == text
    again = ann.page(since="1' or '1'='1")
    assert again.is_open()
    for one in (page, other, again):
        one.close()


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)<script>",
        '"><img src=x onerror=alert(1)>',
        "O'Brien & <b>Söhne<b>",
        "{{ 7*7 }}{% raw %}",
        "--><title><textarea>",
        "javascript&colon;alert(1)",
    ],
)
def test_a_name_that_needs_escaping_is_escaped(server, name):
    person = newcomer(server, name)
    for answer in (
        person.get("/single"),
        Person(server).register(username=person.name),
        stranger(server).try_to_log_in(person.name, "a guess"),
    ):
        for tag in ("<script>alert", "<img src=x", "<b>S", "<title><textarea>"):
            assert tag not in answer.body
        assert "49" not in re.sub(r'value="[^"]*"|content="[^"]*"', "", answer.body)
    friend = newcomer(server)
    assert friend.move("ask", person) == 200
    assert friend.friends()[person.name]["name"] == person.name, "in JSON it is as it was"


NOT_UNICODE = ["\ud800", "a\udfffb", "\ud83d"]
NUMBERS = ["-1", "0", str(1 << 63), str(1 << 64), "1e9", "1.5", "9" * 400, "٣", "NaN", " 7 ", ""]


def test_numbers_and_halves_of_characters_break_nothing(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    for number in NUMBERS:
        for query in ("before", "limit"):
            answer = ann.fetch(f"/history?friend={bob.name}&{query}={number}")
            assert answer.status == 200, (query, number)
        assert ann.page(since=number).is_open(), number
    for name in NOT_UNICODE:
        assert ann.fetch("/add_friends", {"name": name}).status == 409
        assert page.say(name, "hello")["code"] == "no_message"
        page.send({"to_friend": [name], "msg": "hello"})
        assert page.next("error")["code"] == "no_message"
    assert page.is_open()


def test_nobody_starts_a_line_of_the_log(server):
    forged = "x\n2026-11-20T17:00:00.000Z event=login name=韩雪 peer=1.2.3.4"
    stranger(server).try_to_log_in(forged[:32], "x")
    stranger(server).post("/login", username=forged, password="x")
    newcomer(server).fetch("/add_friends", {"name": forged})
    for line in server.log.splitlines():
        assert log_fields(line)["event"]
    assert not [
        line for line in server.log.splitlines() if "peer=1.2.3.4" in line and "韩雪" in line
    ]


@pytest.mark.parametrize("path", CHANGES)
def test_json_that_is_none_is_answered_with_a_sentence(server, path):
    """Also where a form is expected, and however deep the brackets are."""
    person = newcomer(server)
    deep = ["[" * 15_000, '{"name":' * 5_000, '{"name": ' + "[" * 15_000 + "]" * 15_000 + "}"]
    other = [
        "",
        "{",
        "[1, 2]",
        "7",
        "null",
        '"x"',
        '{"name": 7}',
        '{"name": {}}',
        "\xff",
        "9" * 5000,
    ]
    for text in (*deep, *other):
        answer = person.send_json(path, text)
        if path == "/logout":
            assert answer.status in (302, 400), text[:20]
            person.log_in()
            continue
        assert answer.status in (400, 422), text[:20]
        if answer.json:
            assert answer.json["reason"].endswith("."), text[:20]
    assert "Traceback" not in server.log


# Other people's conversations.


def test_nobody_writes_in_anothers_name(server):
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(bob, ann, eve)
    page, at_bobs = eve.page(), bob.page()
    claims = {"from": ann.name, "sender": ann.name, "username": ann.name, "from_user": ann.name}
    more = {"sender_id": ann.id, "user_id": ann.id, "type": "message", "id": 1, "login": "1"}
    page.send({"to": bob.name, "msg": "it was ann", "client_id": "e1", **claims, **more})
    assert page.message()["from"] == at_bobs.message()["from"] == eve.name
    old = eve.page(rich=False)
    old.send({"to_friend": [bob.name], "msg": "it was ann", **claims})
    assert at_bobs.message()["from"] == eve.name
    listening = bob.page(rich=False)
    old.send({"to_friend": [bob.name], "msg": "again", **claims})
    assert listening.text().startswith(f"来自{eve.name}:")


def test_nobody_reads_a_conversation_that_is_not_theirs(server):
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    befriend(bob, eve)
    listening = eve.page()
    sent = ann.page().say(bob, "not for eve")
    for friend in (ann.name, bob.name, f"{ann.name}' or '1'='1", ""):
        assert "not for eve" not in eve.fetch(f"/history?friend={friend}").body
    for more in (f"&user={bob.name}", f"&sender_id={ann.id}&recipient_id={bob.id}", "&before=-1"):
        assert eve.fetch(f"/history?friend={ann.name}{more}").json["messages"] == []
    late = eve.page(since="1")
    assert "message" not in [*listening.heard(), *late.heard()]
    assert bob.fetch(f"/history?friend={ann.name}").json["messages"][0]["id"] == sent["id"]


def test_nobody_marks_a_message_that_was_not_for_them(server):
    ann, bob, eve = (newcomer(server) for _ in range(3))
    befriend(ann, bob, eve)
    page, hostile = ann.page(), eve.page()
    sent = page.say(bob, "for bob")
    hostile.send({"got": [sent["id"], sent["id"] + 1]})
    for friend in (ann.name, bob.name, eve.name):
        hostile.send({"read": friend, "upto": sent["id"] + 100})
    page.send({"got": [sent["id"]]})  # nor does its sender
    page.send({"read": bob.name, "upto": sent["id"]})
    assert hostile.is_open()
    # The marks are written together, in the order they came: when this one is, so are those.
    own = page.say(eve, "for eve")
    hostile.send({"got": [own["id"]]})
    assert page.next("delivered")["ids"] == [own["id"]]
    (row,) = ask("select delivered_at, read_at from messages where id = %s", sent["id"])
    assert row == {"delivered_at": None, "read_at": None}
    assert "read" not in page.heard()


def test_a_read_mark_is_not_ahead_of_what_there_is(server):
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    page = ann.page()
    sent = page.say(bob, "for bob")
    bob.page().send({"read": ann.name, "upto": 1 << 60})
    assert page.next("read")["upto"] == sent["id"]


def test_strangers_get_no_frames_through(server):
    """Not a message, and no mark either: nothing of somebody whom one does not know appears."""
    ann, eve = newcomer(server), newcomer(server)
    page, hostile = ann.page(), eve.page()
    hostile.say(ann, "hello")
    for frame in ({"read": ann.name, "upto": 5}, {"got": [1, 2, 3]}):
        hostile.send(frame)
    assert hostile.is_open()
    assert [kind for kind in page.heard() if kind != "beat"] == ["welcome"]


# What pages give away.


def test_there_is_no_open_redirect(server):
    person = newcomer(server)
    evil = "https://elsewhere.example/"
    for query in ("next", "url", "redirect", "return_to", "continue"):
        fresh = Person(server, person.name)
        fresh.get(f"/login?{query}={evil}")
        answer = fresh.post(
            f"/login?{query}={evil}",
            {"Referer": evil, "X-Forwarded-Host": "elsewhere.example"},
            username=person.name,
            password=PASSWORD,
            **{query: evil},
        )
        assert (answer.status, answer.headers["Location"]) == (302, "single")
    answer = stranger(server).get(f"/single?next={evil}")
    assert answer.headers["Location"] == "login"
    answer = stranger(server).get(f"/single?next={evil}", Host="elsewhere.example")
    assert (answer.status, answer.headers["Location"]) == (421, None)


SECRETS = ("Traceback", 'File "', "pymysql", "werkzeug", "select ", str(ROOT))


def test_error_pages_say_a_sentence_and_no_more(server):
    person, nobody = newcomer(server), stranger(server)
    big = "x" * 70_000
    answers = {
        404: [
            nobody.get("/nothing"),
            nobody.get("/static//etc/passwd"),
            nobody.get("/.git/config"),
            nobody.get("/static/../app.py"),
        ],
        405: [nobody.get("/logout"), person.fetch("/healthz", {})],
        400: [nobody.post("/login"), person.fetch("/add_friends", {}, X_CSRFToken="x")],
        401: [nobody.fetch("/friends")],
        413: [person.fetch("/add_friends", {"name": big}), person.post("/login", username=big)],
    }
    for status, group in answers.items():
        for answer in group:
            assert answer.status == status
            text = answer.json["reason"] if answer.json else re.sub(r"<[^>]*>", "", answer.body)
            assert len(re.findall(r"[.!?]\s", f"{text} ")) in (1, 2), text
            assert not [secret for secret in SECRETS if secret in answer.body]
            assert "Python" not in str(answer.headers.items())


def test_a_fault_of_ours_says_a_sentence_and_no_more(behind_tls):
    """Such as a hash in the table that is none."""
    server = behind_tls
    person = enrolled(server)
    ask("update userinfo set password = 'scrypt:a:b:c$d$e' where name = %s", person.name)
    answer = person.try_to_log_in()
    assert answer.status == 500
    assert "Something went wrong here. It was written down." in answer.body
    assert not [secret for secret in SECRETS if secret in answer.body]
    assert "ValueError" in server.log


PATHS = [
    "/login",
    "/register",
    "/single",
    "/friends",
    "/history",
    "/healthz",
    "/nothing",
    "/single_ws",
]


@pytest.mark.parametrize("path", PATHS)
def test_headers_of_every_answer(server, path):
    person = newcomer(server)
    for answer in (person.get(path), person.fetch(path), stranger(server).get(path)):
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'self'"
        assert policy["connect-src"] == "'self' ws: wss:"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("line", "host", "status"),
    [
        ("GET /{}", "{}", 414),
        ("GET / HTTP/7", "{}", 400),
        ("GET /single", "elsewhere.example", 421),
    ],
)
def test_headers_of_answers_that_no_page_gives(server, line, host, status):
    request = f"{line.format('x' * 9000)} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    with Client(server.url, upgrade=False) as client:
        answer = client.ask(request.format(client.host).encode())
    assert answer.status == status
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_files_have_the_headers_and_may_be_kept(server):
    page = stranger(server).get("/login").body
    (style, *_) = re.findall(r'href="(static/[^"]+)"', page)
    answer = stranger(server).get(f"/{style}")
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" not in answer.headers["Cache-Control"]
    assert "<script>" not in page and " style=" not in page, "the policy allows neither"


def test_the_health_check_needs_no_log_in_and_tells_nothing(server):
    assert stranger(server).fetch("/healthz").json == {"status": "ok"}
