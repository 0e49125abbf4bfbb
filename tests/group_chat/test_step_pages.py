"""The pages of steps 1 to 4 in a real browser, and W13 on the source's own page."""

import re

import pytest
from playwright.sync_api import expect

from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from tests.support.pages import COLOURS
from tests.support.waiting import eventually

# Addresses that the naive page builds itself, all led to the server under test.
LED_HERE = """
window.asked = [];
window.WebSocket = class extends WebSocket {
  constructor(address) {
    window.asked.push(address);
    super(address.replace("127.0.0.1:5000", location.host));
  }
};
"""
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "&lt;b&gt; \u202e<b>",
    "javascript:alert(3)",
]


def lines(page):
    """Whose line it is, and its text, for each line of the list."""
    found = page.locator("#lines .line")
    return [
        (
            "mine" if "mine" in line.get_attribute("class").split() else "theirs",
            line.locator(".text").inner_text(),
        )
        for line in found.all()
    ]


def overflow(page):
    """How far the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


# Step 1.


@pytest.fixture
def echo(shared, new_page):
    """The echo's page, connected, and its server."""
    server = shared("step1_echo")
    page = new_page(server.page)
    expect(page.locator("#readyState")).to_have_text("–")
    page.click("#connect")
    expect(page.locator("#readyState")).to_have_text("1 OPEN")
    return page, server


def happened(page):
    """The events so far, each with its detail."""
    found = page.locator("#events li").all()
    return [(line.get_attribute("data-event"), line.locator("span").inner_text()) for line in found]


def test_echo_shows_events_as_they_happen(echo):
    page, _ = echo
    page.fill("#words", "你好")
    page.click("text=Send text")
    expect(page.locator("[data-event=message]")).to_have_count(1)
    page.click("#binary")
    expect(page.locator("[data-event=message]")).to_have_count(2)
    assert happened(page) == [
        ("new WebSocket", ""),
        ("open", ""),
        ("send", "text, 6 bytes: 你好"),
        ("send", "binary, 8 bytes: 00 01 02 03 fc fd fe ff"),
        ("message", "text, 6 bytes: 你好"),
        ("message", "binary, 8 bytes: 00 01 02 03 fc fd fe ff"),
    ] or [kind for kind, _ in happened(page)] == [
        "new WebSocket",
        "open",
        "send",
        "message",
        "send",
        "message",
    ]


def test_echo_shows_buffered_amount_rise_and_fall(echo):
    page, _ = echo
    page.click("#pieces")
    expect(page.locator("[data-event=message]")).to_have_count(20)
    expect(page.locator("#highest")).to_have_text("200,000")
    expect(page.locator("#bufferedAmount")).to_have_text("0")


def test_echo_shows_1009_for_a_large_message(echo):
    page, _ = echo
    page.click("#tooBig")
    expect(page.locator("#readyState")).to_have_text("3 CLOSED")
    why = f'code 1009, reason "a message may have {LIMIT} bytes"'
    expect(page.locator("[data-event=close] span")).to_contain_text(why)
    # A closed socket would take a message and drop it.
    page.click("text=Send text")
    assert happened(page)[-1] == ("not sent", "the socket is not open")


def test_echo_closes_with_code_and_reason(echo):
    page, server = echo
    page.fill("#code", "3001")
    page.fill("#reason", "再见")
    page.click("#closing .quiet")
    expect(page.locator("[data-event=close] span")).to_contain_text("code 3001")
    assert eventually(lambda: re.search('code=3001 reason="?再见', server.log))
    page.click("#connect")
    expect(page.locator("[data-event=open]")).to_have_count(2)
    page.fill("#code", "1001")
    page.click("#closing .quiet")
    expect(page.locator("#refused")).to_contain_text("1001")
    expect(page.locator("#readyState")).to_have_text("1 OPEN")
    page.fill("#code", "")
    page.click("#closing .quiet")
    expect(page.locator("[data-event=close] span").nth(1)).to_contain_text("code 1005")


