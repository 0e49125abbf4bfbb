"""The stage in a real browser: every step is there, runs, shows its clients and stops, and nothing of it is left.

All tests share one stage, and one browser; each has a window of its own.
"""

import os
import re
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from course.ground import manifest
from course.stage.feed import STREAMS
from tests.support.pages import CONTRASTS
from tests.support.streams import stage_streams
from tests.support.waiting import eventually

from .stages import Stage, left

PASSWORD = "let-me-learn"
FIRST, SECOND = "韩雪", "舒畅"
# What a browser says about a page in a frame that asks for the focus: the frame does without.
FRAME = "Blocked autofocusing"


@pytest.fixture(scope="module")
def stage(tmp_path_factory, prepared, clean_environment):
    opened = Stage(tmp_path_factory.mktemp("stage"), prepared, clean_environment)
    yield opened
    pids = opened.pids
    said = opened.close()
    assert opened.process.returncode == 0, said
    assert "The stage is closed" in said and "The database is stopped" in said
    assert eventually(lambda: not left(pids), 60), left(pids)
    log = (opened.course.state / "stage.log").read_text("utf-8")
    assert "Traceback" not in log, log


class Presenter:
    """Somebody in front of the stage."""

    def __init__(self, page, stage):
        self.page, self.stage = page, stage
        self.run = page.locator("#run")
        self.state = page.locator("#state")
        self.title = page.locator("#title")
        self.view = page.locator(".view:visible")
        self.output = self.view.get_by_role("log", name="Output")

    def show(self, step):
        self.page.goto(f"{self.stage.url}#{step}")
        expect(self.page.locator("#command")).to_contain_text(f"course step {step}")
        return self

    def start(self, clients=None):
        if clients:
            self.page.get_by_role("radio", name=str(clients), exact=True).check()
        self.run.click()
        return self

    def clients(self, count):
        """Wait for the clients' frames; return what is in them."""
        frames = self.view.locator("iframe")
        expect(frames).to_have_count(count)
        return [frames.nth(number).content_frame for number in range(count)]

    def has_become(self, words):
        expect(self.state).to_have_text(words)
        return self

    def stop(self):
        expect(self.run).to_have_text("Stop")
        self.run.click()
        self.has_become("was stopped")
        expect(self.view.locator("iframe")).to_have_count(0)


@pytest.fixture
def presenter(new_page, stage):
    def enter(step="", tolerate=FRAME, **options):
        page = new_page(tolerate=tolerate, viewport={"width": 1600, "height": 900}, **options)
        page.context.add_cookies([stage.cookie])
        entered = Presenter(page, stage)
        if step:
            entered.show(step)
        else:
            page.goto(stage.url)
        expect(entered.title).not_to_be_empty()
        return entered

    return enter


# --- The map, and what a step says ---


def test_every_step_is_on_the_map_in_the_order_of_the_sections(presenter):
    page = presenter().page
    links = page.locator("#map li a").evaluate_all("all => all.map((one) => one.hash.slice(1))")
    assert {step.path for step in manifest.read().steps} < set(links)
    assert {"pool_demo/step99_crashes", "pool_demo/step99b_leaves_children"} < set(links), (
        "a new step appears by itself"
    )
    sections = page.locator("#map h2").evaluate_all("all => all.map((one) => one.firstChild.data)")
    assert sections == [f"A{number}" for number in range(13)] + [
        f"B{number}" for number in range(1, 8)
    ]
    expect(page.locator("#map section", has_text="A5 ").first).to_contain_text("lesson 03, 45 min")


# What the page shows of a step, in one look.
SHOWN = """() => ({
    step: document.getElementById("command").textContent.split("course step ")[1]?.split(" ")[0],
    address: location.hash.slice(1),
    says: [...document.querySelectorAll("#says dt")].map((label) => label.textContent),
    lines: document.querySelectorAll("#files .line").length,
    notes: document.querySelectorAll("#notes p").length,
})"""


