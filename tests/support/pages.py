"""What tests of pages share: connections that fail between a page and its server, and text that can be read.

line = wire(server)                    # a port in front of the server
page = new_page(line.url + "/ws", tolerate=BROKEN)
line.break_off()
with stopped(server): ...
assert [text for text, contrast, size in page.evaluate(CONTRASTS) if contrast < 4.5] == []
"""

import os
import re
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

# The browser's console says this when a connection cannot be made, as in tests of faults.
BROKEN = "console: WebSocket connection to"

# The contrast of each visible text against what is behind it, as WCAG 2 computes it; and its size.
CONTRASTS = """() => {
    const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [[r, 0.2126], [g, 0.7152], [b, 0.0722]].reduce((sum, [value, weight]) => {
        value /= 255;
        return sum + weight * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    }, 0);
    const known = new Map([[null, [255, 255, 255]]]);
    const behind = (node) => {
        if (!known.has(node)) {
            const color = rgb(getComputedStyle(node).backgroundColor);
            const opaque = color.length === 3 || color[3] === 1;
            known.set(node, opaque ? color : behind(node.parentElement));
        }
        return known.get(node);
    };
    return [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility()
        && [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim())
        || node.matches("input, textarea")).map((node) => {
        const [one, two] = [luminance(rgb(getComputedStyle(node).color)), luminance(behind(node))];
        return [node.textContent.trim().slice(0, 80), (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05),
            parseFloat(getComputedStyle(node).fontSize)];
    });
}"""

# The colours on a canvas, and how many points have each; what can be seen through is none.
COLOURS = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const points = new Map();
    for (const point of new Uint32Array(data.buffer)) points.set(point, (points.get(point) ?? 0) + 1);
    return Object.fromEntries([...points].filter(([point]) => point >>> 24 === 255).map(([point, count]) =>
        [`rgb(${point & 255}, ${(point >> 8) & 255}, ${(point >> 16) & 255})`, count]));
}"""


def contrasts(page):
    """Return what CONTRASTS says of a page, in light and in dark, after a look at whether it is."""
    measured = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = sum(map(int, re.findall(r"\d+", background)[:3])) < 3 * 128
        assert dark == (scheme == "dark")
        measured += page.evaluate(CONTRASTS)
    return measured


class ChatPage:
    """What the pages of both chats have: a box for the message, and a list of lines."""

    def __init__(self, page):
        self.page = page
        self.sockets = []  # addresses of all sockets that the page has opened
        page.on("websocket", lambda opened: self.sockets.append(opened.url))
        self.state = page.get_by_role("status").first
        self.log = page.get_by_role("log")
        self.message = page.get_by_role("textbox", name="Message")

    def say(self, text):
        self.message.fill(text)
        self.message.press("Enter")

    def type_by_sound(self, letters, text):
        """Type with an input method: the letters of the sounds, and Enter, which confirms the text for them."""
        self.message.focus()
        method = self.page.context.new_cdp_session(self.page)
        end = len(letters)
        method.send(
            "Input.imeSetComposition", {"text": letters, "selectionStart": end, "selectionEnd": end}
        )
        self.page.keyboard.press("Enter")
        method.send("Input.insertText", {"text": text})
        expect(self.message).to_have_value(re.compile(text))

    def lines(self, text):
        """All lines with exactly this text."""
        exactly = self.page.get_by_text(text, exact=True)
        return self.log.get_by_role("listitem").filter(has=exactly)

    def is_waiting(self, text):
        """Wait until a text is there as a line that is not sent yet."""
        expect(self.lines(text).locator(".who")).to_have_text("我 waiting…")

    def hurry(self):
        """Tell the page that the network is back, so that its next attempt to connect is now."""
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def hide(self, hidden=True):
        """Go to another tab, or back. A headless browser shows all its tabs, so the page is told."""
        self.page.evaluate(
            "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )


class Wire:
    """A port in front of a server.

    `cut`: no connection holds. `deaf`: what the server sends gets lost, its farewell too. `numb`: the server does not
    feel that a connection has ended. `ask` and `answer` change the bytes of requests and answers, as a proxy does.
    """

    def __init__(self, url, ask=bytes, answer=bytes):
        self.upstream = (urlsplit(url).hostname, urlsplit(url).port)
        self.ask, self.answer = ask, answer
        self.cut = self.deaf = self.numb = False
        self.pages, self.servers = [], []  # the two ends of all connections
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def break_off(self):
        self.cut = True
        for page in self.pages:
            _end(page)

    def close(self):
        _end(self.listener)
        self.listener.close()
        self.break_off()
        for server in self.servers:
            _end(server)

    def _accept(self):
        with suppress(OSError):
            while True:
                page, _ = self.listener.accept()
                if self.cut:
                    page.close()
                    continue
                server = socket.create_connection(self.upstream)
                self.pages.append(page)
                self.servers.append(server)
                threading.Thread(target=self._there, args=(page, server), daemon=True).start()
                threading.Thread(target=self._back, args=(page, server), daemon=True).start()

    def _there(self, page, server):
        with suppress(OSError):
            while data := page.recv(65536):
                server.sendall(self.ask(data))
        if not self.numb:
            _end(server)

    def _back(self, page, server):
        with suppress(OSError):
            while data := server.recv(65536):
                if not self.deaf:
                    page.sendall(self.answer(data))
        if not self.deaf:
            _end(page)


def _end(end):
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire():
    """Put a Wire in front of a server: `wire(server, ask, answer) -> Wire`."""
    wires = []

    def lay(server, **changes):
        wires.append(Wire(server.url, **changes))
        return wires[-1]

    yield lay
    for each in wires:
        each.close()


@contextmanager
def stopped(server):
    """A server that hangs: its process gets no time."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
