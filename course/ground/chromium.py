"""A headless Chromium for tests and pictures, which reaches no other machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from playwright.sync_api import Browser, sync_playwright

from course.ground.tools import Tool

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-features=NetworkServiceInProcess2",  # one process less
    # No other machine is reached, not by a WebSocket either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
]


@contextmanager
def launched(chromium: Tool, playwright_node: Tool) -> Iterator[Browser]:
    """Have a browser for a block; the tools are those of `course.ground.tools` with these names."""
    manager = sync_playwright()
    with patch.dict(os.environ, playwright_node.environment):
        playwright = manager.start()
    try:
        browser = playwright.chromium.launch(
            executable_path=chromium.path, args=FLAGS, env={**os.environ, **chromium.environment}
        )
        yield browser
        browser.close()
    finally:
        playwright.stop()