def test_every_step_can_be_turned_to(presenter):
    """From the first to the last by keyboard; each has its sentences, its code and its notes."""
    entered = presenter()
    page, seen = entered.page, []
    order = page.evaluate("course.order")

    def is_there(step):
        shown = page.evaluate(SHOWN)
        return shown if shown["step"] == step else None

    for step in order:
        shown = eventually(lambda step=step: is_there(step), 30)
        assert shown, step
        seen.append(shown["address"])
        assert shown["says"][:4] == ["Source", "See", "Try", "New"], step
        assert shown["lines"], step
        assert shown["notes"] or "step99" in step, step
        page.keyboard.press("ArrowRight")
    assert seen == ["", *order[1:]]
    expect(page.locator("#next")).to_be_hidden()


def test_new_lines_are_marked_and_the_others_can_be_folded(presenter):
    page = presenter("private_chat/step4_friends").page
    code = page.locator("#files > details").first
    expect(code.locator("summary").first).to_contain_text("step4_friends.py 5 new lines")
    new = code.locator("ins")
    assert any("Friendships" in line for line in new.all_inner_texts())
    old = code.get_by_text("monkey.patch_all()")
    expect(old).to_be_visible()
    page.keyboard.press("f")
    expect(old).to_be_hidden()
    expect(new.first).to_be_visible()
    page.get_by_label("fold what is as before").uncheck()
    # The module that came with this step says so, and opens.
    module = page.locator("#files > details", has_text="demos/private_chat/friends.py")
    expect(module.locator("summary").first).to_contain_text("new with this step")
    module.locator("summary").first.click()
    expect(module.get_by_role("region")).to_contain_text("Blueprint")


def test_the_sources_own_program_stands_beside_the_step_that_mends_it(presenter):
    entered = presenter("group_chat/step4_nicknames")
    entered.page.locator("#says").get_by_role("link", name="The source's group chat").click()
    expect(entered.title).to_contain_text("The source's group chat")


# --- Terminal steps ---


# Steps that end by themselves within seconds, and what each says: one of each kind, and the others.
QUICK = {
    "flask_recap/step2_before_the_first_request": "before_first_request",
    "pool_demo/step1_raw_pymysql": "1064",
    "pool_demo/step5_mysqlhelp": "小甜甜",
}
QUICK_TOO = {
    "pool_demo/step2_borrow_and_return": "'name': '韩雪'",
    "pool_demo/step2b_pool_for_login": "connection",
    "pool_demo/step3c_maxshared": "maxshared",
    "pool_demo/step3d_maxusage": "maxusage",
    "pool_demo/step3e_setsession": "setsession",
    "pool_demo/step3g_reset": "99",
    "pool_demo/step4_pool_wrapper": "10",
}


@pytest.mark.parametrize("quick", [QUICK, QUICK_TOO], ids=["one of each kind", "the others"])
def test_terminal_steps_show_their_output_in_place(presenter, quick):
    entered = presenter()
    for step, words in quick.items():
        entered.show(step).start()
        expect(entered.output).to_contain_text(words)
        entered.has_become("has ended")
        expect(entered.run).to_have_text("Run again")
    expect(entered.page.locator("#running a")).to_have_count(0)


def test_a_crash_shows_its_traceback_and_can_be_restarted(presenter):
    entered = presenter("pool_demo/step99_crashes")
    for _ in range(2):
        entered.start().has_become("failed with exit code 1")
        expect(entered.output).to_contain_text("before the error")
        expect(entered.output.locator(".stderr").last).to_contain_text(
            "ZeroDivisionError: on purpose"
        )
        expect(entered.output).to_contain_text("Traceback (most recent call last)")
        assert entered.output.inner_text().count("before the error") == 1


def test_a_flood_of_output_neither_stops_the_step_nor_fills_the_page(presenter):
    entered = presenter("pool_demo/step99c_floods").start()
    entered.has_become("has ended")
    expect(entered.output).to_contain_text("line 99999 of very many, 韩雪\n")
    shown = entered.output.text_content()
    assert len(shown) < 300_000 and "\ufffd" not in shown
    # Who comes later gets the end of it, and is told that there was more.
    later = presenter("pool_demo/step99c_floods")
    expect(later.output).to_contain_text("earlier lines were left out")
    expect(later.output).to_contain_text("line 99999")


