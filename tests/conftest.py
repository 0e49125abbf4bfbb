"""The database that tests use: a private server of this run's own, or the one that MYSQL_* names.

The student's server and data are never touched. Each xdist worker has a database of its own,
`course_<run>_<worker id>`, dropped at the end.
"""

import fcntl
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from pymysql.cursors import Cursor

from course.database import server, target
from course.ground import place
from demos.pool_demo.lending.lender import tls_arguments
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import connect_args, load
from tests.support import fork_server
from tests.support.longer import LONGER, is_longer

# The suite reads what the course says: in English, whatever the machine speaks.
os.environ["COURSE_LANG"] = "en"
# Started in the background, a shell's children ignore Ctrl-C; the processes under test must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.support.tools",
    "tests.support.browser",
    "tests.support.servers",
    "tests.support.pages",
]

Tables = dict[str, list[tuple[object, ...]]]
RunStep = Callable[..., "subprocess.CompletedProcess[str]"]


class SaysFailuresAtOnce:
    """Names a failed test when it has failed: a run that is cut off shows no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.ensure_newline()
            self.terminal.write_line(
                f"{report.nodeid} failed in {report.when}, {report.duration:.0f} s"
            )


# Files that take longest, in the order of their time. They begin first: a run ends late if one of them begins last.
LONG = [
    "lessons/test_lessons_run.py",
    "lessons/test_build_private_chat.py",
    "course/test_stage.py",
    "pool_demo/test_step8_page.py",
    "lessons/test_exercises.py",
    "private_chat/test_pages.py",
    "lessons/test_build_group_chat.py",
    "private_chat/test_nothing_is_lost.py",
    "course/test_commands.py",
    "lessons/test_builds.py",
    "course/test_failures.py",
    "lessons/test_lesson_copies.py",
    "lessons/test_build_page.py",
    "course/test_lab.py",
    "course/test_server_life.py",
    "pool_demo/test_step6.py",
    "private_chat/test_database_away.py",
    "group_chat/test_websocket.py",
    "private_chat/test_switchboards.py",
    "group_chat/test_many_processes.py",
    "group_chat/test_many_people.py",
    "lessons/test_kernel.py",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="also what tests/support/longer.py names")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Let the workers of a run collect in turns: the first one compiles all tests, and the others read that."""
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # What is collected stays to the end: to look for garbage in it takes half of the time.
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()
            gc.enable()


def _leaves_out(config: pytest.Config) -> bool:
    return not config.getoption("--all") and not any("::" in word for word in config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _leaves_out(config):
        left = [item for item in items if is_longer(item.nodeid.removeprefix("tests/"))]
        items[:] = [item for item in items if item not in set(left)]
        config.hook.pytest_deselected(items=left)
    places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(str(item.path), len(LONG)))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left = terminalreporter.stats.get("deselected", [])
    if left and _leaves_out(config):
        terminalreporter.write_line(
            f"{len(LONGER)} tests that take longest are left to `python3 -m course test --all`; tests/support/longer.py says why."
        )


@pytest.hookimpl(trylast=True)  # the terminal is there by then
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SaysFailuresAtOnce(terminal))


@pytest.fixture(scope="session", autouse=True)
def _forked_demos(worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Only the first start of each demo of a run is a start of Python: tests/support/fork_server.py."""
    base = tmp_path_factory.getbasetemp()
    fork_server.install((base if worker_id == "master" else base.parent) / "started")
    yield
    fork_server.uninstall()


@pytest.fixture(scope="session")
def server_settings(
    worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The MYSQL_* settings of a server on which we may make databases."""
    if target.is_external():
        yield {}
        return
    # The workers' folders lie side by side; the server is one for all, and ends with the last.
    base = tmp_path_factory.getbasetemp()
    with server.Lease((base if worker_id == "master" else base.parent) / "server") as lease:
        yield lease.status.as_environment()


@pytest.fixture(scope="module")
def few_authorities() -> Iterator[None]:
    """A machine that trusts nobody's certificates: for files of tests that open many connections and measure none.

    With PyMySQL's defaults, each connection reads the system's list of authorities anew, some 20 ms of CPU time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def database(worker_id: str, testrun_uid: str, server_settings: dict[str, str]) -> Iterator[str]:
    """Name of this worker's database; MYSQL_* lead to it for the whole session."""
    # Two runs at the same time on one server do not meet.
    name = f"course_{testrun_uid[:8]}_{worker_id}"
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in {**server_settings, "MYSQL_DATABASE": name}.items():
            patch.setenv(setting, value)
        restore()
        yield name
        _drop(name)


@pytest.fixture(scope="session")
def _seeded(database: str) -> Tables:
    """The tables in their starting state."""
    restore()  # a file that restores them itself may have been here before
    return _tables()


@pytest.fixture
def book(_seeded: Tables) -> dict[str, str]:
    """The environment that leads to a database in its starting state."""
    # To make all tables anew takes fifty times as long as to see that nobody has changed them.
    now = _tables()
    if changed := [name for name, seeded in _seeded.items() if now.get(name) != seeded]:
        restore(*changed)
    return {name: value for name in target.NAMES if (value := os.environ.get(name))}


@pytest.fixture(scope="session")
def run_step() -> RunStep:
    """Run `python -m demos.<name> <args>` from the repo's root and return the finished process.

    `env` adds to the environment; a value of None takes a name out of it.
    """

    def run(name: str, *args: str, env: dict[str, str | None] | None = None):
        merged = {**os.environ, "PYTHONUTF8": "1", **(env or {})}
        return subprocess.run(
            [sys.executable, "-m", f"demos.{name}", *args],
            cwd=place.ROOT,
            env={key: value for key, value in merged.items() if value is not None},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


def _tables() -> Tables:
    """Return what tells each table's columns, counter and rows."""
    with _connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("show tables")
        names = [name for (name,) in cursor.fetchall()]
        found = {}
        for name in names:
            cursor.execute(f"show create table `{name}`")
            found[name] = [*cursor.fetchall()]
            cursor.execute(f"checksum table `{name}`")
            found[name] += cursor.fetchall()
        return found


def _connect(**changes: object) -> "pymysql.Connection[Cursor]":
    return pymysql.connect(**connect_args(**tls_arguments(load(), None), **changes))


def _drop(name: str) -> None:
    with _connect(database=None) as connection:
        connection.cursor().execute(f"drop database if exists `{name}`")
