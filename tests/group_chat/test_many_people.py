"""The page many_people.html in a real browser: on the finished room (rich), and on step 4 (named).

What the page shows is read as a reader would: by role, label and text. Faults of the connection are made on a `Wire`
between page and server, or by stopping and killing the server.
"""

import json
import os
import re
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support.pages import BROKEN, ChatPage, contrasts, stopped
from tests.support.waiting import eventually

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
HOSTILE = "</p><script>alert(1)</script><svg onload=alert(1)><img src=x onerror=alert(1)>"
# From now on, keep all that the page says about its connection.
STATES = """() => {
    const state = document.querySelector("[role=status]");
    window.states = [];
    const changes = { childList: true, characterData: true, subtree: true };
    new MutationObserver(() => states.push(state.textContent)).observe(state, changes);
}"""


class Reader(ChatPage):
    """Somebody in front of the page."""

    def __init__(self, page, url):
        super().__init__(page)
        page.goto(url)
        self.nickname = page.get_by_role("textbox", name="Nickname")
        self.connect = page.get_by_role("button", name="Connect")
        self.leave = page.get_by_role("button", name="Leave")
        self.roster = page.get_by_role("complementary").get_by_role("listitem")

    def join(self, name):
        self.nickname.fill(name)
        self.nickname.press("Enter")
        expect(self.state).to_have_text(f"Connected as {name}")
        return self

    def sees(self, text, author):
        """Wait until a text is there, once, as said by the author; "我" is the reader."""
        line = self.lines(text)
        expect(line).to_have_count(1)
        expect(line.locator(".who")).to_have_text(re.compile(rf"^{re.escape(author)} \d\d:\d\d$"))
        return line

    def event(self, name, what):
        """The quiet lines that say who joined or left; one line may name several."""
        sentence = re.compile(rf"{re.escape(name)}.* {what}$")
        return self.log.locator(".event").filter(has_text=sentence)


@pytest.fixture
def visit(new_page):
    """Open the page in a window of its own: `visit(url, **options of new_page) -> Reader`."""
    return lambda url, **options: Reader(new_page(**options), url)


def say_as(server, name, *texts):
    """Somebody else says something, in the source's format."""
    client = server.ws(name)
    for text in texts:
        client.send(json.dumps({"username": name, "msg": text}))
    return client


def test_three_pages_chat_as_in_the_source(start, visit, tmp_path):
    server = start("chat")
    size = {"viewport": {"width": 1280, "height": 720}}
    xue = visit(server.page, **size).join("韩雪")
    chang = visit(server.page, color_scheme="dark", **size).join("舒畅")
    yan = visit(server.page, viewport={"width": 320, "height": 640}).join("唐嫣")
    readers = {"韩雪": xue, "舒畅": chang, "唐嫣": yan}

    said = {"韩雪": "你们好！", "舒畅": "你好，韩雪。", "唐嫣": "def hello():\n    return '大家好'"}
    for author, text in said.items():
        readers[author].say(text)
        for name, reader in readers.items():
            reader.sees(text, "我" if name == author else author)

    middle = 640
    own, others = (
        xue.lines(said[name]).locator(".text").bounding_box() for name in ("韩雪", "舒畅")
    )
    assert others["x"] < own["x"] and own["x"] > middle > others["x"]

    folder = Path(os.environ.get("CHAT_SCREENSHOTS", tmp_path))
    for name, reader in readers.items():
        reader.page.screenshot(path=folder / f"many_people_{name}.png", animations="disabled")
        assert (folder / f"many_people_{name}.png").stat().st_size > 10_000

    for reader in (xue, chang):
        expect(reader.roster).to_have_text(
            [f"{name} 我" if readers[name] is reader else name for name in readers]
        )
    expect(xue.page.locator("#count")).to_have_text("3")
    expect(xue.event("唐嫣", "joined")).to_have_count(1)
    yan.page.close()
    expect(xue.event("唐嫣", "left")).to_have_count(1)
    expect(xue.roster).to_have_text(["韩雪 我", "舒畅"])
    chang.leave.click()
    expect(xue.roster).to_have_text(["韩雪 我"])
    expect(chang.state).to_have_text("Not connected: you have left")
    chang.join("舒畅")
    expect(xue.roster).to_have_text(["韩雪 我", "舒畅"])


