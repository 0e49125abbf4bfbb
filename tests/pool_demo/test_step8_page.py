"""Step 8 in a browser: the lanes, the figures and every button, seen on the page and at the server.

CHAT_SCREENSHOTS=docs/pictures python3 -m course test -k picture_of_the_pool
"""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pymysql
import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from demos.pool_demo.compared.ways import HELPER, POOLED, TUNED
from demos.pool_demo.live.lanes import Picture
from demos.pool_demo.live.load_choice import WAYS, Choice
from demos.pool_demo.live.page import STREAMS, create_app
from demos.pool_demo.settings import connect_args
from tests.private_chat.own_database import OwnDatabase
from tests.support.pages import COLOURS, CONTRASTS
from tests.support.processes import alive, descendants
from tests.support.streams import Streams
from tests.support.waiting import eventually

STEP = "step8_see_the_pool"
AGREES = "The process list agrees with the lanes"
NOT_DRAWN = "the server has it, but it is not drawn"
GONE = "drawn, but the server has no such connection"

LEGEND = """(legend) => Object.fromEntries([...legend.children].map((item) =>
    [item.dataset.letter, getComputedStyle(item, "::before").backgroundColor]))"""


class PoolPage:
    """The page, by what a user sees and presses."""

    def __init__(self, page):
        self.page = page
        self.state = page.locator("#state")
        self.verdict = page.locator("#verdict")
        self.said = page.locator("#said")
        self.now = page.locator("#now")

    def start(self, way, clients, size, query, latency=0):
        self.page.get_by_label("Way").select_option(way)
        values = {"Clients": clients, "Pool size": size, "Query, ms": query, "Latency, ms": latency}
        for label, value in values.items():
            self.page.get_by_label(label).fill(str(value))
        with self.page.expect_response("**/start"):
            self.press("Start")
        expect(self.state).to_have_text(f"Running: {way}")

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def figure(self, name):
        place = self.page.locator(".gauges div").filter(has_text=re.compile(f"^{re.escape(name)}"))
        return float(re.sub(r"[^\d.]", "", place.locator("dd").text_content()) or 0)

    def numbers(self):
        """The connections that are offered for killing."""
        self.page.locator("#victim").blur()
        self.page.locator("#victim").focus()
        options = self.page.locator("#victim option").all_text_contents()
        return [int(text) for text in options if text != "any"]

    def colours(self):
        """The letters that are on the canvas, with how many points each has."""
        points = self.page.locator("#timeline").evaluate(COLOURS)
        legend = self.page.locator(".legend").evaluate(LEGEND)
        return {letter: points[colour] for letter, colour in legend.items() if colour in points}

    def looks(self):
        found = re.search(r"list: (\d+), with a disagreement: (\d+)", self.page.content())
        return tuple(map(int, found.groups())) if found else (0, 0)

    def agrees(self, more=2):
        """Wait until the server has agreed with the lanes a few times from now on."""
        looks, _ = self.looks()
        assert eventually(lambda: self.looks()[0] >= looks + more)
        expect(self.verdict).to_have_text(AGREES)


@pytest.fixture
def own_step(book, start):
    """The step, for a test that ends it or wants it untouched."""
    return start(STEP)


@pytest.fixture(scope="module")
def shared_step(database, shared):
    """The step, for all tests of the file; it has had a load, which has ended."""
    step = shared(STEP)
    post(step, "/start", vars(Choice(HELPER, clients=1, size=1, query=0)))
    return step


@pytest.fixture
def step(book, shared_step):
    """The step without a load; what a test starts, ends with the test."""
    post(shared_step, "/stop")
    yield shared_step
    post(shared_step, "/stop")


@pytest.fixture
def visit(step, new_page):
    """Open the page: `visit(**options of new_page)`; it has shown all that was before."""

    def look(**options):
        pool = PoolPage(new_page(step.page, **options))
        expect(pool.state).to_have_text("Stopped")
        return pool

    return look


@pytest.fixture
def pool(visit):
    return visit()


def post(step, path, values=None, **headers):
    """Press a button as another program would; return status and answer."""
    host, port = step.url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=30)
    headers = {"Content-Type": "application/json", **headers}
    body = values if isinstance(values, bytes) else json.dumps(values or {})
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_drawn_as_the_server_has_it(pool, witness, way):
    pool.start(way, clients=5, size=2, query=200)
    pool.agrees()
    assert eventually(lambda: pool.figure("turns a second") > 0)
    if way in (POOLED, TUNED, HELPER):
        assert set(pool.colours()) >= {"q", "w"}
        assert set(pool.numbers()) <= set(witness.ids())
        assert pool.figure("opened") == 2
        assert pool.figure("waited at the maximum") >= 3
    else:
        assert "q" in pool.colours()
        assert eventually(lambda: pool.figure("opened") > 5)
        assert pool.figure("waited at the maximum") == 0
    assert pool.figure("borrowed") > 2
    assert pool.looks()[1] == 0
    pool.press("Stop")
    expect(pool.state).to_have_text("Stopped")
    expect(pool.now).to_have_text(re.compile("^0 connections; 0 callers waiting"))


