"""The wire panel in a real browser, fed by real taps in front of a real room.

The page around it is the test's own, and as small as can be: the panel's template, style and scripts, and the streams
at the address that `data-source` names. The stage's own page has tests of its own.
"""

import json
import re
import struct
import threading

import pytest
from flask import Flask, Response, render_template_string, send_from_directory
from playwright.sync_api import expect
from werkzeug.serving import make_server

from course.demo import Demo
from course.ground import place
from tests.group_chat import hostile
from tests.support.pages import CONTRASTS
from tests.support.waiting import eventually

FOLDER = place.ROOT / "course" / "stage" / "page"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The wire</title>
<link rel="icon" href="static/stage.svg"><link rel="stylesheet" href="static/stage.css">
<link rel="stylesheet" href="static/wire.css">
<script src="static/said.js" defer></script>
<script src="static/wire_frame.js" defer></script><script src="static/wire.js" defer></script>
<body style="padding: 1rem"><h1>The wire</h1>{% include "wire.html" %}
<wire-panel data-source="wire"></wire-panel></body></html>"""


class Feed:
    """A page with the panel, and a stream of events for it: those of taps, and those that a test makes up."""

    def __init__(self):
        self.taps, self.own, self.streams = [], [], 0
        app = Flask(__name__, template_folder=str(FOLDER), static_folder=None)
        app.jinja_env.globals["said"] = str  # in English
        app.add_url_rule("/", "page", lambda: render_template_string(PAGE))
        app.add_url_rule("/static/<name>", "static", lambda name: send_from_directory(FOLDER, name))
        app.add_url_rule(
            "/wire", "wire", lambda: Response(self.stream(), mimetype="text/event-stream")
        )
        self.changed = threading.Event()
        self.ended = False
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stream(self):
        self.streams += 1
        sent = [0] * 10
        try:
            yield ": here\n\n"
            while not self.ended:
                for at, lines in enumerate([self.own, *(self.lines(tap) for tap in self.taps)]):
                    new = lines[sent[at] :]  # there may be more of them when these are on their way
                    sent[at] += len(new)
                    yield "".join(f"data: {line}\n\n" for line in new) or ": here\n\n"
                self.changed.wait(0.05)
                self.changed.clear()
        finally:
            self.streams -= 1

    def lines(self, tap):
        return [line for line in tap.output.rpartition("\n")[0].split("\n") if line.startswith("{")]

    def say(self, *events):
        self.own += [json.dumps(event) for event in events]
        self.changed.set()

    def close(self):
        self.ended = True
        self.server.shutdown()
        for tap in self.taps:
            tap.end()


@pytest.fixture
def feed():
    made = Feed()
    yield made
    made.close()


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    # Without a heartbeat: its pings would be among the frames that the tests count.
    options = ("--port", "0", "--heartbeat", "3600")
    demo = Demo("group_chat.step1_echo", *options, folder=tmp_path_factory.mktemp("step"))
    yield demo
    demo.end()


@pytest.fixture
def tapped(feed, step, tmp_path):
    """Put a tap in front of the echo: `tapped(name)`; its events go to the panel."""

    def put(name):
        feed.taps.append(
            Demo("group_chat.wire_tap", "--to", step.url, "--client", name, folder=tmp_path)
        )
        return feed.taps[-1]

    return put


@pytest.fixture
def panel(feed, new_page):
    """Open the page with the panel: `panel(**options)`."""

    def show(**options):
        page = new_page(feed.url, **options)
        page.click("summary")
        return page

    return show


def rows(page, kind=None):
    found = page.locator(".wire-lines tbody tr" + (f"[data-kind={kind}]" if kind else ""))
    return [row.locator("td").all_inner_texts()[1:] for row in found.all()]


def frame(**changes):
    """An event as a tap makes it."""
    text = "x"
    made = {
        "kind": "frame",
        "client": "ann",
        "t": 1.0,
        "conn": 1,
        "direction": "down",
        "opcode": 1,
        "name": "text",
    }
    made |= {
        "fin": True,
        "rsv": 0,
        "mask": None,
        "header": 2,
        "length": 1,
        "payload": text,
        "text": True,
    }
    return made | {"cut": False, "raw": "810178"} | changes


def test_frames_appear_as_they_pass(panel, tapped):
    ann = tapped("ann")
    page = panel()
    with ann.ws("echo") as socket:
        socket.send("你好")
        assert socket.recv(20) == "你好"
        expect(page.locator("[data-kind=frame]")).to_have_count(2)
        socket.close(3001, "done")
    expect(page.locator("[data-kind=frame]")).to_have_count(4)
    expect(page.locator("[data-kind=close]")).to_have_count(1)
    sent, answered, closed, farewell = rows(page, "frame")
    assert sent[:3] + sent[4:] == ["ann", "step ▸", "0x1 text", "6", "你好"]
    assert re.fullmatch("[0-9a-f]{8}", sent[3])
    assert answered == ["ann", "◂ page", "0x1 text", "no", "6", "你好"]
    assert (closed[2], closed[5], farewell[5]) == ("0x8 close", "3001 done", "3001")
    (request,), (response,) = rows(page, "request"), rows(page, "response")
    assert (request[2], request[5]) == ("request", "GET /echo HTTP/1.1")
    assert (response[2], response[5]) == ("answer", "HTTP/1.1 101 Switching Protocols")


def test_what_is_counted_is_the_tap_s(panel, tapped):
    taps = {name: tapped(name) for name in ("ann", "bob")}
    page = panel()
    with taps["ann"].ws("echo") as one, taps["bob"].ws("echo") as two:
        one.send("1")
        for _ in range(300):
            two.send("2")
        assert [two.recv(20) for _ in range(300)] == ["2"] * 300
        expect(page.locator(".wire-counts [data-client=ann] td").nth(0)).to_have_text("1")
        expect(page.locator(".wire-counts [data-client=bob] td").nth(0)).to_have_text("300")
        expect(page.locator(".wire-counts [data-client=bob] td").nth(1)).to_have_text("300")
    unlisted = int(page.locator(".wire-counts [data-client=bob] td").nth(6).inner_text())
    listed = len([row for row in rows(page, "frame") if row[0] == "bob" and row[2] == "0x1 text"])
    assert listed + unlisted == 600
    assert unlisted > 0


def test_a_frame_is_opened_bit_by_bit(panel, tapped):
    ann = tapped("ann")
    page = panel()
    with hostile.Client(ann.url) as client:
        client.send(hostile.text("你A"))
        assert client.receive() == (hostile.TEXT, "你A".encode())
        expect(page.locator("[data-kind=frame]")).to_have_count(2)
    button = page.locator("[data-kind=frame] button").first
    button.focus()
    page.keyboard.press("Enter")
    opened = page.locator(".wire-opened")
    expect(opened).to_be_focused()
    expect(opened.get_by_role("heading")).to_have_text(
        "A text frame of 10 bytes (ann, to the step)"
    )
    header, payload = [
        [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]
        for table in opened.locator("table").all()
    ]
    assert header == [
        ["FIN", "1", "1", "the last frame of its message"],
        ["RSV 1–3", "1", "000", "no extension"],
        ["opcode", "1", "0001", "0x1: text"],
        ["MASK", "2", "1", "masked, as all that a client sends"],
        ["length", "2", "0000100", "4 bytes"],
        ["masking key", "3–6", "00110111 11111010 00100001 00111101", "0x37 0xfa 0x21 0x3d"],
    ]
    sent = hostile.text("你A")[6:]
    assert payload == [
        [str(7 + at), f"{sent[at]:08b}", f"0x{sent[at]:02x}", f"0x{hostile.MASK[at]:02x}", *undone]
        for at, undone in enumerate(
            [
                ["11100100", "0xe4", "你"],
                ["10111101", "0xbd", ""],
                ["10100000", "0xa0", ""],
                ["01000001", "0x41", "A"],
            ]
        )
    ]
    # Escape leads back to where it was opened.
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(opened).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize(("length", "field", "place"), [(300, 126, "3–4"), (70_000, 127, "3–10")])
def test_a_long_frame_says_where_its_length_is(panel, feed, length, field, place):
    size = struct.pack("!H" if field == 126 else "!Q", length)
    raw = bytes([0x82, field]) + size
    feed.say(
        frame(
            opcode=2,
            name="binary",
            header=len(raw),
            length=length,
            text=False,
            raw=(raw + bytes(20)).hex(),
            cut=True,
        )
    )
    page = panel()
    page.locator("[data-kind=frame] button").click()
    opened = page.locator(".wire-opened")
    texts = [
        row.locator("th, td").all_inner_texts()
        for row in opened.locator("table").first.locator("tr").all()
    ]
    assert ["length", "2", f"{field:07b}", f"{field}: the next {len(size)} bytes say it"] in texts
    assert [
        "length, longer",
        place,
        " ".join(f"{byte:08b}" for byte in size),
        f"{length:,} bytes",
    ] in texts
    expect(opened).to_contain_text(f"The first 20 of {length:,} bytes of payload are shown.")


def test_a_handshake_is_opened_with_its_headers(panel, tapped):
    ann = tapped("ann")
    page = panel()
    with hostile.Client(ann.url):
        expect(page.locator("[data-kind=response]")).to_have_count(1)
        page.locator("[data-kind=request] button").click()
        opened = page.locator(".wire-opened")
        expect(opened.get_by_role("heading")).to_have_text("GET /echo HTTP/1.1 (ann, to the step)")
        expect(opened.get_by_role("row", name="Sec-WebSocket-Key")).to_contain_text(
            hostile.HEADERS["Sec-WebSocket-Key"]
        )
        page.locator("[data-kind=response] button").click()
        expect(opened.get_by_role("row", name="Sec-WebSocket-Accept")).to_contain_text(
            hostile.ACCEPT
        )
        opened.get_by_role("button", name="Close").click()
        expect(opened).to_be_hidden()


def test_the_list_can_be_narrowed(panel, feed):
    feed.say(
        frame(client="ann", payload="one"),
        frame(client="bob", payload="two"),
        frame(client="bob", opcode=9, name="ping", payload=""),
        {
            "kind": "request",
            "client": "bob",
            "t": 1,
            "conn": 1,
            "direction": "up",
            "line": "GET / HTTP/1.1",
            "headers": [],
        },
        {"kind": "open", "client": "bob", "t": 1, "conn": 1},
    )
    page = panel()
    lines = page.locator(".wire-lines tbody tr")
    expect(lines).to_have_count(5)
    page.get_by_label("Client").select_option("bob")
    expect(lines).to_have_count(4)
    page.get_by_label("Kind").select_option("ping")
    expect(lines).to_have_count(1)
    page.get_by_label("Kind").select_option(label="all frames")
    expect(lines).to_have_count(2)
    page.get_by_label("Kind").select_option(label="requests and answers")
    expect(lines).to_have_count(1)
    page.get_by_label("Client").select_option("ann")
    expect(lines).to_have_count(0)
    page.get_by_label("Kind").select_option(label="all")
    expect(lines).to_have_count(1)
    assert [row[5] for row in rows(page)] == ["one"]
    feed.say(frame(client="bob", payload="three"), frame(client="ann", payload="four"))
    expect(lines).to_have_count(2)
    assert [row[5] for row in rows(page)] == ["one", "four"]


def test_a_pause_stops_the_list_and_not_the_figures(panel, feed):
    page = panel()
    feed.say(frame(payload="before"))
    lines = page.locator(".wire-lines tbody tr")
    expect(lines).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    side = {"bytes": 5, "frames": 77, "opcodes": {"text": 77}}
    counters = {
        "kind": "count",
        "client": "ann",
        "t": 2,
        "connections": 1,
        "requests": 1,
        "shown": 1,
        "unshown": 0,
    }
    feed.say(frame(payload="meanwhile"), counters | {"up": side, "down": side})
    expect(page.locator(".wire-counts")).to_contain_text("77")
    expect(lines).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("Paused. It is counted on.")
    page.get_by_role("button", name="Pause").click()
    expect(lines).to_have_count(2)


class Flood(threading.Thread):
    """Two thousand frames a second, numbered, until `enough` is set; `sent` is how many there were."""

    def __init__(self, feed):
        super().__init__(daemon=True)
        self.feed, self.sent, self.enough = feed, 0, threading.Event()

    def run(self):
        while not self.enough.wait(0.02):
            numbers = range(self.sent, self.sent + 50)
            self.sent += 50
            side = {"bytes": self.sent, "frames": self.sent, "opcodes": {"text": self.sent}}
            figures = {"connections": 1, "requests": 1, "shown": 1, "unshown": 0}
            counters = {"kind": "count", "client": "ann", "t": 2, "up": side, "down": side}
            self.feed.say(
                *(frame(payload=f"message {number}") for number in numbers), counters | figures
            )


# What has happened on the page: its pictures, the most lines that came at once, and the number of the newest line.
PROGRESS = """() => ({ pictures, most, rows: document.querySelectorAll(".wire-lines tbody tr").length,
    newest: parseInt(document.querySelector(".wire-lines tbody tr:last-child")?.textContent.split("message ")[1] ?? -1) })"""


def test_a_flood_does_not_freeze_the_page(panel, feed):
    page = panel()
    page.evaluate(
        """() => {
            window.pictures = window.most = 0;
            const look = () => { pictures += 1; requestAnimationFrame(look); };
            requestAnimationFrame(look);
            new MutationObserver((found) => { most = Math.max(most, found.reduce((sum, one) => sum + one.addedNodes.length, 0)); })
                .observe(document.querySelector('.wire-lines tbody'), { childList: true });
        }"""
    )
    lines, kind = page.locator(".wire-lines tbody tr"), page.get_by_label("Kind")
    flood = Flood(feed)
    flood.start()
    try:
        expect(page.get_by_role("status")).to_have_text(re.compile("came too fast to be listed"))
        # While it comes, what is chosen is done at once, pictures follow each other, and the list goes on.
        seen = [page.evaluate(PROGRESS)]
        for _ in range(3):
            kind.select_option("ping")
            expect(lines).to_have_count(0)
            kind.select_option(label="all")
            last = seen[-1]

            def goes_on(last=last):
                seen.append(page.evaluate(PROGRESS))
                return all(seen[-1][name] > last[name] for name in ("pictures", "newest"))

            assert eventually(goes_on, 60), seen[-1]
        assert flood.is_alive()
    finally:
        flood.enough.set()
        flood.join(60)
    # In the end the newest line is there, and what is counted is complete.
    expect(lines.last).to_contain_text(f"message {flood.sent - 1}")
    expect(page.locator(".wire-counts [data-client=ann] td").first).to_have_text(f"{flood.sent:,}")
    seen.append(page.evaluate(PROGRESS))
    assert max(one["rows"] for one in seen) <= 500
    assert seen[-1]["most"] <= 20


def test_lines_of_several_taps_stand_in_the_order_of_time(panel, feed):
    page = panel()
    feed.say(*(frame(t=t, payload=f"{t}") for t in (3, 1, 2)))
    expect(page.locator(".wire-lines tbody tr")).to_have_count(3)
    assert [row[5] for row in rows(page)] == ["1", "2", "3"]


HOSTILE = ["<img src=x onerror=alert(1)>", "\u202egnp", "<script>alert(2)</script>"]


def test_hostile_payloads_are_text(panel, feed):
    feed.say(*(frame(client=text, payload=text, name="text") for text in HOSTILE))
    page = panel()
    expect(page.locator(".wire-lines tbody tr")).to_have_count(3)
    assert [row[5] for row in rows(page)] == HOSTILE
    assert page.locator("img, tbody script").count() == 0


def test_a_panel_that_nobody_sees_has_no_stream(panel, feed):
    feed.say(frame())
    page = panel()
    expect(page.locator(".wire-lines tbody tr")).to_have_count(1)
    assert eventually(lambda: feed.streams == 1)
    page.click("summary")
    assert eventually(lambda: feed.streams == 0)
    page.click("summary")
    assert eventually(lambda: feed.streams == 1)
    expect(page.locator(".wire-lines tbody tr")).to_have_count(1)
    page.evaluate("document.querySelector('wire-panel').hidden = true")
    assert eventually(lambda: feed.streams == 0)


def test_the_panel_can_be_read(panel, feed):
    feed.say(
        frame(),
        {
            "kind": "unreadable",
            "client": "ann",
            "t": 1,
            "conn": 1,
            "direction": "up",
            "why": "junk",
        },
    )
    page = panel(viewport={"width": 360, "height": 800})
    page.locator("[data-kind=frame] button").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        weak = [text for text, contrast, _ in page.evaluate(CONTRASTS) if contrast < 4.5]
        assert weak == [], scheme
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
