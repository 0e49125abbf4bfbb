"""A demo that runs beside a lesson or a test: a process of its own on a free port, and clients for it.

In a notebook:

    room = start("group_chat/step4_nicknames")
    with room.ws("韩雪") as one: ...
    room.stop()
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import weakref
from dataclasses import dataclass
from email.message import Message
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from course.database import keeper, redis_server
from course.ground import kernel, place, tether
from course.ground.errors import CourseError
from course.lesson import LessonError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

START_LIMIT = 60.0  # seconds until a demo has said its address; on a busy machine it takes some
ANSWER_LIMIT = 60.0  # seconds for the answer to a plain request, and to a handshake


@dataclass(frozen=True)
class Answer:
    """The answer to a plain HTTP request."""

    status: int
    headers: Message
    body: str


class Demo:
    """A running `python -m demos.<module>` that has printed its address.

    `url` is the address without a path, `page` the one it asks to open, `process` its Popen.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        folder: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start it and wait for its address.

        Args:
            module: below `demos`, such as `group_chat.chat`.
            arguments: passed on to it.
            folder: where to keep what it prints, for who looks there; default: files without a name.
            env: more environment.

        Raises:
            CourseError: it ended before it said an address; the details are its last words.
        """
        self.module = module
        self._output, self._log = (_log_file(folder, module, end) for end in ("out", "err"))
        for file in (self._output, self._log):
            weakref.finalize(self, file.close)
        self.process = tether.start(
            [sys.executable, "-m", f"demos.{module}", *arguments],
            last_signal=signal.SIGTERM,
            cwd=place.ROOT,
            env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._log,
            start_new_session=True,  # an interrupted cell or test does not interrupt it
        )
        try:
            keeper.wait_until(self._is_settled, START_LIMIT)
        except BaseException:
            self.kill()  # nobody else knows of it yet: a cell may have been interrupted
            raise
        self.page = self._address()
        if not self.page:
            self.kill()
            raise CourseError(f"{module} did not start; its last words are below.", self.said)
        self.url = self.page[: self.page.index("/", len("http://"))]

    def __repr__(self) -> str:
        """The same on every machine: no port, no process number."""
        return f"<{self.module}: {'runs' if self.process.poll() is None else 'ended'}>"

    @property
    def log(self) -> str:
        """What it has written to stderr so far."""
        return _text(self._log)

    @property
    def output(self) -> str:
        """What it has written to stdout so far."""
        return _text(self._output)

    @property
    def said(self) -> str:
        """All that it has written so far."""
        return self.output + self.log

    def ws(self, path: str, **options: Any) -> ClientConnection:  # noqa: ANN401 - as `connect` takes them
        """Open a WebSocket at a path, such as `ql` or `韩雪`; use it in a `with` block.

        Args:
            path: not percent-encoded.
            options: those of `websockets.sync.client.connect`.
        """
        return open_ws(self.url, path, **options)

    def get(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> Answer:
        """Send one plain request; `_` in a header's name stands for `-`."""
        return ask(self.url, path, method, body, **headers)

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to stop (SIGTERM) and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not within that time.
        """
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> int:
        """End it at once (SIGKILL), as a crash would."""
        self.process.kill()
        return self.process.wait(20)

    def end(self) -> None:
        """End it, whatever state it is in."""
        try:
            self.stop(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def _is_settled(self) -> bool:
        return bool(self._address()) or self.process.poll() is not None

    def _address(self) -> str:
        found = re.search(r"http://\S+", self.output.rpartition("\n")[0])
        return found[0] if found else ""


def _log_file(folder: Path | None, module: str, ending: str) -> IO[bytes]:
    """Open a file to write to and to read; one without a name is gone with the last who has it open."""
    if folder is None:
        return tempfile.TemporaryFile(prefix="course-demo-")
    count = len(list(folder.glob(f"*.{ending}")))
    return (folder / f"{module}-{count}.{ending}").open("w+b")


def _text(file: IO[bytes]) -> str:
    """Return all that is in a file so far, without moving to where its writer is."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode("utf-8", errors="replace")