def test_what_costs_a_round_trip_is_drawn(pool):
    pool.start(POOLED, clients=3, size=2, query=50, latency=50)
    assert eventually(lambda: set(pool.colours()) >= set("ciqprw"))
    assert pool.figure("pings") > 0
    assert pool.figure("rollbacks") > 0
    assert pool.figure("wait, p99") >= 50
    pool.start(TUNED, clients=3, size=2, query=50, latency=50)
    assert eventually(lambda: pool.figure("borrowed") > 5)
    assert not set(pool.colours()) & set("pr")
    assert pool.figure("pings") == pool.figure("rollbacks") == 0
    pool.agrees()


def test_a_killed_connection_ends_on_the_page_and_at_the_server(pool, witness):
    pool.start(HELPER, clients=4, size=2, query=50)
    assert eventually(lambda: len(pool.numbers()) == 2)
    victim, other = pool.numbers()
    pool.page.locator("#victim").select_option(str(victim))
    pool.press("Kill it")
    expect(pool.said).to_have_text(f"The server has ended connection {victim}.")
    assert victim not in witness.ids()
    assert eventually(lambda: pool.figure("closed") == 1 and pool.figure("opened") == 3)
    assert eventually(lambda: victim not in pool.numbers() and other in pool.numbers())
    assert set(pool.numbers()) <= set(witness.ids())
    pool.agrees()


def test_any_connection_can_be_killed(pool):
    pool.start(POOLED, clients=4, size=2, query=50)
    assert eventually(lambda: pool.figure("opened") == 2)
    pool.press("Kill it")
    expect(pool.said).to_have_text(re.compile(r"The server has ended connection \d+."))
    assert eventually(lambda: pool.figure("opened") == 3)
    pool.agrees()


def test_what_nobody_has_noticed_is_a_disagreement_until_somebody_does(pool, witness):
    pool.start(HELPER, clients=1, size=1, query=20)
    pool.press("Leak one")
    assert eventually(lambda: "1 checked out; 1 caller waiting" in pool.now.text_content())
    pool.press("Kill it")
    expect(pool.verdict).to_have_text("Disagreement about 1 connection")
    (number,) = pool.numbers()
    assert number not in witness.ids()
    expect(pool.page.locator("#differences li")).to_have_text(f"{number}: {GONE}")
    pool.press("Give all back")
    expect(pool.verdict).to_have_text(AGREES)
    expect(pool.page.locator("#differences li")).to_have_count(0)
    assert eventually(lambda: pool.figure("opened") == 2)


def test_what_is_not_drawn_is_a_disagreement(pool):
    pool.start(HELPER, clients=2, size=1, query=20)
    pool.agrees()
    line = re.search(r"meets the server at 127.0.0.1:(\d+)", pool.page.content())[1]
    there = connect_args(host="127.0.0.1", port=int(line), unix_socket=None)
    with pymysql.connect(**there) as stranger:
        expect(pool.verdict).to_have_text("Disagreement about 1 connection")
        number = stranger.thread_id()
        expect(pool.page.locator("#differences li")).to_have_text(f"{number}: {NOT_DRAWN}")
        canvas = pool.page.locator("#timeline")
        assert canvas.is_visible()
    expect(pool.verdict).to_have_text(AGREES)


def test_other_programs_are_no_disagreement(pool):
    pool.start(HELPER, clients=2, size=1, query=20)
    pool.agrees()
    others = r"and (\d+) of other programs"
    before = int(re.search(others, pool.page.content())[1])
    with pymysql.connect(**connect_args()):
        expect(pool.page.locator("#looks")).to_contain_text(f"and {before + 1} of other programs")
        pool.agrees()
    assert pool.looks()[1] == 0


def test_a_restart_ends_all_connections_and_refuses_new_ones_for_a_while(pool, witness):
    pool.start(HELPER, clients=6, size=3, query=50)
    assert eventually(lambda: len(pool.numbers()) == 3)
    before = set(pool.numbers())
    pool.press("Restart the server")
    expect(pool.said).to_contain_text("new ones are refused")
    assert before.isdisjoint(witness.ids())
    expect(pool.page.locator("#errors")).to_contain_text("OperationalError 2003")
    assert eventually(lambda: pool.figure("opened") >= 6)
    assert eventually(lambda: len(set(pool.numbers()) - before) == 3)
    assert eventually(lambda: pool.now.text_content().startswith("3 connections"))
    pool.agrees()
    assert set(pool.numbers()) <= set(witness.ids())


