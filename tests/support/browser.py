"""A real Chromium for tests: `new_page` opens a window as another person would.

    def test_chat(start, new_page):
        server = start("chat")
        first, second = new_page(server.page), new_page(server.page)

Windows share neither cookies nor storage; `page.context.new_page()` opens a second tab of the same person. An error
on a page or its console, a dialog, or an address outside this machine fails the test, unless `tolerate` names it.
Tests in a file with browser tests cannot use asyncio: Playwright keeps a loop running in the thread.
"""

import asyncio
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from course.ground.chromium import launched

# Patience for a slow machine: nothing takes long, unless something is wrong.
expect.set_options(timeout=30_000)

HOME = (None, "127.0.0.1", "localhost")  # None: data:, blob: and about:


@pytest.fixture(scope="session")
def _worker_browser(chromium, playwright_node):
    """One Chromium for all files of a worker: each start takes more than two seconds of CPU time."""
    with launched(chromium, playwright_node) as browser:
        yield browser
        _let_its_loop_run(browser)


@pytest.fixture(scope="module")
def browser(_worker_browser):
    """A headless Chromium."""
    _let_its_loop_run(_worker_browser)
    yield _worker_browser
    # The files in between need asyncio, which allows one running loop in a thread.
    asyncio._set_running_loop(None)


def _let_its_loop_run(browser):
    """Say that the running loop is Playwright's: it waits in a greenlet, where asyncio does not see it."""
    asyncio._set_running_loop(browser._loop)


class Windows:
    """Opens windows and collects what goes wrong in them."""

    def __init__(self, browser):
        self.browser = browser
        self.contexts = []
        self.complaints = []

    def __call__(self, url=None, tolerate=None, **options):
        """Open a window, on a page if there is a URL, and return its Playwright page.

        `tolerate` is a regular expression for complaints that the test provokes, such as "console: WebSocket".
        `options` are those of Playwright's `new_context`, such as `color_scheme="dark"`.
        """
        context = self.browser.new_context(**options)
        self.contexts.append(context)

        def complain(text):
            if not (tolerate and re.search(tolerate, text)):
                self.complaints.append(text)

        def look_at(request):
            host = urlsplit(request.url).hostname
            if host not in HOME and not host.endswith(".localhost"):
                complain(f"address: {request.url}")

        def refuse(dialog):
            complain(f"dialog: {dialog.message}")
            dialog.dismiss()

        def hear(message):
            if message.type == "error":
                complain(f"console: {message.text} ({message.location['url']})")

        context.on("console", hear)
        context.on("weberror", lambda found: complain(f"error: {found.error.stack or found.error}"))
        context.on("dialog", refuse)
        context.on("request", look_at)
        page = context.new_page()
        if url:
            page.goto(url)
        return page

    def close(self):
        while self.contexts:
            self.contexts.pop().close()

    def check(self):
        """Close all windows; fail if something went wrong in one."""
        for context in self.contexts:
            for page in context.pages:
                page.evaluate("0")  # what happened before this answer has been reported
        complaints = list(self.complaints)
        self.close()
        assert not complaints, "\n".join(complaints)


@pytest.fixture
def new_page(browser):
    """Open windows: `new_page(url=None, tolerate=None, **options)`; see Windows."""
    windows = Windows(browser)
    yield windows
    windows.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Look at the windows before the servers that they talk to are stopped."""
    result = yield
    windows = pyfuncitem.funcargs.get("new_page")
    if windows:
        windows.check()
    return result
