"""What is asked of a reconnecting page. Chromium shows it; its clock is moved on by hand."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from course.build import Staircase
from course.exercise import Wrong, expect
from course.ground import tools
from course.ground.chromium import launched

# A connection that breaks off is what we look for here; the library would print it as an error.
logging.getLogger("websockets").addHandler(logging.NullHandler())

PATIENCE = 8.0  # seconds for what has to come
LOOK = 15  # ms between two looks, of real time
STILL = 150  # ms of real time in which something would have come
HTML = """<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<p id="state"></p><p id="reason"></p><ul id="lines"></ul>
<form id="form"><input id="text"><button>Send</button></form><script src="page.js"></script>"""
TYPES = {"/": ("text/html", HTML)}


class Chat:
    """The server's side: it lets in or refuses, answers or is silent, and breaks connections."""

    def __init__(self, script: str) -> None:
        """Serve the page at a free port."""
        self._files = {**TYPES, "/page.js": ("text/javascript", script)}
        self.lets_in = True
        self.answers = True
        self.answers_all = False  # also what came before, while it did not answer
        self.attempts = 0  # handshakes at /socket
        self.open: list[ServerConnection] = []
        self.received: list[dict[str, Any]] = []
        self.server: Server = serve(self._hear, "127.0.0.1", 0, process_request=self._request)
        self.url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def send(self, frame: object) -> None:
        """Send a frame to each socket that is open."""
        for connection in list(self.open):
            with suppress(ConnectionClosed):
                connection.send(json.dumps(frame))

    def close(self, code: int, reason: str) -> None:
        """Close each socket with a code."""
        for connection in list(self.open):
            connection.close(code, reason)

    def cut(self) -> None:
        """Break each connection without a word."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.socket.shutdown(2)

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path != "/socket":
            kind, text = self._files.get(path, ("text/plain", ""))
            answer = connection.respond(HTTPStatus.OK, text)
            del answer.headers["Content-Type"]
            answer.headers["Content-Type"] = f"{kind}; charset=utf-8"
            return answer
        self.attempts += 1
        if not self.lets_in:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "away")
        return None

    def _hear(self, connection: ServerConnection) -> None:
        self.open.append(connection)
        with suppress(ConnectionClosed):
            for text in connection:
                frame = json.loads(text)
                self.received.append(frame)
                number = frame.get("client_id")
                times = [one.get("client_id") for one in self.received].count(number)
                for _ in range(self.answers and (times if self.answers_all else 1)):
                    connection.send(json.dumps({"ack": number}))
        self.open.remove(connection)


class Reader:
    """Somebody in front of the page."""

    def __init__(self, page: Page, chat: Chat) -> None:
        """Sit down; the page is not open yet."""
        self.page, self.chat = page, chat
        self._errors: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self._errors.append(str(error)))

    def trouble(self, missed: bool) -> str:
        """Return the first error of the script since the last look; "" if there was none."""
        with suppress(BrowserError):
            self.page.evaluate("0")  # what happened before this answer has been reported
        errors, self._errors = self._errors, []
        return f"the script raised {errors[0].splitlines()[0]}" if errors else ""

    def load(self) -> None:
        """Open the page anew, and stop its clock."""
        self.chat.lets_in = self.chat.answers = True
        self.page.goto(self.chat.url)
        self.until(lambda: self.state() == "open", "the word open in #state", self.shown)
        self._has_one_socket()

    def _has_one_socket(self) -> None:
        there = self.chat.open
        self.until(lambda: len(there) == 1, "one open socket", lambda: f"there are {len(there)}")

    def state(self) -> str:
        """Return what #state says."""
        return (self.page.text_content("#state") or "").strip()

    def lines(self) -> list[str]:
        """Return the lines that are shown."""
        return [text.strip() for text in self.page.locator("#lines li").all_text_contents()]

    def shown(self) -> str:
        """Say what the page shows."""
        return f"the page says {self.state()!r}"

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def pause(self, ms: float = LOOK) -> None:
        """Let real time pass; the page's own clock stands still."""
        self.page.wait_for_timeout(ms)

    def move_on(self, seconds: float) -> None:
        """Move the page's clock."""
        self.page.clock.run_for(round(seconds * 1000))

    def until(
        self, condition: Callable[[], object], wanted: str, seen: Callable[[], str], step: float = 0
    ) -> None:
        """Expect a condition to become true; at each look the page's clock goes on by `step`."""
        for _ in range(int(PATIENCE * 1000 / LOOK / 2)):
            if condition():
                return
            if step:
                self.move_on(step)
            self.pause()
        raise Wrong(f"expected {wanted}, and {seen()}")

    def shows(self, *lines: str) -> None:
        """Expect these lines and no others."""
        self.until(lambda: self.lines() == [*lines], f"the lines {[*lines]}", self.what_lines)
        self.pause(STILL)
        expect(self.lines() == [*lines], f"expected the lines {[*lines]}, {self.what_lines()}")

    def what_lines(self) -> str:
        """Say which lines are shown."""
        return f"the page has {self.lines()}"

    def comes_back(self) -> None:
        """Expect that the page is connected again after its wait."""
        self.chat.lets_in = True
        again = "that the page connects again by itself"
        self.until(lambda: self.state() == "open", again, self.shown, step=0.5)
        self._has_one_socket()

    def waits(self, when: str) -> None:
        """Expect the word waiting."""
        self.until(lambda: self.state() == "waiting", f"waiting in #state {when}", self.shown)