def test_what_is_leaked_stays_out_and_an_exhausted_pool_serves_nobody(pool, witness):
    pool.start(HELPER, clients=4, size=3, query=50)
    pool.press("Leak one")
    expect(pool.now).to_contain_text("1 checked out")
    assert eventually(lambda: pool.figure("turns a second") > 0)
    pool.press("Exhaust the pool")
    expect(pool.now).to_have_text(re.compile("^3 connections: 3 checked out; 5 callers waiting"))
    assert {seen.command for seen in witness.seen() if seen.id in pool.numbers()} == {"Sleep"}
    assert eventually(lambda: pool.figure("turns a second") == 0)
    assert pool.figure("longest, not over yet") > 500
    pool.agrees()
    pool.press("Give all back")
    assert eventually(lambda: pool.figure("turns a second") > 0)
    expect(pool.now).to_have_text(re.compile("; 1 caller waiting"))


def test_what_is_not_possible_is_a_sentence(pool, step):
    for name in ("Kill it", "Restart the server", "Leak one", "Exhaust the pool", "Give all back"):
        pool.page.get_by_role("button", name=name, exact=True).click()
        expect(pool.said).to_have_text("Nothing runs: press Start.")
        pool.said.evaluate("said => { said.textContent = '' }")
    status, answer = post(step, "/start", {"way": POOLED, "clients": 0, "size": 3})
    assert status == 200
    assert json.loads(answer) == {
        "said": "clients is 0: choose a whole number from 1 to 200.",
        "done": False,
    }
    status, answer = post(step, "/start", {"way": "drop table", "clients": 1})
    assert json.loads(answer)["said"].startswith("There is no way 'drop table': choose one of raw")
    pool.start(POOLED, clients=2, size=2, query=50)
    status, answer = post(step, "/kill", {"connection": 1})
    assert json.loads(answer)["said"] == "The load has no connection 1."
    assert post(step, "/nothing")[0] == 404
    for junk in (b"[" * 20_000, b"", b"[1]", b"null", b"\xff"):
        assert post(step, "/start", junk)[0] == 400
        assert post(step, "/kill", junk)[0] == 400
    assert post(step, "/kill", {"connection": "1"})[0] == 400


def test_a_load_that_cannot_be_opened_says_why(start, new_page, tmp_path):
    """On a server of the test's own: others would find that one full as well."""
    with OwnDatabase(tmp_path), ExitStack() as others:
        pool = PoolPage(new_page(start(STEP).page))
        with pymysql.connect(**connect_args()) as connection, connection.cursor() as cursor:
            cursor.execute("set global max_connections = 20")
        with pytest.raises(pymysql.OperationalError, match="1040"):
            for _ in range(30):
                others.enter_context(pymysql.connect(**connect_args(ssl_disabled=True)))
        pool.page.get_by_label("Pool size").fill("20")
        pool.press("Start")
        expect(pool.state).to_contain_text("is full. Close other programs that use it.")


def test_who_comes_later_sees_the_same(pool, step, new_page):
    pool.start(HELPER, clients=3, size=2, query=50)
    pool.agrees()
    second = PoolPage(new_page(step.page))
    expect(second.state).to_have_text(f"Running: {HELPER}")
    expect(second.page.get_by_label("Pool size")).to_have_value("2")
    assert eventually(lambda: set(second.colours()) >= {"q", "w"})
    second.press("Stop")
    expect(pool.state).to_have_text("Stopped")


def test_pages_of_others_press_no_button(step):
    port = step.url.rpartition(":")[2]
    for headers, status in [
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": f"http://127.0.0.1:{int(port) + 1}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": f"elsewhere.example:{port}"}, 403),
        ({"Host": f"pool.course.localhost:{port}"}, 200),
        (
            {
                "Host": f"pool.course.localhost:{port}",
                "Origin": f"http://pool.course.localhost:{port}",
            },
            200,
        ),
        ({}, 200),
    ]:
        assert post(step, "/stop", **headers)[0] == status, headers


