"""The finished messenger behind a real nginx, as deploy/ sets it up: TLS, a path prefix, two processes, an account.

Everybody here sends an X-Forwarded-For that nobody may believe (people.py: `Person.address`).
"""

import http.client
import re
import secrets
import time
from contextlib import suppress

import pymysql
import pytest
import redis
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus

from course.database.redis_server import RedisServer
from course.ground import place
from demos.pool_demo.settings import connect_args
from demos.private_chat.in_redis.switchboard import KEYS
from tests.support.nginx import IDLE, Proxy, needed
from tests.support.pages import BROKEN
from tests.support.servers import Servers
from tests.support.tools import tool
from tests.support.waiting import eventually

from .people import PASSWORD, Person, ask, befriend, enrolled, new_name, newcomer, stranger
from .test_pages import STATUS, Messenger

STEP = "step6_several_processes"
# As in deploy/README.md; pings come three times a heartbeat, so more often than nginx wants one.
OPTIONS = ("--https", "--proxies", "1", "--heartbeat", "3")


@pytest.fixture(scope="module")
def account(_surroundings, database):
    """The environment of the account that deploy/messenger.sql makes."""
    user, password = f"m_{database}"[:32], secrets.token_hex(8)
    sql = (place.ROOT / "deploy" / "messenger.sql").read_text("utf-8")
    changes = {
        "`book`": f"`{database}`",
        "'messenger'@'127.0.0.1'": f"'{user}'@'%'",  # a server in a container sees us elsewhere
        "'a long password'": f"'{password}'",
    }
    for old, new in changes.items():
        assert old in sql
        sql = sql.replace(old, new)
    with pymysql.connect(**connect_args()) as connection, connection.cursor() as cursor:
        for statement in re.findall(r"^[A-Z].*?;$", sql, re.M | re.S):
            cursor.execute(statement)
        connection.commit()
        yield {"MYSQL_USER": user, "MYSQL_PASSWORD": password}
        cursor.execute(f"drop user '{user}'@'%'")


