"""Lesson 03: pools, watched by the server while the student's code uses them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from statistics import median
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB, TooManyConnectionsError

from course.exercise import exercise, expect
from demos.pool_demo.delay_proxy import DelayProxy
from demos.pool_demo.step3f_ping import trial
from lessons.checks.scene import at_once, open_pool, scene

Pool = Any  # DBUtils has no types
Work = Callable[[Pool], object]

PATIENCE = 3.0  # seconds after which a borrower is said to wait, and a count is believed


@exercise(
    "3.1",
    hints=(
        "Lesson 03, sections 4 to 6: which parameter opens connections, which keeps them, which "
        "limits them, and which decides between waiting and an error?",
        "`mincached`, `maxcached`, `maxconnections` and `blocking`. Leave `maxshared` out.",
    ),
    why="The limits are what you measured, not what a comment says about them.",
    wrong={
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 6, "blocking": True}': "waits",
        'limits = {"mincached": 2, "maxconnections": 6}': "the server shows 6",
        'limits = {"maxcached": 4, "maxconnections": 6}': "the server shows 0",
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 6, "maxshared": 20}': (
            "the seventh borrower got a connection"
        ),
        'limits = {"mincached": 2, "maxcached": 4, "maxconnections": 5}': "only 5",
    },
)
def check_limits(limits: dict[str, Any]) -> None:
    """Open the pool, borrow six, try a seventh, give all back; count on the server each time."""
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


CALLERS, HELD, MOST = 12, 0.2, 0.3  # callers; seconds that each holds, and may wait


@exercise(
    "3.2",
    hints=(
        "With one connection the callers come one after the other, and the last waits for eleven. "
        "How many turns may there be before a caller's own?",
        "One turn takes 200 ms, and 300 ms are allowed: each connection can serve two callers.",
    ),
    why="The maximum follows from how many come, how long each stays, and how long one may wait.",
    wrong={
        "size = 1": "waited",
        "size = 5": "waited",
        "size = 12": "do as well",
        "size = 0": "a pool of 0 has no limit",
    },
)
def check_size(size: int) -> None:
    """Let twelve callers come at once to a pool of this size, and to one that is smaller by one."""
    expect(size > 0, "maxconnections=0: a pool of 0 has no limit, and a rush opens any number")
    longest = _longest_wait(size)
    expect(
        longest < MOST,
        f"with a pool of {size} the longest of {CALLERS} callers waited {longest * 1000:.0f} ms, "
        f"expected at most {MOST * 1000:.0f}",
    )
    if size > 1:
        fewer = _longest_wait(size - 1)
        expect(
            fewer >= MOST,
            f"a pool of {size - 1} will do as well: there the longest waited {fewer * 1000:.0f} ms",
        )


def _longest_wait(size: int) -> float:
    """Return the longest wait in seconds, of the best of three rushes."""
    with scene():
        pool = open_pool(mincached=size, maxcached=size, maxconnections=size, blocking=True, ping=0)
        longest = _rush(pool)
        for _ in range(2):  # a busy machine makes a good size look bad, but not by much
            if MOST <= longest < 2 * MOST:
                longest = min(longest, _rush(pool))
        pool.close()
        return longest


def _rush(pool: Pool) -> float:
    """Return the longest wait, where the middle one of the callers holds its connection for `HELD`.

    A slow machine makes turns longer, and waits with them.
    """

    def caller() -> tuple[float, float]:
        came = time.perf_counter()
        connection = pool.connection()
        got = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("select sleep(%s)", (HELD,))
        connection.close()
        return got - came, time.perf_counter() - got

    waited, held = zip(*at_once(CALLERS, caller), strict=True)
    return float(max(waited) / median(held) * HELD)


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
        "Open a pool of one connection with `blocking=False` for each function. Call the function. "
        "What does the next borrower get?",
        "Some functions raise an error, so call them in a `try`. Then `pool.connection()` raises "
        "`TooManyConnectionsError` if the one connection is still out.",
    ),
    why="A leak shows only when the pool is empty, so look for it with a pool of one.",
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
        """: "named ['read_missing', 'warm_up']",
        'return ["warm_up", "read_missing", "close_cursor"]': "expected ['read_missing']",
    },
)
def check_leaks(find_leaks: Callable[[list[Work]], list[str]]) -> None:
    """Hand over six functions, of which three keep a connection; then three, of which one does."""
    for wanted, honest in (
        (["close_cursor", "read_missing", "warm_up"], ["count_students", "idle", "read_report"]),
        (["read_missing"], ["read_report", "count_students"]),
    ):
        with scene():
            office = _Office()
            found = sorted(find_leaks([getattr(office, name) for name in honest + wanted]))
            office.kept.clear()
            expect(found == wanted, f"expected {wanted}, your function named {found}")