def test_a_port_that_is_none_or_taken_is_a_sentence(run_step, step, start, book):
    done = run_step(f"pool_demo.{STEP}", "--port", "70000")
    assert done.returncode == 2
    assert done.stderr.endswith("a port is a number from 0 to 65535\n")
    taken = int(step.url.rpartition(":")[2])
    assert start(STEP, port=taken).url != step.url


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine"
)
def test_the_step_listens_on_this_machine_only(step):
    # Who listens on every address of the machine listens on this one as well, and needs no name to be found.
    port = int(step.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=60)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind(own_step, witness, end):
    step = own_step
    assert post(step, "/start", vars(Choice(HELPER, clients=20, size=5, query=1000)))[0] == 200
    assert eventually(lambda: len(witness.ids()) >= 5)
    processes = [step.process.pid, *descendants(step.process.pid)]
    assert len(processes) >= 3  # the step, the line, the load
    step.process.send_signal(end)
    assert step.process.wait(60) == (0 if end != signal.SIGKILL else -signal.SIGKILL)
    assert eventually(lambda: not any(map(alive, processes)))
    assert witness.settle(0) == 0


def test_the_keyboard_is_enough(own_step, new_page):
    pool = PoolPage(page := new_page(own_step.page))
    page.keyboard.press("Tab")
    expect(page.get_by_label("Way")).to_be_focused()
    for label in ("Clients", "Pool size", "Query, ms", "Latency, ms"):
        page.keyboard.press("Tab")
        expect(page.get_by_label(label)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(pool.state).to_have_text(f"Running: {POOLED}")
    names = ["Stop", None, "Kill it", "Restart the server", "Leak one", "Exhaust the pool"]
    for name in [*names, "Give all back"]:
        page.keyboard.press("Tab")
        if name:
            expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()


def test_a_page_too_many_says_so_and_tries_again(step, new_page):
    with closing(Streams(step.url, "/frames")) as streams:
        streams.fill(STREAMS)
        pool = PoolPage(new_page(step.page, tolerate="503"))
        expect(pool.state).to_contain_text("Too many pages are open")
    expect(pool.state).to_have_text("Stopped")


def test_every_control_has_a_name(pool):
    unnamed = pool.page.locator("button, input, select, canvas").evaluate_all(
        """(controls) => controls.filter((one) => !(one.getAttribute("aria-label")
            || (one.labels && [...one.labels].some((label) => label.textContent.trim()))
            || one.textContent.trim())).length"""
    )
    assert unnamed == 0
    assert pool.page.locator("canvas").get_attribute("aria-describedby") == "now"


def test_all_text_can_be_read_on_any_screen(pool):
    pool.start(HELPER, clients=4, size=2, query=50)
    pool.press("Leak one")
    expect(pool.said).not_to_be_empty()
    backgrounds = set()
    for width in (360, 1280):
        pool.page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            pool.page.emulate_media(color_scheme=scheme)
            backgrounds.add(pool.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            measured = pool.page.evaluate(CONTRASTS)
            assert [text for text, contrast, _ in measured if contrast < 4.5] == [], scheme
            assert [text for text, _, size in measured if size < 16] == [], width
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert pool.page.evaluate(wide) <= 0
            # The canvas follows, in colours of this scheme.
            assert eventually(lambda: set(pool.colours()) >= {"q", "w"})
    assert len(backgrounds) == 2


def test_colours_of_neighbouring_states_can_be_told_apart(pool):
    """In grey, too: what a projector or an eye makes of them."""
    for scheme in ("light", "dark"):
        pool.page.emulate_media(color_scheme=scheme)
        legend = pool.page.locator(".legend").evaluate(LEGEND)
        grey = {
            letter: sum(
                int(part) * weight
                for part, weight in zip(re.findall(r"\d+", colour), (0.3, 0.59, 0.11), strict=True)
            )
            for letter, colour in legend.items()
        }
        for one, other in ("io", "oq", "iq", "qp", "qr", "cq"):
            assert abs(grey[one] - grey[other]) > 20, (scheme, one, other)


# -- a load beyond what any step makes ---------------------------------------------------------------


class Storm:
    """An observer whose load has 200 connections, 200 callers and 20 notes a millisecond, until `enough` is set."""

    CONNECTIONS, NOTES, SECONDS, MS = 200, 20, 60, 1_000_000
    TURN = ("asks", "borrowed", "queries", "is done", "returned")

    def __init__(self):
        # The buttons do nothing here.
        self.proxy = self.settings = self
        self.address = "nowhere"
        self.start = self.stop = self.kill = self.restart = self.hold = self.give_back = str
        self.sent = 0
        self.enough, self.over = threading.Event(), threading.Event()

    def frames(self):
        """Yield frames at the pace at which they are about."""
        ones = range(1, self.CONNECTIONS + 1)
        picture = Picture(0)
        for one in ones:
            picture.fold([(0, "connects", one, None), (0, "opened", one, 1000 + one)], 0)
        began, now, turn = time.monotonic(), 0, 0
        while now < self.SECONDS * 1000 and not self.enough.is_set():
            notes = []
            for millisecond in range(now, now + 100):
                for place in range(self.NOTES):
                    # All are in some part of their turn at any moment.
                    who = (turn * 7 + place) % self.CONNECTIONS + 1
                    what = self.TURN[(turn // self.CONNECTIONS + who) % len(self.TURN)]
                    notes.append((millisecond * self.MS, what, who, 1000 + who))
                    turn += 1
            now += 100
            picture.fold(notes, now * self.MS)
            self.sent += len(notes)
            time.sleep(max(0.0, began + now / 1000 - time.monotonic()))
            yield json.dumps(self.frame(picture))
        self.over.set()

    def frame(self, picture):
        check = {"looks": 1, "wrong": 0, "at_server": 200, "others": 0, "problem": ""}
        return {
            "run": 1,
            "choice": vars(Choice(HELPER, self.CONNECTIONS, self.CONNECTIONS, 0, 0)),
            "running": True,
            "ready": True,
            "failed": "",
            "columns": picture.take(),
            "labels": picture.labels,
            "now": picture.now(),
            "shares": picture.shares(),
            "waiting": picture.waiting(),
            "longest": 0,
            "counts": picture.counts,
            "errors": {},
            "turns_a_second": 4000,
            "notes": self.sent,
            "notes_a_ms": self.NOTES,
            "p50": 1.0,
            "p99": 2.0,
            "check": {**check, "differences": []},
        }


# What the page has drawn so far, and how much there is on it.
PROGRESS = """() => ({ frames, longest,
    notes: Number(document.getElementById("notes").textContent.replaceAll(",", "")),
    elements: document.querySelectorAll("*").length,
    height: document.getElementById("timeline").clientHeight,
})"""


def test_200_connections_and_20_events_a_millisecond_do_not_freeze_the_page(new_page):
    storm = Storm()
    server = make_server("127.0.0.1", 0, create_app(storm), threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        page = new_page()
        page.add_init_script(
            """let before; window.frames = window.longest = 0;
            requestAnimationFrame(function look(now) {
                window.longest = Math.max(window.longest, now - (before ?? now));
                window.frames += 1;
                before = now;
                requestAnimationFrame(look);
            });"""
        )
        # It would come again when the storm is over, and hear it once more.
        page.route("**/frames", lambda route: route.continue_(), times=1)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        pool = PoolPage(page)
        assert eventually(lambda: set(pool.colours()) >= {"i", "o", "q", "w"})
        # While it comes, pictures follow each other, what is pressed is answered, and nothing piles up on the page.
        seen = [page.evaluate(PROGRESS)]
        for _ in range(5):
            assert len(pool.numbers()) == storm.CONNECTIONS
            pool.press("Leak one")
            last = seen[-1]

            def goes_on(last=last):
                seen.append(page.evaluate(PROGRESS))
                return all(seen[-1][name] > last[name] for name in ("frames", "notes"))

            assert eventually(goes_on, 60), seen[-1]
        assert not storm.enough.is_set()
        assert {(one["elements"], one["height"]) for one in seen[1:]} == {
            (seen[-1]["elements"], seen[-1]["height"])
        }
        assert seen[-1]["height"] < 1000
        print(
            f"{seen[-1]['frames']} pictures, the longest wait for one {seen[-1]['longest']:.0f} ms"
        )
        # What is counted is complete. A last picture may be on its way when the storm is told to end.
        storm.enough.set()
        assert storm.over.wait(60)
        assert eventually(lambda: page.evaluate(PROGRESS)["notes"] == storm.sent, 60)
        assert pool.figure("borrowed") == storm.sent / len(storm.TURN)
    finally:
        storm.enough.set()
        server.shutdown()
        server.server_close()


def test_picture_of_the_pool(visit, tmp_path):
    """What the README shows: a killed connection, a leaked one, and callers whom others overtake."""
    folder = os.environ.get("CHAT_SCREENSHOTS")
    full = 200 if folder else 80  # turns until lanes are filled to the left
    pool = visit(viewport={"width": 1280, "height": 860})
    pool.start(POOLED, clients=8, size=3, query=100, latency=5)
    assert eventually(lambda: pool.figure("borrowed") > full * 0.3)
    pool.press("Kill it")
    assert eventually(lambda: pool.figure("opened") == 4)
    pool.press("Leak one")
    assert eventually(lambda: pool.figure("borrowed") > full)
    pool.agrees()
    pool.page.screenshot(path=Path(folder or tmp_path) / "pool.png")