def test_options_are_passed_on_and_a_plot_is_shown(presenter):
    entered = presenter("pool_demo/step3i_timeline", tolerate="status of 409")
    entered.page.get_by_label("Options").fill("--quick")
    entered.start()
    picture = entered.view.get_by_role("img")
    expect(picture).to_be_visible()
    assert eventually(lambda: picture.evaluate("image => image.naturalWidth")) > 300
    entered.has_become("has ended")
    entered.page.get_by_label("Options").fill("'")
    entered.run.click()
    expect(entered.page.get_by_role("alert")).to_contain_text("close what you have quoted")


def test_stop_ends_a_step_that_ignores_it_and_all_that_it_started(presenter, stage):
    entered = presenter("pool_demo/step99b_leaves_children")
    entered.page.get_by_label("Options").fill("--stubborn")
    entered.start()
    expect(entered.output).to_contain_text(re.compile(r"children \d+ \d+"))
    pids = [int(number) for number in re.findall(r"\d+", entered.output.inner_text())]
    assert len(left(pids)) == 2
    entered.stop()
    assert left(pids) == []


def test_steps_run_side_by_side_and_the_map_says_which(presenter):
    entered = presenter("group_chat/step1_echo").start(1)
    entered.clients(1)
    entered.show("flask_recap/step1_seven_heads").start(1)
    entered.clients(1)
    running = entered.page.get_by_role("navigation", name="Steps that run").get_by_role("link")
    expect(running).to_have_text(["group_chat/step1_echo", "flask_recap/step1_seven_heads"])
    marked = entered.page.locator("#map a", has=entered.page.get_by_text("runs", exact=True))
    expect(marked).to_have_count(2)
    # Somebody else who opens the stage sees them too, and may stop them.
    other = presenter("group_chat/step1_echo")
    other.clients(1)
    other.stop()
    expect(running).to_have_text(["flask_recap/step1_seven_heads"])
    entered.stop()


# --- Web steps ---


def room(clients, named=True):
    """Two people in a room: what one says, the other reads."""
    for client, name in zip(clients, (FIRST, SECOND), strict=True):
        if named:
            client.get_by_role("textbox", name="Nickname").fill(name)
            client.get_by_role("button", name="Connect").click()
        expect(client.get_by_role("status").first).to_contain_text("Connected")
    for speaker, hearer, text in ((0, 1, "你好"), (1, 0, "再见")):
        clients[speaker].get_by_role("textbox", name="Message").fill(text)
        clients[speaker].get_by_role("textbox", name="Message").press("Enter")
        expect(clients[hearer].get_by_role("log")).to_contain_text(text)


def nameless(clients):
    room(clients, named=False)


def by_name(clients):
    one, other = clients
    for client, name in ((one, FIRST), (other, SECOND)):
        client.get_by_role("textbox", name="Nickname").fill(name)
        client.get_by_role("button", name="Connect").click()
        expect(client.get_by_role("status").first).to_contain_text("Connected")
    one.get_by_role("textbox", name="To", exact=True).or_(one.get_by_label("To 发给")).first.fill(
        SECOND
    )
    one.get_by_role("textbox", name="Message").fill("你好")
    one.get_by_role("textbox", name="Message").press("Enter")
    expect(other.get_by_role("log")).to_contain_text("你好")


def log_in(clients):
    """Two people with a session each, in the same window."""
    for client, name in zip(clients, (FIRST, SECOND), strict=True):
        client.get_by_role("textbox", name="Name").fill(name)
        client.get_by_label("Password").fill(PASSWORD)
        client.get_by_label("Password").press("Enter")
    for client, name in zip(clients, (FIRST, SECOND), strict=True):
        expect(client.locator("body")).to_contain_text(re.compile(f"(Hello|Connected as) {name}"))


