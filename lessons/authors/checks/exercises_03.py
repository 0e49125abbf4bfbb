"""Lesson 03: pools, watched by the server while the student's code uses them."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from queue import Queue
from types import ModuleType
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB, TooManyConnectionsError

from course.exercise import Wrong, exercise, expect
from course.lesson import LessonError
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step3f_ping import trial
from lessons.authors.checks.scene import Interrupted, ask, noted_queries, open_pool, scene

Pool = Any  # DBUtils has no types
Work = Callable[[Pool], object]

PATIENCE = 3.0  # seconds after which a borrower is said to wait, and a count is believed


@exercise(
    "3.4",
    hints=(
        (
            "Lesson 03, sections 4 to 6: which parameter opens connections, which keeps them, "
            "which limits them, and which decides between waiting and an error?"
        ),
        (
            "2 at the start is `mincached`, 4 that stay is `maxcached`, 6 in all is "
            "`maxconnections`. What does the seventh get if you say nothing about `blocking`?"
        ),
        (
            '`{"mincached": 2, "maxcached": 4, "maxconnections": 6}`, and neither `maxshared` '
            "nor `blocking=True`."
        ),
    ),
    why="The server shows what the limits really do. A comment about them can be wrong.",
    wrong={
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 6, "blocking": True}': "waits",
        'limits = {"mincached": 2, "maxconnections": 6}': "the server shows 6",
        'limits = {"maxcached": 4, "maxconnections": 6}': "the server shows 0",
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 6, "maxshared": 20}': (
            "the seventh borrower got a connection"
        ),
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 5}': "only 5",
        'limits = {"mincached": 3, "maxcached": 4, "maxconnections": 6}': "the server shows 3",
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 7}': (
            "the seventh borrower got a connection"
        ),
        'limits = {"mincached": 2, "maxcached": 3, "maxconnections": 6}': "the server shows 3",
        'limits = {"min": 2, "maxcached": 4, "maxconnections": 6}': "has no parameter min",
    },
    also_right=(
        """
        limits = dict(maxconnections=6, maxcached=4, mincached=2, blocking=False, maxshared=0)
        """,
    ),
)
def check_limits(limits: dict[str, Any]) -> None:
    """Open the pool, borrow six, try a seventh, give all back; count on the server each time."""
    unknown = sorted(set(limits) - set(inspect.signature(PooledDB).parameters))
    expect(
        not unknown,
        f"PooledDB has no parameter {unknown[0] if unknown else ''}: it would give this one to "
        "PyMySQL. Section 2 of the lesson shows the names",
    )
    with scene() as witness:
        pool = open_pool(**limits)
        idle = witness.settle(2, seconds=PATIENCE)
        expect(idle == 2, f"expected 2 connections at the start, the server shows {idle}")
        borrowed = []
        with suppress(TooManyConnectionsError):
            borrowed = _borrow(pool, 6)
        expect(len(borrowed) == 6, f"expected 6 borrowers, only {len(borrowed)} got a connection")
        seventh = _borrow_one(pool)
        expect(seventh != "waits", "expected an error for the seventh borrower, it waits instead")
        expect(seventh == "refused", "expected an error, the seventh borrower got a connection")
        for connection in borrowed:
            connection.close()
        idle = witness.settle(4, seconds=PATIENCE)
        expect(
            idle == 4, f"all six came back: expected 4 idle connections, the server shows {idle}"
        )
        pool.close()


def _borrow(pool: Pool, count: int) -> list[Any]:
    """Borrow up to so many, and stop at the first that is refused or would wait."""
    borrowed: list[Any] = []
    while len(borrowed) < count and _borrow_one(pool, borrowed) == "got one":
        pass
    return borrowed


def _borrow_one(pool: Pool, kept: list[Any] | None = None) -> str:
    """Borrow, and say what came of it: `got one`, `refused`, or `waits`."""
    outcome = ["waits"]
    gave_up = threading.Event()

    def borrower() -> None:
        try:
            connection = pool.connection()
        except TooManyConnectionsError:
            outcome[0] = "refused"
            return
        if kept is not None and not gave_up.is_set():
            kept.append(connection)
        else:
            connection.close()
        outcome[0] = "got one"

    thread = threading.Thread(target=borrower, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    found = outcome[0]
    gave_up.set()
    return found


@exercise(
    "3.2",
    hints=(
        (
            "With one connection the callers come one after the other. How many of them may "
            "come one after the other before somebody waits too long?"
        ),
        (
            "The first caller of a connection waits for 0 turns, the second for 1, the third "
            "for 2. Count the turns that fit into `patience`, and add the first one. So many "
            "callers can share a connection."
        ),
        (
            "Each connection serves `patience // turn + 1` callers. Divide `callers` by that, "
            "and round up."
        ),
    ),
    why="The size follows from three numbers: the callers, the time of each, and the longest wait.",
    wrong={
        "return 6": "a pool of 6",
        "return callers": "will do as well",
        "return 1": "waits 1,100 ms",
        "return 0": "a pool of 0 has no limit",
        """
        return callers * turn // patience
        """: "will do as well",
        """
        return -(-callers // (patience // turn))
        """: "will do as well",
        """
        return callers // (patience // turn + 1)
        """: "waits",
        """
        return callers / (patience // turn + 1)
        """: "expected a whole number",
    },
    also_right=(
        """
        for size in range(1, callers + 1):
            last = (callers - 1) // size  # turns before the last caller's own
            if last * turn <= patience:
                return size
        """,
    ),
)
def check_smallest_pool(smallest_pool: Callable[[int, int, int], int]) -> None:
    """Try each size, and one less, with a real pool; time is counted in turns."""
    for callers, turn, patience in (
        (12, 100, 150),
        (10, 50, 100),
        (7, 100, 99),
        (5, 80, 400),
        (9, 100, 200),
    ):
        story = f"{callers} callers, {turn} ms each, {patience} ms of patience"
        size = smallest_pool(callers, turn, patience)
        whole = isinstance(size, int) and not isinstance(size, bool)
        expect(whole, f"{story}: expected a whole number, your function returned {size!r}")
        expect(size > 0, f"{story}: a pool of {size} has no limit, and a rush opens any number")
        wait = _longest_wait(callers, size, turn)
        expect(
            wait <= patience,
            f"{story}: with a pool of {size} the last caller waits {wait:,} ms",
        )
        if size > 1:
            fewer = _longest_wait(callers, size - 1, turn)
            expect(
                fewer > patience,
                f"{story}: a pool of {size} is fine, and a pool of {size - 1} will do as well: "
                f"there the last caller waits {fewer:,} ms",
            )


def _longest_wait(callers: int, size: int, turn: int) -> int:
    """Return how long the last of the callers waits for a pool of this size, in milliseconds.

    All who can have a connection have one for a turn, and give it back together. So the time is
    counted in turns, and a machine that is slow does not change it.
    """
    size = min(size, callers)  # more would only be idle
    with scene():
        limits = {"mincached": size, "maxcached": size, "maxconnections": size}
        pool = open_pool(**limits, blocking=True, ping=0, ssl_disabled=True)
        got: Queue[Any] = Queue()
        for _ in range(callers):
            threading.Thread(target=lambda: got.put(pool.connection()), daemon=True).start()
        turns, served = 0, 0
        while served < callers:
            lent = [got.get(timeout=PATIENCE) for _ in range(min(size, callers - served))]
            turns, served = turns + 1, served + len(lent)
            for connection in lent:
                connection.close()
        pool.close()
        return (turns - 1) * turn


class _Office:
    """Functions that use a pool. Some keep what they borrowed."""

    def __init__(self) -> None:
        self.kept: list[object] = []

    def count_students(self, pool: Pool) -> None:
        """Give back in any case."""
        connection = pool.connection()
        try:
            connection.cursor().execute("select count(*) from student")
        finally:
            connection.close()

    def read_report(self, pool: Pool) -> None:
        """Fail and give back."""
        connection = pool.connection()
        try:
            connection.cursor().execute("select * from no_such_report")
        finally:
            connection.close()

    def warm_up(self, pool: Pool) -> None:
        """Keep the connection for later, and nobody knows."""
        connection = pool.connection()
        connection.cursor().execute("select 1")
        self.kept.append(connection)

    def read_missing(self, pool: Pool) -> None:
        """Fail before giving back; the error is kept, and the connection with it."""
        connection = pool.connection()
        self.kept.append(connection)
        connection.cursor().execute("select * from no_such_table")
        connection.close()

    def close_cursor(self, pool: Pool) -> None:
        """Close the cursor and take that for closing the connection."""
        connection = pool.connection()
        cursor = connection.cursor()
        cursor.execute("select 1")
        cursor.close()
        self.kept.append(connection)

    def idle(self, pool: Pool) -> None:
        """Use no connection at all."""


@exercise(
    "3.3",
    hints=(
        ("Does a leak show while a pool has connections left? What kind of pool shows it at once?"),
        (
            "Open a pool of one connection for each function, with `blocking=False`, and call "
            "the function. Then try to borrow. What does the next borrower get if the "
            "connection is still out?"
        ),
        (
            "Call the function in a `try` with `except pymysql.Error: pass`. Then "
            "`pool.connection()` raises `TooManyConnectionsError` if the one connection is out."
        ),
    ),
    why="A leaked connection is missed only when the pool is empty. A small pool is empty soon.",
    wrong={
        "return []": "expected ['close_cursor', 'read_missing', 'warm_up']",
        """
        leaking = []
        for function in functions:
            try:
                function(open_pool(maxconnections=1, blocking=False))
            except pymysql.Error:
                leaking.append(function.__name__)
        return leaking
        """: "['read_missing', 'read_report']",
        """
        pool = open_pool(maxconnections=1, blocking=False)
        leaking = []
        for function in functions:
            try:
                function(pool)
            except pymysql.Error:
                pass
            except TooManyConnectionsError:
                leaking.append(function.__name__)
        return leaking
        """: "named ['count_students', 'read_missing', 'read_report', 'warm_up']",
        'return ["warm_up", "read_missing", "close_cursor"]': "expected ['read_missing']",
        """
        return [function.__name__ for function in functions][-3:]
        """: "expected ['close_cursor', 'read_missing', 'warm_up']",
        """
        leaking = []
        for function in functions:
            pool = open_pool(maxconnections=1, blocking=False)
            function(pool)
            try:
                pool.connection().close()
            except TooManyConnectionsError:
                leaking.append(function.__name__)
        return leaking
        """: "no_such",
        """
        leaking = []
        for function in functions:
            pool = open_pool(maxconnections=1, blocking=False)
            try:
                function(pool)
                pool.connection().close()
            except (pymysql.Error, TooManyConnectionsError):
                leaking.append(function)
        return leaking
        """: "expected a list of names",
    },
    also_right=(
        """
        def leaves_one_out(function):
            pool = open_pool(maxconnections=2, blocking=False)
            try:
                function(pool)
            except pymysql.Error:
                pass
            borrowed = []
            try:
                borrowed += [pool.connection(), pool.connection()]
            except TooManyConnectionsError:
                return True
            finally:
                for connection in borrowed:
                    connection.close()
                pool.close()
            return False

        return [function.__name__ for function in functions if leaves_one_out(function)]
        """,
    ),
)
def check_leaks(find_leaks: Callable[[list[Work]], list[str]]) -> None:
    """Hand over six functions, of which three keep a connection; then three, of which one does."""
    for wanted, honest in (
        (["close_cursor", "read_missing", "warm_up"], ["count_students", "idle", "read_report"]),
        (["read_missing"], ["read_report", "count_students"]),
    ):
        with scene():
            office = _Office()
            names = find_leaks([getattr(office, name) for name in sorted(honest + wanted)])
            are_names = isinstance(names, list) and all(isinstance(one, str) for one in names)
            expect(are_names, f"expected a list of names, your function returned {names!r}")
            found = sorted(names)
            office.kept.clear()
            expect(found == wanted, f"expected {wanted}, your function named {found}")


@exercise(
    "3.1",
    hints=(
        (
            "Which part of a `try` statement runs also when an error passes by? The word is in the "
            "refresher at the beginning of lesson 03."
        ),
        (
            "Borrow first. Then `try` the query, and give back in the `finally`. There is no "
            "`except`: the error goes on to the caller."
        ),
        (
            "`try:` with the cursor, `return list(cursor.fetchall())`, and `finally: "
            "connection.close()`."
        ),
    ),
    why="If failed queries kept their connections, the pool would soon be empty.",
    wrong={
        """
        connection = pool.connection()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
        connection.close()
        return list(rows)
        """: "after 2 queries that failed",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error:
            return []
        finally:
            connection.close()
        """: "no error reached the caller",
        """
        connection = pymysql.connect(**connect_args())
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()
        """: "borrowed nothing",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = list(cursor.fetchall())
        except Exception:
            connection.close()
            raise
        connection.close()
        return rows
        """: "after 2 queries that Ctrl-C interrupted",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()
        """: "returned None",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()
        """: "expected a list",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())[:1]
        finally:
            connection.close()
        """: "expected [(1,), (2,), (3,)]",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchmany(100))
        finally:
            connection.close()
        """: "expected 729 rows, your function returned 100",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()
            pool.close()
        """: "leave the pool open",
        """
        connection = pool.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error as error:
            raise RuntimeError("the query failed") from error
        finally:
            connection.close()
        """: "as it is, your function raised RuntimeError",
    },
    also_right=(
        """
        with pool.connection() as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            rows = [row for row in cursor]
        return rows
        """,
    ),
)
def check_give_back(rows_of: Callable[[Pool, str], list[Any]]) -> None:
    """Let queries fail and keep their errors, as a log does; then ask again."""
    with (
        scene("student") as witness,
        closing(open_pool(maxconnections=2, blocking=False)) as pool,
        _kept_errors() as errors,
    ):
        for failed in range(6):
            try:
                rows_of(pool, "select * from no_such_table")
                expect(
                    False,
                    "a query on a table that is not there failed, and no error reached the caller",
                )
            except pymysql.ProgrammingError as error:
                errors.append(error)
            except TooManyConnectionsError:
                expect(
                    False,
                    f"after {failed} queries that failed, the pool of 2 had none left to lend",
                )
            except (Wrong, LessonError):
                raise
            except Exception as error:
                raise Wrong(
                    "a query on a table that is not there failed: expected that PyMySQL's "
                    "ProgrammingError reaches the caller as it is, your function raised "
                    f"{type(error).__name__}"
                ) from error
        _interrupt(rows_of, pool)
        for sql, rows in (
            ("select id from student order by id", [(1,), (2,), (3,)]),
            ("select name from student where id = 2", [("舒畅",)]),
        ):
            found = rows_of(pool, sql)
            expect(
                not isinstance(found, tuple),
                f"{sql}: expected a list, your function returned a tuple",
            )
            expect(found == rows, f"{sql}: expected {rows}, your function returned {found}")
        many = len(
            rows_of(pool, "select 1 from " + ", ".join(f"student {one}" for one in "abcdef"))
        )
        expect(many == 3**6, f"expected {3**6} rows, your function returned {many}")
        idle = witness.settle(1, seconds=PATIENCE)
        with _all_lent(pool):
            try:
                rows_of(pool, "select 1")
                expect(
                    False, "with both connections out, your function got rows: it borrowed nothing"
                )
            except TooManyConnectionsError:
                pass
        expect(
            idle,
            "after your function the pool has no open connection any more: give the connection "
            "back, and leave the pool open",
        )


