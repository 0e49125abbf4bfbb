"""A student's server as a process of its own, on a port that the judge chose.

with serving(file) as chat:
    with clients(chat.url, "韩雪") as (one,): ...
    chat.kill(); chat.start()          # as a crash, and what comes after it
"""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import indent
from typing import Any

import psutil
from websockets.sync.client import ClientConnection

from course.build import Mutant
from course.database.keeper import free_port
from course.demo import Answer, ask, open_ws
from course.exercise import Wrong, expect
from course.ground import place, tether
from lessons.authors.checks.scene import ask as ask_database

START_TIME = 20.0  # seconds until it has to listen
STOP_TIME = 5.0  # seconds that it has to end after SIGTERM
LOCK_TIME = 10.0  # seconds until a statement has come to a locked table
PAUSE = 0.02  # seconds between two looks
OURS = ("demos", "course", "lessons")  # packages that do what a student builds
NOTING = Path(__file__).parent / "noting"  # what every Python of the program loads at its start
MAIN = "    parser ="  # the begin of the first line that our solutions run as programs
TRACEBACK = "Traceback (most recent call last)"
LOOPBACK = ("127.", "::1", "::ffff:127.")


class Program:
    """A program that is started as `python <file> --port N` and serves at 127.0.0.1."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        may_use: str = "",
    ) -> None:
        """Choose a free port.

        Args:
            command: its last word is the student's file; `--port N` comes behind it.
            environment: variables that it gets besides ours.
            may_use: the package of the course that it may use.
        """
        self.file, self._may_use = Path(command[-1]), may_use
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [*map(str, command), "--port", str(self.port)]
        self._notes = tempfile.NamedTemporaryFile(prefix="course-build-")  # noqa: SIM115 - as below
        self._environment = {
            **os.environ,
            **(environment or {}),
            "PYTHONUTF8": "1",
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(NOTING), os.environ.get("PYTHONPATH")])
            ),
            "COURSE_BUILD_NOTES": self._notes.name,
        }
        self._log = tempfile.TemporaryFile(prefix="course-build-")  # noqa: SIM115 - close() ends it
        self._read = 0  # bytes of the log that were judged already
        self._ours = False  # we have ended it ourselves, or its end was said
        self.quiet = False  # a traceback means that the goal is missed
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if it runs, and wait until it listens.

        Raises:
            Wrong: it ended, or does not listen, or not at 127.0.0.1 alone, or imports what it is to
                be.
        """
        expect_own(self.file, OURS, self._may_use)
        if self.process is not None:
            self.kill()
        self._ours = False
        self.process = tether.start(
            self._command,
            last_signal=signal.SIGKILL,
            cwd=place.ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # what it starts is in its group, and ends with it
        )
        deadline = time.monotonic() + START_TIME
        while not (self._answers() and self.port in self._expect_loopback()):
            if self.process.poll() is not None:
                raise Wrong(
                    self.trouble(missed=True) or "the program ended at once, without a word"
                )
            if time.monotonic() > deadline:
                self._expect_loopback()
                raise Wrong(
                    f"expected that it listens on port {self.port} (--port), after "
                    f"{START_TIME:g} s nothing listens there"
                )
            time.sleep(PAUSE)

    def kill(self) -> None:
        """End it at once, as a crash or a power cut does."""
        self._ours = True
        self._kill_group()
        if self.process:
            self.process.wait(STOP_TIME)

    def end(self) -> str:
        """End it with SIGTERM, and what it started; return a sentence if SIGTERM was not enough."""
        self._ours = True
        if self.process is None:
            return ""
        in_time, left = tether.end(self.process, STOP_TIME), self._kill_group()
        if not in_time:
            return f"the program does not end within {STOP_TIME:g} s of SIGTERM"
        return "the program ended and left processes behind" if left else ""

    def close(self) -> None:
        """End it, and forget what it wrote."""
        self.end()
        self._log.close()
        self._notes.close()

    def trouble(self, missed: bool) -> str:
        """Return what is wrong with the program itself since the last look, or "".

        That is that it is one of the course's own, or has ended. A traceback counts if a goal is
        missed, or `quiet` is set.
        """
        if used := self._uses():
            return f"your program uses {used} of the course: what that does is what you build"
        said = self.said[self._read :]
        self._read += len(said)
        error = _last_error(said, self.file)
        if self.process is not None and self.process.poll() is not None and not self._ours:
            self._ours = True  # it is said once
            code = self.process.returncode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            last = said.strip().splitlines()[-1:] or ["it printed nothing"]
            if code == 0 and not error:
                return f"the program ended {how}: {last[0]}. It has to serve until it is ended"
            return f"the program ended {how}: {error or last[0]}"
        if error and (missed or self.quiet):
            return f"the program printed a traceback: {error}"
        return ""

    @contextmanager
    def killed_if_missed(self) -> Iterator[None]:
        """Kill it as soon as the block fails: then clients need not wait for one that hangs."""
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def get(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> Answer:
        """Send one plain request, as `course.demo.Demo` does."""
        return ask(self.url, path, method, body, **headers)

    def ws(self, path: str, **options: Any) -> ClientConnection:  # noqa: ANN401 - as `connect` takes them
        """Open a WebSocket at a path."""
        return open_ws(
            self.url, path, **{"open_timeout": START_TIME, "close_timeout": 2.0, **options}
        )

    def _uses(self) -> str:
        """Return a finished module that it, or a process that it started, has loaded; else ""."""
        notes = Path(self._notes.name).read_text("utf-8").split()
        return next((one for one in notes if not _is_in(one, self._may_use)), "")

    @property
    def said(self) -> str:
        """All that it has printed so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def _family(self) -> Iterator[psutil.Process]:
        """Yield its process and those that it started, as far as they are still there."""
        with suppress(psutil.Error):
            first = psutil.Process(self.process.pid if self.process else None)
            yield from [first, *first.children(recursive=True)]

    def held(self) -> int:
        """Count the open files, sockets and threads of it and of the processes that it started."""
        count = 0
        for one in self._family():
            with suppress(psutil.Error):
                count += one.num_fds() + one.num_threads()
        return count

    def memory(self) -> float:
        """Return the megabytes that it and the processes that it started have for themselves."""
        size = 0
        for one in self._family():
            with suppress(psutil.Error):
                size += one.memory_full_info().uss
        return size / 1e6

    def _answers(self) -> bool:
        """Say whether somebody listens at its port: sooner known than where it listens."""
        for host in ("127.0.0.1", "::1"):
            with suppress(OSError), socket.create_connection((host, self.port), START_TIME):
                return True
        return False

    def _expect_loopback(self) -> list[int]:
        """Return the ports at which it, or a process that it started, listens.

        Raises Wrong: it listens at an address that others reach.
        """
        ports = []
        for one in self._family():
            with suppress(psutil.Error):
                for there in one.net_connections(kind="tcp"):
                    if there.status != psutil.CONN_LISTEN:
                        continue
                    host, port = there.laddr
                    expect(
                        host.startswith(LOOPBACK),
                        f"expected a server at 127.0.0.1, it listens at {host}, port {port}, which "
                        "lets in everybody in your network",
                    )
                    ports.append(port)
        return ports

    def _kill_group(self) -> bool:
        """Kill whatever is left of its process group; say whether there was anything."""
        assert self.process
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True


@contextmanager
def serving(file: Path, may_use: str = "") -> Iterator[Program]:
    """Give a program that has not been started yet: that it starts is its first goal.

    `may_use` is the package of the course that it may use.
    """
    program = Program([sys.executable, file], may_use=may_use)
    try:
        yield program
    finally:
        program.close()


def begins_with(code: str, says: str) -> Mutant:
    """Return our solution as a program that runs these lines of code before it serves."""
    return Mutant([(MAIN, f"{indent(code, '    ')}\n{MAIN}")], says)


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until the condition is true; say whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def wait_for_a_lock(what: str) -> None:
    """Wait until a statement waits for a table that is locked. Raises Wrong: none does."""
    sql = """select id from information_schema.processlist where db = database()
        and state like 'Waiting for table metadata lock%%'"""
    expect(until(lambda: ask_database(sql), LOCK_TIME), f"expected {what}, none came")


def expect_own(file: Path, packages: Sequence[str], may_use: str = "") -> None:
    """Expect that a file imports nothing of these packages but of the one that it may use."""
    foreign = [one for one in _imports(file, packages) if not _is_in(one, may_use)]
    expect(
        not foreign,
        f"your file imports {foreign[0] if foreign else ''}: what that does is what you build",
    )


def _is_in(module: str, package: str) -> bool:
    return bool(package) and f"{module}.".startswith(f"{package}.")


def _imports(file: Path, packages: Sequence[str]) -> list[str]:
    """Return the modules of these packages that a file imports; none if it is no Python."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError):
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{one.name}" for one in node.names]
    return [one for one in found if any(_is_in(one, name) for name in packages)]


def _last_error(said: str, file: Path) -> str:
    """Return the last line of the last traceback, and where it comes from; "" without one.

    That is a line of the student's file if the traceback has one, else a line of another one.
    """
    _, mark, text = said.rpartition(TRACEBACK)
    if not mark:  # a file that is no Python has no such line
        found = re.search(r'File "([^"]+)", line (\d+)\n(?:.*\n)*?(\w*Error: .*)', said)
        return _at(found[3], [found[2]]) if found else ""
    lines = text.splitlines()[1:]
    error = next((line for line in lines if re.match(r"[A-Za-z_]", line)), "")[:200]
    frames = re.findall(r'File "([^"]+)", line (\d+)', text)
    mine = [number for there, number in frames if Path(there).name == file.name]
    if "'wsgi.websocket'" in error:
        return (
            f"{_at(error, mine)}. A WebSocket is there only if gevent's WSGIServer got "
            "handler_class=WebSocketHandler"
        )
    if "already used by another greenlet" in error:
        return (
            f"{_at(error, mine)}. Two greenlets wrote to one socket at the same time: "
            "`receive()` writes, too, when it answers a ping or a close. The file's head shows "
            "the cure"
        )
    if mine or not frames:
        return _at(error, mine)
    there, number = frames[-1]
    return f"{error} (line {number} of {'/'.join(Path(there).parts[-2:])})"


def _at(error: str, numbers: Sequence[str]) -> str:
    """Return an error with the last of these lines, if there is one."""
    return f"{error} (line {numbers[-1]})" if numbers else error
