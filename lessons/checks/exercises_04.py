"""Lesson 04: what a way to the server costs, counted and timed through the delay proxy."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from statistics import median
from time import perf_counter
from typing import Any

import pymysql

from course.exercise import exercise, expect
from demos.pool_demo.contestants import Pooled
from demos.pool_demo.delay_proxy import DelayProxy
from demos.pool_demo.measure import Callers
from demos.pool_demo.settings import Settings, connect_args, load
from lessons.checks.scene import ask, scene

Ask = Callable[[], object]

# The pools of exercise 4.1, by the names that the task gives them.
POOLS: dict[str, dict[str, Any]] = {
    "default": {},
    "ping=0": {"ping": 0},
    "ping=0, reset=False": {"ping": 0, "reset": False},
}


@exercise(
    "4.1",
    hints=(
        "Lesson 04, section 5: which of the two arguments costs a round trip at checkout, which "
        "one at the return? `begin`, each statement and `commit` are one each.",
        "With both arguments off only what you send is left: begin, update, update, commit.",
    ),
    why="A count holds on every network: times the round trip, it is the time.",
    wrong={
        'predicted = {"default": 3, "ping=0": 2, "ping=0, reset=False": 1}': "you said 3",
        'predicted = {"default": 6, "ping=0": 5, "ping=0, reset=False": 2}': "you said 2",
        'predicted = {"default": 6}': "no number for the pool ping=0",
    },
)
def check_predicted(predicted: dict[str, int]) -> None:
    """Run the transaction over each pool, and count what the client waits for."""
    with scene("student"), DelayProxy() as proxy:
        for name, options in POOLS.items():
            number = predicted.get(name, ...)
            expect(isinstance(number, int), f"there is no number for the pool {name}")
            counted = _count_transaction(proxy, options)
            expect(
                number == counted,
                f"{name}: you said {number}, and the proxy counted {counted} round trips",
            )


def _count_transaction(proxy: DelayProxy, options: dict[str, Any]) -> int:
    """Return the round trips of borrow, begin, two updates, commit and give back."""
    with closing(Pooled(proxy.settings, 1, autocommit=True, **options)) as way:
        before = proxy.round_trips()
        with way.borrow() as connection:
            connection.begin()
            with connection.cursor() as cursor:
                cursor.execute("update student set age = age - 1 where id = 1")
                cursor.execute("update student set age = age + 1 where id = 2")
            connection.commit()
        return proxy.round_trips() - before


@exercise(
    "4.2",
    hints=(
        "One statement can ask for several ids: `where id in (...)`, with a `%s` for each.",
        '`", ".join(["%s"] * len(ids))` makes the places. Select the id too: the rows come in an '
        "order of the server's.",
    ),
    why="A loop with a query in it is fast on your machine and slow everywhere else.",
    wrong={
        """
        names = {}
        with connection.cursor() as cursor:
            for number in ids:
                cursor.execute("select name from student where id = %s", (number,))
                names[number] = cursor.fetchone()[0]
        return names
        """: "counted 3 round trips",
        """
        places = ", ".join(["%s"] * len(ids))
        with connection.cursor() as cursor:
            cursor.execute(f"select name from student where id in ({places})", ids)
            return dict(zip(ids, [name for (name,) in cursor.fetchall()]))
        """: "expected {3: '唐嫣', 1: '韩雪'}",
        """
        with connection.cursor() as cursor:
            cursor.execute("select id, name from student")
            return dict(cursor.fetchall())
        """: "expected {3: '唐嫣', 1: '韩雪'}",
    },
)
def check_names(names_of: Callable[[pymysql.Connection, list[int]], dict[int, str]]) -> None:
    """Ask for three names, for two in another order, and for one that has changed."""
    with (
        scene("student"),
        DelayProxy() as proxy,
        pymysql.connect(**proxy.settings.connect_args(autocommit=True)) as connection,
    ):
        for ids, names in (
            ([1, 2, 3], {1: "韩雪", 2: "舒畅", 3: "唐嫣"}),
            ([3, 1], {3: "唐嫣", 1: "韩雪"}),
        ):
            before = proxy.round_trips()
            found = names_of(connection, ids)
            counted = proxy.round_trips() - before
            expect(
                found == names,
                f"for the ids {ids} expected {names}, your function returned {found}",
            )
            expect(
                counted == 1,
                f"{len(ids)} ids: expected 1 round trip, the proxy counted {counted} round trips",
            )
        ask("update student set name = '杨颖' where id = 2")
        found = names_of(connection, [2])
        expect(found == {2: "杨颖"}, f"id 2 is 杨颖 now, your function returned {found}")


@exercise(
    "4.3",
    hints=(
        "Lesson 04, section 2: what does PyMySQL prepare for each connection, on any server? "
        "And when does the pool open its connection: before the clock runs, or while it runs?",
        "`ssl_disabled=True` in both, and make the pool in `contestants`, above `def pooled`.",
    ),
    why="Now the ratio compares connecting with borrowing, and not with reading certificates.",
    wrong={
        """
        def raw():
            with pymysql.connect(**settings.connect_args()) as connection:
                connection.cursor().execute("select 1")

        pool = PooledDB(pymysql, mincached=1, **settings.connect_args())

        def pooled():
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "TLS context",
        """
        def raw():
            with pymysql.connect(**settings.connect_args(ssl_disabled=True)) as connection:
                connection.cursor().execute("select 1")

        def pooled():
            arguments = settings.connect_args(ssl_disabled=True)
            pool = PooledDB(pymysql, mincached=1, **arguments)
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "expected the pool to be open",
        """
        one = pymysql.connect(**settings.connect_args(ssl_disabled=True))
        pool = PooledDB(pymysql, mincached=1, **settings.connect_args(ssl_disabled=True))

        def raw():
            one.cursor().execute("select 1")

        def pooled():
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "expected a new connection each time",
    },
)
def check_contestants(contestants: Callable[[Settings], tuple[Ask, Ask]]) -> None:
    """Count the round trips of both, and time the raw one against PyMySQL as it comes."""
    with scene():
        with DelayProxy() as proxy:
            raw, pooled = contestants(proxy.settings)
            counted = {ask.__name__: _count(proxy, ask) for ask in (raw, pooled)}
        trips = [counted[ask.__name__] for ask in (raw, pooled)]
        expect(
            trips[1] > 0 and trips[0] > 0,
            f"the raw way waited {trips[0]} times for the server and the pooled one {trips[1]} "
            "times, expected both to ask it",
        )
        expect(
            trips[0] >= 5,
            f"the proxy counted {trips[0]} for a question over the raw way, where connecting alone "
            "takes more: expected a new connection each time",
        )
        expect(
            trips[1] <= 3,
            f"the pooled way waited for the server {trips[1]} times a question, expected the pool "
            "to be open before the clock runs",
        )
    with scene():
        raw, _ = contestants(load())
        mine, usual = [], []
        for _ in range(5):
            mine.append(_seconds(raw))
            usual.append(_seconds(_connect_as_it_comes))
        expect(
            median(mine) < median(usual) / 2,
            f"the raw way took {median(mine) * 1000:.1f} ms, and a connection that builds a TLS "
            f"context of its own {median(usual) * 1000:.1f} ms: expected it to build none",
        )


