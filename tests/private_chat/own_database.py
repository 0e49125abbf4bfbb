"""A database server that a test may halt, kill and start again; MYSQL_* lead to it.

    with OwnDatabase(folder) as database:
        database.kill()
        database.start()
        with database.halted(): ...
"""

import os
import signal
from contextlib import contextmanager

import pytest

from course import program, server
from demos.pool_demo.seed import restore
from tests.waiting import eventually


class OwnDatabase:
    """A private server with the seed, in a folder; it keeps port and password when it is started again."""

    def __init__(self, folder):
        if program.find() is None:
            pytest.skip("MYSQL_* names a server, so no server program is installed here")
        self._lease = server.Lease(folder / "database")
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

    @contextmanager
    def halted(self):
        """A server that hangs: its process gets no time."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