def messenger(clients):
    log_in(clients)
    one, other = clients
    one.get_by_role("navigation").get_by_role("link", name=SECOND).click()
    one.get_by_role("textbox", name="Message").fill("你好")
    one.get_by_role("textbox", name="Message").press("Enter")
    other.get_by_role("navigation").get_by_role("link", name=FIRST).click()
    expect(other.get_by_role("log")).to_contain_text("你好")


def echo(clients):
    for client in clients:
        client.get_by_role("button", name="Connect").click()
        client.get_by_role("button", name="Send text").click()
        expect(client.get_by_role("log")).to_contain_text("你好, echo")


EXCHANGES = {
    "group_chat/step1_echo": echo,
    "group_chat/step3_nameless_room": nameless,
    "group_chat/step4_nicknames": room,
    "group_chat/step5_room_that_holds": room,
    "group_chat/step6_several_processes": room,
    "private_chat/step1_by_name": by_name,
    "private_chat/step2_accounts": log_in,
    "private_chat/step3_messages": messenger,
    "private_chat/step4_friends": messenger,
    "private_chat/step5_offline": messenger,
    "private_chat/step6_several_processes": messenger,
}
WEB = sorted({step.path for step in manifest.read().steps if step.serves} | set(EXCHANGES))


@pytest.mark.parametrize("demo", sorted({step.partition("/")[0] for step in WEB}))
def test_a_web_step_starts_shows_its_clients_and_stops(presenter, stage, demo):
    """Two where people exchange something, else one."""
    entered = presenter()
    for step in WEB:
        if not step.startswith(f"{demo}/"):
            continue
        exchange = EXCHANGES.get(step)
        count = 2 if exchange else 1
        clients = entered.show(step).start(count).clients(count)
        for client in clients:
            expect(client.locator("h1, h2, p").first).to_be_visible()
        if exchange:
            exchange(clients)
        module = f"demos.{step.replace('/', '.')}"
        assert stage.below(module), step
        assert eventually(lambda count=count: len(stage.below("wire_tap")) == count), step
        entered.stop()
        assert eventually(
            lambda module=module: not stage.below(module) and not stage.below("wire_tap")
        ), step


def test_every_other_step_starts_and_is_stopped_or_ends(presenter, stage):
    """Those that measure for long need not be waited for."""
    others = [
        step.path for step in manifest.read().steps if step.path not in {*QUICK, *QUICK_TOO, *WEB}
    ]
    assert len(others) > 15
    entered = presenter(tolerate="status of 409")  # one may have ended when it is to be stopped
    for step in others:
        entered.show(step).start()
        expect(entered.state).to_have_text(re.compile("^(runs|has ended)$"))
        if entered.run.text_content() == "Stop":
            entered.run.click()
        expect(entered.state).to_have_text(re.compile("^(was stopped|has ended)$"))
        module = f"demos.{step.replace('/', '.')}"
        assert eventually(lambda module=module: not stage.below(module)), step


def test_three_and_four_clients_and_one_in_a_tab_with_the_same_session(presenter):
    entered = presenter("private_chat/step2_accounts").start(2)
    log_in(entered.clients(2))
    for count in (4, 3):
        entered.page.get_by_role("radio", name=str(count), exact=True).check()
        entered.clients(count)
    with entered.page.context.expect_page() as opened:
        entered.view.get_by_role("link", name=f"{FIRST} in a tab").click()
    assert ".course.localhost" in opened.value.url
    opened.value.goto(opened.value.url.replace("login", "single"))
    expect(opened.value.locator("body")).to_contain_text(f"Hello {FIRST}")
    # Who came later has a session of her own.
    expect(entered.clients(3)[2].get_by_role("heading", name="Log in")).to_be_visible()
    entered.stop()


# --- Keys, type, colours, reset ---


