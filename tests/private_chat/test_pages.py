"""The pages of the private chat in a real browser, on every step.

What a page shows is read as a reader would: by role, label and text. `login` opens the messenger in a window of its
own as somebody who is logged in. Faults of the connection are made on a `Wire`, by killing the server, or by a
browser that answers in the server's place.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.private_chat.own_database import OwnDatabase
from tests.private_chat.people import PASSWORD, ask, befriend, new_name, newcomer
from tests.support.pages import BROKEN, CONTRASTS, ChatPage, contrasts, stopped
from tests.support.waiting import eventually

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
HOSTILE = "</p><script>alert(1)</script><svg onload=alert(1)><img src=x onerror=alert(1)>"
STATUS = "console: Failed to load resource"  # the console's word for an answer such as 401, or none
AWAY = f"{BROKEN}|{STATUS}"  # what it says while the server is away


class Messenger(ChatPage):
    """Somebody in front of the messenger."""

    def __init__(self, page, name=""):
        super().__init__(page)
        self.name = name
        self.people = page.get_by_role("navigation").get_by_role("listitem")
        self.talk = page.get_by_role("heading", level=2)
        self.hint = page.locator("#hint")

    def connected(self):
        """Wait until the page says that it is."""
        expect(self.state).to_have_text(f"Connected as {self.name}")
        return self

    def person(self, name):
        """The entry of somebody in the list."""
        return self.people.filter(has=self.page.get_by_text(name, exact=True))

    def open(self, name):
        """Choose a conversation."""
        self.person(name).get_by_role("link").click()
        expect(self.talk).to_have_text(name)
        return self

    def sees(self, text, author, mark=""):
        """Wait until a text is there, once, as said by the author. "我" is the reader, who sees a mark as well."""
        line = self.lines(text)
        expect(line).to_have_count(1)
        who = rf"^{re.escape(author)} (\S+ )?\d\d:\d\d{' ' if mark else ''}{mark}"
        expect(line.locator(".who")).to_have_text(re.compile(who))
        return line

    def texts(self):
        """What the conversation says, from top to bottom."""
        return self.log.locator(".text").all_inner_texts()

    def tab(self):
        """Open a second tab."""
        other = Messenger(self.page.context.new_page(), self.name)
        other.page.goto(self.page.url.partition("#")[0])
        return other.connected()


@pytest.fixture
def login(new_page):
    """Open the messenger as a person of people.py, without the form: `login(person, at="", **options of new_page)`.

    `at` is another address of the server, such as a Wire's.
    """

    def sit_down(person, at="", wait=True, **options):
        page = new_page(**options)
        page.context.add_cookies(
            [
                {"name": name, "value": value, "url": person.server.url}
                for name, value in person.cookies.items()
            ]
        )
        messenger = Messenger(page, person.name)
        page.goto(f"{at or person.server.url}/single")
        return messenger.connected() if wait else messenger

    return sit_down


@pytest.fixture
def five(shared):
    """The step in which everything but several processes works."""
    return shared("step5_offline")


def friends(server, *words):
    """Users who are all friends of the first."""
    first, *others = (newcomer(server, new_name(word)) for word in words)
    befriend(first, *others)
    return first, *others


def overflow(page):
    """How far the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def fill_form(page, name, password):
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Password").fill(password)
    page.keyboard.press("Enter")


def wrong(page, label):
    """What the form says about a field, to the eye and to a screen reader."""
    field = page.get_by_role("textbox", name=label)
    expect(field).to_have_attribute("aria-invalid", "true")
    said = page.locator(f"#{field.get_attribute('id')}-problem").inner_text()
    expect(field).to_have_accessible_description(re.compile(re.escape(said)))
    return said


# The whole story, in the last two steps of the ladder.


@pytest.fixture(params=["one process", "two processes"])
def three_servers(request, start):
    """A server for each of three people: step 5 for all, or two processes of step 6."""
    if request.param == "one process":
        return [request.getfixturevalue("five")] * 3
    url = request.getfixturevalue("redis_server").url
    one, other = (start("step6_several_processes", "--redis", url) for _ in range(2))
    return [one, other, one]