def test_named_format_on_step_4(start, visit):
    server = start("step4_nicknames")
    one, two = (visit(server.page, tolerate=BROKEN).join(name) for name in ("甲", "乙"))
    one.say("in the source's format")
    one.sees("in the source's format", "我")
    two.sees("in the source's format", "甲")
    expect(one.page.get_by_role("complementary")).to_have_count(0)

    third = visit(server.page, tolerate=BROKEN)
    third.nickname.fill("甲")
    third.connect.click()
    expect(third.page.get_by_role("alert")).to_contain_text("in use")

    # Nothing acknowledges in this format, so what cannot leave is not shown as if it had.
    server.kill()
    expect(one.state).to_contain_text("Next attempt")
    one.say("nobody is there")
    expect(one.page.get_by_text("Nothing was sent")).to_be_visible()
    expect(one.message).to_have_value("nobody is there")
    expect(one.lines("nobody is there")).to_have_count(0)
    start("step4_nicknames", port=urlsplit(server.url).port)
    expect(one.state).to_have_text("Connected as 甲")
    one.message.press("Enter")
    one.sees("nobody is there", "我")


def test_w13_a_line_counts_as_sent_when_the_room_has_it(shared, visit):
    server = shared("chat")
    reader = visit(server.page).join("等候")
    with stopped(server):
        reader.say("are you there")
        reader.is_waiting("are you there")
    reader.sees("are you there", "我")


def test_w13_three_clicks_make_one_socket(shared, visit):
    reader = visit(shared("chat").page)
    reader.nickname.fill("三次")
    reader.connect.click(click_count=3)
    expect(reader.state).to_have_text("Connected as 三次")
    reader.say("all of them were heard")
    reader.sees("all of them were heard", "我")
    assert len(reader.sockets) == 1


def test_w13_sending_before_connecting_says_so(shared, visit):
    reader = visit(shared("chat").page)
    reader.say("too early")
    expect(reader.page.get_by_text("first choose a nickname and connect")).to_be_visible()
    expect(reader.message).to_have_value("too early")
    expect(reader.lines("too early")).to_have_count(0)
    expect(reader.nickname).to_be_focused()
    assert not reader.sockets


def test_w13_the_socket_is_beside_the_page_behind_any_prefix(shared, wire, visit):
    line = wire(shared("chat"), ask=lambda data: data.replace(b"GET /class/3b/", b"GET /", 1))
    reader = visit(f"{line.url}/class/3b/ws").join("别处")
    reader.say("beside the page")
    reader.sees("beside the page", "我")
    assert reader.sockets == [f"{line.url.replace('http', 'ws', 1)}/class/3b/{quote('别处')}"]


def test_a_name_in_a_path_is_one_name(shared, visit):
    """Nothing in a nickname can lead the socket elsewhere."""
    server = shared("chat")
    reader = visit(server.page)
    for name in ("a?b#c", "100%25", "a&since=1"):
        reader.join(name).leave.click()


def test_refused_nicknames_show_the_reason(shared, visit):
    server = shared("chat")
    server.ws("已用")
    reader = visit(server.page)
    reasons = {
        "已用": "in use",
        "名" * 33: "at most 32 characters",
        "ws": "reserved",
        "static": "reserved",
        "我": "reserved",
        "a\u0007b": "control characters",
        "a/b": "slash",
        "": "type a nickname",
        "   ": "type a nickname",
        "..": "type a nickname",
    }
    for name, reason in reasons.items():
        reader.message.focus()
        reader.nickname.fill(name)
        reader.connect.click()
        expect(reader.page.get_by_role("alert")).to_contain_text(reason)
        expect(reader.nickname).to_be_focused()
        expect(reader.nickname).to_have_attribute("aria-invalid", "true")
        expect(reader.nickname).to_have_accessible_description(re.compile(reason))
        expect(reader.leave).to_be_hidden()
    reader.join("没用")
    expect(reader.nickname).to_be_hidden()


