"""What the tests of private_chat share: the seed, and servers of one file that have the same users and key.

`start` and `shared` are those of tests/support/servers.py. A file has one database, restored at its beginning; a test that
changes what others look at takes `book` as well, or users of its own (people.py: `newcomer`).
"""

import itertools

import pytest

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.seed import restore


@pytest.fixture(scope="module", autouse=True)
def _surroundings(database):
    """The seed, and a secret key for cookies, so that nothing is written beside the student's own."""
    restore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", "the tests' own")
        yield
    MysqlHelp.close_all()


class Doors:
    """Several processes as one server: each request and each socket goes to the next, as behind a proxy."""

    def __init__(self, servers):
        self.servers, self._turns = servers, itertools.cycle(servers)

    def get(self, *args, **options):
        return next(self._turns).get(*args, **options)

    def ws(self, *args, **options):
        return next(self._turns).ws(*args, **options)

    @property
    def log(self):
        return "".join(server.log for server in self.servers)


@pytest.fixture(scope="module")
def three_processes(shared, _worker_redis):
    """Three processes of the finished messenger, with one Redis, for all tests of a file."""
    _worker_redis.stop()
    _worker_redis.start()
    # An option that changes nothing makes three servers of one.
    options = [("--redis", _worker_redis.url, "--heartbeat", f"{25 + n}") for n in range(3)]
    return [shared("step6_several_processes", *each) for each in options]


@pytest.fixture(params=["one process", "three processes"])
def finished(request, shared):
    """The finished messenger: a test that takes it runs twice, and must not notice a difference."""
    if request.param == "one process":
        return shared("step6_several_processes")
    return Doors(request.getfixturevalue("three_processes"))
