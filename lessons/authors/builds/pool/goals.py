"""What is asked of a pool. Threads borrow from it; the database server says what came of it."""

import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pymysql

from course.build import Mutant, Staircase
from course.exercise import Wrong, expect
from demos.instruments.witness import Witness
from demos.pool_demo.settings import load, tls_arguments
from lessons.authors.builds.program import OURS, expect_own, until
from lessons.authors.checks.scene import ask, at_once, scene

PATIENCE = 5.0  # seconds for what has to come
LOOK = 0.05  # seconds between two looks at a thread that waits
AGE = "select age from student where id = 1"
SET_AGE = "update student set age = %s where id = 1"

Connection = Any  # of PyMySQL


class Pool(Protocol):
    """What a student's class has."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Borrow a connection for a block."""

    def close(self) -> None:
        """Close all that are idle."""


class Module:
    """The student's file, imported."""

    def __init__(self, names: dict[str, Any]) -> None:
        """Take the names that the file defines."""
        self._class = names.get("Pool")

    def pool(
        self, size: int, timeout: float = PATIENCE, connect: Callable[[], Connection] | None = None
    ) -> Pool:
        """Make a pool on the course's database."""
        expect(isinstance(self._class, type), "expected a class `Pool`, the file has none")
        assert self._class
        made: Pool = self._class(connect or open_connection, size, timeout)
        return made

    def trouble(self, missed: bool) -> str:
        """Return nothing: the file has no process of its own."""
        return ""


@contextmanager
def imported(file: Path) -> Iterator[Module]:
    """Import the student's file."""
    expect_own(file, ("dbutils", *OURS))
    try:
        names = runpy.run_path(str(file))
    except (Exception, SystemExit) as error:
        raise Wrong(f"the file cannot be imported: {type(error).__name__}: {error}") from None
    yield Module(names)


def open_connection() -> Connection:
    """Connect to the course's database."""
    where = load()
    return pymysql.connect(**where.connect_args(**tls_arguments(where, None)))


def number_of(connection: Connection) -> int:
    """Ask the server which connection this is."""
    with connection.cursor() as cursor:
        cursor.execute("select connection_id()")
        return int(cursor.fetchone()[0])


def run(connection: Connection, sql: str, *param: object) -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, param)


stairs = Staircase(imported)


@stairs.goal(
    hint="A class whose method `connection` has the decorator contextlib.contextmanager: open a "
    "connection, `yield` it.",
    mutant=[("            yield connection", "            yield connection.cursor()")],
    says="'Cursor' object has no attribute 'cursor'",
    also=[
        Mutant(
            [("import pymysql\n", "import pymysql\nfrom dbutils.pooled_db import PooledDB\n")],
            "your file imports dbutils.pooled_db",
        ),
    ],
)
def lends(mine: Module) -> None:
    """Borrow one and ask something."""
    with scene(), mine.pool(2).connection() as connection:
        expect(number_of(connection) > 0, "expected an open connection")


@stairs.goal(
    hint="After the `yield` do not close the connection. Put it into a list of idle ones, and let "
    "the next borrower take it from there.",
    mutant=[("self._pass_on(connection)", "self._pass_on(None)")],
    says="10 borrowers got 10",
)
def lends_again(mine: Module) -> None:
    """Let ten borrow, one after the other."""
    with scene():
        pool, seen = mine.pool(2), set()
        for _ in range(10):
            with pool.connection() as connection:
                seen.add(number_of(connection))
        expect(
            len(seen) == 1,
            f"expected one connection for borrowers that come one after the other, 10 borrowers "
            f"got {len(seen)} connections",
        )


@stairs.goal(
    hint="Count under a threading.Lock, before you open: if two threads look at the same time, "
    "both see a free place. Who finds no place waits, in a threading.Condition or on a queue.",
    mutant=[("[None] * size", "[None] * (size + 1)")],
    says="the server had 4",
)
def keeps_to_its_size(mine: Module) -> None:
    """Let twenty threads come at once to a pool of three."""
    most = 0
    with scene() as witness:
        pool, three_in = mine.pool(3), threading.Barrier(3)

        def borrow() -> int:
            with pool.connection() as connection:
                with suppress(threading.BrokenBarrierError):
                    three_in.wait(0.3)  # the first ones are in at the same time
                run(connection, "do sleep(0.02)")
                return number_of(connection)

        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(witness, over, most_seen := [0]))
        watcher.start()
        try:
            numbers = at_once(20, borrow)
        finally:
            over.set()
            watcher.join()
        most = max(most_seen[0], len(witness.ids()))
        expect(most <= 3, f"expected at most 3 open connections, the server had {most}")
        expect(
            len(set(numbers)) == 3,
            f"expected that 20 threads use 3 connections, they used {len(set(numbers))}",
        )


def _watch(witness: Witness, over: threading.Event, most: list[int]) -> None:
    while not over.is_set():
        most[0] = max(most[0], len(witness.ids()))
        time.sleep(0.005)