def test_seven_tabs_share_their_connections_and_the_first_one_s_buttons_work(presenter, stage):
    """A browser has six connections to a host. What runs, and what passes on its wire, is seen in each tab."""
    first = presenter("group_chat/step3_nameless_room").start(clients=1)
    first.clients(1)
    first.view.locator("wire-panel summary").first.click()
    tabs = [Presenter(first.page.context.new_page(), stage) for _ in range(6)]
    for tab in tabs:
        tab.show("group_chat/step3_nameless_room")
        expect(tab.run).to_have_text("Stop")
        tab.view.locator("wire-panel summary").first.click()
    (frame,) = tabs[-1].clients(1)
    frame.get_by_role("textbox").fill("in every tab")
    frame.get_by_role("button").click()
    for tab in (first, *tabs):
        expect(tab.view.locator(".wire-lines")).to_contain_text("in every tab")
    first.stop()
    for tab in tabs:
        tab.has_become("was stopped")
        tab.page.close()


def test_a_page_too_many_says_so_and_tries_again(presenter, stage):
    with closing(stage_streams(stage.url, stage.key)) as streams:
        streams.fill(STREAMS)
        entered = presenter(tolerate=f"{FRAME}|503")
        alone = entered.page.context.new_page()
        alone.add_init_script("delete window.SharedWorker")  # as on a telephone
        alone.goto(stage.url)
        for page in (entered.page, alone):
            expect(page.locator("#connection")).to_contain_text("Too many pages are open")
    for page in (entered.page, alone):
        expect(page.locator("#connection")).to_be_empty()