def test_echo_shows_that_the_server_has_stopped(start, new_page):
    server = start("step1_echo")
    page = new_page(server.page, tolerate="console: WebSocket connection")
    page.click("#connect")
    expect(page.locator("#readyState")).to_have_text("1 OPEN")
    assert server.stop() == 0
    expect(page.locator("[data-event=close] span")).to_contain_text(
        'code 1012, reason "the server restarts"'
    )
    page.click("#connect")
    expect(page.locator("[data-event=error]")).to_have_count(1)
    expect(page.locator("[data-event=close] span").nth(1)).to_contain_text("code 1006")


# Step 2.


# Of each lane: messages, requests, bytes per message, all read in one moment.
CELLS = """() => Object.fromEntries([...document.querySelectorAll("[data-lane]")].map((row) =>
    [row.dataset.lane, ["messages", "requests", "each"].map((column) =>
        parseInt(row.querySelector(`.${column}`).textContent.replaceAll(",", "")))]))"""


@pytest.fixture
def ticking(shared):
    """A server that makes a message ten times a second."""
    return shared("step2_push_techniques", "--every", "0.1")


def test_push_shows_all_lanes_side_by_side(ticking, new_page):
    page = new_page(ticking.page, reduced_motion="reduce")
    page.select_option("#every", "0.1")
    page.click("#start")
    expect(page.locator("#state")).to_have_text("Running")
    shown = {}

    def long_polling_has_paid():
        """Each message costs it a request, while polling fetches several at once."""
        shown.update(page.evaluate(CELLS))
        return (
            min(messages for messages, _, _ in shown.values()) >= 8
            and shown["long-poll"][1] > shown["poll"][1] > 1
            and shown["long-poll"][2] > 2 * shown["socket"][2]
        )

    assert eventually(long_polling_has_paid, 60), shown
    assert shown["events"][1] == shown["socket"][1] == 1
    assert all(
        re.fullmatch(r"-?[\d.]+ ms", cell) for cell in page.locator(".median").all_inner_texts()
    )
    assert "out of order" not in page.inner_text("table")
    page.click("#stop")
    expect(page.locator("#state")).to_have_text("Stopped")
    stopped = page.inner_text("table")
    page.click("#start")
    expect(page.locator("#state")).to_have_text("Running")
    page.wait_for_function(
        "(old) => document.querySelector('table').innerText !== old", arg=stopped
    )


# Of each lane: how many messages wait for it, and how many dots of which colours are drawn.
RACE = f"""() => Object.fromEntries([...document.querySelectorAll("[data-race]")].map((canvas) => {{
    const name = canvas.dataset.race;
    const waiting = parseInt(document.querySelector(`[data-lane=${{name}}] .waiting`).textContent);
    return [name, {{ waiting, colours: ({COLOURS})(canvas) }}];
}}))"""


def race(page, is_it):
    """Wait until all lanes, seen in one moment, are as they should be; return them."""
    lanes = {}

    def look():
        lanes.update(page.evaluate(RACE))
        return is_it(lanes)

    assert eventually(look), lanes
    return lanes


def test_push_draws_a_race_of_the_same_messages(ticking, new_page):
    page = new_page(ticking.page, color_scheme="light")
    page.select_option("#every", "1")
    page.click("#start")
    seen = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        message, late, request = colours = [
            page.locator(f"[data-colour={name}]").evaluate("node => getComputedStyle(node).color")
            for name in ("accent", "problem", "soft")
        ]
        seen += colours

        # Between two requests of polling, what the others have waits for it at the server.
        def falls_behind(lanes, message=message, late=late, request=request):
            poll, *others = (lanes[name] for name in ("poll", "long-poll", "events", "socket"))
            return (
                poll["waiting"] >= 3
                and lanes["socket"]["waiting"] <= 1
                and late in poll["colours"]
                and all(message in lane["colours"] for lane in others)
                and all(request in lane["colours"] for lane in lanes.values())
            )

        before = race(page, falls_behind)["poll"]["waiting"]

        # The next time that polling asks, it gets them all, as old as they are.
        def catches_up(lanes, message=message, before=before):
            poll = lanes["poll"]
            return poll["waiting"] < before and message in poll["colours"]

        race(page, catches_up)
    assert len(set(seen)) == 6
    # It moves, until it is stopped.
    before = page.evaluate(RACE)
    race(page, lambda lanes: lanes != before)
    page.click("#stop")
    still = page.evaluate(RACE)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate(RACE) == still