@stairs.goal(
    hint="`try: yield connection`, and give back in `finally`.",
    mutant=[
        (
            "        try:\n            yield connection\n        finally:\n",
            "        yield connection\n        if True:\n",
        )
    ],
    says="after an error in a block",
)
def survives_an_error_in_the_block(mine: Module) -> None:
    """Raise in the block, and borrow again."""
    with scene():
        pool = mine.pool(1, timeout=1)
        for _ in range(3):
            try:
                with pool.connection():
                    raise LookupError("what the borrower did wrong")
            except LookupError:
                pass
            except TimeoutError:
                expect(False, "expected the connection back after an error in a block, it is gone")
            else:
                expect(False, "expected that the block's error goes on to the caller, it was lost")
        with pool.connection() as connection:
            number_of(connection)


@stairs.goal(
    hint="PyMySQL begins a transaction with the first statement. Call `rollback()` when a "
    "connection comes back: after a commit there is nothing left to undo.",
    mutant=[("connection.rollback()", "connection.ping(reconnect=False)")],
    says="uncommitted",
)
def undoes_what_was_left(mine: Module) -> None:
    """Leave one change uncommitted and commit another one."""
    with scene("student"):
        pool = mine.pool(1)
        before = ask(AGE)
        with pool.connection() as connection:
            run(connection, SET_AGE, 77)
        with pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute(AGE)
            seen = cursor.fetchone()[0]
            connection.commit()
        expect(
            seen == before[0]["age"],
            f"expected that the next borrower sees the age {before[0]['age']}, an uncommitted "
            f"{seen} of the last one is there",
        )
        expect(ask(AGE) == before, "expected that nobody sees what was left uncommitted")
        with pool.connection() as connection:
            run(connection, SET_AGE, 66)
            connection.commit()
        expect(ask(AGE) == [{"age": 66}], "expected that what was committed is kept, it is not")


@stairs.goal(
    hint="Condition.wait_for and queue.get both take a `timeout`. Who gives up must not stay in "
    "the line of those who wait.",
    mutant=[("get(timeout=self._timeout)", "get(timeout=None)")],
    says="still waits",
)
def gives_up_in_time(mine: Module) -> None:
    """Borrow from a pool that is empty, with a short time-out; give back, and borrow again."""
    with scene():
        pool, came = mine.pool(1, timeout=0.3), list[object]()

        def wait() -> None:
            began = time.monotonic()
            try:
                with pool.connection() as connection:
                    came.append(connection)
            except BaseException as error:
                came.extend([error, time.monotonic() - began])

        with pool.connection():
            threading.Thread(target=wait, daemon=True).start()
            until(lambda: came, PATIENCE)
        expect(
            came,
            f"expected TimeoutError after 0.3 s, the borrower still waits after {PATIENCE:g} s",
        )
        expect(
            isinstance(came[0], TimeoutError),
            f"expected TimeoutError, the borrower got {came[0]!r}"
            if isinstance(came[0], BaseException)
            else "expected TimeoutError, the borrower got a connection",
        )
        waited = came[1]
        assert isinstance(waited, float)
        expect(
            waited > 0.25, f"expected that a borrower waits 0.3 s, it gave up after {waited:.2f} s"
        )
        for _ in range(2):
            with pool.connection() as connection:  # who gave up gets nothing any more
                number_of(connection)


@stairs.goal(
    hint="Let each borrower who waits have something of its own to wait for (a queue.SimpleQueue, "
    "an Event), and keep these in a collections.deque. Who gives back hands the connection to "
    "the first of them, and does not put it where anybody can take it.",
    mutant=[("self._waiting.popleft()", "self._waiting.pop()")],
    says="expected the order",
)
def serves_in_order(mine: Module) -> None:
    """Let three wait, and the one who has it come back at once."""
    with scene():
        pool, order = mine.pool(1), list[str]()

        def borrow(name: str) -> None:
            with pool.connection():
                order.append(name)

        waiters = []
        with pool.connection():
            for name in ("first", "second", "third"):
                waiters.append(threading.Thread(target=borrow, args=(name,), daemon=True))
                waiters[-1].start()
                expect(_waits(waiters[-1]), "expected that a borrower waits, it does not")
        borrow("who had it")
        for waiter in waiters:
            waiter.join(PATIENCE)
        wanted = ["first", "second", "third", "who had it"]
        expect(order == wanted, f"expected the order {wanted}, it was {order}")


def _waits(thread: threading.Thread) -> bool:
    """Wait until a thread does nothing but wait; say whether it came to that."""
    seen: list[tuple[int, int]] = [(0, 0)]

    def still() -> bool:
        frame = sys._current_frames().get(thread.ident or 0)
        seen.append((id(frame.f_code), frame.f_lasti) if frame else (0, 0))
        time.sleep(LOOK)
        return frame is not None and seen[-1] == seen[-2]

    return until(still, PATIENCE)


