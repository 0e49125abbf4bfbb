"""The programs of others: found, named, fetched without root; the private Redis; the browser's letters."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis
from websockets.sync.client import connect

from course.database import redis_server
from course.ground import place, tools
from course.ground.errors import CourseError
from course.verbs import checks
from tests.support import tools as fixtures
from tests.support.browser import Windows
from tests.support.processes import alive, descendants
from tests.support.waiting import eventually, within

from .conftest import Course, read_until
from .test_failures import nowhere

NOWHERE = tools.Recipe(
    title="the program of this test",
    variable="COURSE_NOWHERE",
    names=("no-such-program",),
    proof=("--version",),
    packages=("no-such-package",),
    unpacked="usr/bin/no-such-program",
)


@pytest.fixture
def fresh_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder in which nothing was fetched, and no variable that names a tool."""
    state = tmp_path / "mein Ordner 课程" / ".course"
    monkeypatch.setenv("COURSE_STATE_DIR", str(state))
    for recipe in tools.RECIPES.values():
        monkeypatch.delenv(recipe.variable, raising=False)
    monkeypatch.setitem(tools.RECIPES, "nowhere", NOWHERE)
    return state


def script(path: Path, exit_code: int) -> Path:
    """Make a program that does nothing but end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {exit_code}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_order_of_finding(fresh_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The named one, then the system's, then the one fetched before; one that does not run is passed over."""
    assert tools.find("nowhere") is None
    fetched = script(fresh_state / "tools/nowhere/usr/bin/no-such-program", 0)
    assert tools.find("nowhere").path == fetched
    monkeypatch.setenv("PATH", f"{tmp_path}/stub:{tmp_path}/system:{os.environ['PATH']}")
    script(tmp_path / "stub/no-such-program", 1)
    assert tools.find("nowhere").path == fetched
    system = script(tmp_path / "system/no-such-program", 0)
    assert tools.find("nowhere").path == system
    monkeypatch.setenv("COURSE_NOWHERE", str(script(tmp_path / "my own", 0)))
    assert tools.find("nowhere").path == tmp_path / "my own"


def test_named_program_that_does_not_work(fresh_state: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_NGINX", "/bin/false")
    assert tools.find("nginx") is None
    with pytest.raises(CourseError, match="COURSE_NGINX names /bin/false, which does not work"):
        tools.ensure("nginx")


def test_tool_that_is_nowhere(fresh_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CourseError) as failure:
        tools.ensure("nowhere")
    assert str(failure.value) == (
        "the program of this test is not on this machine: install it with the system's own tools, "
        "or name one in COURSE_NOWHERE."
    )


def test_fetched_without_root_below_the_state_folder(
    fresh_state: Path, monkeypatch: pytest.MonkeyPatch
):
    if not shutil.which("apt-get"):
        pytest.skip("packages are fetched with apt")
    (node,) = place.venv().glob("lib/python3*/site-packages/playwright/driver/node")
    # Its own Node is no reason to do without the package that belongs to it.
    monkeypatch.setenv("COURSE_NODE", str(node))
    failures = tools.ensure_all(["nowhere", "node"])
    assert list(failures) == ["nowhere"]
    assert "apt cannot fetch the program of this test" in str(failures["nowhere"])
    assert [folder.name for folder in (fresh_state / "tools").iterdir()] == ["node"]

    found = tools.find("node")
    done = subprocess.run(
        [found.path, "-p", "typeof require('ws').WebSocketServer"],
        env={**os.environ, **found.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "function\n"
    # The second time nothing is asked of the network.
    for name, value in nowhere().items():
        monkeypatch.setenv(name, value)
    assert tools.ensure_all(["node"]) == {}


@pytest.mark.parametrize(
    ("says", "cure"),
    [
        ("Temporary failure resolving 'deb.example'", "no network"),
        ("Unable to connect to deb.example:http:", "no network"),  # apt 3, of trixie and later
        ("Release file for http://deb.example/InRelease is expired (since 3d)", "set the clock"),
        ("Release file for http://deb.example/InRelease is not valid yet", "the mirror is stale"),
        ("error:0A000086:SSL routines::certificate verify failed", "update-ca-certificates"),
    ],
)
def test_what_apt_says_is_a_cause_and_a_cure(
    fresh_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, cure: str
):
    """After package lists that could not be read there are no packages; nothing is tried twice then."""
    apt, calls = script(tmp_path / "bin/apt-get", 0), tmp_path / "calls"
    apt.write_text(
        f"#!/bin/sh\necho $1 >> '{calls}'\n"
        f'if [ $1 = update ]; then echo "W: {says}" >&2\n'
        "else echo 'E: Unable to locate package no-such-package' >&2; exit 100; fi\n",
        "utf-8",
    )
    script(tmp_path / "bin/dpkg", 0)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CourseError, match=cure):
        tools.ensure("nowhere")
    assert calls.read_text("utf-8").split() == ["update", "install"]


def test_missing_tool_skips_on_a_laptop_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COURSE_NGINX", "/bin/false")
    monkeypatch.delenv("CI", raising=False)
    checks.ensure_tools()
    assert "The tests that need it will be skipped: COURSE_NGINX names" in capfd.readouterr().err
    with pytest.raises(pytest.skip.Exception, match="nginx is not here"):
        fixtures.tool("nginx")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(CourseError, match="COURSE_NGINX names"):
        checks.ensure_tools()
    with pytest.raises(pytest.fail.Exception, match="nginx is not here"):
        fixtures.tool("nginx")


def test_browser_shows_chinese_letters(new_page, tmp_path: Path):
    """Letters that a font lacks are all the same box, in the page and in its screenshot."""
    page = new_page()
    page.set_content("<span style='font: 40px sans-serif'></span>")
    letter = page.locator("span")

    def look(text: str) -> bytes:
        letter.evaluate("(span, text) => { span.textContent = text }", text)
        return letter.screenshot(path=tmp_path / "letter.png")

    box = look("\u0378")  # no font has it: it stands for nothing
    pictures = [look(text) for text in "我课程韩雪"]
    assert len({box, *pictures}) == 6


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('lost')", "console: lost"),
        ("setTimeout(() => { throw new Error('broken') })", "error: Error: broken"),
        ("alert('hacked')", "dialog: hacked"),
        ("new Image().src = 'http://192.0.2.1/pixel'", "address: http://192.0.2.1/pixel"),
        (
            "return new Promise(end => { new WebSocket('ws://192.0.2.1/').onclose = end })",
            "console: WebSocket connection to 'ws://192.0.2.1/' failed: Error in connection "
            "establishment: net::ERR_NAME_NOT_RESOLVED",
        ),
    ],
)
def test_fault_in_a_page_fails_the_test(browser, script: str, complaint: str):
    windows = Windows(browser)
    windows().evaluate(f"() => {{ {script} }}")
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        windows.check()
    tolerant = Windows(browser)
    tolerant(tolerate=complaint.split()[0]).evaluate("console.log('all is well')")
    tolerant.check()