@contextmanager
def shown(file: Path) -> Iterator[Reader]:
    """Show the script's page in a browser. Raises CourseError: there is none."""
    with launched(tools.ensure("chromium"), tools.ensure("playwright")) as browser:
        chat = Chat(file.read_text("utf-8"))
        page = browser.new_page()
        try:
            page.clock.install(time=0)
            page.clock.pause_at(1000)
            yield Reader(page, chat)
        finally:
            page.close()
            chat.cut()
            chat.server.shutdown()


stairs = Staircase(shown)


@stairs.goal(
    hint="`new WebSocket(`ws://${location.host}/socket`)`, and an event listener for `open`.",
    mutant=[("${location.host}", "127.0.0.1:5000")],
    says="the word open",
)
def connects(reader: Reader) -> None:
    """Open the page."""
    reader.load()
    expect(
        reader.chat.attempts == 1, f"expected one socket, the page opened {reader.chat.attempts}"
    )


@stairs.goal(
    hint="JSON.parse(event.data), document.createElement('li'), and `textContent`: it makes no "
    "markup of what a stranger wrote.",
    mutant=[("item.textContent = text", "item.innerHTML = text")],
    says="<b>",
)
def shows_lines(reader: Reader) -> None:
    """Send three lines, one of them with markup."""
    reader.load()
    lines = ("你好", "<b>粗</b> & <i>斜</i>", "再见")
    for line in lines:
        reader.chat.send({"msg": line})
    reader.shows(*lines)


@stairs.goal(
    hint="Listen to `submit` of the form and call event.preventDefault(). Keep the line under its "
    "client_id until the ack comes; crypto.randomUUID() makes ids.",
    mutant=[("  waiting.push({ msg", "  show(msg);\n  waiting.push({ msg")],
    says="before the ack",
)
def sends(reader: Reader) -> None:
    """Type two lines; the first is acknowledged late."""
    reader.load()
    chat = reader.chat
    chat.answers = False
    chat.received.clear()
    reader.type("第一")
    reader.until(lambda: chat.received, "that the server receives the line", reader.shown)
    frame = chat.received[0]
    expect(
        frame.get("msg") == "第一" and frame.get("client_id"),
        f"expected a frame with msg and client_id, the server received {frame}",
    )
    reader.pause(STILL)
    expect(not reader.lines(), f"expected no line before the ack, #lines has {reader.lines()}")
    left = reader.page.input_value("#text")
    expect(left == "", f"expected an empty #text after Enter, it has {left!r}")
    chat.send({"ack": frame["client_id"]})
    reader.shows("第一")
    chat.answers = True
    reader.type("   ")
    reader.type("第二")
    reader.shows("第一", "第二")
    ids = {frame["client_id"] for frame in chat.received}
    found = [frame["msg"] for frame in chat.received]
    expect(found == ["第一", "第二"], f"expected two lines at the server, it received {found}")
    expect(len(ids) == 2, "expected another client_id for each line, two lines have the same")