@exercise(
    "3.4",
    hints=(
        "Lesson 03, section 11: what gives back also when the query fails?",
        "`try:` the query, `return` its rows, `finally: connection.close()`. Let the error pass.",
    ),
    why="Otherwise a few failed queries empty the pool, and the next caller finds nothing.",
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
        finally:
            connection.close()
        """: "returned None",
    },
)
def check_give_back(rows_of: Callable[[Pool, str], list[Any]]) -> None:
    """Let queries fail and keep their errors, as a log does; then ask again."""
    with scene("student"):
        pool = open_pool(maxconnections=2, blocking=False)
        errors: list[Exception] = []
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
        for sql, rows in (
            ("select id from student order by id", [(1,), (2,), (3,)]),
            ("select name from student where id = 2", [("舒畅",)]),
        ):
            found = rows_of(pool, sql)
            seen = list(found) if isinstance(found, list | tuple) else found
            expect(seen == rows, f"{sql}: expected {rows}, your function returned {found}")
        with _all_lent(pool):
            try:
                rows_of(pool, "select 1")
                expect(
                    False, "with both connections out, your function got rows: it borrowed nothing"
                )
            except TooManyConnectionsError:
                pass
        pool.close()


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
    "3.5",
    hints=(
        "Lesson 03, section 9, has a table: with which values does the last column say `answer`?",
        "Two values check at checkout. One of them checks at each cursor and statement too.",
    ),
    why="A check at checkout comes before the transaction; later it is too late.",
    wrong={
        "ping = 0": "got error",
        "ping = 2": "got error",
        "ping = 4": "got error",
        "ping = 7": "waits for the server 5 times",
        'ping = "at checkout"': "is no value of ping",
    },
)
def check_ping(ping: int) -> None:
    """Kill the idle connection before a transaction, then count what a healthy one costs."""
    expect(ping in (0, 1, 2, 4, 7), f"{ping!r} is no value of ping")
    with scene() as witness:
        query = trial(witness, ping, begin=True)["query"]
        expect(
            query == "answer",
            f"the idle connection was killed, and the next transaction got {query}, not an answer",
        )
        mine, least = _round_trips(ping), _round_trips(1)
        expect(
            mine <= least,
            f"the transaction is answered, but a borrower waits for the server {mine} times, where "
            f"{least} will do",
        )


def _round_trips(ping: int) -> int:
    """Count what one borrower with one query waits for, when the connection is alive."""
    with DelayProxy() as proxy:
        pool = PooledDB(pymysql, mincached=1, ping=ping, **proxy.settings.connect_args())
        before = proxy.round_trips()
        with pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
        count = proxy.round_trips() - before
        pool.close()
        return count


@exercise(
    "3.6",
    hints=(
        "Lesson 03, section 6: a `Witness` counts what the server has, whatever a comment says.",
        "Open the pool inside the block of the `Witness`, borrow so many times, and call "
        "`witness.settle(borrowers)` before you give back.",
    ),
    why="PyMySQL's connections are never shared, so 0 dedicates each; so does any other value.",
    wrong={
        "return 1": "expected 2",
        "return borrowers if maxshared == 0 else maxshared": "with maxshared=20",
        """
        with Witness() as witness:
            pool = open_pool(maxshared=maxshared)
            for _ in range(borrowers):
                pool.connection().close()
            count = witness.settle(1)
            pool.close()
        return count
        """: "expected 2",
    },
)
def check_shared(connections_for: Callable[[int, int], int]) -> None:
    """Ask with several numbers of borrowers and values of maxshared."""
    for borrowers, maxshared in ((2, 0), (4, 0), (3, 20)):
        with scene():
            found = connections_for(borrowers, maxshared)
        expect(
            found == borrowers,
            f"with maxshared={maxshared} and {borrowers} borrowers: expected {borrowers} "
            f"connections, you return {found!r}",
        )