def _interrupt(rows_of: Callable[[Pool, str], list[Any]], pool: Pool) -> None:
    """Let Ctrl-C end queries, by an error that is no `Exception`; all connections come back."""
    with _kept_errors() as errors:
        for interrupted in range(3):
            try:
                rows_of(pool, Interrupted("select 1"))
            except KeyboardInterrupt as error:
                errors.append(error)
            except TooManyConnectionsError:
                expect(
                    False,
                    f"after {interrupted} queries that Ctrl-C interrupted, the pool of 2 had none "
                    "left to lend",
                )
        expect(len(errors) == 3, "Ctrl-C interrupted a query, and no error reached the caller")


@contextmanager
def _kept_errors() -> Iterator[list[BaseException]]:
    """Have a list for errors, whose tracebacks hold what was not given back, as in a log."""
    errors: list[BaseException] = []
    try:
        yield errors
    finally:
        errors.clear()


@contextmanager
def _all_lent(pool: Pool) -> Iterator[None]:
    """Borrow both connections for a block."""
    borrowed = [pool.connection(), pool.connection()]
    try:
        yield
    finally:
        for connection in borrowed:
            connection.close()


@exercise(
    "3.6",
    hints=(
        (
            "Lesson 03, section 8, does this with the five values. Which connection has to end, "
            "and when: before or after the borrower gets it?"
        ),
        (
            "Open the pool inside the block of a `Witness`: then `witness.ids()` is the pool's "
            "connection. Kill it. Put everything from borrowing to the answer into a `try`."
        ),
        (
            "`for number in witness.ids(): witness.kill(number)`; `pool.connection()`, "
            '`.begin()`, a cursor, `execute("select 1")`; `except pymysql.Error` means `False`. '
            "In both cases close the connection and the pool."
        ),
    ),
    why="`ping=1` and `ping=7` check a connection at checkout, before a transaction begins.",
    wrong={
        "return True": "nobody has ended the idle connection",
        "return False": "with ping=1",
        """
        with Witness() as witness:
            pool = open_one()
            for number in witness.ids():
                witness.kill(number)
            try:
                connection = pool.connection()
                connection.cursor().execute("select 1")
                connection.close()
                answered = True
            except pymysql.Error:
                answered = False
            pool.close()
        return answered
        """: "no transaction began",
        """
        pool = open_one()
        try:
            connection = pool.connection()
            connection.begin()
            connection.cursor().execute("select 1")
            connection.close()
            answered = True
        except pymysql.Error:
            answered = False
        pool.close()
        return answered
        """: "nobody has ended the idle connection",
        """
        with Witness() as witness:
            pool = open_one()
            connection = pool.connection()
            for number in witness.ids():
                witness.kill(number)
            try:
                connection.begin()
                connection.cursor().execute("select 1")
                answered = True
            except pymysql.Error:
                answered = False
            connection.close()
            pool.close()
        return answered
        """: "with ping=1",
        """
        with Witness() as witness:
            pool = open_one()
            for number in witness.ids():
                witness.kill(number)
            try:
                connection = pool.connection()
                connection.begin()
                connection.cursor().execute("select 1")
            except pymysql.Error:
                return False
        survives.kept = pool, connection
        return True
        """: "is still open",
        """
        with Witness() as witness:
            pool = open_one()
            for number in witness.ids():
                witness.kill(number)
            try:
                connection = pool.connection()
                connection.begin()
                connection.cursor().execute("select 1")
                answered = True
                connection.close()
            except pymysql.Error:
                answered = False
        return answered
        """: "is still open",
        """
        pool = open_one()
        checks = bool(pool._idle_cache[0]._ping & 1)
        pool.close()
        return checks
        """: "nobody has ended the idle connection",
        """
        with Witness() as witness:
            pool = open_one()
            checks = bool(pool._idle_cache[0]._ping & 1)
            for number in witness.ids():
                witness.kill(number)
            pool.close()
        return checks
        """: "no transaction began",
        """
        with Witness() as witness:
            pool = open_one()
            for number in witness.ids():
                witness.kill(number)
            try:
                with pool.connection() as connection:
                    connection.begin()
                answered = True
            except pymysql.Error:
                answered = False
            pool.close()
        return answered
        """: "no `select 1` was run",
        """
        with Witness() as witness:
            pool = open_one()
            for number in witness.ids():
                witness.kill(number)
            try:
                with pool.connection() as connection:
                    connection.begin()
                    connection.cursor().execute("select 1")
                pool.close()
            except pymysql.Error:
                return False
        return True
        """: "is still open",
    },
    also_right=(
        """
        with Witness() as witness:
            pool = open_one()
            (idle,) = witness.ids()
            witness.kill(idle)
            row = None
            try:
                with pool.connection() as connection:
                    connection.begin()
                    cursor = connection.cursor()
                    cursor.execute("select 1")
                    row = cursor.fetchone()
            except pymysql.Error:
                pass
            finally:
                pool.close()
        return row == (1,)
        """,
    ),
)
def check_survives(survives: Callable[[Callable[[], Pool]], bool]) -> None:
    """Hand over pools with each value of ping, whose effect the check has measured itself."""
    for ping in (1, 0, 4, 7, 2):
        with scene() as witness:
            wanted = trial(witness, ping, begin=True)["query"] == "answer"
            pools = _Kept(open_pool, mincached=1, maxconnections=1, ping=ping)
            killed, begun = _count("Com_kill"), _count("Com_begin")
            with noted_queries() as sent:
                found = survives(pools)
            expect(
                found is wanted,
                f"with ping={ping} expected {wanted}, your function returned {found!r}",
            )
            expect(
                _count("Com_kill") > killed,
                "the answer is right, and nobody has ended the idle connection: `witness.kill` "
                "does that",
            )
            expect(
                not wanted or _count("Com_begin") > begun,
                "the answer is right, and no transaction began: borrow, `begin()`, and ask",
            )
            expect(
                not wanted or any("select 1" in " ".join(sql.lower().split()) for sql in sent),
                "the answer is right, and no `select 1` was run: only its rows show that the "
                "transaction works",
            )
            left = witness.settle(0, seconds=PATIENCE)
            expect(left == 0, f"the answer is right, and {left} connection is still open")