@stairs.goal(
    hint="The event `close` comes whatever ended the connection. Put what connects into a "
    "function, and call it with setTimeout from there.",
    mutant=[('socket.addEventListener("close", gone);', "")],
    says="waiting in #state",
)
def connects_again(reader: Reader) -> None:
    """Break the connection, close it, and look whether there is one socket afterwards."""
    reader.load()
    chat = reader.chat
    chat.send({"msg": "一"})
    reader.shows("一")
    for end in (chat.cut, lambda: chat.close(1012, "the server restarts"), chat.cut):
        before = chat.attempts
        end()
        reader.waits("when the connection has ended")
        reader.pause(STILL)
        expect(chat.attempts == before, "expected a wait before the next attempt, there was none")
        reader.comes_back()
    chat.send({"msg": "二"})
    reader.shows("一", "二")


@stairs.goal(
    hint="Count the failures in a row: the wait is 0.5 * 2 ** failures seconds, Math.min(30, ...) "
    "of it. Set the count to 0 when a socket has opened. A random part of up to a half is welcome.",
    mutant=[("500 * 2 ** failures", "500")],
    says="longer and longer",
)
def waits_longer(reader: Reader) -> None:
    """Be away for six attempts; come back, and be away again."""
    reader.load()
    waits = _waits(reader, 6)
    said = ", ".join(f"{wait:.1f}" for wait in waits)
    expect(waits[0] < 3, f"expected a first wait of about 0.5 s, the waits are {said} s")
    expect(
        waits[5] > 4 * waits[0] and waits[5] > 3 and waits[3] > waits[0],
        f"expected that the waits become longer and longer, they are {said} s",
    )
    expect(max(waits) < 65, f"expected no wait over half a minute, the waits are {said} s")
    reader.comes_back()
    (again,) = _waits(reader, 1)
    expect(again < 3, f"expected a short wait after a good connection, it is {again:.1f} s")


def _waits(reader: Reader, count: int) -> list[float]:
    """End the connection, refuse all that follow, and return the seconds before each attempt."""
    chat, found = reader.chat, list[float]()
    chat.lets_in = False
    chat.cut()
    for _ in range(count):
        reader.waits("after a failed attempt")
        before, waited = chat.attempts, 0.0
        while chat.attempts == before:
            expect(waited < 120, f"expected an attempt within two minutes, after {found} none came")
            step = max(0.1, waited / 8)
            reader.move_on(step)
            waited += step
            reader.pause()
        found.append(waited)
    return found


@stairs.goal(
    hint="Keep an array of what has no ack. When a socket opens, send all of it; when an ack "
    "comes, take that line out. If there is no connection, a new line goes into the array only.",
    mutant=[("for (const line of waiting) transmit(line);", "")],
    says="at the server",
)
def loses_nothing(reader: Reader) -> None:
    """Break the connection before an ack, and type while the server is away."""
    reader.load()
    chat = reader.chat
    chat.received.clear()
    chat.answers = False
    reader.type("没有回答")
    reader.until(lambda: chat.received, "that the server receives the line", reader.shown)
    chat.lets_in = False
    chat.cut()
    reader.waits("when the connection has ended")
    reader.type("断线时")
    reader.type("还在断线")
    expect(not reader.lines(), f"expected no line before its ack, #lines has {reader.lines()}")
    chat.answers = True
    reader.comes_back()
    wanted = ["没有回答", "没有回答", "断线时", "还在断线"]
    _received(reader, wanted)
    ids = [frame["client_id"] for frame in chat.received]
    expect(ids[0] == ids[1], "expected the same client_id for a line that is sent again")
    reader.shows("没有回答", "断线时", "还在断线")
    chat.cut()
    reader.waits("when the connection has ended again")
    reader.comes_back()
    reader.type("新的")
    _received(reader, [*wanted, "新的"])  # and nothing that was acknowledged