@pytest.fixture(scope="module")
def store():
    """The Redis of the processes."""
    server = RedisServer(tool("redis-server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def doors(account, store, tmp_path_factory):
    """Two processes that serve one messenger."""
    servers = Servers(tmp_path_factory.mktemp("doors"), "private_chat")
    options = (*OPTIONS, "--redis", store.url)
    yield [servers.start(STEP, *options, env=account) for _ in range(2)]
    servers.end()


@pytest.fixture(scope="module")
def proxy(nginx, doors, tmp_path_factory):
    """nginx in front of both."""
    with Proxy(nginx, tmp_path_factory.mktemp("nginx"), "messenger", doors) as proxy:
        yield proxy


@pytest.fixture
def two(start, account, redis_server):
    """Two processes of this test's own, which it may kill."""
    options = (*OPTIONS, "--redis", redis_server.url)
    return [start(STEP, *options, env=account) for _ in range(2)]


def pair(server):
    """Two friends."""
    ann, bob = newcomer(server), newcomer(server)
    befriend(ann, bob)
    return ann, bob


def test_the_pages_and_all_that_they_need_lie_below_the_prefix(proxy):
    ann = newcomer(proxy)
    for path in ("/login", "/register", "/single"):
        assert needed(proxy, ann.get(path)) >= {".css", ".svg"}
    assert proxy.get("").headers["Location"] == "/messenger/"
    assert proxy.get("/").headers["Location"] == "/messenger/single"
    assert stranger(proxy).get("/single").headers["Location"] == "login"
    assert proxy.get("/healthz").status == 200
    assert proxy.get("/single_ws").status == 426


def cookies(answer):
    """Return what an answer sets: the attributes of each cookie, in lower case."""
    lines = answer.headers.get_all("Set-Cookie", [])
    return [{word.strip().lower() for word in line.split(";")[1:]} for line in lines]


def test_the_cookie_is_for_the_messenger_alone_and_comes_over_tls_only(proxy):
    attributes = {"secure", "httponly", "path=/messenger/", "samesite=lax"}
    person = enrolled(proxy)
    assert cookies(person.get("/login")) == [attributes]
    known, session = cookies(person.post("/login", username=person.name, password=PASSWORD))
    assert session == attributes
    assert attributes <= known, "that of a known browser, which lasts longer"
    person.get("/single")
    (gone,) = cookies(person.post("/logout"))
    assert attributes <= gone, "what takes the cookie away has to name the same path"
    assert any(each.startswith("expires=thu, 01 jan 1970") for each in gone)


def test_who_comes_without_tls_is_sent_away_without_a_cookie(proxy):
    plain = http.client.HTTPConnection("127.0.0.1", proxy.plain_port, timeout=60)
    plain.request("GET", "/messenger/login", headers={"Host": "chat.example.org"})
    answer = plain.getresponse()
    plain.close()
    assert answer.status == 301
    assert answer.headers["Location"] == "https://chat.example.org/messenger/login"
    assert "Set-Cookie" not in answer.headers


def test_the_known_users_of_the_seed_are_gone(proxy):
    for name in ("韩雪", "舒畅", "唐嫣", "小甜甜"):
        assert Person(proxy, name).try_to_log_in().status == 401


def test_somebody_new_finds_friends_over_two_processes(proxy):
    """All that the account has to be allowed: each form and each move, whichever process it comes to."""
    ann, bob = (Person(proxy, new_name("新人")) for _ in range(2))
    for person in (ann, bob):
        assert person.register().headers["Location"] == "login"
        person.log_in()
    assert ann.move("ask", bob) == bob.move("decline", ann) == 200
    assert ann.move("ask", bob) == bob.move("accept", ann) == 200
    assert bob.move("block", ann) == bob.move("unblock", ann) == 200
    assert bob.move("ask", ann) == ann.move("accept", bob) == 200
    assert ann.friends()[bob.name]["state"] == "accepted"
    assert ann.move("remove", bob) == 200
    ann.log_out()
    assert ann.get("/single").status == 302


def test_friends_on_different_processes_see_messages_and_marks(proxy, store):
    redis_ = redis.Redis.from_url(store.url, decode_responses=True)

    def where(person):
        keys = redis_.scan_iter(f"{KEYS}users:*")
        return {key for key in keys if redis_.hexists(key, str(person.id))}

    ann, bob = pair(proxy)
    # Those of the tests before have gone, so that nginx counts these two alone.
    assert eventually(lambda: not list(redis_.scan_iter(f"{KEYS}users:*")))
    page = ann.page(origin=proxy.origin)
    other = bob.page(origin=proxy.origin)
    assert page.next("presence") == {"type": "presence", "name": bob.name, "online": True}
    assert len(where(ann)) == len(where(bob)) == 1
    assert where(ann) != where(bob)

    said = page.say(bob, "你好")
    assert other.message() == said
    other.send({"got": [said["id"]]})
    assert page.next("delivered")["ids"] == [said["id"]]
    other.send({"read": ann.name, "upto": said["id"]})
    assert page.next("read")["upto"] == said["id"]


def test_attempts_count_for_the_visitor_whatever_it_claims(proxy, doors):
    """Not for the proxy, or one guesser would lock everybody out; and in both processes together."""
    from_two, from_three = (proxy.seen_from(f"127.0.0.{number}") for number in (2, 3))
    guesser = stranger(from_two)
    guesser.get("/login")
    statuses = []
    for number in range(21):
        claim = {"X-Forwarded-For": f"192.0.2.{number}"}
        name = new_name()
        statuses.append(guesser.post("/login", claim, username=name, password="a guess").status)
    assert statuses == [401] * 20 + [429]
    assert newcomer(from_three), "from another address people log in"
    logs = [door.log for door in doors]
    assert all("peer=127.0.0.2" in log for log in logs), "nginx asks both"
    assert not any("192.0.2." in log for log in logs)


def test_a_page_of_another_site_is_refused(proxy):
    ann = newcomer(proxy)
    for origin in ("https://evil.example", f"{proxy.origin}.evil.example", "https://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            ann.page(origin=origin)
        assert refused.value.response.status_code == 403


def test_pings_keep_a_silent_socket_open(proxy):
    """nginx closes a socket on which nothing moves; without pings it does (tests/group_chat/test_behind_nginx.py)."""
    ann, bob = pair(proxy)
    page = ann.page(ping_interval=None)
    # A beat can come once in this time. Before it or after it there is enough silence.
    until = time.monotonic() + 2.5 * IDLE
    with suppress(TimeoutError):
        while True:
            page.socket.recv(max(0, until - time.monotonic()))
    assert page.say(bob, "I am still here")["id"]


def test_who_loses_its_process_comes_back_through_the_other(nginx, two, tmp_path):
    with Proxy(nginx, tmp_path, "messenger", two) as proxy:
        ann, bob = pair(proxy)
        pages = {ann: ann.page(), bob: bob.page()}
        said = [pages[ann].say(bob, f"before {number}")["id"] for number in range(3)]
        assert [pages[bob].message()["id"] for _ in said] == said
        two[0].kill()
        (lost,) = (person for person, page in pages.items() if not page.is_open())
        (here,) = {ann, bob} - {lost}
        said += [pages[here].say(lost, f"meanwhile {number}")["id"] for number in range(3)]

        back = lost.page(since=said[2])  # with the same cookie
        seen = []
        while said[-1] not in seen:
            seen.append(back.message()["id"])
        assert seen[-3:] == said[3:]
        assert seen == said[-len(seen) :], "what comes again, comes in order"
        back.send({"got": said})
        assert pages[here].next("delivered")["friend"] == lost.name
        assert back.say(here, "I am back")["id"] > said[-1]
        history = lost.fetch(f"/history?friend={here.name}").json["messages"]
        assert [frame["id"] for frame in history][:-1] == said
        assert len(ask("select id from messages where sender_id in (%s, %s)", ann.id, bob.id)) == 7


def test_two_people_in_a_browser_lose_nothing_when_a_process_dies(nginx, two, new_page, tmp_path):
    with Proxy(nginx, tmp_path, "messenger", two) as proxy:
        people = [enrolled(proxy, word=word) for word in ("韩", "<b>Bob")]
        befriend(*people)
        sitting = []
        for person in people:
            page = new_page(ignore_https_errors=True, tolerate=f"{BROKEN}|{STATUS}")
            messenger = Messenger(page, person.name)
            page.goto(f"{proxy.url}/")
            page.get_by_role("textbox", name="Name").fill(person.name)
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            sitting.append(messenger.connected())
        ann, bob = sitting
        ann.open(bob.name)
        bob.open(ann.name)
        ann.say("你好 <script>alert(1)</script>")
        bob.sees("你好 <script>alert(1)</script>", ann.name)
        ann.sees("你好 <script>alert(1)</script>", "我", "read")

        two[0].kill()
        for me, other in ((ann, bob), (bob, ann)):
            me.say(text := f"{me.name} goes on")
            other.sees(text, me.name)
            me.sees(text, "我", "read")
            me.connected()
        assert sum(len(each.sockets) for each in sitting) > 2, "one of them has come back"
        below = f"{proxy.url}/single_ws".replace("https", "wss")
        assert all(url.startswith(below) for each in sitting for url in each.sockets)

        jar = ann.page.context.cookies
        found = jar(f"{proxy.url}/single")
        assert {cookie["name"] for cookie in found} == {"messenger", "known_browser"}
        assert all(cookie["secure"] and cookie["httpOnly"] for cookie in found)
        assert jar([f"{proxy.origin}/chat-room/", f"{proxy.origin}/"]) == []
        expect(ann.page).to_have_url(re.compile(re.escape(f"{proxy.url}/single#")))
