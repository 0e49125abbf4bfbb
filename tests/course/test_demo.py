"""course/demo.py: a step beside a notebook; it starts, answers, and does not outlive its kernel."""

import json
import signal
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest
import redis

from course import demo
from course.ground import place
from course.lesson import LessonError
from tests.support.processes import alive
from tests.support.waiting import eventually

STEP = "group_chat/step4_nicknames"


@pytest.fixture(autouse=True)
def _end():
    yield
    for one in demo._running.values():
        one.end()
    demo._running.clear()


def test_a_step_answers_pages_and_sockets_and_leaves_no_file(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    room = demo.start(STEP)
    assert room.get("ws").status == 200
    with room.ws("韩雪") as one, room.ws("舒畅") as other:
        assert one.ping().wait(60)
        other.send('{"username": "舒畅", "msg": "你好"}')
        assert json.loads(one.recv(60)) == {"username": "舒畅", "msg": "你好"}
    assert repr(room) == "<group_chat.step4_nicknames: runs>"
    assert room.stop() == 0
    assert repr(room) == "<group_chat.step4_nicknames: ended>"
    assert room.page in room.output  # what it wrote can still be read
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_runs_again_ends_what_it_started():
    first, other = demo.start(STEP), demo.start(STEP, name="other")
    again = demo.start(STEP)
    assert first.process.poll() is not None
    assert other.process.poll() is None
    assert again.get("ws").status == 200


@pytest.mark.parametrize(
    ("step", "arguments", "sentence"),
    [
        ("group_chat/step99_nothing", (), "There is no step group_chat/step99_nothing"),
        (STEP, ("--no-such-option",), "did not start"),
    ],
)
def test_what_does_not_start_is_one_sentence(step, arguments, sentence):
    with pytest.raises(LessonError, match=sentence) as caught:
        demo.start(step, *arguments)
    assert "\n" not in str(caught.value)


def test_a_step_ends_with_its_kernel():
    code = f"from course.demo import start; print(start({STEP!r}).process.pid, flush=True); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=place.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not alive(pid), 60)


def test_a_notebooks_redis_can_be_lost_and_found_at_the_same_address(redis_server, monkeypatch):
    # The fixture skips where there is no Redis; the notebook's is another one.
    monkeypatch.setattr(demo, "_redis", [])
    mine = demo.private_redis()
    try:
        assert demo.redis_url() == mine.url != redis_server.url
        with redis.from_url(mine.url) as client:
            client.set("word", "kept")
            mine.kill()
            with pytest.raises(redis.ConnectionError):
                client.get("word")
            mine.start()
            assert client.get("word") is None
        assert demo.private_redis() is mine
    finally:
        mine.stop()


def test_two_people_get_a_link_each_and_what_is_kept_names_no_port(monkeypatch, capsys):
    running = SimpleNamespace(page="http://127.0.0.1:50001/login")
    demo.two_addresses(running, "韩雪", "舒畅")
    assert capsys.readouterr().out == (
        "韩雪: http://127.0.0.1:50001/login\n舒畅: http://localhost:50001/login\n"
    )
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: "a notebook's shell")
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    demo.two_addresses(running, "<韩雪>", "舒畅")
    (data,) = shown
    assert 'href="http://localhost:50001/login"' in data["text/html"]
    assert "&lt;韩雪&gt;" in data["text/html"]
    assert "50001" not in data["text/plain"]