def _is_same(reader: Reader, lines: list[str]) -> bool:
    """Say whether these lines are shown, in whatever order."""
    return sorted(reader.lines()) == lines


def _is_at(chat: Chat, line: str) -> bool:
    """Say whether the server has received a line."""
    return any(frame.get("msg") == line for frame in chat.received)


def _received(reader: Reader, wanted: list[str]) -> None:
    """Expect that the server has received these lines and no others."""

    def found() -> list[str]:
        return [str(frame.get("msg")) for frame in reader.chat.received]

    reader.until(
        lambda: found() == wanted, f"{wanted} at the server", lambda: f"it received {found()}"
    )


@stairs.goal(
    hint="The event `close` has `code` and `reason`. From 4400 to 4499 there is no setTimeout.",
    mutant=[("code >= 4400 && code <= 4499", "code >= 4400 && code <= 4408")],
    says="with 4409",
)
def stays_away(reader: Reader) -> None:
    """Refuse with two codes; then with one that is no refusal."""
    for code, reason in ((4401, "请重新登录"), (4409, "名字已被占用")):
        reader.load()
        before = reader.chat.attempts
        reader.chat.close(code, reason)
        reader.until(
            lambda: reader.state() == "closed",
            f"the word closed when the server has closed with {code}",
            reader.shown,
        )
        said = reader.page.text_content("#reason") or ""
        expect(reason in said, f"expected the server's reason in #reason, it has {said!r}")
        reader.move_on(300)
        reader.pause(STILL)
        expect(
            reader.chat.attempts == before, f"the page came back after it was closed with {code}"
        )
    reader.load()
    reader.chat.close(1008, "later")
    reader.waits("when the server has closed with 1008")
    reader.comes_back()


@stairs.goal(
    hint="Only the current socket counts: an event of an old one must not start a second attempt. "
    "And a line that came twice is acknowledged twice: show it once.",
    mutant=[("if (at < 0) return;", "if (at < 0) return show(frame.ack);")],
    says="expected each of the twelve lines once",
)
def survives_a_turmoil(reader: Reader) -> None:
    """Type twelve lines while connections break, with and without an answer."""
    reader.load()
    chat, chance = reader.chat, Random(8)
    chat.received.clear()
    chat.answers_all = True
    lines = [f"第{number}" for number in range(12)]
    for number, line in enumerate(lines):
        chat.answers = number % 3 != 0
        reader.type(line)
        if not chat.answers:  # it arrives, and the page cannot know
            came = partial(_is_at, chat, line)
            reader.until(came, f"{line} at the server", reader.shown)
        if number % 3 == 1:
            chat.cut()
            reader.waits("when the connection has ended")
        if number % 3 == 2 or chance.random() < 0.3:
            chat.answers = True
            reader.comes_back()
    chat.answers = True
    chat.cut()
    reader.waits("when the connection has ended")
    reader.comes_back()
    each = partial(_is_same, reader, sorted(lines))  # an ack may overtake another one
    reader.until(each, "each of the twelve lines once", reader.what_lines)
    reader.pause(STILL)
    expect(each(), f"expected each of the twelve lines once, {reader.what_lines()}")
    first = list(dict.fromkeys(str(frame["client_id"]) for frame in chat.received))
    messages = {str(frame["client_id"]): frame["msg"] for frame in chat.received}
    order = [messages[name] for name in first]
    expect(order == lines, f"expected {lines} at the server, in this order; it has {order}")