def _count(proxy: DelayProxy, ask: Ask) -> int:
    """Return the round trips of the second call: the first may be the one that warms up."""
    ask()
    before = proxy.round_trips()
    ask()
    return proxy.round_trips() - before


def _seconds(work: Ask) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _connect_as_it_comes() -> None:
    with pymysql.connect(**connect_args()) as connection, connection.cursor() as cursor:
        cursor.execute("select 1")


SIZE, CALLERS, AWAY, ENOUGH = 8, 16, 0.02, 150  # connections, threads, seconds, queries a second


@exercise(
    "4.4",
    hints=(
        "Lesson 04, sections 5 and 7: which two arguments talk to the server inside the pool's "
        "lock, and what must a program promise that turns `reset` off?",
        '`{"ping": 0, "reset": False, ...}`, and the third keyword is one of `pymysql.connect`: it '
        "commits each statement by itself.",
    ),
    why="What goes over the network inside the lock goes one after the other, for all callers.",
    wrong={
        "options = {}": "queries a second",
        'options = {"ping": 0}': "queries a second",
        'options = {"reset": False, "autocommit": True}': "queries a second",
        'options = {"ping": 0, "reset": False}': "still shows age 24",
    },
)
def check_options(options: dict[str, Any]) -> None:
    """Let callers share a pool on a slow network; then change a row and look through the pool."""
    with scene("student"), DelayProxy() as proxy:
        with _opened(proxy, options) as way, Callers(CALLERS) as callers:
            rate = 0.0
            for _ in range(3):
                if rate < ENOUGH:
                    rate = max(rate, callers.run(way.select, CALLERS, 0.3).rate)
        expect(
            rate >= ENOUGH,
            f"{CALLERS} callers got {rate:.0f} queries a second through {SIZE} connections, "
            f"expected {ENOUGH} at least",
        )
        with _opened(proxy, options) as way:
            for age in (24, 42):
                ask("update student set age = %s where id = 1", age)
                for _ in range(SIZE):
                    seen = way.query("select age from student where id = 1")[0]["age"]
                    expect(
                        seen == age,
                        f"the age of student 1 is {age} now, and the pool still shows age {seen}",
                    )


@contextmanager
def _opened(proxy: DelayProxy, options: dict[str, Any]) -> Iterator[Pooled]:
    """Have the pool for a block; it is opened without the delay."""
    proxy.set_round_trip(0)
    with closing(Pooled(proxy.settings, SIZE, **options)) as way:
        proxy.set_round_trip(AWAY)
        yield way
