"""Servers of demos as processes of their own, and clients of them. A test in tests/<demo> starts modules of demos/<demo>.

    def test_it(start):
        server = start("step1_echo", "--heartbeat", "3")
        with server.ws("echo") as client: ...
        assert server.get("/").status == 200
        assert server.stop() == 0

`start` gives a test a server of its own. `shared` gives one that all tests of a file share, for tests that leave it as
it was; where a file's tests run on one worker (`--dist loadfile`), it starts once. Sockets of `ws` are closed when the
test ends, servers are ended by their process, and a traceback in a server's log fails the test, or the file if it is
shared.
"""

import subprocess
from contextlib import ExitStack, suppress

import pytest

from course.demo import Demo, open_ws

STOP_LIMIT = 10.0  # seconds between asking a server to stop and ending it
SEND_LIMIT = 30.0  # seconds; a server that reads nothing must not hold a test up for ever

_clients = ExitStack()  # opened during this test


class Server(Demo):
    """A demo whose sockets are closed when the test ends."""

    def ws(self, path, **options):
        """Open a WebSocket at a path, such as "ql" or "韩雪"; `options` are those of websockets' `connect`.

        It reads all that comes, also when the test does not; `max_queue=16` makes it stop.
        """
        client = _clients.enter_context(open_ws(self.url, path, **options))
        with suppress(OSError):  # the server has closed it already
            client.socket.settimeout(SEND_LIMIT)
        return client


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
        module = f"{self.demo}.{module}"
        server = Server(module, *options, *args, folder=self.folder, env=env)
        self.running.append((server, tracebacks))
        return server

    def end(self):
        """End all at the same time; a traceback that nobody expected is an error."""
        for server, _ in self.running:
            server.process.terminate()
        for server, _ in self.running:
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(STOP_LIMIT)
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