def test_hostile_names_and_messages_are_text(shared, wire, visit):
    server = shared("chat")
    # The strictest policy that a site would set: no script and no style but the page's own files.
    policy = b"Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:\r\n"
    line = wire(
        server, answer=lambda data: data.replace(b"Content-Type:", policy + b"Content-Type:", 1)
    )
    page = visit(line.url + "/ws").join("看客")
    assert page.page.request.get(line.url + "/ws").headers["content-security-policy"]

    villain = visit(server.page).join(HOSTILE_NAME)
    villain.say(HOSTILE)
    say_as(server, "<b>bold", HOSTILE + " again")
    page.sees(HOSTILE, HOSTILE_NAME)
    page.sees(HOSTILE + " again", "<b>bold")
    villain.sees(HOSTILE, "我")
    expect(page.roster.filter(has_text=HOSTILE_NAME)).to_have_count(1)
    expect(page.event(HOSTILE_NAME, "joined")).to_have_count(1)

    taken = visit(server.page)
    taken.nickname.fill(HOSTILE_NAME)
    taken.connect.click()
    expect(taken.page.get_by_role("alert")).to_contain_text("in use")
    for reader in (page, villain, taken):
        strangers = reader.page.locator("main img, main svg, main script, main b, header img")
        expect(strangers).to_have_count(0)


def test_w13_a_restart_of_the_server_loses_and_doubles_nothing(start, visit):
    server = start("chat")
    port = urlsplit(server.url).port
    one, two = readers = [visit(server.page, tolerate=BROKEN).join(name) for name in ("甲", "乙")]
    one.say("before")
    two.sees("before", "甲")

    server.kill()
    for reader in readers:
        expect(reader.state).to_have_text(re.compile("^Connection lost. Next attempt in"))
    one.say("in between")
    one.is_waiting("in between")
    server = start("chat", port=port)
    for reader, name in zip(readers, ("甲", "乙"), strict=True):
        reader.hurry()
        expect(reader.state).to_have_text(f"Connected as {name}")
    two.say("after")
    two.sees("in between", "甲")

    # The same in order: the room says goodbye, and why. The next attempt, which fails, cannot say it any more.
    one.page.evaluate(STATES)
    assert server.stop() == 0
    one.page.wait_for_function("() => states.some((text) => text.includes('the server restarts'))")
    start("chat", port=port)
    for reader, name in zip(readers, ("甲", "乙"), strict=True):
        reader.hurry()
        expect(reader.state).to_have_text(f"Connected as {name}")
    for text, author in (("before", "甲"), ("in between", "甲"), ("after", "乙")):
        one.sees(text, "我" if author == "甲" else author)
        two.sees(text, "我" if author == "乙" else author)


def test_a_page_that_was_away_misses_and_repeats_nothing(start, wire, visit):
    server = start("chat", "--rate", "1000")
    line = wire(server)
    away = visit(line.url + "/ws", tolerate=BROKEN).join("甲")
    here = visit(server.page).join("乙")
    here.say("before")
    away.sees("before", "乙")
    away.say("answered")
    away.sees("answered", "我")

    line.deaf = True  # the room hears this, and its answer gets lost
    away.say("was it said?")
    here.sees("was it said?", "甲")
    away.is_waiting("was it said?")

    line.numb = True  # the room believes that this connection lives, so the name is in use
    line.break_off()
    expect(away.state).to_contain_text("Next attempt")
    away.say("written meanwhile")
    news = [f"news {number}" for number in range(60)]  # more than a newcomer would get
    say_as(server, "丙", *news)
    here.sees(news[-1], "丙")

    line.deaf = line.numb = line.cut = False
    expect(away.state).to_have_text("Connected as 甲")
    here.sees("written meanwhile", "甲")
    away.sees("written meanwhile", "我")
    away.sees("was it said?", "我")
    # Nothing is missing, nothing comes twice, and all pages show one order: the room's.
    for reader in (away, here):
        texts = reader.log.locator(".text").all_inner_texts()
        assert texts == ["before", "answered", "was it said?", *news, "written meanwhile"]
    expect(here.event("甲", "left")).to_have_count(0)


