"""What a student's shell may hold: the same commands work in it, or say in one sentence what to do.

To try one line of a table by hand: put it before `python3 -m course step pool_demo/step2`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course.ground import place

from .conftest import Course, sentence

NOWHERE = "http://127.0.0.1:9"  # the port "discard", where nobody listens

# Who sets it, and what stands in the environment then. `{}` is a folder with files that would do harm: a module with the
# name of the driver, a start-up file that ends Python, and an option file that leads a client to another server.
WORKS = {
    "pip's settings": {
        "PIP_USER": "1",
        "PIP_TARGET": "{}",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_INDEX": "1",
    },
    "uv's settings": {
        "UV_SYSTEM_PYTHON": "1",
        "UV_PROJECT_ENVIRONMENT": "{}",
        "UV_OFFLINE": "1",
        "UV_PYTHON": "3.8",
    },
    "Python's settings": {
        "PYTHONPATH": "{}",
        "PYTHONSTARTUP": "{}/pymysql.py",
        "PYTHONSAFEPATH": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error::UserWarning",
    },
    "another environment": {
        "VIRTUAL_ENV": "{}",
        "CONDA_PREFIX": "{}",
        "CONDA_DEFAULT_ENV": "base",
        "CONDA_SHLVL": "1",
    },
    "a proxy": {
        "http_proxy": NOWHERE,
        "https_proxy": NOWHERE,
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "ALL_PROXY": NOWHERE,
    },
    "MySQL's own settings": {
        "HOME": "{}",
        "MYSQL_HOME": "{}",
        "MYSQL_PWD": "wrong",
        "MYSQL_TCP_PORT": "1",
        "MYSQL_UNIX_PORT": "{}/none.sock",
        "MYSQL_TEST_LOGIN_FILE": "{}/.my.cnf",
    },
    "an old terminal": {
        "LANG": "C",
        "LC_ALL": "C",
        "TERM": "dumb",
        "COLUMNS": "20",
        "NO_COLOR": "1",
    },
    "a folder with blanks": {"TMPDIR": "{}/für Übungen 课程"},
}
# These cannot stand beside what is above.
ALONE = {
    "no terminal, no home": {"TERM": "", "HOME": "/nonexistent", "TMPDIR": "/nonexistent"},
    "a folder with a long name": {"TMPDIR": "{}/" + "long" * 30},
    "a home that is a file": {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache"},
}

TOGETHER = {name: value for one in WORKS.values() for name, value in one.items()}


@pytest.fixture
def harmful(tmp_path: Path) -> Path:
    """The folder that `{}` stands for."""
    folder = tmp_path / "harmful"
    (folder / "für Übungen 课程").mkdir(parents=True)
    (folder / ("long" * 30)).mkdir()
    (folder / "pymysql.py").write_text("raise SystemExit('not the driver')\n")
    (folder / ".my.cnf").write_text("[client]\nuser=somebody\nhost=db.example\n")
    (folder / "my.cnf").write_text("[mysqld]\nno-such-option=1\n")
    return folder


@pytest.fixture
def works(course: Course, harmful: Path) -> Callable[[dict[str, str]], str]:
    """Say how a shell with these settings fails, from a start of the server to its end; "" if it does not."""

    def run(settings: dict[str, str]) -> str:
        given = {name: value.format(harmful) for name, value in settings.items()}
        for command, words in (
            (("db", "start"), "127.0.0.1:"),
            (("step", "pool_demo/step2"), "韩雪"),
            (("db", "shell", "-e", "select count(*) as students from student"), "students\n3"),
            (("doctor",), "ok"),
            (("db", "stop"), "Stopped."),
        ):
            done = course.run(*command, **given, PYTHONUTF8="1")
            if done.returncode or words not in done.stdout or "Traceback" in done.stderr:
                return f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return ""

    return run


def test_a_shell_that_holds_everything(works):
    if failure := works(TOGETHER):
        guilty = [name for name, settings in WORKS.items() if works(settings)]
        raise AssertionError(f"{guilty or 'all of them together'}: {failure}")


@pytest.mark.parametrize("name", ALONE)
def test_a_shell_that_holds(works, name: str):
    assert works(ALONE[name]) == ""


def test_files_that_only_their_owner_may_read(course: Course, tmp_path: Path):
    done = subprocess.run(
        ["sh", "-c", 'umask 077; "$@"', "sh", *course.command("step", "pool_demo/step2")],
        cwd=place.ROOT,
        env=course.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "韩雪" in done.stdout, done.stderr


def test_matplotlib_writes_below_the_courses_folder(course: Course, tmp_path: Path):
    """What it keeps is not looked for in a home, which may not be writable."""
    (tmp_path / "home").mkdir()
    # This very process has the setting already.
    kept = {name: value for name, value in course.environment.items() if name != "MPLCONFIGDIR"}
    done = subprocess.run(
        [
            place.venv_python(),
            "-c",
            "import matplotlib as it; print(it.get_configdir(), it.get_cachedir(), sep='\\n')",
        ],
        env={**kept, "HOME": str(tmp_path / "home"), "COURSE_STATE_DIR": str(course.state)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines() == [str(course.state / "matplotlib")] * 2
    assert not [*(tmp_path / "home").iterdir()]


@pytest.fixture
def read_only(small_disk) -> Path:
    """A copy of the course on a disk to which nobody can write."""
    disk = small_disk(64)
    copied = ["course", "demos", "sql", "course.toml", "README.md", "pyproject.toml"]
    locks = [file.name for file in place.ROOT.glob("*.lock")]
    subprocess.run(["cp", "-r", *copied, *locks, disk], cwd=place.ROOT, check=True)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    return disk


def test_a_clone_that_cannot_be_written(course: Course, read_only: Path):
    environment = {
        name: value
        for name, value in course.environment.items()
        if name not in ("COURSE_STATE_DIR", "COURSE_VENV")
    }
    done = Course(read_only / ".course", environment).run("setup", cwd=read_only)
    assert "clone the course into a folder of your own" in sentence(done)


@pytest.fixture
def of_somebody_else() -> Iterator[Path]:
    """A copy of the course in which nobody but its owner may write, and below which others see nothing of `.course`."""
    with tempfile.TemporaryDirectory(
        prefix="course-", dir="/tmp"
    ) as folder:  # others reach it there
        home = Path(folder)
        copied = [place.ROOT / name for name in ("course", "course.toml")]
        copied += place.ROOT.glob("requirements*.lock")
        subprocess.run(["cp", "-r", *copied, home], check=True)
        (home / "lessons/authors/translations").mkdir(parents=True)
        (home / ".course").mkdir(0)
        for made in (home, home / "lessons"):
            made.chmod(0o555)
        yield home
        home.chmod(0o755)


@pytest.mark.parametrize(
    "command", ["", "step pool_demo/step2", "db status", "doctor", "exercises"]
)
def test_a_clone_of_somebody_else(course: Course, of_somebody_else: Path, command: str):
    """Whichever file the command touches first, the sentence says where it would work."""
    python, user = sys.executable, None
    if (
        os.geteuid() == 0
    ):  # root may do everything, and root's own Python may be where nobody else gets
        python, user = shutil.which("python3", path="/usr/bin:/bin"), 65534
        if not python:
            pytest.skip("this system has no Python for everybody")
    names = ("COURSE_STATE_DIR", "COURSE_VENV", "HOME")
    done = subprocess.run(
        [python, "-m", "course", *command.split()],
        cwd=of_somebody_else,
        env={name: value for name, value in course.environment.items() if name not in names},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said
    if "this is Python" in said:
        pytest.skip("the system's Python is too old")
    cure = (
        "git clone  (the course,"
        if command == "doctor"
        else "clone the course into a folder of your own"
    )
    assert cure in said


def test_ctrl_z_and_fg(course: Course):
    """A command that is halted, and its server with it, goes on where it was."""
    command = subprocess.Popen(
        course.command("db", "shell", "--batch", "--unbuffered", "--skip-column-names"),
        cwd=place.ROOT,
        env=course.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        process_group=0,  # as a shell does for each of its jobs
    )
    # A child that is halted before its program has begun would hold its parent, which could not halt then.
    command.stdin.write("select 'ready';\n")
    command.stdin.flush()
    assert command.stdout.readline() == "ready\n"
    os.killpg(command.pid, signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(command.pid, os.WUNTRACED)[1])
    assert course.run("db", "status").returncode == 0, "the server is no part of the job"
    os.killpg(command.pid, signal.SIGCONT)
    said, _ = command.communicate("select count(*) from student", timeout=60)
    assert said == "3\n"
