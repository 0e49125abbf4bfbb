"""What the chat benchmark compares, and how each of them is started, watched and ended."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from bench.chat.load.joining import LoadError
from bench.chat.native import NoCompilerError, library, state
from course.ground import tether
from demos.pool_demo.settings import ROOT

ROOM, RICH, SOURCE = "the room", "the room, rich format", "source's loop"
WEBSOCKETS, AIOHTTP = "websockets broadcast()", "aiohttp"
STARLETTE, FLASK_SOCK = "starlette/uvicorn", "flask-sock, threads"
SOCKETIO, NODE = "Flask-SocketIO, gevent", "Node ws"
FLOOR, PYTHON_FLOOR = "floor, C", "floor, Python"

PEERS = Path(__file__).parent / "peers"
NODE_FOLDER, FLOOR_SOURCE = PEERS / "node", PEERS / "floor.c"
START_TIME = 60.0  # seconds; a busy machine needs a quarter of it
_URL = re.compile(r"http://127\.0\.0\.1:\d+")


class ServerError(Exception):
    """A server cannot be had or does not start. The message is one sentence without its end."""


def _python(module: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", module, *arguments, "--port", "0"]


def _peer(name: str) -> Callable[[], list[str]]:
    return _python("bench.chat.peers", name)


def _node() -> list[str]:
    """Return the command of the Node server; its package comes from npm, once."""
    node = os.environ.get("COURSE_NODE") or shutil.which("node")
    if not node:
        raise ServerError("there is no node (on Debian and Ubuntu: apt-get install nodejs npm)")
    places = [str(_node_packages()), *filter(None, [os.environ.get("NODE_PATH")])]
    return ["env", f"NODE_PATH={os.pathsep.join(places)}", node, str(NODE_FOLDER / "server.js")]


def _floor_in_c() -> list[str]:
    """Return the command of the floor in C, which is compiled by then."""
    try:
        library(FLOOR_SOURCE)
    except NoCompilerError as error:
        raise ServerError(str(error)) from None
    return _python("bench.chat.peers", "floor_c")()


@cache
def _node_packages() -> Path:
    """Install what package-lock.json says into the course's own folder; return its node_modules.

    Where there is no npm, or no network, Node may still know `ws` from elsewhere (NODE_PATH).
    """
    folder = state() / "node"
    lock = NODE_FOLDER / "package-lock.json"
    npm, done = shutil.which("npm"), folder / "node_modules" / ".package-lock.json"
    current = done.exists() and (folder / lock.name).read_bytes() == lock.read_bytes()
    if npm and not current:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", lock.name):
            shutil.copy(NODE_FOLDER / name, folder)
        quick = ["--no-audit", "--no-fund", "--fetch-retries=0"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [npm, "ci", "--ignore-scripts", *quick],
                cwd=folder,
                capture_output=True,
                timeout=30,
                check=False,
            )
    return folder / "node_modules"


@dataclass(frozen=True)
class Contender:
    """A server to measure: how to start it, what its clients speak, what it is made of."""

    name: str
    command: Callable[[], list[str]] = field(repr=False)
    dialect: str = "named"
    packages: tuple[str, ...] = ()

    @contextmanager
    def started(self, patience: float = 0.0) -> Iterator["Server"]:
        """Have it run for a block; its end is certain, also when this process is killed.

        Args:
            patience: seconds that it has at the end to say goodbye, before it is killed.

        Raises:
            ServerError: it did not say its address in time.
            LoadError: the block's own, with what the server complained of last.
        """
        with tempfile.TemporaryFile("w+") as output:
            process = tether.start(
                self.command(),
                cwd=ROOT,
                env={**os.environ, "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Server(process.pid, *_address(process, output.fileno()))
            except LoadError as error:
                raise LoadError(f"{error}{_complaint(output.fileno())}") from None
            finally:
                if patience:
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(patience)
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, its address, and what it said of itself."""

    pid: int
    url: str
    words: str

    def memory(self) -> float:
        """Return the kB of memory that are this process's own."""
        return float(psutil.Process(self.pid).memory_full_info().uss) / 1024

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used until now, in all threads."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


def _address(process: subprocess.Popen[bytes], output: int) -> tuple[str, str]:
    """Wait until the server says where it is; return that and the line with it."""
    deadline = time.monotonic() + START_TIME
    while True:
        ended = process.poll() is not None
        text = os.pread(output, 1 << 16, 0).decode(errors="replace")
        for line in text.splitlines():
            if found := _URL.search(line):
                return found[0], line
        if ended:
            lines = text.strip().splitlines() or ["no word"]
            raise ServerError(f"it ended with: {lines[-1].rstrip('.')}")
        if time.monotonic() > deadline:
            raise ServerError(f"it was not ready after {START_TIME:.0f} s")
        time.sleep(0.01)


def _complaint(output: int) -> str:
    """Return the last line in which a server speaks of an error, as the end of a sentence."""
    text = os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
    found = [line for line in text.splitlines() if "error" in line.lower()]
    return f"; the server's last complaint: {found[-1].strip().rstrip('.')}" if found else ""


def room(*arguments: str, name: str = ROOM, dialect: str = "named") -> Contender:
    """Return the finished room, with further arguments for its command line."""
    # Clients here say more in a second than a person does in an hour.
    command = _python(
        "demos.group_chat.chat", "--rate", "1000000", "--people", "1000000", *arguments
    )
    return Contender(name, command, dialect, ("gevent", "gevent-websocket", "Flask"))


CONTENDERS = [
    room(),
    room(name=RICH, dialect="rich"),
    Contender(SOURCE, _python("demos.group_chat.naive.chat")),
    Contender(WEBSOCKETS, _peer("websockets_broadcast"), packages=("websockets",)),
    Contender(AIOHTTP, _peer("aiohttp_server"), packages=("aiohttp",)),
    Contender(STARLETTE, _peer("starlette_uvicorn"), packages=("starlette", "uvicorn")),
    Contender(FLASK_SOCK, _peer("flask_sock_threads"), packages=("flask-sock", "simple-websocket")),
    Contender(
        SOCKETIO,
        _peer("flask_socketio_gevent"),
        "socketio",
        ("Flask-SocketIO", "python-socketio", "python-engineio"),
    ),
    Contender(NODE, _node),
    Contender(PYTHON_FLOOR, _peer("floor_python")),
    Contender(FLOOR, _floor_in_c),
]
