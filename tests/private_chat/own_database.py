"""A database server that a test may halt, kill and start again; MYSQL_* lead to it.

with OwnDatabase(folder) as database:
    database.kill()
    database.start()
    with database.halted(): ...
"""

import os
import random
import signal
import socket
from contextlib import contextmanager

import pytest

from course.database import program, server
from demos.pool_demo.seed import restore
from tests.support.processes import halt
from tests.support.waiting import eventually


def lasting_port():
    """Return a free port that nobody takes while its server is down: the system gives none below 32768 to clients."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class OwnDatabase:
    """A private server with the seed, in a folder; it keeps port and password when it is started again."""

    def __init__(self, folder):
        if program.find() is None:
            pytest.skip("MYSQL_* names a server, so no server program is installed here")
        self._lease = server.Lease(folder / "database", lasting_port())
        self._port = self._lease.status.port
        self._patch = pytest.MonkeyPatch()
        for name, value in self._lease.status.as_environment().items():
            self._patch.setenv(name, value)
        restore()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._patch.undo()
        self._lease.release()

    @property
    def pid(self):
        return self._lease.status.server_pid

    def kill(self):
        """End it at once (SIGKILL), and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert eventually(lambda: not self._lease.is_good())

    def start(self):
        """Start it again."""
        self._lease.renew()
        assert self._lease.status.port == self._port

    @contextmanager
    def halted(self):
        """A server that hangs: its process gets no time."""
        halt(self.pid)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