class _Kept:
    """Opens pools, and keeps them: what is left open in them stays open, and can be counted."""

    def __init__(self, opener: Callable[..., Pool], **limits: Any) -> None:  # noqa: ANN401
        """`limits` are for each pool."""
        self._opener, self._limits = opener, limits
        self._pools: list[Pool] = []

    def __call__(self, **limits: Any) -> Pool:  # noqa: ANN401 - as PooledDB takes them
        """Open a pool."""
        self._pools.append(self._opener(**self._limits, **limits))
        return self._pools[-1]


def _count(what: str) -> int:
    """Return how many statements of a kind the server has run so far."""
    (row,) = ask("show global status like %s", what)
    return int(row["Value"])


@exercise(
    "3.5",
    hints=(
        ("Lesson 03, section 6: a `Witness` counts what the server has, whatever a comment says."),
        (
            "Open the pool inside the block of the `Witness`. Borrow so many connections, keep "
            "them all in a list, and count before you give any back."
        ),
        (
            "`borrowed = [pool.connection() for _ in range(borrowers)]`, then "
            "`len(witness.ids())`; then close each of them, and the pool."
        ),
    ),
    why="0 shares nothing. Other values share if the driver allows it, and PyMySQL does not.",
    wrong={
        "return 1": "expected 2",
        "return borrowers": "expected 3 connections, you return 5",
        "return borrowers if maxshared == 0 else maxshared": "expected 4",
        """
        with Witness() as witness:
            pool = opener(maxshared=maxshared)
            for _ in range(borrowers):
                pool.connection().close()
            count = len(witness.ids())
            pool.close()
        return count
        """: "expected 2",
        """
        with Witness() as witness:
            pool = open_pool(maxshared=maxshared)
            borrowed = [pool.connection() for _ in range(borrowers)]
            count = len(witness.ids())
            for connection in borrowed:
                connection.close()
            pool.close()
        return count
        """: "expected 3 connections, you return 5",
        """
        with Witness() as witness:
            pool = opener(maxshared=maxshared)
            connections_for.kept = [pool.connection() for _ in range(borrowers)]
            return len(witness.ids())
        """: "are still open",
        """
        pool = opener(maxshared=maxshared)
        borrowed = [pool.connection() for _ in range(borrowers)]
        with Witness() as witness:
            count = len(witness.ids())
        for connection in borrowed:
            connection.close()
        pool.close()
        return count
        """: "A `Witness` counts what is opened after it",
        """
        pool = opener(maxshared=maxshared)
        with Witness() as witness:
            borrowed = [pool.connection() for _ in range(borrowers)]
            count = len(witness.ids())
        for connection in borrowed:
            connection.close()
        pool.close()
        return count
        """: "A `Witness` counts what is opened after it",
        """
        with Witness() as witness:
            pool = opener(maxshared=maxshared)
            borrowed = [pool.connection() for _ in range(borrowers)]
            return len(witness.ids())
        """: "are still open",
        """
        with Witness() as witness:
            pool = opener(maxshared=maxshared)
            borrowed = [pool.connection() for _ in range(borrowers)]
            count = len(witness.ids())
            pool.close()
        return count
        """: "are still open",
        """
        pool = opener(maxshared=maxshared)
        borrowed = [pool.connection() for _ in range(borrowers)]
        count = len({id(connection._con._con) for connection in borrowed})
        for connection in borrowed:
            connection.close()
        pool.close()
        return count
        """: "expected 1 connections, you return 3",
        """
        with Witness() as witness:
            pool = opener(maxshared=maxshared)
            borrowed = [pool.connection() for _ in range(borrowers)]
            count = len(witness.ids())
            for connection in borrowed:
                connection.close()
        return count
        """: "are still open",
    },
    also_right=(
        """
        with Witness() as witness:
            pool, borrowed = opener(maxshared=maxshared), []
            while len(borrowed) < borrowers:
                borrowed.append(pool.connection())
            seen = witness.seen()
            while borrowed:
                borrowed.pop().close()
            pool.close()
        return len({one.id for one in seen})
        """,
    ),
)
def check_shared(connections_for: Callable[[Callable[..., Pool], int, int], int]) -> None:
    """Ask for three drivers, with several numbers of borrowers and values of maxshared."""
    for opener, driver, borrowers, maxshared, wanted in (
        (open_pool, "PyMySQL", 2, 0, 2),
        (open_pool, "PyMySQL", 4, 2, 4),
        (_open_sharing, "a driver that allows sharing", 4, 0, 4),
        (_open_sharing, "a driver that allows sharing", 5, 3, 3),
        (_open_single, "a driver with a single connection", 3, 0, 1),
    ):
        with scene() as witness:
            pools = _Kept(opener, mincached=1)
            found = connections_for(pools, borrowers, maxshared)
            expect(
                found and found != wanted - 1,
                f"with {driver}, maxshared={maxshared} and {borrowers} borrowers: expected "
                f"{wanted} connections, you return {found!r}. A `Witness` counts what is opened "
                "after it: open it first",
            )
            expect(
                found == wanted,
                f"with {driver}, maxshared={maxshared} and {borrowers} borrowers: expected "
                f"{wanted} connections, you return {found!r}",
            )
            left = witness.settle(0, seconds=PATIENCE)
            expect(left == 0, f"the number is right, and {left} connections are still open")


def _open_sharing(**limits: Any) -> Pool:  # noqa: ANN401 - as PooledDB takes them
    """Open a pool over a driver that says that threads may share its connections."""
    driver = ModuleType("a driver that allows sharing")
    vars(driver).update(vars(pymysql), threadsafety=2)
    return PooledDB(driver, **limits, **connect_args())


def _open_single(**limits: Any) -> Pool:  # noqa: ANN401 - as PooledDB takes them
    """Open a pool over a driver whose connections are one at the server: only the server knows."""
    driver, users = ModuleType("a driver with a single connection"), list[object]()
    one = pymysql.connect(**connect_args())

    class Single:
        """A connection that all share."""

        def __init__(self, **_: object) -> None:
            users.append(self)

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(one, name)

        def close(self) -> None:
            """Close, when nobody uses it any more."""
            if self in users:
                users.remove(self)
                if not users:
                    one.close()

    vars(driver).update(vars(pymysql), connect=Single)
    return PooledDB(driver, **limits, **connect_args())
