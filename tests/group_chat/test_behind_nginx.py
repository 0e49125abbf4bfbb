"""The finished room behind a real nginx, as deploy/nginx.conf sets it up: TLS, a path prefix, two processes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from course.database.redis_server import RedisServer
from demos.group_chat.rules.limits import REQUESTS
from tests.group_chat.rich import Page, fresh, refusal
from tests.support.nginx import IDLE, Proxy, needed
from tests.support.servers import Servers
from tests.support.tools import tool
from tests.support.waiting import all_at_once

CLASS = 50 * REQUESTS  # requests of people who open the messenger at once, twice
RATE = 50  # requests a second that come on top (deploy/nginx.conf)
HEARTBEAT = 3.0  # pings come three times in it, so more often than nginx wants one


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """Two processes that serve one room."""
    store = RedisServer(tool("redis-server"))
    store.start()
    servers = Servers(tmp_path_factory.mktemp("doors"), "group_chat")
    options = ("--heartbeat", f"{HEARTBEAT}", "--redis", store.url)
    yield [servers.start("chat", *options) for _ in range(2)]
    servers.end()
    store.stop()


@pytest.fixture(scope="module")
def proxy(nginx, doors, tmp_path_factory):
    """nginx in front of both."""
    with Proxy(nginx, tmp_path_factory.mktemp("nginx"), "chat-room", doors) as proxy:
        yield proxy


def join(proxy, name, **options):
    """Join as a page of the proxy's own site."""
    return Page.join(proxy, name, origin=proxy.origin, **options)


def test_the_page_and_all_that_it_needs_lie_below_the_prefix(proxy):
    assert needed(proxy, proxy.get("/ws")) == {".js", ".css", ".svg"}
    assert proxy.get("").headers["Location"] == "/chat-room/"
    assert proxy.get("/").headers["Location"] == "ws"  # relative, so it stays below the prefix
    assert proxy.get("/chat").status == 200
    assert proxy.get("/healthz").status == 200
    assert proxy.get("/Bob").status == 426


def test_pages_on_different_processes_chat(proxy, doors):
    pages = [join(proxy, fresh()) for _ in range(4)]
    # The least busy process takes the next connection.
    assert {json.loads(door.get("/healthz").body)["connections"] for door in doors} == {2}
    names = {page.name for page in pages}
    for page in pages:
        assert page.sees(*names)
        text = fresh("你好")
        page.say(text)
        assert [other.message()["msg"] for other in pages if other is not page] == [text] * 3


@pytest.mark.parametrize("name", ["韩雪", "a b%c?d#e&f=g;h+i", '<b>"\\^`{|}~', "👩‍👧", "100%25"])
def test_a_nickname_reaches_the_room_unchanged(proxy, name):
    assert join(proxy, name).name == name


def test_a_refusal_and_a_close_code_reach_the_page(proxy):
    holder = join(proxy, fresh("bob"))
    assert refusal(proxy, holder.name.upper())[0] == 4409
    assert refusal(proxy, "ws") == (4400, "This nickname is reserved, or looks like one that is.")
    assert refusal(proxy, "a/b")[0] == 4400
    back = holder.again(proxy)
    assert holder.ended()[0] == 4001
    assert back.name == holder.name


def test_a_page_of_another_site_is_refused(proxy):
    for origin in ("https://evil.example", f"{proxy.origin}.evil.example", "https://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            Page(proxy, fresh(), origin=origin)
        assert refused.value.response.status_code == 403


def test_an_address_that_asks_too_often_waits_and_others_do_not(proxy):
    """But a class of 50 behind one address may open the messenger at once. Sockets that are open go on."""
    flooding = proxy.seen_from("127.0.0.2")
    page = join(flooding, fresh())

    def ask_often(times):
        """Ask for what is not there, over one connection, as nginx answers fast; return when each answer came."""
        answered = []
        with closing(flooding.connection()) as connection:
            for _ in range(times):
                connection.request("GET", "/nothing")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 404
                answered.append(time.monotonic())
        return answered

    began = time.monotonic()
    all_at_once(10, lambda: ask_often(CLASS // 10))
    assert time.monotonic() - began < CLASS / RATE, "a class does not wait"
    with ThreadPoolExecutor(10) as elsewhere:
        more = [elsewhere.submit(ask_often, 10) for _ in range(10)]
        assert page.say("meanwhile")["id"]
        assert proxy.get("/healthz").status == 200, "another address"
        free = time.monotonic()
        ended = max(answers.result()[-1] for answers in more)
    assert free < ended
    assert RATE * (ended - began) >= 100 - 10, "who asks for more has to wait"


def test_pings_keep_a_silent_socket_open(proxy):
    """nginx closes a socket on which nothing moves, but the room sends pings more often than that."""
    page = join(proxy, fresh(), ping_interval=None)
    plain = proxy.ws(fresh(), ping_interval=None)
    until = time.monotonic() + 1.5 * IDLE
    while time.monotonic() < until:
        assert page.next("beat")
    assert plain.ping().wait(30)
    assert page.say("I am still here")["id"]


def test_without_pings_the_proxy_closes_a_silent_socket(proxy, nginx, start, tmp_path):
    """So the time of silence in this configuration is real."""
    lazy = [start("chat", "--heartbeat", "60")] * 2
    with (
        Proxy(nginx, tmp_path, "chat-room", lazy) as other,
        other.ws(fresh(), ping_interval=None) as silent,
        pytest.raises(ConnectionClosed) as closed,
    ):
        silent.recv(20 * IDLE)
    assert closed.value.rcvd is None  # no close frame: 1006 for a page


def test_two_people_chat_in_a_browser(proxy, new_page):
    pages, sockets = [], []
    for name in ("韩雪", "<b>Bob"):
        page = new_page(ignore_https_errors=True)
        page.on("websocket", lambda opened: sockets.append(opened.url))
        page.goto(f"{proxy.url}/")
        page.get_by_role("textbox", name="Nickname").fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_have_text(f"Connected as {name}")
        pages.append(page)
    assert len(sockets) == 2
    assert all(url.startswith(f"{proxy.url}/".replace("https", "wss")) for url in sockets)
    first, second = pages
    expect(first.get_by_role("complementary").get_by_role("listitem")).to_have_count(2)
    first.get_by_role("textbox", name="Message").fill("你好 <script>alert(1)</script>")
    first.keyboard.press("Enter")
    line = second.get_by_role("log").get_by_role("listitem").filter(has_text="<script>")
    expect(line).to_contain_text("你好 <script>alert(1)</script>")
    expect(line).to_contain_text("韩雪")


def test_who_loses_its_process_comes_back_through_the_other(nginx, start, redis_server, tmp_path):
    doors = [start("chat", "--redis", redis_server.url) for _ in range(2)]
    with Proxy(nginx, tmp_path, "chat-room", doors) as proxy:
        pages = [join(proxy, fresh()) for _ in range(2)]
        doors[0].kill()
        (lost,) = [page for page in pages if f"name={page.name} " in doors[0].log]
        (other,) = [page for page in pages if page is not lost]
        assert lost.ended()[0] == 1006
        back = lost.again(proxy)
        back.say(text := fresh("I am back"))
        assert other.message()["msg"] == text