def test_redis_is_private_and_in_memory(redis_server: redis_server.RedisServer):
    mine = redis.from_url(redis_server.url)
    mine.set("name", "唐嫣")
    assert mine.config_get("bind") == {"bind": "127.0.0.1"}
    with socket.create_connection(("127.0.0.1", redis_server.port), 5) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")
    before = redis_server.url, redis_server.process.pid
    redis_server.kill()
    assert not alive(before[1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", redis_server.port), 5)
    redis_server.start()
    assert redis_server.url == before[0]
    assert mine.get("name") is None


def test_redis_that_cannot_start(redis_server: redis_server.RedisServer):
    redis_server.stop()
    with pytest.raises(CourseError, match="Redis does not start") as failure:
        redis_server.start("no such setting")
    assert "no such setting" in failure.value.details.lower()
    assert not alive(redis_server.process.pid)


@pytest.fixture
def owner(redis_server: redis_server.RedisServer):
    """A process that uses a private Redis, and the process id of that."""
    program = (
        "from course.database import redis_server\n"
        "with redis_server.running() as server:\n"
        "    print(server.process.pid, flush=True)\n"
        "    input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=place.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "COURSE_REDIS_SERVER": str(redis_server.tool.path)},
    ) as process:
        try:
            pid = int(within(60, process.stdout.readline))
            assert alive(pid)
            yield process, pid
        finally:
            process.kill()


def test_redis_ends_with_the_block(owner):
    process, pid = owner
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(60) == 0
    assert not alive(pid)


def test_redis_dies_with_an_owner_that_is_killed(owner, kill):
    process, pid = owner
    process.kill()
    process.wait(60)
    assert eventually(lambda: not alive(pid))


@contextmanager
def joined(url: str):
    """A client of the room from the moment that the room has welcomed it."""
    with connect(url, subprotocols=["room.v1"]) as client:
        assert json.loads(client.recv(60))["type"] == "welcome"
        yield client


def frames(client):
    """Yield what a client receives, for as long as something comes."""
    while True:
        yield json.loads(client.recv(60))


def test_step_gets_a_redis_of_its_own(course: Course, redis_server: redis_server.RedisServer):
    """Two processes of the chat share a room, and Ctrl-C leaves nothing behind."""
    step = subprocess.Popen(
        course.command("step", "group_chat/step6", "0", "0"),
        cwd=place.ROOT,
        env={**course.environment, "COURSE_REDIS_SERVER": str(redis_server.tool.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # what Ctrl-C reaches
    )
    with step:
        try:
            said = read_until(step, "http://") + read_until(step, "http://")
            first, second = re.findall(r"http(://\S+/)ws", said)
            with joined(f"ws{first}甲") as one, joined(f"ws{second}乙") as two:
                one.send(json.dumps({"msg": "你好", "client_id": "1"}))
                heard = next(frame for frame in frames(two) if frame["type"] == "message")
                assert (heard["username"], heard["msg"]) == ("甲", "你好")
            own = descendants(step.pid)
            os.killpg(step.pid, signal.SIGINT)
            step.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(step.pid, signal.SIGKILL)
    assert own and not any(map(alive, own))
