"""A demo that is forked behaves as one that was started: tests/fork_server.py has both for each run of a module."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from course import place, tether
from tests import fork_server

LEAVE = "COURSE_TRUE_START"


@pytest.fixture(autouse=True)
def _forks():
    if subprocess.Popen is not fork_server._Popen:
        pytest.skip("nothing is forked on this system")


def run(*words: str, true: bool, **more):
    environment = {**os.environ, "PYTHONUTF8": "1", **({LEAVE: "1"} if true else {})}
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=environment,
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **more,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["demos.group_chat.chat", "--help"],
        ["demos.group_chat.chat", "--port", "none"],
        ["demos.pool_demo.where"],
        ["demos.pool_demo.where", "--my-cnf"],
        ["demos.pool_demo.step2_borrow_and_return"],
    ],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_the_same(book, words):
    run(words[0], *words[1:], true=False)  # the first start of a run is a true one
    started, forked = (run(*words, true=true) for true in (True, False))
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )


def test_it_is_a_child_like_any_other(tmp_path: Path):
    """Of the process that asked, in a session of its own where asked for, with files and signals as given."""
    command = [sys.executable, "-m", "demos.group_chat.chat", "--port", "0"]
    for _ in range(2):  # the second one is forked for sure
        with (tmp_path / "said").open("wb") as said:
            child = tether.start(command, cwd=place.ROOT, stdout=said, start_new_session=True)
        parent, group, session = map(
            int, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1:4]
        )
        assert (parent, group, session) == (os.getpid(), child.pid, child.pid)
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
    name = Path(f"/proc/{fork_server._Popen.templates['patched'].process.pid}/cmdline").read_bytes()
    assert b"fork_server" in name, "there is one"