def test_a_silent_connection_counts_as_lost(start, wire, visit):
    server = start("chat", "--heartbeat", "1.5")  # a beat every half second
    line = wire(server)
    reader = visit(line.url + "/ws", tolerate=BROKEN).join("甲")
    line.deaf = True
    expect(reader.state).to_contain_text("nothing was heard")
    line.deaf = False
    expect(reader.state).to_have_text("Connected as 甲")


def test_back_at_once_when_the_reader_or_the_network_is(shared, wire, visit):
    line = wire(shared("chat"))
    reader = visit(line.url + "/ws", tolerate=BROKEN).join("归来")
    # From here on no timer rings, so there is no attempt by itself.
    reader.page.clock.install()
    reader.page.clock.pause_at(datetime.now() + timedelta(hours=1))
    for come_back in (
        lambda: reader.hide(False),
        lambda: reader.page.evaluate("dispatchEvent(new Event('online'))"),
    ):
        line.break_off()
        expect(reader.state).to_contain_text("Next attempt")
        line.cut = False
        come_back()
        expect(reader.state).to_have_text("Connected as 归来")
    assert len(reader.sockets) == 3


def test_reload_keeps_the_place_and_a_duplicated_tab_does_not_take_it(shared, visit):
    server = shared("chat")
    reader, other = visit(server.page).join("原位"), visit(server.page).join("旁观")
    reader.say("mine")
    other.say("theirs")
    reader.sees("theirs", "旁观")
    reader.page.reload()
    expect(reader.state).to_have_text("Connected as 原位")
    reader.sees("mine", "我")
    reader.sees("theirs", "旁观")
    reader.say("again")
    other.sees("again", "原位")

    with reader.page.context.expect_page() as opened:
        reader.page.evaluate(
            "window.open(location.href)"
        )  # its storage is a copy, as a duplicate's
    copy = opened.value
    expect(copy.get_by_role("textbox", name="Nickname")).to_have_value("")
    expect(copy.get_by_role("status").first).to_have_text("Not connected")
    reader.say("still here")
    other.sees("still here", "原位")


def test_what_was_not_sent_survives_a_reload(shared, wire, visit):
    server = shared("chat")
    line = wire(server)
    reader = visit(line.url + "/ws", tolerate=BROKEN).join("虚空")
    line.break_off()
    expect(reader.state).to_contain_text("Next attempt")
    reader.say("into the void")
    reader.is_waiting("into the void")
    reader.page.goto("about:blank")
    line.cut = False
    reader.page.goto(line.url + "/ws")
    expect(reader.state).to_have_text("Connected as 虚空")
    reader.sees("into the void", "我")


def test_the_same_page_elsewhere_ends_this_one(shared, visit):
    """4001: a page whose place another connection took stays away, or the two would fight for it."""
    server = shared("chat")
    reader = visit(server.page).join("分身")
    token = reader.page.evaluate("me.token")
    with server.ws(f"{quote('分身')}?token={token}", subprotocols=["room.v1"]):
        expect(reader.state).to_contain_text("connected elsewhere")
        expect(reader.connect).to_be_visible()
        assert len(reader.sockets) == 1


def test_an_error_is_shown_at_its_message(start, visit):
    reader = visit(start("chat", "--rate", "0.5").page).join("太快")
    reader.page.evaluate(
        """() => {
        for (let number = 1; number <= 31; number += 1) {
            document.getElementById("text").value = `number ${number}`;
            document.getElementById("compose").requestSubmit();
        }
    }"""
    )
    reader.sees("number 30", "我")
    failed = reader.lines("number 31")
    expect(failed).to_contain_text("Not sent: ")
    failed.get_by_role("button", name="Send again").click()
    reader.sees("number 31", "我")
    expect(reader.message).to_be_focused()


