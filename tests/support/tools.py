"""Fixtures for programs of others: Redis, Node, nginx, and the browser that tests/support/browser.py drives.

A test that takes one is skipped where the program cannot be had; in CI it fails.
"""

import os
import signal

import pytest

from course.database.redis_server import RedisServer
from course.ground import tools


def tool(name: str) -> tools.Tool:
    found = tools.find(name)
    if found is None:
        reason = f"{tools.RECIPES[name].title} is not here; `course test` fetches it where it can"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def chromium() -> tools.Tool:
    """The browser's `path`, and the `environment` that its process needs."""
    return tool("chromium")


@pytest.fixture(scope="session")
def playwright_node() -> tools.Tool:
    """The Node that Playwright itself runs on."""
    return tool("playwright")


@pytest.fixture(scope="session")
def node() -> tools.Tool:
    """Node; with `{**os.environ, **node.environment}` its programs can `require("ws")`."""
    return tool("node")


@pytest.fixture(scope="session")
def nginx() -> tools.Tool:
    """nginx; give it `-c` a configuration, `-p` a folder and `-e stderr`, all of the test's own.

    As a normal user it may not use its own folders: set `pid` and all of `client_body_temp_path`, `proxy_temp_path`,
    `fastcgi_temp_path`, `uwsgi_temp_path` and `scgi_temp_path`.
    """
    return tool("nginx")


@pytest.fixture(scope="session")
def _worker_redis():
    server = RedisServer(tool("redis-server"))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_worker_redis: RedisServer):
    """A running Redis without data: `url`, `port`, `kill()`, and `start()` again on the same port.

    After `kill` its data is gone; `start("appendonly yes", f"dir {tmp_path}")` makes one that keeps it.
    """
    _worker_redis.stop()  # an earlier test may have left it with other settings, or dead
    _worker_redis.start()
    yield _worker_redis
    _worker_redis.process.send_signal(signal.SIGCONT)  # a test may have halted it