def open_ws(url: str, path: str, **options: Any) -> ClientConnection:  # noqa: ANN401
    """Open a WebSocket at a path of a server; it reads all that comes, also when nobody asks."""
    from websockets.sync.client import connect

    address = f"{url}/{quote(path, safe='/?&=%')}".replace("http", "ws", 1)
    usual = {"max_queue": None, "proxy": None, "open_timeout": ANSWER_LIMIT}
    opened: ClientConnection = connect(address, **{**usual, **options})
    return opened


def two_addresses(demo: Demo, first: str, second: str) -> None:
    """Display a demo's page for two people, each under another name of this machine.

    A browser keeps cookies by the name of the server. So both people can be logged in in one browser, in two tabs. The
    links hold a port, which is another one next time: a notebook that is kept has only the text below them.

    Args:
        demo: what runs, with a page to log in.
        first: a name for the link to 127.0.0.1.
        second: a name for the link to localhost.
    """
    pages = {first: demo.page, second: demo.page.replace("//127.0.0.1:", "//localhost:", 1)}
    if kernel.shell() is None:
        print(*(f"{who}: {page}" for who, page in pages.items()), sep="\n")
        return
    from IPython.display import display

    links = [
        f'<p>{escape(who)}: <a href="{escape(page)}" target="_blank">{escape(page)}</a></p>'
        for who, page in pages.items()
    ]
    plain = [f"{who}: {re.sub(r':[0-9]+/', ':…/', page)}" for who, page in pages.items()]
    display({"text/html": "".join(links), "text/plain": "\n".join(plain)}, raw=True)  # type: ignore[no-untyped-call]


def ask(
    url: str, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> Answer:
    """Send one plain request to a server; `_` in a header's name stands for `-`. A path may begin without its slash."""
    path = path if path.startswith("/") else f"/{path}"
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_LIMIT)
    with contextlib.closing(connection):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, quote(path, safe="/?&=%"), body, fields)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


_running: dict[str, Demo] = {}
_redis: list[redis_server.RedisServer] = []


def start(step: str, *arguments: str, name: str = "", env: dict[str, str] | None = None) -> Demo:
    """Start a step on a free port, for a notebook; it ends with `stop`, or with the kernel.

    A cell that runs again ends what it started before.

    Args:
        step: such as `group_chat/step4_nicknames`, or a module such as `group_chat/naive/chat`.
        arguments: passed on to the step.
        name: tells several processes of one step apart.
        env: more environment.

    Raises:
        LessonError: there is no such step, or it does not start.
    """
    if not (place.ROOT / "demos" / f"{step}.py").is_file():
        raise LessonError(f"There is no step {step}; this lists them: python3 -m course step")
    former = _running.pop(name or step, None)
    if former:
        former.end()
    try:
        demo = Demo(step.replace("/", "."), "--port", "0", *arguments, env=env)
    except CourseError as error:
        raise LessonError(str(error), error.details) from None
    _running[name or step] = demo
    return demo


def redis_url() -> str:
    """Return the address of a private Redis, started for this kernel.

    Raises:
        LessonError: there is none on this machine and none can be fetched.
    """
    return private_redis().url


def private_redis() -> redis_server.RedisServer:
    """Return the private Redis of this kernel; the first call starts it.

    `kill()` ends it and loses what it held, `start()` starts it again at the same address.

    Raises:
        LessonError: there is none on this machine and none can be fetched.
    """
    if not _redis:
        from course.ground import tools

        try:
            server = redis_server.RedisServer(tools.ensure("redis-server"))
            server.start()
        except CourseError as error:
            raise LessonError(str(error), error.details) from None
        _redis.append(server)
    return _redis[0]