def test_keys_turn_steps_but_not_while_somebody_types(presenter):
    entered = presenter("pool_demo/step1_raw_pymysql")
    page, title = entered.page, entered.title.inner_text()
    for key, step in (
        ("j", "step2_borrow"),
        ("k", "step1_raw"),
        ("ArrowRight", "step2_borrow"),
        ("ArrowLeft", "step1_raw"),
    ):
        page.keyboard.press(key)
        expect(page.locator("#command")).to_contain_text(step)
    options = page.get_by_label("Options")
    options.fill("")
    options.press("j")
    options.press("ArrowRight")
    expect(options).to_have_value("j")
    expect(entered.title).to_have_text(title)
    options.fill("")
    page.locator("#title").click()
    notes = page.get_by_role("complementary")
    for key, part in (("n", notes), ("m", page.locator("#map"))):
        before = part.is_visible()
        page.keyboard.press(key)
        expect(part).to_be_visible(visible=not before)
        page.keyboard.press(key)
        expect(part).to_be_visible(visible=before)
    page.keyboard.press("r")
    entered.has_become("has ended")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("single letters are keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(entered.title).to_have_text(title)


def test_all_controls_are_reached_by_tab_and_show_it(presenter):
    page = presenter("pool_demo/step2_borrow_and_return").page
    page.keyboard.press("n")
    wanted = page.locator("button:visible, input:visible, summary:visible").count()
    reached = set()
    page.get_by_role("link", name="Skip to the step").focus()
    for _ in range(400):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => { const it = document.activeElement, style = getComputedStyle(it);
            return [it.tagName, it.id || it.textContent, it.getAttribute("name"), it.value, style.outlineStyle]; }"""
        )
        if found[0] == "BODY":
            break
        assert found[4] != "none", found
        if found[0] in ("BUTTON", "INPUT", "SUMMARY"):
            reached.add(tuple(found))
    assert len(reached) == wanted


# What an accessibility checker asks of any page: names, ids that are there once, headings that skip no level.
COMPLAINTS = """() => {
    const visible = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility());
    const named = "a, button, input, select, summary, iframe, img, [role], dialog, aside, nav, main";
    const words = (ids) => (ids ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const name = (node) => node.ariaLabel || words(node.getAttribute("aria-labelledby")) || node.title || node.alt
        || [...node.labels ?? []].map((label) => label.textContent).join("")
        || (node.matches("a, button, summary, [role=status], [role=alert]") && node.textContent) || "";
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    const refers = ["aria-labelledby", "aria-describedby", "aria-controls", "for"];
    const levels = visible.filter((node) => node.matches("main h1, main h2, main h3, main h4")).map((node) => +node.tagName[1]);
    return [
        ...visible.filter((node) => node.matches(named) && !name(node).trim()
            && !node.matches("[role=status], [role=alert]")).map((node) => `no name: ${node.outerHTML.slice(0, 90)}`),
        ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `id twice: ${id}`),
        ...refers.flatMap((by) => [...document.querySelectorAll(`[${by}]`)].flatMap((node) =>
            node.getAttribute(by).split(" ").filter((id) => !ids.includes(id)).map((id) => `${by} leads nowhere: ${id}`))),
        ...levels.filter((level, at) => at && level > levels[at - 1] + 1).map((level) => `level skipped before h${level}`),
        ...visible.filter((node) => node.matches("iframe, summary, a, button") && node.closest("[aria-hidden=true]"))
            .map((node) => `hidden, and takes the focus: ${node.outerHTML.slice(0, 90)}`),
        ...visible.filter((node) => node.scrollHeight > node.clientHeight + 2 && node.clientHeight
            && /auto|scroll/.test(getComputedStyle(node).overflowY) && node.tabIndex < 0
            && !node.querySelector("a, button")).map((node) => `keys cannot scroll it: ${node.outerHTML.slice(0, 90)}`),
    ];
}"""


def test_everything_has_a_name_for_those_who_listen(presenter):
    entered = presenter("group_chat/step4_nicknames").start(2)
    entered.clients(2)
    entered.page.keyboard.press("n")
    entered.view.locator("wire-panel summary").click()
    expect(entered.view.locator(".wire-lines tbody tr").first).to_be_visible()
    assert entered.page.evaluate(COMPLAINTS) == []
    weak = [text for text, contrast, _ in entered.page.evaluate(CONTRASTS) if contrast < 4.5]
    assert weak == []
    entered.page.get_by_role("button", name="Keys").click()
    assert entered.page.evaluate(COMPLAINTS) == []
    entered.page.locator("iframe").first.evaluate("frame => frame.removeAttribute('title')")
    assert "no name: <iframe" in "".join(entered.page.evaluate(COMPLAINTS)), (
        "it finds what is wrong"
    )
    entered.page.keyboard.press("Escape")
    entered.stop()


def test_notes_in_a_window_of_their_own_follow_and_turn_the_steps(presenter):
    entered = presenter("pool_demo/step2_borrow_and_return")
    entered.page.keyboard.press("n")
    with entered.page.context.expect_page() as opened:
        entered.page.get_by_role("link", name="in a window of their own").click()
    notes = opened.value
    expect(notes.locator("#title")).to_have_text("Borrow, query, give back.")
    expect(notes.get_by_role("row", name="3. Borrow, query, give back")).to_contain_text(
        "← this step"
    )
    expect(notes.locator("#notes")).to_contain_text("Drop when late.")
    notes.keyboard.press("ArrowRight")
    expect(entered.title).to_have_text("The same pool serves the log-in.")
    expect(notes.locator("#title")).to_have_text("The same pool serves the log-in.")


# Words that anybody sees or hears, three or more of English: not those of code, of programs, and of what passes.
ENGLISH = """() => {
    const others = "#command, code, kbd, script, iframe, .code, .output, .wire-lines, .wire-parts td:nth-child(2), [href*=step99]";
    const words = (node) => [node.ariaLabel, node.title, node.placeholder, node.alt,
        ...[...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE).map((child) => child.data)];
    return [document.body, ...document.querySelectorAll("body *")]
        .filter((node) => node.checkVisibility() && !node.closest(others))
        .flatMap(words).filter((text) => /[a-z']{2,}( [a-z']{2,}){2,}/i.test(text));
}"""


def test_it_speaks_the_language_of_who_looks(presenter):
    entered = presenter("group_chat/step3_nameless_room", tolerate=f"{FRAME}|status of 409")
    page = entered.page
    assert page.evaluate(ENGLISH)
    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#command")).to_contain_text("step3_nameless_room")  # the step is the same
    page.keyboard.press("n")
    expect(page.get_by_role("complementary")).to_contain_text("← 本步骤")
    entered.start(1).has_become("运行中").clients(1)
    entered.view.locator("wire-panel summary").click()
    entered.view.locator(".wire-lines button").first.click()
    expect(entered.view.locator(".wire-opened")).to_contain_text("作用")
    page.get_by_role("button", name="快捷键").click()
    assert page.evaluate(ENGLISH) == []
    page.keyboard.press("Escape")
    # Somebody else reads the same run in English.
    expect(presenter("group_chat/step3_nameless_room").state).to_have_text("runs")
    entered.run.click()
    entered.has_become("已停止")
    page.get_by_label("选项").fill("'")
    entered.run.click()
    expect(page.get_by_role("alert")).to_contain_text("请补全引号")


def test_under_another_name_it_says_which_address_to_use(new_page, stage):
    page = new_page(f"http://127.0.0.1:{stage.port}/?key={stage.key}")
    expect(page.get_by_role("alert")).to_contain_text(f"that the terminal shows: {stage.url}…")


def test_it_can_be_read_from_the_back_row(presenter):
    entered = presenter("pool_demo/step2_borrow_and_return")
    page = entered.page
    page.keyboard.press("n")
    entered.start().has_become("has ended")

    def weak():
        return [text for text, contrast, _ in page.evaluate(CONTRASTS) if contrast < 4.5]

    backgrounds = []
    for scheme in ("light", "dark"):  # as the system has it
        page.emulate_media(color_scheme=scheme)
        assert weak() == [], scheme
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    for chosen in ("light", "dark"):  # as somebody wants it
        page.get_by_role("button", name="Light or dark").click()
        assert weak() == [], chosen
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds[:2] == backgrounds[2:] and len(set(backgrounds)) == 2
    code = page.locator("#files .line").first
    small = code.evaluate("line => parseFloat(getComputedStyle(line).fontSize)")
    for _ in range(8):
        page.keyboard.press("+")
    large = code.evaluate("line => parseFloat(getComputedStyle(line).fontSize)")
    assert small >= 18 and large == 36
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "it scrolls inside, not sideways"
    )
    page.reload()
    expect(entered.title).not_to_be_empty()
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "36px", (
        "it is remembered"
    )


def test_reset_restores_the_seed_between_classes(presenter, stage):
    stage.course.sql("delete from student where id > 1")
    page = presenter().page
    page.get_by_role("button", name="Reset data").click()
    page.get_by_role("button", name="Keep the data").click()
    page.get_by_role("button", name="Reset data").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("status").first).to_contain_text("Restored in")
    assert stage.course.sql("select count(*) from student") == "3"


def test_pictures_of_the_stage_and_of_the_wire(presenter, tmp_path):
    """STAGE_SCREENSHOTS=docs/pictures puts them where README.md looks."""
    folder = Path(os.environ.get("STAGE_SCREENSHOTS", tmp_path))
    entered = presenter("group_chat/step5_room_that_holds").start(3)
    clients = entered.clients(3)
    for client, name in zip(clients, (FIRST, SECOND, "唐嫣"), strict=True):
        client.get_by_role("textbox", name="Nickname").fill(name)
        client.get_by_role("button", name="Connect").click()
        expect(client.get_by_role("status").first).to_contain_text("Connected")
    for client, text in zip(clients, ("大家好!", "你好,韩雪", "我也在"), strict=True):
        client.get_by_role("textbox", name="Message").fill(text)
        client.get_by_role("textbox", name="Message").press("Enter")
        for other in clients:
            expect(other.get_by_role("log")).to_contain_text(text)
    entered.page.locator("#controls").evaluate("node => node.scrollIntoView()")
    entered.page.screenshot(path=folder / "stage.png", animations="disabled")

    wire = entered.page.locator("wire-panel:visible")
    wire.get_by_text("See the wire").click()
    expect(wire.locator(".wire-counts tbody tr")).to_have_count(3)
    line = wire.locator(".wire-lines tr", has_text="你好,韩雪").filter(has_text="step ▸")
    line.get_by_role("button").click()
    entered.page.get_by_role("button", name="Map").click()
    entered.page.set_viewport_size({"width": 1280, "height": 1080})
    wire.evaluate("node => node.scrollIntoView()")
    entered.page.screenshot(path=folder / "wire.png", animations="disabled")
    for name in ("stage.png", "wire.png"):
        assert (folder / name).stat().st_size > 50_000
    entered.stop()
