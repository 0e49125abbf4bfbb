"""Servers of demos as processes of their own, and clients of them. A test in tests/<demo> starts modules of demos/<demo>.

    def test_it(start):
        server = start("step1_echo", "--heartbeat", "3")
        with server.ws("echo") as client: ...
        assert server.get("/").status == 200
        assert server.stop() == 0

`start` gives a test a server of its own. `shared` gives one that all tests of a file share, for tests that leave it as
it was. Sockets of `ws` are closed when the test ends, servers are ended by their process, and a traceback in a
server's log fails the test, or the file if it is shared.
"""

import http.client
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest
from websockets.sync.client import connect

from course import place
from tests.waiting import eventually

_clients = ExitStack()  # opened during this test


class Server:
    """A running `python -m demos.<demo>.<module>`; `module` is such as "group_chat.chat".

    `url` is its address without a path, `page` the address it asks to open, `process` its Popen.
    """

    def __init__(self, folder, module, *args, env=None):
        name = f"{module}-{len(list(folder.iterdir()))}"
        self._stdout, self._stderr = folder / f"{name}.out", folder / f"{name}.err"
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"demos.{module}", *args],
                cwd=place.ROOT,
                env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        found = eventually(lambda: self._address() or self.process.poll() is not None)
        if not isinstance(found, str):
            self.kill()
            raise AssertionError(f"{module} did not start:\n{self.output}{self.log}")
        self.page = found
        self.url = found[: found.index("/", len("http://"))]

    @property
    def log(self):
        """What it has written to stderr so far."""
        return self._stderr.read_text("utf-8", errors="replace")

    @property
    def output(self):
        """What it has written to stdout so far."""
        return self._stdout.read_text("utf-8", errors="replace")

    def ws(self, path, **options):
        """Open a WebSocket at a path, such as "ql" or "韩雪"; `options` are those of websockets' `connect`.

        It reads all that comes, also when the test does not; `max_queue=16` makes it stop.
        """
        options = {"max_queue": None, **options}
        address = f"{self.url}/{quote(path, safe='/?&=%')}".replace("http", "ws", 1)
        return _clients.enter_context(connect(address, proxy=None, **options))

    def get(self, path, method="GET", body=None, **headers):
        """Send one plain request; returns status, headers and body (text). `_` in a header's name stands for -."""
        with ExitStack() as stack:
            connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
            stack.callback(connection.close)
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, quote(path, safe="/?&=%"), body, fields)
            answer = connection.getresponse()
            return SimpleNamespace(
                status=answer.status, headers=answer.headers, body=answer.read().decode()
            )

    def stop(self, seconds=20):
        """Ask it to stop (SIGTERM) and return its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self):
        """End it at once (SIGKILL)."""
        self.process.kill()
        return self.process.wait(20)

    def end(self):
        """End it, whatever state it is in."""
        try:
            self.stop(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def _address(self):
        found = re.search(r"http://\S+", self.output.rpartition("\n")[0])
        return found and found[0]


class Servers:
    """Starts servers of one demo, such as "group_chat", and ends them all."""

    def __init__(self, folder, demo):
        self.folder, self.demo = folder, demo
        self.running = []  # server, and whether its log may have tracebacks

    def start(self, module, *args, tracebacks=False, port=0, env=None):
        """Start a module on a free port; `port=None`: it has no such option.

        `tracebacks=True`: its log may have some, as that of the naive servers.
        """
        options = [] if port is None else ["--port", str(port)]
        server = Server(self.folder, f"{self.demo}.{module}", *options, *args, env=env)
        self.running.append((server, tracebacks))
        return server

    def end(self):
        """End all; a traceback that nobody expected is an error."""
        for server, _ in self.running:
            server.end()
        logs = [server.log for server, tracebacks in self.running if not tracebacks]
        assert not [log for log in logs if "Traceback" in log], "\n".join(logs)


@pytest.fixture
def start(request, tmp_path_factory):
    """Start a server that is this test's own: `start(module, *args, tracebacks=False, port=0, env=None)`."""
    servers = Servers(tmp_path_factory.mktemp("servers"), request.path.parent.name)
    yield servers.start
    servers.end()


@pytest.fixture(scope="module")
def shared(request, tmp_path_factory):
    """The same, but a module with the same arguments starts once for all tests of the file."""
    servers = Servers(tmp_path_factory.mktemp("shared"), request.path.parent.name)
    known = {}

    def start(module, *args, **options):
        key = (module, *args)
        if key not in known:
            known[key] = servers.start(module, *args, **options)
        return known[key]

    yield start
    servers.end()


@pytest.fixture(autouse=True)
def _hang_up():
    """Close the sockets of this test."""
    yield
    _clients.close()
