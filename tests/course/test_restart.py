"""`course step` starts the server again when it ends, so a step may restart it: step 8 of the pool does."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.waiting import eventually

from .conftest import Course, read_until

CHOICE = {"way": "MysqlHelp", "clients": 6, "size": 3, "query": 20, "latency": 0}


class Page:
    """The page of step 8, without a screen."""

    def __init__(self, url: str):
        self.url = url

    def press(self, button: str, **sent: object) -> str:
        """Press a button; return what the page would say."""
        head = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + button, json.dumps(sent).encode(), head)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)["said"]

    def frames(self) -> Iterator[dict]:
        """What is drawn from now on."""
        with urllib.request.urlopen(self.url + "frames", timeout=60) as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))


@pytest.fixture
def step(course: Course) -> Iterator[subprocess.Popen[str]]:
    process = course.start("step", "pool_demo/step8_see_the_pool", "--port", "0")
    yield process
    if process.poll() is None:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def page(step: subprocess.Popen[str]) -> Page:
    found = re.search(r"Open (http://127\.0\.0\.1:\d+/)", read_until(step, "Open "))
    return Page(found[1])


def test_step_8_restarts_the_server_and_the_load_goes_on(
    step: subprocess.Popen[str], page: Page, course: Course
):
    former = course.status.server_pid
    page.press("start", **CHOICE)
    frames = page.frames()
    before = next(frame for frame in frames if frame["turns"] > 10)
    assert page.press("restart").startswith("The server has shut down")

    assert eventually(lambda: (now := course.status) and now.server_pid != former, 60)
    refused = next(frame for frame in frames if frame["errors"].get("OperationalError 2003"))
    after = next(
        frame
        for frame in frames
        if frame["turns"] > refused["turns"] + 10
        and len(frame["check"]["differences"]) == 0
        and frame["counts"]["opened"] >= before["counts"]["opened"] + CHOICE["size"]
    )
    assert after["counts"]["closed"] >= CHOICE["size"]
    assert sum(after["now"].values()) == CHOICE["size"]

    step.terminate()
    _, errors = step.communicate(timeout=60)
    assert step.returncode == 0, errors
    assert "had ended and was started again" in errors
    assert "Traceback" not in errors


def test_a_server_that_somebody_stopped_stays_stopped_and_the_step_goes_on(
    step: subprocess.Popen[str], page: Page, course: Course
):
    course.run("db", "stop")
    heard = iter(step.stderr.readline, "")
    assert any("db start" in line for line in heard), "who was stopped, is not started again"
    assert page.press("stop") == "Stopped.", "the step goes on"
    step.terminate()
    step.communicate(timeout=60)
    assert step.returncode == 0