def test_push_without_motion_draws_a_picture_a_second(ticking, new_page):
    page = new_page(ticking.page, reduced_motion="reduce")
    page.evaluate(
        "() => { window.drawn = []; const draw = Race.prototype.draw;"
        "Race.prototype.draw = function () { drawn.push(performance.now()); draw.call(this); }; }"
    )
    page.click("#start")
    page.wait_for_function("() => drawn.length >= 3")
    # The first one is of the stop before the start.
    assert page.evaluate("drawn[2] - drawn[1]") >= 1000


def test_push_says_that_the_server_has_stopped(start, new_page):
    server = start("step2_push_techniques", "--every", "0.1")
    page = new_page(server.page, tolerate="console: Failed to load|console: WebSocket")
    page.click("#start")
    expect(page.locator("#state")).to_have_text("Running")
    assert server.stop() == 0
    expect(page.locator("#state")).to_contain_text("Stopped: ")
    expect(page.locator("#stop")).to_be_disabled()


# Step 3.


def room_pages(server, new_page, count):
    pages = [new_page(server.page) for _ in range(count)]
    for page in pages:
        expect(page.locator("#state")).to_have_text("Connected")
    return pages


def test_three_pages_chat_without_names_and_explain_the_design(shared, new_page):
    first, *_ = pages = room_pages(shared("step3_nameless_room"), new_page, 3)
    said = []
    for page, text in zip(pages, ["大家好", "hello", "第三个"], strict=True):
        page.fill("#text", text)
        page.press("#text", "Enter")
        assert page.input_value("#text") == ""
        said.append((page, text))
        for other in pages:
            expect(other.locator("#lines .text")).to_have_text([text for _, text in said])
    for page in pages:
        assert lines(page) == [
            ("mine" if page is author else "theirs", text) for author, text in said
        ]
    # Own lines stand on the right, the others on the left.
    boxes = [line.bounding_box() for line in first.locator("#lines .line").all()]
    room = first.locator("#log").bounding_box()
    middle = room["x"] + room["width"] / 2
    assert [box["x"] + box["width"] / 2 > middle for box in boxes] == [True, False, False]
    explanation = first.locator("#design").inner_text()
    assert "/ql" in explanation
    assert '{"msg": ' in explanation


def test_nothing_hostile_is_executed(shared, new_page):
    first, second = room_pages(shared("step3_nameless_room"), new_page, 2)
    for text in HOSTILE:
        first.fill("#text", text)
        first.press("#text", "Enter")
    for page in (first, second):
        expect(page.locator("#lines .text")).to_have_text(HOSTILE)
        assert page.locator("#lines img, #lines script, #lines b").count() == 0


def test_what_is_not_sent_is_not_shown(start, new_page):
    server = start("step3_nameless_room")
    page = new_page(server.page, tolerate="console: WebSocket connection")
    expect(page.locator("#state")).to_have_text("Connected")
    page.fill("#text", "x" * 17_000)
    page.press("#text", "Enter")
    expect(page.locator("#hint")).to_contain_text("Too long")
    server.kill()
    expect(page.locator("#state")).to_contain_text("Not connected")
    page.fill("#text", "does anybody hear me?")
    page.press("#text", "Enter")
    expect(page.locator("#hint")).to_contain_text("Nothing was sent")
    assert lines(page) == []
    assert page.input_value("#text") == "does anybody hear me?"
    again = start("step3_nameless_room", port=int(server.url.rpartition(":")[2]))
    assert again.url == server.url
    expect(page.locator("#state")).to_have_text("Connected")
    expect(page.locator("#hint")).to_have_text("")
    other = again.ws("ql")
    page.press("#text", "Enter")
    assert other.recv(timeout=20) == '{"msg": "does anybody hear me?"}'
    assert lines(page) == [("mine", "does anybody hear me?")]


def test_the_finished_room_serves_the_nameless_page(start, new_page):
    server = start("step5_room_that_holds")
    first, second = (new_page(f"{server.url}/chat") for _ in range(2))
    for page in (first, second):
        expect(page.locator("#state")).to_have_text("Connected")
    first.fill("#text", "大家好")
    first.press("#text", "Enter")
    expect(second.locator("#lines .text")).to_have_text(["大家好"])