@stairs.goal(
    hint="Lesson 03, section 8: `connection.ping(reconnect=False)` raises if the connection is "
    "dead. Then open another one in its place.",
    mutant=[("if connection is None or not is_alive(connection):", "if connection is None:")],
    says="OperationalError",
)
def replaces_the_dead(mine: Module) -> None:
    """Kill the idle connections on the server, as its time-out does."""
    with scene() as witness:
        pool = mine.pool(2)
        with pool.connection(), pool.connection():
            pass
        for number in witness.ids():
            witness.kill(number)
        with pool.connection() as one, pool.connection() as two:
            numbers = {number_of(one), number_of(two)}
            there = witness.settle(2)
            expect(len(numbers) == 2, "expected two connections, two borrowers got the same one")
            expect(there == 2, f"expected 2 open connections, the server has {there}")


@stairs.goal(
    hint="`connect` may raise. The place that you took for it before has to be free again.",
    mutant=[("            self._pass_on(None)\n            raise", "            raise")],
    says="the third borrower got TimeoutError",
)
def survives_a_failed_connect(mine: Module) -> None:
    """Let the server be away for three borrowers."""
    away = True

    def connect() -> Connection:
        if away:
            raise pymysql.OperationalError(2003, "Can't connect to MySQL server")
        return open_connection()

    with scene():
        pool = mine.pool(2, timeout=1, connect=connect)
        for _ in range(3):
            try:
                with pool.connection():
                    expect(False, "expected the error of `connect`, the block ran")
            except pymysql.OperationalError:
                pass
            except TimeoutError:
                expect(
                    False, "expected the error of `connect`, the third borrower got TimeoutError"
                )
        away = False
        try:
            with pool.connection() as one, pool.connection() as two:
                number_of(one), number_of(two)
        except TimeoutError:
            expect(False, "expected two connections when the server is back, none is to be had")


@stairs.goal(
    hint="Close what is idle, and remember that the pool is closed: what comes back later is "
    "closed, too.",
    mutant=[("        self._closed = True\n", "")],
    says="one that came back later",
)
def closes(mine: Module) -> None:
    """Close a pool of which one connection is out."""
    with scene() as witness:
        pool = mine.pool(3)
        with pool.connection():
            with pool.connection(), pool.connection():
                pass
            pool.close()
            left = witness.settle(1)
            expect(left == 1, f"expected that only the borrowed one stays open, {left} are open")
        left = witness.settle(0)
        expect(
            left == 0,
            f"expected 0 connections after close, the server has {left}: one that came back later",
        )


# -- the last goal ---------------------------------------------------------------------------------

THREADS, TURNS, SIZE = 8, 25, 3


@stairs.goal(
    hint="A connection can die while it is borrowed. Then `rollback` raises when it comes back: "
    "close it, free its place, and let the block's own error through.",
    mutant=[
        (
            "        except pymysql.Error:\n            connection = None",
            "        except ZeroDivisionError:\n            connection = None",
        )
    ],
    says="of 3 connections",
)
def survives_a_turmoil(mine: Module) -> None:
    """Let threads add one, with errors before the commit and connections that are killed."""
    with scene("student") as witness:
        pool, lock = mine.pool(SIZE, timeout=3), threading.Lock()
        done = [0]
        turns = iter(range(THREADS * TURNS))
        with pool.connection() as connection:
            run(connection, SET_AGE, 0)
            connection.commit()

        def work() -> None:
            for _ in range(TURNS):
                with lock:
                    turn = next(turns)
                with suppress(LookupError, pymysql.Error), pool.connection() as connection:
                    run(connection, "update student set age = age + 1 where id = 1")
                    if turn % 5 == 1:
                        raise LookupError("what the borrower did wrong")
                    if turn % 23 == 2:
                        witness_kill(number_of(connection))
                    connection.commit()
                    with lock:
                        done[0] += 1

        def witness_kill(number: int) -> None:
            with lock:
                witness.kill(number)

        try:
            at_once(THREADS, work)
        except TimeoutError:
            expect(False, f"a borrower waited in vain: {_free(pool)}")
        (row,) = ask(AGE)
        expect(
            row["age"] == done[0], f"{done[0]} blocks committed, the age was raised by {row['age']}"
        )
        # What was killed, or closed at the end, stays in the server's list for a moment.
        until(lambda: len(witness.ids()) <= SIZE, PATIENCE)
        there = len(witness.ids())
        expect(there <= SIZE, f"expected at most {SIZE} open connections, the server has {there}")
        free = _free(pool)
        expect(free == _all_free(SIZE), free)


def _all_free(count: int) -> str:
    return f"after the turmoil {count} of {SIZE} connections can be borrowed"


def _free(pool: Pool) -> str:
    """Say how many can be borrowed at the same time."""
    got, enough = threading.Semaphore(0), threading.Event()

    def borrow() -> None:
        with suppress(TimeoutError, pymysql.Error), pool.connection() as connection:
            number_of(connection)
            got.release()
            enough.wait(PATIENCE)

    threads = [threading.Thread(target=borrow, daemon=True) for _ in range(SIZE)]
    for thread in threads:
        thread.start()
    count = sum(got.acquire(timeout=2.0) for _ in threads)
    enough.set()
    for thread in threads:
        thread.join(PATIENCE)
    return _all_free(count)
