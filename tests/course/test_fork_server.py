"""A demo that is forked behaves as one that was started: tests/support/fork_server.py has both for each run of a module."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from course.ground import place, tether
from tests.support import fork_server
from tests.support.processes import command_line

TRUE = {"COURSE_TRUE_START": "1"}


@pytest.fixture(autouse=True)
def _forks():
    if subprocess.Popen is not fork_server._Popen:
        pytest.skip("nothing is forked on this system")


@pytest.mark.parametrize(
    "words",
    [
        ["group_chat.chat", "--help"],
        ["group_chat.chat", "--port", "none"],
        ["pool_demo.where"],
        ["pool_demo.where", "--my-cnf"],
        ["pool_demo.step2_borrow_and_return"],
    ],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_the_same(book, run_step, words):
    run_step(*words)  # the first start of a run is a true one
    started, forked = (run_step(*words, env=env) for env in (TRUE, {}))
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )


@pytest.mark.parametrize(
    "source", ["print(sys.path, sys.argv, __file__, customized)", "sys.exit('no')", "def"]
)
def test_a_file_says_the_same_with_more_on_its_path(tmp_path: Path, source):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/sitecustomize.py").write_text("import builtins\nbuiltins.customized = 1\n")
    file = tmp_path / "program.py"
    file.write_text(f"import sys\n{source}\n")
    path = os.pathsep.join(filter(None, [str(tmp_path / "more"), os.environ.get("PYTHONPATH")]))

    def run(**more):
        done = subprocess.run(
            [sys.executable, str(file), "--port", "1"],
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": path, **more},
            capture_output=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert run(**TRUE) == run() == run(), "the last one is forked for sure"


def test_it_is_a_child_like_any_other(tmp_path: Path):
    """Of the process that asked, in a session of its own where asked for, with files and signals as given."""
    command = [sys.executable, "-m", "demos.group_chat.chat", "--port", "0"]
    for _ in range(2):  # the second one is forked for sure
        with (tmp_path / "said").open("wb") as said:
            child = tether.start(command, cwd=place.ROOT, stdout=said, start_new_session=True)
        assert psutil.Process(child.pid).ppid() == os.getpid()
        assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
    template = fork_server._Popen.templates["patched"].process
    assert "fork_server" in command_line(template.pid), "there is one"