def test_register_befriend_chat_go_away_come_back(three_servers, new_page, tmp_path):
    size = {"viewport": {"width": 1280, "height": 720}}
    words = (
        ("王小明", "李雷", "张华")
        if three_servers[0] is three_servers[1]
        else ("赵云", "钱多多", "孙权")
    )
    looks = ({}, {"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 640}})
    windows = [
        new_page(f"{server.url}/register", **{**size, **look})
        for server, look in zip(three_servers, looks, strict=True)
    ]
    for page, name in zip(windows, words, strict=True):
        fill_form(page, name, "correct horse")
        expect(page.get_by_role("status")).to_contain_text("Your account is there")
        fill_form(page, name, "correct horse")
    wang, li, zhang = (
        Messenger(page, name).connected() for page, name in zip(windows, words, strict=True)
    )
    expect(wang.page.get_by_text("You have no friends here yet.")).to_be_visible()

    # Befriend: both lists change by themselves.
    for name in (li.name, zhang.name):
        wang.page.get_by_role("textbox", name="Add a friend").fill(name)
        wang.page.get_by_role("button", name="Ask").click()
        expect(wang.person(name)).to_contain_text("has not answered yet")
    for friend in (li, zhang):
        expect(friend.person(wang.name)).to_contain_text("wants to be your friend")
        friend.page.get_by_role("button", name=f"Accept {wang.name}").click()
        expect(wang.person(friend.name)).to_contain_text("online")

    # Chat.
    wang.open(li.name).say("你好！今天的课你上了吗？")
    expect(li.person(wang.name)).to_contain_text("1 new")
    expect(li.page).to_have_title(re.compile(r"^\(1\) "))
    wang.sees("你好！今天的课你上了吗？", "我", "delivered")
    li.open(wang.name).sees("你好！今天的课你上了吗？", wang.name)
    wang.sees("你好！今天的课你上了吗？", "我", "read 已读")
    li.say("上了：\ndef hello():\n    return '大家好' 🎉")
    wang.sees("上了：\ndef hello():\n    return '大家好' 🎉", li.name)
    own, others = (
        wang.log.locator(f".{whose} .text").first.bounding_box() for whose in ("mine", "theirs")
    )
    log = wang.log.bounding_box()
    assert others["x"] - log["x"] < 40 and log["x"] + log["width"] - own["x"] - own["width"] < 40
    zhang.open(wang.name).say("我也在。")
    expect(wang.person(zhang.name)).to_contain_text("1 new")

    folder = Path(os.environ.get("CHAT_SCREENSHOTS", tmp_path))
    for who, messenger in zip(("light", "dark", "phone"), (wang, li, zhang), strict=True):
        messenger.page.screenshot(path=folder / f"single_{who}.png", animations="disabled")
        assert (folder / f"single_{who}.png").stat().st_size > 10_000

    # Go away, and be written to.
    li.page.get_by_role("button", name="Log out").click()
    expect(li.page.get_by_role("heading", level=1)).to_have_text("Log in 登录")
    expect(wang.person(li.name)).to_contain_text("away")
    for text in ("你去哪里了？", "明天见", "别忘了作业"):
        wang.say(text)
    wang.sees("别忘了作业", "我", "sent 已发送")

    # Come back, and find the messages.
    fill_form(li.page, li.name, "correct horse")
    li.connected()
    expect(li.person(wang.name)).to_contain_text("3 new")
    li.open(wang.name)
    wang.sees("别忘了作业", "我", "read 已读")
    assert li.texts() == wang.texts()
    assert li.texts()[2:] == ["你去哪里了？", "明天见", "别忘了作业"]
    expect(li.person(wang.name)).not_to_contain_text("new")


# Step 1: by name.


def test_by_name(shared, new_page):
    """Step 1: a message for one; who is not there; whose nickname is taken; nothing leaves without a connection."""
    server = shared("step1_by_name")

    def join(name, **options):
        page = new_page(server.page, **options)
        page.get_by_role("textbox", name="Nickname").fill(name)
        page.keyboard.press("Enter")
        return page

    def write(page, name, text):
        page.get_by_role("textbox", name="To").fill(name)
        page.get_by_role("textbox", name="Message").fill(text)
        page.keyboard.press("Enter")

    def last(page):
        return page.get_by_role("log").get_by_role("listitem").last

    xue = join("韩雪", viewport={"width": 320, "height": 640})
    chang, villain = join("舒畅"), join(HOSTILE_NAME)
    for page in (xue, chang, villain):
        expect(page.get_by_role("status").first).to_contain_text("Connected as")
    write(xue, "舒畅", HOSTILE)
    expect(last(chang)).to_have_text(re.compile(rf"^韩雪 \d\d:\d\d{re.escape(HOSTILE)}$"))
    expect(last(xue)).to_have_text(re.compile(rf"^我 → 舒畅 \d\d:\d\d{re.escape(HOSTILE)}$"))
    # The answer goes to whom it came from, without typing the name.
    chang.get_by_role("textbox", name="Message").fill("收到")
    chang.keyboard.press("Enter")
    expect(last(xue)).to_have_text(re.compile(r"^舒畅 \d\d:\d\d收到$"))
    write(villain, "韩雪", "hello")
    expect(last(xue)).to_contain_text(HOSTILE_NAME)
    write(xue, "唐嫣", "在吗")
    expect(last(xue)).to_have_text(re.compile(r"^服务器 \d\d:\d\d唐嫣 is not online\.$"))
    expect(chang.get_by_role("log").get_by_role("listitem")).to_have_count(2)
    assert overflow(xue) <= 0
    assert xue.get_by_role("log").bounding_box()["height"] > 200
    for page in (xue, chang, villain):
        expect(page.locator("main img, main svg, main script")).to_have_count(0)

    late = join("韩雪")
    expect(late.get_by_role("alert")).to_contain_text("in use")
    write(late, "舒畅", "too early")
    expect(late.get_by_text("first choose a nickname")).to_be_visible()
    expect(late.get_by_role("textbox", name="Message")).to_have_value("too early")
    expect(late.get_by_role("log").get_by_role("listitem")).to_have_count(0)


def test_by_name_comes_back_by_itself(shared, wire, new_page):
    line = wire(shared("step1_by_name"))
    page = new_page(f"{line.url}/ws", tolerate=AWAY)
    page.get_by_role("textbox", name="Nickname").fill("归来")
    page.keyboard.press("Enter")
    state = page.get_by_role("status").first
    expect(state).to_have_text("Connected as 归来")
    line.break_off()
    expect(state).to_contain_text("Next attempt")
    page.get_by_role("textbox", name="To").fill("舒畅")
    page.get_by_role("textbox", name="Message").fill("nobody hears")
    page.keyboard.press("Enter")
    expect(page.get_by_text("there is no connection")).to_be_visible()
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(0)
    line.cut = False
    expect(state).to_have_text("Connected as 归来")


# Step 2: accounts.


def test_accounts(shared, new_page):
    """Step 2: the forms say what is wrong, at the field; then in, and out again."""
    server = shared("step2_accounts")
    page = new_page(f"{server.url}/register", tolerate=STATUS, color_scheme="dark")
    expect(page.get_by_role("textbox", name="Name 昵称")).to_be_focused()
    name, password = (page.get_by_role("textbox", name=label) for label in ("Name", "Password"))
    for label, autocomplete in ((name, "username"), (password, "new-password")):
        expect(label).to_have_attribute("autocomplete", autocomplete)
    expect(password).to_have_accessible_description(re.compile("At least 8 characters"))

    fill_form(page, "", "")
    expect(page.get_by_text("Enter a name.")).to_be_visible()
    assert (wrong(page, "Name"), wrong(page, "Password")) == (
        "Enter a name.",
        "Enter a password.",
    )
    expect(name).to_be_focused()
    fill_form(page, HOSTILE_NAME, "short")
    expect(page.get_by_text("at least 8 characters")).to_be_visible()
    assert wrong(page, "Password") == "A password has at least 8 characters."
    expect(name).to_have_value(HOSTILE_NAME)
    expect(name).not_to_have_attribute("aria-invalid", "true")
    expect(password).to_have_value("")
    expect(password).to_be_focused()
    fill_form(page, "韩雪", "long enough")
    expect(page.get_by_text("taken")).to_be_visible()
    assert wrong(page, "Name") == "This name is taken, or looks like one that is."
    bad = [(text, contrast, size) for text, contrast, size in page.evaluate(CONTRASTS)]
    assert [each for each in bad if each[1] < 4.5 or each[2] < 18] == []

    fill_form(page, HOSTILE_NAME, "long enough")
    expect(page.get_by_role("status")).to_have_text("Your account is there: log in.")
    expect(password).to_have_attribute("autocomplete", "current-password")
    fill_form(page, HOSTILE_NAME, "wrong password")
    expect(page.get_by_text("The name or the password is wrong.")).to_be_visible()
    wrong(page, "Password")
    expect(page.get_by_role("status")).to_have_count(0)
    page.set_viewport_size({"width": 320, "height": 256})
    assert overflow(page) <= 0
    fill_form(page, HOSTILE_NAME, "long enough")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello {HOSTILE_NAME}")
    expect(page.locator("main img")).to_have_count(0)

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in 登录")
    page.goto(f"{server.url}/single")
    assert urlsplit(page.url).path == "/login"


def test_a_page_says_what_went_wrong(shared, new_page):
    server = shared("step2_accounts")
    page = new_page(f"{server.url}/login", tolerate=STATUS)
    page.context.clear_cookies()  # as if the form had been open for a very long time
    fill_form(page, "韩雪", PASSWORD)
    expect(page.get_by_role("main")).to_contain_text("This form is too old.")
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in 登录")


# Step 3: messages by session.


def test_messages_by_session(shared, login):
    """Step 3: everybody can be chosen, several at once; who is not there is missed, and the page says so."""
    server = shared("step3_messages")
    people = [newcomer(server, new_name(word)) for word in ("甲", "乙", "丙", "丁")]
    one, two, three = (login(person) for person in people[:3])
    absent = people[3].name
    one.open(two.name).person(three.name).get_by_role("checkbox").check()
    one.person(absent).get_by_role("checkbox").check()
    # Which of the names comes first, their order in the list says.
    expect(one.page.get_by_text(re.compile("^To "))).to_contain_text(absent)
    one.say("to three")
    two.open(one.name).sees("to three", one.name)
    three.open(one.name).sees("to three", one.name)
    one.sees("to three", "我", "delivered")
    expect(one.hint).to_have_text(f"Not sent to {absent}: {absent} is not online.")
    one.page.get_by_role("button", name=f"Only {two.name}").click()
    one.say("to one")
    two.sees("to one", one.name)
    expect(three.log.get_by_role("listitem")).to_have_count(1)

    # What was not delivered can be sent again later.
    one.open(absent)
    late = login(people[3])
    one.lines("to three").get_by_role("button", name="Send again").click()
    one.sees("to three", "我", "delivered")
    expect(late.person(one.name)).to_contain_text("1 new")

    # Somebody who is not in the list can be written to by name.
    one.page.get_by_role("textbox", name="Write to").fill("nobody at all")
    one.page.keyboard.press("Enter")
    expect(one.talk).to_have_text("nobody at all")
    one.say("hello?")
    expect(one.lines("hello?")).to_contain_text("Not sent: There is no user nobody at all.")


# Step 4: friends.


def test_friends(shared, login):
    """Step 4: ask, decline, take back, remove, block, unblock; both lists follow, presence is live."""
    server = shared("step4_friends")
    people = [newcomer(server, new_name(word)) for word in ("甲", "乙")]
    one, two = (login(person, tolerate=STATUS) for person in people)
    who, answer = one.page.get_by_role("textbox", name="Add a friend"), one.page.locator("#answer")
    fetch = one.page.get_by_role("button", name="Ask")

    def press(messenger, name):
        messenger.page.get_by_role("button", name=name).click()

    who.fill("nobody at all")
    fetch.click()
    expect(answer).to_have_text("There is no user nobody at all.")
    expect(who).to_have_accessible_description("There is no user nobody at all.")

    def request():
        who.fill(two.name)
        fetch.click()
        expect(one.person(two.name)).to_contain_text("has not answered yet")
        expect(two.person(one.name)).to_contain_text("wants to be your friend")

    request()
    press(one, f"Take back {two.name}")
    expect(two.person(one.name)).to_have_count(0)
    request()
    press(two, f"Decline {one.name}")
    expect(two.person(one.name)).to_have_count(0)

    two.page.get_by_role("textbox", name="Add a friend").fill(one.name)
    press(two, "Ask")
    press(one, f"Accept {two.name}")
    for messenger, friend in ((one, two), (two, one)):
        expect(messenger.person(friend.name)).to_contain_text("online 在线")
    two.open(one.name).say("friends")
    expect(one.person(two.name)).to_contain_text("1 new")
    one.open(two.name).sees("friends", two.name)

    # Who is away cannot be reached in this step; the page says so at the message.
    two.page.close()
    expect(one.person(two.name)).to_contain_text("away 离开")
    expect(one.page.locator("#presence")).to_have_text("away 离开")
    one.say("too late")
    expect(one.lines("too late")).to_contain_text(f"Not sent: {two.name} is not online.")
    two = login(people[1], tolerate=STATUS)
    expect(one.person(two.name)).to_contain_text("online 在线")

    # Remove, and write all the same.
    two.open(one.name).page.get_by_text("More 更多").click()
    press(two, "Remove friend")
    expect(one.person(two.name)).to_have_count(0)
    expect(one.page.locator("#presence")).to_have_text("not a friend 不是好友")
    one.say("still there?")
    expect(one.lines("still there?")).to_contain_text("You can write to friends only")

    # Block: who is blocked does not learn it.
    request()
    press(two, f"Block {one.name}")
    expect(two.person(one.name)).to_contain_text("blocked by you")
    press(two, f"Unblock {one.name}")
    expect(two.person(one.name).get_by_text("blocked")).to_have_count(0)


# Step 5: nothing is lost, nothing twice.


def test_killed_server_loses_and_doubles_nothing(start, login):
    server = start("step5_offline")
    ann, bob = (login(person, tolerate=AWAY) for person in friends(server, "甲", "乙"))
    ann.open(bob.name).say("before")
    bob.open(ann.name).sees("before", ann.name)
    server.kill()
    for messenger in (ann, bob):
        expect(messenger.state).to_contain_text("Next attempt")
    for text in ("first", "second", "third"):
        ann.say(text)
    bob.say("answer")
    ann.is_waiting("third")
    start("step5_offline", port=urlsplit(server.url).port)
    for messenger in (ann, bob):
        messenger.hurry()
        messenger.connected()
    ann.sees("answer", bob.name)
    bob.sees("third", ann.name)
    ann.sees("third", "我", "read")
    assert eventually(lambda: ann.texts() == bob.texts())
    assert [text for text in ann.texts() if text != "answer"] == [
        "before",
        "first",
        "second",
        "third",
    ]


def test_lost_answers_are_asked_for_again(five, wire, login):
    ann, bob = friends(five, "甲", "乙")
    line = wire(five)
    ann, bob = login(ann, at=line.url, tolerate=AWAY), login(bob)
    ann.open(bob.name)
    bob.open(ann.name).say("one")
    ann.sees("one", bob.name)

    line.deaf = True  # the server stores this, and its answer gets lost
    ann.say("was it stored?")
    bob.sees("was it stored?", ann.name)
    ann.is_waiting("was it stored?")
    line.break_off()
    expect(ann.state).to_contain_text("Next attempt")
    ann.say("written meanwhile")
    bob.say("two")

    line.deaf = line.cut = False
    ann.hurry()
    ann.connected().sees("two", bob.name)
    ann.sees("was it stored?", "我", "read")
    bob.sees("written meanwhile", ann.name)
    assert ann.texts() == bob.texts() == ["one", "was it stored?", "two", "written meanwhile"]


def test_what_the_database_refuses_for_now_is_sent_again(five, login):
    """A refusal that passes by itself keeps the message, and the order."""
    ann, bob = friends(five, "甲", "乙")
    ann, bob = login(ann, wait=False), login(bob)
    refused = []

    def refuse_once(socket):
        server = socket.connect_to_server()

        def hear(data):
            frame = json.loads(data)
            if "msg" in frame and len(refused) < 1:
                refused.append(frame["msg"])
                answer = {"type": "error", "code": "not_stored", "reason": "The database is away."}
                socket.send(json.dumps({**answer, "client_id": frame["client_id"]}))
            else:
                server.send(data)

        socket.on_message(hear)

    ann.page.route_web_socket(re.compile("/single_ws"), refuse_once)
    ann.page.reload()
    ann.connected().open(bob.name).say("first")
    expect(ann.hint).to_contain_text("Not sent yet: the database is away.")
    ann.say("second")
    ann.is_waiting("first")
    bob.open(ann.name).sees("second", ann.name)
    assert (refused, bob.texts()) == (["first"], ["first", "second"])
    expect(ann.hint).to_be_empty()


def test_without_a_database_all_waits(start, login, tmp_path):
    """Nothing is called sent that is not stored; the socket stays, and all goes on without a reload."""
    with OwnDatabase(tmp_path) as database:
        server = start("step5_offline")
        ann, bob = (login(person, tolerate=AWAY) for person in friends(server, "甲", "乙"))
        ann.open(bob.name).say("before")
        bob.open(ann.name).sees("before", ann.name)
        database.kill()
        ann.say("first")
        ann.say("second")
        bob.say("answer")
        expect(ann.hint).to_have_text("Not sent yet: the database is away. This page tries again.")
        ann.is_waiting("first")
        ann.page.get_by_role("textbox", name="Add a friend").fill(bob.name)
        ann.page.get_by_role("button", name="Ask").click()
        expect(ann.page.locator("#answer")).to_contain_text("database does not answer")
        database.start()
        bob.sees("second", ann.name)
        ann.sees("second", "我", "read")
        ann.sees("answer", bob.name)
        assert ann.texts() == bob.texts()
        assert ann.texts().index("first") < ann.texts().index("second")
        assert len(ann.sockets) == len(bob.sockets) == 1


def test_unsent_messages_survive_a_reload(five, login):
    person, bob = friends(five, "甲", "乙")
    ann, bob = login(person, tolerate=AWAY), login(bob)
    ann.open(bob.name)
    with stopped(five):
        ann.say("into the void")
        ann.is_waiting("into the void")
        ann.page.evaluate("dispatchEvent(new Event('pagehide'))")  # as a reload does
    ann.page.goto("about:blank")
    ann.page.go_back()
    ann.connected().sees("into the void", "我", "delivered")
    bob.open(ann.name).sees("into the void", ann.name)


def test_history_comes_by_scrolling_back(five, login):
    ann, bob = friends(five, "甲", "乙")
    values = [
        (ann.id, bob.id, f"old-{number}", f"number {number}", 1000 - number)
        for number in range(130)
    ]
    places = ", ".join(
        ["(%s, %s, %s, %s, utc_timestamp(3) - interval %s hour, utc_timestamp(3))"] * len(values)
    )
    ask(
        "insert into messages(sender_id, recipient_id, client_id, body, sent_at, delivered_at) values "
        + places,
        *(field for row in values for field in row),
    )
    bob = login(bob)
    expect(bob.person(ann.name)).to_contain_text("130 new")
    bob.open(ann.name).sees("number 129", ann.name)
    expect(bob.log.get_by_role("listitem")).to_have_count(50)
    expect(bob.person(ann.name)).not_to_contain_text("new")
    expect(bob.lines("number 129")).to_be_in_viewport()

    # At the very top a browser by itself would show the new lines, and move what is being read.
    for first, earlier in ((80, 30), (30, 0)):
        above = bob.log.evaluate(
            "log => { log.scrollTop = 0; return document.querySelector('#lines li').getBoundingClientRect().y; }"
        )
        bob.sees(f"number {earlier}", ann.name)
        assert bob.lines(f"number {first}").bounding_box()["y"] == pytest.approx(above, abs=2)
    assert bob.texts() == [f"number {number}" for number in range(130)]
    # What is not of today says of which day it is.
    expect(bob.lines("number 0").locator("time")).to_have_text(re.compile(r"^\S+\d \d\d:\d\d$"))

    # News does not move the reader up there, and counts as unread until it is seen.
    above = bob.lines("number 3").bounding_box()["y"]
    newcomers_page = ann.page()
    newcomers_page.say(bob.name, "news")
    expect(bob.page.get_by_role("button", name="New messages")).to_be_visible()
    expect(bob.person(ann.name)).to_contain_text("1 new")
    assert bob.lines("number 3").bounding_box()["y"] == pytest.approx(above, abs=2)
    bob.page.get_by_role("button", name="New messages").click()
    expect(bob.lines("news")).to_be_in_viewport()
    expect(bob.person(ann.name)).not_to_contain_text("new")


def test_marks_say_how_far_a_message_came(five, login):
    ann, bob = friends(five, "甲", "乙")
    friend = bob
    ann = login(ann).open(bob.name)
    ann.say("one")
    ann.sees("one", "我", "sent 已发送")
    bob = login(friend)
    ann.sees("one", "我", "delivered 已送达")
    bob.hide()
    bob.open(ann.name).sees("one", ann.name)
    ann.say("two")  # its mark tells that the page had its chance to call the first one read
    ann.sees("two", "我", "delivered 已送达")
    ann.sees("one", "我", "delivered 已送达")
    expect(bob.page).to_have_title(re.compile(r"^\(2\) "))
    bob.hide(False)
    ann.sees("one", "我", "read 已读")
    ann.sees("two", "我", "read 已读")
    expect(bob.page).to_have_title("Private chat 私聊")


def test_two_tabs_stay_in_step(five, login):
    ann, bob = friends(five, "甲", "乙")
    bob = login(bob)
    first = login(ann)
    second = first.tab()
    first.open(bob.name).say("from the first")
    second.open(bob.name).sees("from the first", "我", "delivered")
    second.say("from the second")
    first.sees("from the second", "我", "delivered")
    bob.open(first.name).sees("from the second", first.name)
    for tab in (first, second):
        tab.sees("from the first", "我", "read")
        tab.hide()
    bob.say("to both")
    for tab in (first, second):
        expect(tab.page).to_have_title(re.compile(r"^\(1\) "))
    second.hide(False)
    for tab in (first, second):
        tab.sees("to both", bob.name)
        expect(tab.page).to_have_title("Private chat 私聊")
    bob.sees("to both", "我", "read")
    assert first.texts() == second.texts() == bob.texts()


def test_unread_numbers_are_those_of_the_server(five, login):
    """What waits is counted in the list, and comes through the socket as well: it counts once."""
    ann, bob = friends(five, "甲", "乙")
    writer = ann.page()
    for number in range(5):
        writer.say(bob.name, f"number {number}")
    page = login(bob)
    expect(page.person(ann.name)).to_contain_text("5 new")
    page.page.reload()  # by now all of them were delivered
    expect(page.connected().person(ann.name)).to_contain_text("5 new")
    page.open(ann.name).sees("number 4", ann.name)
    expect(page.person(ann.name)).not_to_contain_text("new")
    unread = "select id from messages where recipient_id = %s and read_at is null"
    assert eventually(lambda: not ask(unread, bob.id))
    page.page.reload()
    expect(page.connected().person(ann.name)).to_contain_text("online")
    expect(page.person(ann.name)).not_to_contain_text("new")
    page.page.goto("about:blank")

    # The list may come before the messages that it counts.
    for number in range(5, 10):
        writer.say(bob.name, f"number {number}")
    sockets, held = [], []

    def hold(socket):
        sockets.append(socket)

        def hear(frame):
            if json.loads(frame)["type"] == "message":
                held.append(frame)
            else:
                socket.send(frame)

        socket.connect_to_server().on_message(hear)

    page.page.route_web_socket(re.compile("/single_ws"), hold)
    page.page.goto(f"{five.url}/single")
    expect(page.connected().person(ann.name)).to_contain_text("5 new")
    assert eventually(lambda: page.page.evaluate("1") and len(held) == 5)
    writer.say(bob.name, "one more")
    assert eventually(lambda: page.page.evaluate("1") and len(held) == 6)
    # And the past may come before the present.
    page.hide()
    page.open(ann.name).sees("one more", ann.name)
    expect(page.person(ann.name)).to_contain_text("6 new")
    for frame in held:
        sockets[0].send(frame)
    assert bob.move("ask", newcomer(five)) == 200
    expect(page.people).to_have_count(2)
    expect(page.person(ann.name)).to_contain_text("6 new")
    page.hide(False)
    expect(page.person(ann.name)).not_to_contain_text("new")
    assert page.texts() == [f"number {number}" for number in range(10)] + ["one more"]


def test_several_ticked_friends(five, login):
    people = friends(five, "甲", "乙", "丙", "丁")
    ann, bob, cam = (login(person) for person in people[:3])
    ann.open(bob.name).person(cam.name).get_by_role("checkbox").check()
    ann.say("to both")
    for messenger in (bob, cam):
        messenger.open(ann.name).sees("to both", ann.name)
    ann.sees("to both", "我", "read")
    # Another conversation, and nobody is ticked any more.
    ann.open(people[3].name).say("only one")
    ann.sees("only one", "我", "sent")
    expect(ann.page.get_by_role("checkbox", checked=True)).to_have_count(0)
    ann.open(cam.name).sees("to both", "我", "read")
    expect(ann.log.get_by_role("listitem")).to_have_count(1)


def test_each_conversation_keeps_its_draft(five, login):
    ann, bob, cam = friends(five, "甲", "乙", "丙")
    ann = login(ann).open(bob.name)
    ann.message.fill("for 乙 only")
    ann.open(cam.name)
    expect(ann.message).to_have_value("")
    ann.open(bob.name)
    expect(ann.message).to_have_value("for 乙 only")


def test_too_long_messages_are_not_taken(five, login):
    ann, bob = friends(five, "甲", "乙")
    ann, bob = login(ann).open(bob.name), login(bob)
    ann.say("好" * 4001)
    expect(ann.hint).to_have_text("Too long by 1 characters.")
    expect(ann.log.get_by_role("listitem")).to_have_count(0)
    ann.say("\x02" * 3500)  # six bytes each, as JSON has them
    expect(ann.hint).to_contain_text("bytes")
    ann.say("好" * 4000)
    bob.open(ann.name).sees("好" * 4000, ann.name)
    assert len(ann.sockets) == 1


# Nobody else gets in.


def test_hostile_names_and_messages_are_text(five, login):
    one, two, three = (newcomer(five, f"{HOSTILE_NAME[:-1]} {number}>") for number in "123")
    befriend(one, two, three)
    request = newcomer(five, f"<b>{new_name()}")
    assert request.move("ask", one) == 200
    # The server sends a policy that would stop such scripts; one of the two has a browser without it.
    one, two = login(one, bypass_csp=True, tolerate=STATUS), login(two)
    two.open(one.name).say(HOSTILE)
    one.open(two.name).sees(HOSTILE, two.name)
    two.sees(HOSTILE, "我")
    one.person(three.name).get_by_role("checkbox").check()
    expect(one.page.locator("#to")).to_have_text(f"To {two.name}, {three.name}")
    expect(one.person(request.name)).to_contain_text("wants to be your friend")
    one.page.get_by_role("textbox", name="Add a friend").fill(HOSTILE)
    one.page.get_by_role("button", name="Ask").click()
    expect(one.page.locator("#answer")).to_contain_text("There is no user <")
    one.page.goto(f"{five.url}/single#with={quote(HOSTILE)}")
    expect(one.talk).to_have_text(HOSTILE)
    for messenger in (one, two):
        strangers = "main img, main svg, main script, main b, header img"
        expect(messenger.page.locator(strangers)).to_have_count(0)


def test_log_out_ends_all_tabs(five, login):
    first = login(newcomer(five))
    second = first.tab()
    other = login(newcomer(five))
    first.page.get_by_role("button", name="Log out").click()
    expect(first.page.get_by_role("heading", level=1)).to_have_text("Log in 登录")
    expect(second.page.get_by_role("status")).to_contain_text("Your session has ended")
    other.connected()
    # The page's past does not come back.
    first.page.go_back()
    expect(first.page.get_by_role("heading", level=1)).to_have_text("Log in 登录")


def test_a_session_that_has_ended_leads_to_the_log_in(five, login):
    ann = newcomer(five)
    page = login(ann, tolerate=STATUS)
    page.page.get_by_role("textbox", name="Add a friend").fill("韩雪")
    ask("update logins set ended_at = utc_timestamp(3) where user_id = %s", ann.id)
    with suppress(PlaywrightTimeout):  # the socket's own check may have led away before the click
        page.page.get_by_role("button", name="Ask").click(timeout=20_000)
    expect(page.page.get_by_role("status")).to_contain_text("Your session has ended")


def test_a_request_that_nobody_signed_changes_nothing(five, login):
    ann, bob = newcomer(five), newcomer(five)
    page = login(ann, tolerate=STATUS)
    page.page.locator("[name=csrf_token]").evaluate("field => { field.value = 'forged'; }")
    page.page.get_by_role("textbox", name="Add a friend").fill(bob.name)
    page.page.get_by_role("button", name="Ask").click()
    expect(page.page.locator("#answer")).to_contain_text("This form is too old.")
    assert ann.friends() == {}


def test_a_page_is_never_somebody_elses(five, wire, login):
    """Somebody else logs in, in another tab: what the first one wrote does not go out in the other's name."""
    line = wire(five)
    ann, bob = friends(five, "甲", "乙")
    cam = newcomer(five)
    page = login(ann, at=line.url, tolerate=AWAY).open(bob.name)
    line.break_off()
    expect(page.state).to_contain_text("Next attempt")
    page.say(f"from {ann.name}")
    page.page.context.add_cookies(
        [{"name": name, "value": value, "url": five.url} for name, value in cam.cookies.items()]
    )
    line.cut = False
    page.hurry()
    expect(page.state).to_have_text(f"Connected as {cam.name}")
    assert ask("select id from messages where sender_id = %s", cam.id) == []


# W13, and what makes a page a page.


def test_w13_one_socket_beside_the_page_behind_any_prefix(five, wire, login):
    ann, bob = friends(five, "甲", "乙")
    prefix = re.compile(rb"^(GET|POST) /class/3b/")
    line = wire(five, ask=lambda data: prefix.sub(rb"\1 /", data))
    bob = login(bob)
    ann = login(ann, at=f"{line.url}/class/3b")
    ann.open(bob.name).say("beside the page")
    bob.open(ann.name).sees("beside the page", ann.name)
    address = line.url.replace("http", "ws", 1)
    assert ann.sockets == [f"{address}/class/3b/single_ws"]
    ann.page.get_by_role("button", name="Log out").click()
    expect(ann.page.get_by_role("heading", level=1)).to_have_text("Log in 登录")
    assert urlsplit(ann.page.url).path == "/class/3b/login"


def test_a_page_that_comes_back_says_what_it_has_seen(five, wire, login):
    ann, bob = friends(five, "甲", "乙")
    line = wire(five)
    page = login(ann, at=line.url, tolerate=AWAY)
    sent = bob.page().say(ann.name, "hello")
    expect(page.person(bob.name)).to_contain_text("1 new")
    line.break_off()
    expect(page.state).to_contain_text("Next attempt")
    line.cut = False
    page.hurry()
    page.connected()
    assert [parse_qs(urlsplit(url).query) for url in page.sockets[:: len(page.sockets) - 1]] == [
        {},
        {"since": [str(sent["id"])]},
    ]


def test_keyboard_only(five, login):
    ann, bob, _ = friends(five, "甲", "乙", "丙")
    asking = newcomer(five, new_name("丁"))
    asking.move("ask", ann)
    bob = login(bob)
    ann = login(ann)
    expect(ann.people).to_have_count(3)
    keyboard = ann.page.keyboard
    reached = []

    def focus():
        return ann.page.evaluate(
            "(document.activeElement.ariaLabel || document.activeElement.innerText.replace(/\\s+/g, ' ')"
            " || document.activeElement.id).trim()"
        )

    def tab_to(wanted):
        while not reached or wanted not in reached[-1]:
            keyboard.press("Tab")
            reached.append(focus())
            assert len(reached) < 40, reached
            outline = ann.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
            assert float(outline.removesuffix("px")) >= 2, reached

    tab_to(f"Accept {asking.name}")
    assert reached[:3] == ["Log out 退出", "who", "Ask 申请"]
    keyboard.press("Enter")
    # The request has become a friend, and the focus stays with that person.
    expect(ann.person(asking.name).get_by_role("link")).to_be_focused()
    reached.clear()
    ann.page.get_by_role("textbox", name="Add a friend").focus()
    tab_to(f"Also write to {bob.name}")
    tab_to(f"{bob.name} online")
    keyboard.press("Enter")
    expect(ann.message).to_be_focused()
    keyboard.insert_text("first")
    keyboard.press("Shift+Enter")
    keyboard.insert_text("second")
    keyboard.press("Enter")
    bob.open(ann.name).sees("first\nsecond", ann.name)
    expect(ann.message).to_have_value("")

    # A list that changes does not take the focus away.
    link = ann.person(bob.name).get_by_role("link")
    link.focus()
    assert newcomer(five).move("ask", ann.name) == 200
    expect(ann.people).to_have_count(4)
    expect(link).to_be_focused()
    ann.page.go_back()
    expect(ann.page.get_by_text("Choose a person to write to")).to_be_visible()
    expect(link).to_be_focused()


def test_enter_that_confirms_chinese_does_not_send(five, login):
    ann, bob = friends(five, "甲", "乙")
    ann = login(ann).open(bob.name)
    ann.type_by_sound("ni hao", "你好")
    expect(ann.log.get_by_role("listitem")).to_have_count(0)
    ann.message.press("Enter")
    ann.sees("你好", "我")


def crowd(server, login, **options):
    """A page with people and lines of all kinds, long ones among them."""
    ann, bob = (newcomer(server, new_name(word).ljust(32, "W")) for word in ("甲", "乙"))
    befriend(ann, bob)
    assert newcomer(server).move("ask", ann) == 200
    assert ann.move("ask", newcomer(server)) == 200
    assert ann.move("block", newcomer(server, new_name("丁"))) == 200
    bob.page().say(ann.name, "x" * 300)
    page = login(ann, tolerate=AWAY, **options)
    expect(page.people).to_have_count(4)
    return page, bob


# A phone; what a projector's 1280 × 720 leaves at 200 %; and what it leaves at 400 % (WCAG 1.4.10).
NARROW = [(320, 640), (640, 360), (320, 256)]


def test_narrow_pages_fit(five, login):
    ann, bob = crowd(five, login)
    people = ann.page.get_by_role("navigation").get_by_role("list")
    button = ann.page.get_by_role("button", name="Send", exact=False)
    back = ann.page.get_by_role("link", name="Back")
    more = ann.page.locator("summary")
    for width, height in NARROW:
        ann.page.set_viewport_size({"width": width, "height": height})
        assert overflow(ann.page) <= 0
        assert people.bounding_box()["height"] >= 100
        expect(button).to_be_hidden()

        # The list, then the conversation, then the list.
        ann.open(bob.name).sees("x" * 300, bob.name)
        expect(people).to_be_hidden()
        long = "一" * 200 + f"{width} {height}"
        ann.say(long)
        ann.sees(long, "我")
        assert overflow(ann.page) <= 0
        for part in (ann.message, button, back, more, ann.log):
            part.scroll_into_view_if_needed()
            box = part.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["height"] >= 24  # WCAG 2.5.8
        assert ann.log.bounding_box()["height"] >= 100
        more.click()
        expect(ann.page.get_by_role("button", name="Block")).to_be_visible()
        assert overflow(ann.page) <= 0
        more.click()
        back.click()
        expect(people).to_be_visible()
        expect(ann.person(bob.name).get_by_role("link")).to_be_focused()
        assert overflow(ann.page) <= 0


def test_text_can_be_read(five, wire, login):
    """Contrast AA (4.5:1) in both colour schemes, and 18 px or more for the back row."""
    line = wire(five)
    ann, bob = crowd(five, login, at=line.url)
    measured = contrasts(ann.page)  # with an unread number
    ann.open(bob.name)
    ann.page.locator("summary").click()
    ann.say("seen")
    ann.sees("seen", "我", "sent")
    bob.move("remove", ann)
    expect(ann.page.locator("#presence")).to_contain_text("not a friend")
    ann.say("refused")
    expect(ann.lines("refused")).to_contain_text("Not sent: ")
    line.break_off()
    expect(ann.state).to_contain_text("Next attempt")
    ann.say("waits")
    ann.is_waiting("waits")
    ann.message.fill("好" * 4001)
    measured += contrasts(ann.page)
    texts = " ".join(text for text, _, _ in measured)
    signs = ("1 new", "wants to be", "blocked", "Not sent", "waiting", "Too long", "Next attempt")
    assert [sign for sign in signs if sign not in texts] == []
    assert [each for each in measured if each[1] < 4.5 or each[2] < 18] == []


def test_structure_for_screen_readers(five, login):
    ann, bob = friends(five, "甲", "乙")
    ann = login(ann).open(bob.name)
    page = ann.page
    for role in ("banner", "main", "navigation", "log"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("region", name=bob.name)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Private chat 私聊")
    expect(ann.log).to_have_attribute("aria-live", "polite")
    expect(ann.person(bob.name).get_by_role("link")).to_have_attribute("aria-current", "true")
    assert page.evaluate("document.documentElement.lang") == "en"
    # What is Chinese on the page itself says so; names are not the page's own.
    unmarked = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((node) =>
            [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && /\\p{Script=Han}/u.test(child.data))
            && !node.closest('[lang="zh"], bdi, #state, #log .text')).map((node) => node.outerHTML)"""
    )
    assert unmarked == []
    # Every field and button has a name.
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input:not([type=hidden]), textarea, button, a, summary")]
            .filter((node) => node.checkVisibility() && !(node.labels?.length || node.ariaLabel || node.innerText.trim()))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []
