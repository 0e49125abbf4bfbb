"""What the tests of pool_demo share: connections that are closed at the end, and patience."""

import pymysql
import pytest
from pymysql.cursors import DictCursor

from demos.instruments.witness import Witness
from demos.pool_demo.lending.lender import tls_arguments
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.ptpool import PTConnectionPool
from demos.pool_demo.settings import connect_args, load

STUDENTS = [
    {"id": 1, "name": "韩雪", "age": 24, "gender": "女"},
    {"id": 2, "name": "舒畅", "age": 23, "gender": "女"},
    {"id": 3, "name": "唐嫣", "age": 25, "gender": "女"},
]


@pytest.fixture(scope="module", autouse=True)
def _few_authorities_where_nothing_is_measured(request):
    if request.path.stem != "test_step6":  # which shows what each part of a connect costs
        request.getfixturevalue("few_authorities")


@pytest.fixture
def connection(book):
    """A raw connection to the restored database; rows are dicts, each statement commits."""
    arguments = connect_args(cursorclass=DictCursor, autocommit=True)
    with pymysql.connect(**arguments, **tls_arguments(load(), None)) as opened:
        yield opened


@pytest.fixture
def ask(connection):
    """Run a statement outside any pool and return its rows."""

    def rows(sql, *param):
        with connection.cursor() as cursor:
            cursor.execute(sql, param or None)
            return list(cursor.fetchall())

    return rows


class PatientWitness(Witness):
    """Waits longer for what it expects: a slow machine is no fault."""

    def settle(self, expected=None, seconds=30.0):
        """Wait until the server has so many connections, or a count that stays; return it."""
        return super().settle(expected, seconds)


@pytest.fixture
def witness(book, connection):
    """A witness whose baseline includes the fixture `connection`."""
    with PatientWitness() as watching:
        yield watching


@pytest.fixture
def db(book):
    """The `MysqlHelp` of this test, with a pool of its own."""
    MysqlHelp.close_all()
    yield MysqlHelp()
    MysqlHelp.close_all()


@pytest.fixture
def ptpool(book):
    """The class `PTConnectionPool`, whose pool is closed at the end."""
    PTConnectionPool.close_pool()
    yield PTConnectionPool
    PTConnectionPool.close_pool()


@pytest.fixture
def play(run_step, ask, witness):
    """Run a step and return its output; it must succeed, say nothing else, and clean up."""

    def run(name, **env):
        done = run_step(f"pool_demo.{name}", env=env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert ask("select * from student") == STUDENTS
        assert ask("select * from stu") == []
        assert ask("show tables like 'account'") == []
        assert witness.settle(0) == 0
        return done.stdout

    return run


def conclusion(output):
    """Return the sentence a step ends with."""
    *_, last = output.strip().splitlines()
    assert last.startswith("Conclusion: ")
    return last
