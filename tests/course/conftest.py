"""A course of its own for each test: a state folder nobody else uses, and the real commands as processes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from course.database import keeper, program, server, target
from course.ground import place, tools
from tests.support.processes import alive
from tests.support.waiting import eventually, within


def read_until(process: subprocess.Popen[str], sign: str, seconds: float = 240) -> str:
    """Read what a process prints up to a line with the sign; fail with all it said if it ends before."""
    said = []

    def read() -> bool:
        for line in process.stdout:
            said.append(line)
            if sign in line:
                return True
        return False

    if not within(seconds, read):
        _, errors = process.communicate(timeout=60)
        raise AssertionError(f"{sign!r} never came:\n{''.join(said)}\n{errors}")
    return "".join(said)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence of a failure, after checking that it is one."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("course: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@dataclass
class Course:
    """The `course` command on one state folder."""

    state: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "course", *arguments]

    def run(self, *arguments: str, cwd: Path = place.ROOT, stdin: str = "", **environment: str):
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=place.ROOT,
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def sql(self, statement: str) -> str:
        """Run SQL through the shell; return its bare output."""
        done = self.run("db", "shell", "--batch", "--skip-column-names", "-e", statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def status(self) -> server.Status | None:
        return server.status(self.state)

    def is_gone(self) -> bool:
        """Say whether neither keeper nor server is left."""
        record = keeper.read_record(self.state)
        pids = [record[name] for name in ("pid", "server_pid") if name in record]
        return not server.is_running(self.state) and not any(map(alive, pids))


@pytest.fixture(scope="session")
def server_program() -> program.Program:
    """The server program of this checkout; not fetched again for each test."""
    found = program.find()
    if found is None:
        pytest.skip("MYSQL_* names a server, so no server program is installed here")
    return found


@pytest.fixture(scope="session")
def clean_environment(server_program: program.Program) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in target.NAMES}
    # Nothing that this checkout has is fetched again.
    found = {recipe.variable: tools.find(name) for name, recipe in tools.RECIPES.items()}
    named = {variable: str(tool.path) for variable, tool in found.items() if tool}
    return {**kept, **named, "COURSE_MYSQLD": str(server_program.path)}


@pytest.fixture
def new_course(tmp_path: Path, clean_environment: dict[str, str]) -> Iterator[Course]:
    """A course in a folder that does not exist yet."""
    state = tmp_path / "mein Ordner 课程" / ".course"
    made = Course(state, {**clean_environment, "COURSE_STATE_DIR": str(state)})
    yield made
    if server.is_running(state):
        server.stop(state)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, clean_environment: dict[str, str]) -> Path:
    """A state folder that has been set up once; copying it takes milliseconds."""
    state = tmp_path_factory.mktemp("prepared")
    Course(state, {**clean_environment, "COURSE_STATE_DIR": str(state)}).run("setup")
    assert server.has_seed(state)
    return state


def copy_of(prepared: Path, state: Path) -> Path:
    """Make a state folder that is set up, for a server with a port and a password of its own."""
    shutil.copytree(prepared, state)
    (state / "my.cnf").unlink()
    return state


@pytest.fixture
def course(new_course: Course, prepared: Path) -> Course:
    """A course that is set up and not running."""
    copy_of(prepared, new_course.state)
    return new_course


@pytest.fixture
def small_disk(tmp_path: Path):
    """Return a function that makes a disk of some MB: a real file system, mounted for this test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = []

    def make(megabytes: int) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", disk],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip("mounting a small file system needs root")
        mounted.append(disk)
        return disk

    yield make
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def kill() -> Callable[[int], None]:
    """`kill -9` for a process that this test started; waits until it is gone."""

    def kill_hard(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not alive(pid))

    return kill_hard