def test_a_message_at_the_limit_is_sent_and_beyond_it_is_not(shared, visit):
    server = shared("chat")
    reader, other = visit(server.page).join("长文"), visit(server.page).join("读者")
    hint = reader.page.locator("#hint")
    reader.message.fill("好" * 6000)
    expect(hint).to_contain_text("Too long by")
    too_many = int(re.search(r"by (\d+) bytes", hint.inner_text())[1])
    reader.message.press("Enter")
    expect(hint).to_contain_text("nothing was sent")
    expect(reader.log.get_by_role("listitem").filter(has_text="好好")).to_have_count(0)

    most = "好" * (6000 - too_many // 3 - 1) + "a" * (3 - too_many % 3)
    reader.message.fill(most)
    expect(hint).to_have_text("0 bytes are left.")
    reader.message.press("Enter")
    other.sees(most, "长文")
    assert len(reader.sockets) == 1


def test_a_long_list_is_bounded_and_does_not_move_the_reader(start, visit):
    server = start("chat", "--rate", "10000")
    reader = visit(server.page).join("甲")
    say_as(server, "乙", *(f"number {number}" for number in range(700)))
    reader.sees("number 699", "乙")
    expect(reader.log.get_by_role("listitem")).to_have_count(500)
    assert len(reader.sockets) == 1  # it kept up, so the room did not cut it off
    newer = reader.page.get_by_role("button", name="New messages")
    log_end = "log => log.scrollHeight - log.scrollTop - log.clientHeight"
    assert eventually(lambda: reader.log.evaluate(log_end) < 2)

    # Who reads further up stays there, and is told.
    reader.log.evaluate("log => { log.scrollTop = log.scrollHeight / 2; }")
    reader.page.evaluate("() => new Promise(requestAnimationFrame)")
    above = reader.lines("number 500").bounding_box()["y"]
    say_as(server, "丙", "news")
    expect(newer).to_be_visible()
    assert reader.lines("number 500").bounding_box()["y"] == pytest.approx(above, abs=2)
    newer.click()
    expect(newer).to_be_hidden()
    # A line that comes now, such as that she left, is drawn a moment later.
    assert eventually(lambda: reader.log.evaluate(log_end) < 2)
    expect(reader.lines("news")).to_be_in_viewport()


def test_unread_messages_are_counted_in_the_title(shared, visit):
    server = shared("chat")
    reader = visit(server.page).join("离席")
    title = reader.page.title()
    reader.hide(True)
    friend = say_as(server, "未读", "one", "two")
    expect(reader.page).to_have_title(f"(2) {title}")
    friend.send('{"msg": "three"}')
    expect(reader.page).to_have_title(f"(3) {title}")
    reader.hide(False)
    expect(reader.page).to_have_title(title)


def test_keyboard_only(shared, visit):
    server = shared("chat")
    reader = visit(server.page)
    keyboard = reader.page.keyboard
    expect(reader.nickname).to_be_focused()
    keyboard.insert_text("键盘")
    keyboard.press("Enter")
    expect(reader.state).to_have_text("Connected as 键盘")
    expect(reader.message).to_be_focused()
    keyboard.insert_text("first")
    keyboard.press("Shift+Enter")
    keyboard.insert_text("second")
    keyboard.press("Enter")
    reader.sees("first\nsecond", "我")
    expect(reader.message).to_have_value("")

    # Everything can be reached, in the order of the page, and the focus is seen everywhere.
    reached = []
    while "leave" not in reached and len(reached) < 10:
        keyboard.press("Shift+Tab")
        reached.append(
            reader.page.evaluate("document.activeElement.id || document.activeElement.tagName")
        )
        outline = reader.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(outline.removesuffix("px")) >= 2, reached
    assert reached == ["log", "SUMMARY", "leave"]
    keyboard.press("Enter")
    expect(reader.state).to_have_text("Not connected: you have left")
    expect(reader.nickname).to_be_focused()


def test_enter_that_confirms_chinese_does_not_send(shared, visit):
    reader = visit(shared("chat").page).join("拼音")
    reader.type_by_sound("ni hao", "你好")
    expect(reader.log.get_by_text("ni hao")).to_have_count(0)
    reader.message.press("Enter")
    reader.sees("你好", "我")


@contextmanager
def crowded(server, reader, name):
    """Bring lines of all kinds onto the page, long ones among them, and one that waits."""
    reader.join(name)
    reader.say("一" * 200)
    stranger = f"长{name}".ljust(32, "W")
    say_as(server, stranger, "x" * 300 + name)
    reader.sees("x" * 300 + name, stranger)
    expect(reader.event(stranger, "joined")).to_have_count(1)
    with stopped(server):
        reader.say(f"{name} waits")
        reader.is_waiting(f"{name} waits")
        yield
        reader.leave.click()
    expect(reader.lines(f"{name} waits")).to_contain_text("Not confirmed")


# A phone; what a projector's 1280 × 720 leaves at 200 %; and what it leaves at 400 % (WCAG 1.4.10).
NARROW = [(320, 640), (640, 360), (320, 256)]


def test_narrow_pages_fit(shared, visit):
    server = shared("chat")
    reader = visit(server.page)
    overflow = """[document.documentElement, document.getElementById("log"), document.querySelector("aside details")]
        .map((box) => box.scrollWidth - box.clientWidth)"""
    send = reader.page.get_by_role("button", name="Send 发送")

    def each():
        for width, height in NARROW:
            reader.page.set_viewport_size({"width": width, "height": height})
            assert reader.page.evaluate(overflow) == [0, 0, 0], (width, height)
            yield width

    list(each())
    with crowded(server, reader, "窄"):
        list(each())
        reader.page.locator("summary").click()
        for width in each():
            for part in (reader.message, send, reader.leave, reader.log):
                part.scroll_into_view_if_needed()
                box = part.bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= width
                assert box["height"] >= 24  # WCAG 2.5.8
            assert reader.log.bounding_box()["height"] >= 100
    list(each())


def test_text_can_be_read(shared, visit):
    """Contrast AA (4.5:1) in both colour schemes, and 18 px or more for the back row."""
    server = shared("chat")
    reader = visit(server.page)
    measured = []
    reader.nickname.fill("ws")
    reader.connect.click()
    expect(reader.page.get_by_role("alert")).to_contain_text("reserved")
    measured += contrasts(reader.page)
    with crowded(server, reader, "看"):
        measured += contrasts(reader.page)
    measured += contrasts(reader.page)
    texts = " ".join(text for text, _, _ in measured)
    assert all(
        sign in texts for sign in ("reserved", "Connected as", "waiting", "Not confirmed", "joined")
    )
    assert [each for each in measured if each[1] < 4.5] == []
    assert [each for each in measured if each[2] < 18] == []


def test_structure_for_screen_readers(shared, visit):
    reader = visit(shared("chat").page).join("结构")
    page = reader.page
    for role in ("banner", "main", "contentinfo", "complementary", "log"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Group chat 群聊")
    expect(reader.log).to_have_attribute("aria-live", "polite")
    assert page.evaluate("document.documentElement.lang") == "en"
    # What is Chinese on the page itself says so.
    unmarked = page.evaluate(
        """() => [...document.querySelectorAll("header *, footer *, aside summary *")].filter((node) =>
            [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && /\\p{Script=Han}/u.test(child.data))
            && !node.closest('[lang="zh"]')).map((node) => node.id)"""
    )
    assert unmarked == ["state"]  # it holds a nickname, whose language nobody knows


def test_motion_stops_for_those_who_asked(shared, wire, visit):
    line = wire(shared("chat"))
    moving = "getComputedStyle(document.getElementById('state'), '::before').animationName"
    reader = visit(line.url + "/ws", tolerate=BROKEN).join("动静")
    line.break_off()
    expect(reader.state).to_contain_text("Next attempt")
    for wish in ("no-preference", "reduce"):
        reader.page.emulate_media(reduced_motion=wish)
        assert (reader.page.evaluate(moving) == "none") == (wish == "reduce")
