"""What most checks need: tables in their starting state, a witness on the server, and callers.

with scene("student") as witness:
    answer(...)
    expect(witness.settle(0) == 0, "...")
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, TypeVar
from unittest import mock

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.cursors import Cursor, DictCursor

from course.exercise import expect
from course.lesson import LessonError
from demos.instruments.screen import explain
from demos.instruments.witness import Witness
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import Settings, load, tls_arguments

TOGETHER = 60.0  # seconds until callers that come at once are given up; a check's limit is shorter

Found = TypeVar("Found")


class Interrupted(str):
    """An SQL text or a parameter: while the driver works on it, Ctrl-C is pressed."""

    def encode(self, *_: str) -> bytes:
        """Raise, as Ctrl-C does."""
        raise KeyboardInterrupt

    def translate(self, *_: object) -> str:
        """Raise, as Ctrl-C does."""
        raise KeyboardInterrupt


@contextmanager
def scene(*tables: str) -> Iterator[Witness]:
    """Give a witness for a block that begins and leaves with these tables as in the seed.

    Connections that the block left open are ended first: one with a lock would hold the tables.
    Raises LessonError if another program holds them.
    """
    with ExitStack() as stack:
        if tables:
            _restore(tables)
            stack.callback(_restore, tables)
        witness = stack.enter_context(Witness())
        stack.callback(_end_all, witness)
        yield witness


def ask(sql: str, *param: object) -> list[dict[str, Any]]:
    """Return the rows of a statement, over a connection of its own: what others see."""
    where = load()
    options = {"cursorclass": DictCursor, "autocommit": True, **tls_arguments(where, None)}
    with (
        pymysql.connect(**where.connect_args(**options)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, param or None)
        return list(cursor.fetchall())


@contextmanager
def helper(settings: Settings | None = None) -> Iterator[MysqlHelp]:
    """Have a MysqlHelp of the check's own for a block."""
    with closing(MysqlHelp(settings, connections=2)) as db:
        yield db


@contextmanager
def noted_queries() -> Iterator[list[str]]:
    """Give a list of the queries that PyMySQL sends during a block, with their parameters."""
    sent: list[str] = []
    query = pymysql.connections.Connection.query

    def noting(connection: Any, sql: Any, unbuffered: bool = False) -> int:  # noqa: ANN401
        sent.append(str(sql))
        return query(connection, sql, unbuffered)

    with mock.patch.object(pymysql.connections.Connection, "query", noting):
        yield sent


def bytes_sent(connection: pymysql.Connection) -> int:
    """Return how many bytes the server has sent over a connection so far."""
    with connection.cursor(Cursor) as cursor:
        cursor.execute("show session status like 'Bytes_sent'")
        ((_, count),) = cursor.fetchall()
    return int(count)


def open_pool(**limits: Any) -> Any:  # noqa: ANN401 - as PooledDB takes them; it has no types
    """Open a pool on the course's database, as lesson 03 does."""
    return PooledDB(creator=pymysql, **limits, **load().connect_args())


def at_once(count: int, work: Callable[[], Found]) -> list[Found]:
    """Let so many threads do the work, all at once; return the results. Raises the first error.

    A thread that hangs is left behind, by the check's time limit or at last by ours, and ends with
    the process.
    """
    results: list[Found] = []
    errors: list[BaseException] = []
    meet = threading.Barrier(count)

    def caller() -> None:
        try:
            meet.wait(TOGETHER)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=caller, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TOGETHER
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    done = len(results)
    expect(done == count, f"{count - done} of {count} callers still wait after {TOGETHER:g} s")
    return results


def _restore(tables: tuple[str, ...]) -> None:
    try:
        restore(*tables)
    except pymysql.OperationalError as error:
        raise LessonError(explain(error) or f"The tables cannot be restored: {error}") from None


def _end_all(witness: Witness) -> None:
    for number in witness.ids():
        with suppress(pymysql.Error):  # it has ended by itself
            witness.kill(number)