# Step 4 has the page many_people.html, with tests of its own.


def test_three_pages_chat_under_nicknames(start, new_page):
    server = start("step4_nicknames")
    pages = {name: new_page(server.page) for name in ("韩雪", "舒畅", "唐嫣")}
    for name, page in pages.items():
        page.fill("#nickname", name)
        page.press("#nickname", "Enter")
        expect(page.locator("#state")).to_contain_text("Connected")
    pages["韩雪"].fill("#text", "大家好")
    pages["韩雪"].press("#text", "Enter")
    for name, page in pages.items():
        expect(page.locator("#lines .line")).to_have_count(1)
        assert ("我" if name == "韩雪" else "韩雪") in page.inner_text("#lines")
        assert "大家好" in page.inner_text("#lines")


# All pages.


@pytest.mark.parametrize("step", ["step1_echo", "step2_push_techniques", "step3_nameless_room"])
def test_pages_fit_a_phone_and_need_no_inline_script(shared, new_page, step):
    options = ("--every", "0.1") if step == "step2_push_techniques" else ()
    server = shared(step, *options)
    page = new_page(server.page, viewport={"width": 320, "height": 640})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert overflow(page) <= 0
    assert page.locator("h1").count() == 1
    fields = "input:not([type=hidden]), textarea, select"
    assert page.locator(fields).evaluate_all(
        "fields => fields.every((field) => field.labels.length === 1)"
    )
    html = server.get("/" + server.page.partition("//")[2].partition("/")[2]).body
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"\son\w+=", html)


# W13: the source's page.


@pytest.fixture
def naive_page(shared, new_page):
    """Open the source's page: `naive_page(server)`; default: a server that all share. Returns page and server."""

    def visit(server=None):
        server = server or shared("naive.chat", tracebacks=True)
        page = new_page(tolerate="Cannot read properties of null|console: WebSocket")
        page.add_init_script(LED_HERE)
        page.goto(server.page)
        return page, server

    return visit


def test_w13_the_address_is_hard_wired(naive_page):
    page, server = naive_page()
    page.fill("#nickname", "Ann")
    page.click("text=连接")
    assert page.evaluate("asked") == ["ws://127.0.0.1:5000/Ann"]
    assert ":5000" not in server.url


def test_w13_three_clicks_make_three_sockets(naive_page):
    page, _ = naive_page()
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.fill("#nickname", "Ann")
    for _ in range(3):
        page.click("text=连接")
    assert eventually(lambda: page.evaluate("asked.length") == 3 == len(sockets))
    assert not any(socket.is_closed() for socket in sockets)


def test_w13_sending_before_connecting_is_a_type_error(naive_page):
    page, _ = naive_page()
    page.fill("#text", "hello?")
    with page.expect_event("pageerror") as caught:
        page.click("text=发送")
    assert "Cannot read properties of null (reading 'send')" in str(caught.value)
    assert page.inner_text("#list") == "我 : hello?"


def test_w13_whoever_is_called_w_is_me_on_every_page(naive_page):
    page, server = naive_page()
    page.fill("#nickname", "Ann")
    page.click("text=连接")
    page.wait_for_function("ws.readyState === WebSocket.OPEN")
    server.ws("w").send('{"username": "w", "msg": "not you"}')
    expect(page.locator("#list")).to_have_text("我 : not you")


def test_w13_a_message_is_shown_though_never_sent_and_the_end_goes_unnoticed(start, naive_page):
    page, server = naive_page(start("naive.chat", tracebacks=True))
    page.fill("#nickname", "Ann")
    page.click("text=连接")
    page.wait_for_function("ws.readyState === WebSocket.OPEN")
    looks = page.inner_text("body")
    server.kill()
    page.wait_for_function("ws.readyState === WebSocket.CLOSED")
    assert page.inner_text("body") == looks
    page.fill("#text", "does anybody hear me?")
    page.click("text=发送")
    assert page.inner_text("#list") == "我 : does anybody hear me?"
