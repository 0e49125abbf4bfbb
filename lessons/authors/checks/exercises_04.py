"""Lesson 04: what a way to the server costs, counted and timed through the delay proxy."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from random import randrange
from typing import Any
from unittest import mock

import pymysql

from course.exercise import Wrong, exercise, expect
from course.ground import language
from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.witness import Witness
from demos.pool_demo.compared.ways import Pooled
from demos.pool_demo.settings import Settings, connect_args
from lessons.authors.checks.running import delay_proxy
from lessons.authors.checks.scene import ask, at_once, bytes_sent, noted_queries, scene

Ask = Callable[[], object]

MANY = 150  # students whose names are asked for at once; each has more than ten bytes


@exercise(
    "4.3",
    hints=(
        (
            "Lesson 04, section 5: which of the two arguments costs a round trip at the "
            "checkout, which one at the return? And what does each of your own calls cost?"
        ),
        (
            "`begin`, each update and `commit` are one round trip each, whatever the pool does. "
            "Add one for a check at the checkout, and one for a reset at the return."
        ),
        "`1 + updates + 1`, plus 1 if `ping` is not 0, plus 1 if `reset` is true.",
    ),
    why="The number of round trips is the same on every network. Multiply it by the time of one.",
    wrong={
        "return 6": "the proxy counted",
        "return updates + 2": "with ping=1, reset=True",
        "return updates + 4": "with ping=0, reset=True",
        """
        return updates + (1 if ping else 0) + (1 if reset else 0)
        """: "you say",
        """
        return 4 + ping + reset
        """: "you say",
        """
        return updates + 2 + (2 if ping else 0)
        """: "you say",
        "return float(updates + 2 + ping + reset)": "expected a whole number",
    },
    also_right=(
        """
        calls = ["begin", *["update"] * updates, "commit"]
        if ping:
            calls.insert(0, "ping")
        if reset:
            calls.append("rollback")
        return len(calls)
        """,
    ),
)
def check_round_trips(round_trips: Callable[[int, int, bool], int]) -> None:
    """Run transactions over four pools, and count what the client waits for."""
    with scene("student"), delay_proxy() as proxy:
        for ping, reset in ((1, True), (0, True), (1, False), (0, False)):
            updates = randrange(1, 6)
            said = round_trips(updates, ping, reset)
            expect(type(said) is int, f"expected a whole number, your function returned {said!r}")
            counted = _count_transaction(proxy, updates, ping=ping, reset=reset)
            expect(
                said == counted,
                f"{updates} updates with ping={ping}, reset={reset}: you say {said}, and the proxy "
                f"counted {counted} round trips",
            )


def _count_transaction(proxy: DelayProxy, updates: int, **options: Any) -> int:  # noqa: ANN401
    """Return the round trips of borrow, begin, so many updates, commit and give back."""
    with closing(Pooled(proxy.settings, 1, autocommit=True, **options)) as way:
        before = proxy.round_trips()
        with way.borrow() as connection:
            connection.begin()
            with connection.cursor() as cursor:
                for number in range(updates):
                    cursor.execute("update student set age = %s where id = 1", (20 + number,))
            connection.commit()
        return proxy.round_trips() - before


@exercise(
    "4.2",
    hints=(
        "Which condition of SQL asks for several ids in one statement?",
        (
            "`where id in (...)` with a `%s` for each id. The rows come in an order of the "
            "server's, so select the id as well."
        ),
        (
            '`places = ", ".join(["%s"] * len(ids))`, then `select id, name from student where '
            "id in ({places})`; `dict(cursor.fetchall())` makes a dict of pairs."
        ),
    ),
    why="A loop of queries waits for the network each time, and is fast only near the server.",
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
        """
        with connection.cursor() as cursor:
            cursor.execute("select id, name from student")
            return {number: name for number, name in cursor.fetchall() if number in ids}
        """: "only the rows",
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "select id, name from student where id between %s and %s", (min(ids), max(ids))
            )
            return {number: name for number, name in cursor.fetchall() if number in ids}
        """: "only the rows",
        """
        places = ", ".join(["%s"] * 3)
        with connection.cursor() as cursor:
            cursor.execute(f"select id, name from student where id in ({places})", (ids * 3)[:3])
            return dict(cursor.fetchall())
        """: "names, your function",
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "select id, name from student where id between %s and %s", (min(ids), max(ids))
            )
            return dict(cursor.fetchall())
        """: "expected {3: '唐嫣', 1: '韩雪'}",
        "return {1: '韩雪', 2: '舒畅', 3: '唐嫣'}": "expected 1 round trip, the proxy counted 0",
    },
    also_right=(
        """
        cursor = connection.cursor()
        cursor.execute("select id, name from student where id in %s", (tuple(ids),))
        names = {}
        for number, name in cursor:
            names[number] = name
        return names
        """,
        """
        question = " union all ".join("select id, name from student where id = %s" for _ in ids)
        with connection.cursor() as cursor:
            cursor.execute(question, list(ids))
            return {row[0]: row[1] for row in cursor.fetchall()}
        """,
    ),
)
def check_names(names_of: Callable[[pymysql.Connection, list[int]], dict[int, str]]) -> None:
    """Ask for three names, for two in another order, and for one that has changed."""
    with (
        scene("student"),
        delay_proxy() as proxy,
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
        _ask_for_many(names_of, connection, proxy)


def _ask_for_many(
    names_of: Callable[[pymysql.Connection, list[int]], dict[int, str]],
    connection: pymysql.Connection,
    proxy: DelayProxy,
) -> None:
    """Ask for a hundred and fifty names, then for one and for two of them; count the bytes."""
    with pymysql.connect(**connect_args(autocommit=True)) as other, other.cursor() as cursor:
        insert = "insert into student(name, age, gender) values(%s, 20, '女')"
        cursor.executemany(insert, [(f"学生{number}",) for number in range(MANY)])
    names = {row["id"]: row["name"] for row in ask("select id, name from student where id > 3")}
    before = proxy.round_trips()
    found = names_of(connection, list(names))
    counted = proxy.round_trips() - before
    expect(found == names, f"expected {len(names)} names, your function returned {len(found)}")
    expect(counted == 1, f"{len(names)} ids: expected 1 round trip, the proxy counted {counted}")
    for ids in ([1], [max(names), 1]):
        sent = bytes_sent(connection)
        found = names_of(connection, ids)
        sent = bytes_sent(connection) - sent
        wanted = {number: names.get(number, "韩雪") for number in ids}
        expect(found == wanted, f"for the ids {ids} your function returned {found}")
        expect(
            sent < 10 * MANY,
            f"for the ids {ids} the server has sent {sent} bytes: let only the rows come that were "
            "asked for",
        )


@exercise(
    "4.1",
    hints=(
        (
            "Lesson 04, section 2: what does PyMySQL prepare for each connection, on any "
            "server? And when does the pool open its connection: before the clock runs, or "
            "while it runs?"
        ),
        (
            "Switch TLS off in both, or build one context for all. Open the pool in "
            "`contestants` itself, so that `pooled` finds it open."
        ),
        (
            "`settings.connect_args(ssl_disabled=True)` in both, and `pool = PooledDB(pymysql, "
            "mincached=1, ...)` above `def pooled`."
        ),
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
        """
        arguments = settings.connect_args(ssl_disabled=True)
        one = pymysql.connect(**arguments)

        def raw():
            with pymysql.connect(**arguments) as connection:
                connection.cursor().execute("select 1")

        def pooled():
            one.cursor().execute("select 1")

        return raw, pooled
        """: "threads call it at once",
        """
        import threading
        arguments = settings.connect_args(ssl_disabled=True)
        one, lock = pymysql.connect(**arguments), threading.Lock()

        def raw():
            with pymysql.connect(**arguments) as connection:
                connection.cursor().execute("select 1")

        def pooled():
            with lock:
                one.cursor().execute("select 1")

        return raw, pooled
        """: "a pool opens a new one",
        """
        arguments = settings.connect_args(ssl_disabled=True)
        pool = PooledDB(pymysql, mincached=1, **arguments)
        kept = []

        def raw():
            kept.append(pymysql.connect(**arguments))
            kept[-1].cursor().execute("select 1")

        def pooled():
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "left a connection open",
        """
        arguments = settings.connect_args(ssl_disabled=True)
        pool = PooledDB(pymysql, mincached=1, **arguments)
        kept = []

        def raw():
            with pymysql.connect(**arguments) as connection:
                connection.cursor().execute("select 1")

        def pooled():
            kept.append(pool.connection())
            kept[-1].cursor().execute("select 1")

        return raw, pooled
        """: "expected the pool to be open",
        """
        pool = PooledDB(pymysql, mincached=1, **settings.connect_args(ssl_disabled=True))

        def raw():
            pass

        def pooled():
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "the raw way waited 0 times",
        """
        arguments = settings.connect_args(ssl_disabled=True)
        pool = PooledDB(pymysql, mincached=1, **arguments)

        def raw():
            pymysql.connect(**arguments).close()

        def pooled():
            with pool.connection() as connection:
                connection.cursor().execute("select 1")

        return raw, pooled
        """: "the raw way runs no query",
        """
        arguments = settings.connect_args(ssl_disabled=True)
        pool = PooledDB(pymysql, mincached=1, **arguments)

        def raw():
            with pymysql.connect(**arguments) as connection:
                connection.cursor().execute("select 1")

        def pooled():
            pool.connection().close()

        return raw, pooled
        """: "the pooled way runs no query",
    },
    also_right=(
        """
        import ssl
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        arguments = settings.connect_args(ssl=context)
        pool = PooledDB(pymysql, mincached=2, maxconnections=8, blocking=True, **arguments)

        def raw():
            connection = pymysql.connect(**arguments)
            try:
                connection.query("select 1")
            finally:
                connection.close()

        def pooled():
            connection = pool.connection()
            try:
                connection.cursor().execute("select 1")
            finally:
                connection.close()

        return raw, pooled
        """,
    ),
)
def check_contestants(contestants: Callable[[Settings], tuple[Ask, Ask]]) -> None:
    """Count round trips, TLS contexts and connections of both; call the pooled one at once."""
    with scene() as witness, delay_proxy() as proxy, _counted_contexts() as contexts:
        raw, pooled = contestants(proxy.settings)
        with noted_queries() as by_raw:
            trips = [_count(proxy, raw)]
        with noted_queries() as by_pooled:
            trips.append(_count(proxy, pooled))
        expect(
            trips[1] > 0 and trips[0] > 0,
            f"the raw way waited {trips[0]} times for the server and the pooled one {trips[1]} "
            "times, expected both to ask it",
        )
        expect(by_raw, "the raw way runs no query: it connects, and asks nothing")
        expect(by_pooled, "the pooled way runs no query: it borrows, and asks nothing")
        expect(
            trips[0] >= 5,
            f"the proxy counted {trips[0]} for a question over the raw way, where connecting alone "
            "takes more: expected a new connection each time",
        )
        expect(
            trips[1] <= 3,
            f"the pooled way waited for the server {trips[1]} times a question, expected the pool "
            "to be open before the clock runs, and a connection that comes back",
        )
        for ask, which in ((raw, "raw"), (pooled, "pooled")):
            contexts.clear()
            ask()
            expect(
                not contexts,
                f"one question over the {which} way builds {len(contexts)} TLS context, which this "
                "server never uses: expected none",
            )
        before = witness.settle(len(witness.ids()))
        raw()
        after = witness.settle(before)
        expect(after <= before, "the raw way has left a connection open")
        _expect_pool(pooled, witness)


def _expect_pool(pooled: Ask, witness: Witness) -> None:
    """Expect what a pool can do and one connection cannot."""
    try:
        at_once(8, pooled)
    except (pymysql.Error, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Wrong(
            f"eight threads call it at once, and the pooled way raises {type(error).__name__}: "
            "each has to borrow a connection of its own, or to wait for one"
        ) from None
    for number in witness.ids():
        witness.kill(number)
    try:
        pooled()
    except pymysql.Error as error:
        raise Wrong(
            "the server has ended all connections; a pool opens a new one then, but the pooled way "
            f"raises {type(error).__name__}"
        ) from None


@contextmanager
def _counted_contexts() -> Iterator[list[object]]:
    """Note each TLS context that PyMySQL builds; one that it is given does not count.

    PyMySQL takes such a context as an order to refuse a server without TLS. Ours may have none.
    """
    built: list[object] = []
    build = pymysql.connections.Connection._create_ssl_ctx  # type: ignore[attr-defined]

    def noting(self: Any, options: Any) -> Any:  # noqa: ANN401
        if not isinstance(options, ssl.SSLContext):
            built.append(self)
        self._ssl_required = False
        return build(self, options)

    with mock.patch.object(pymysql.connections.Connection, "_create_ssl_ctx", noting):
        yield built


def _count(proxy: DelayProxy, ask: Ask) -> int:
    """Return the round trips of the second call: the first may be the one that warms up."""
    ask()
    before = proxy.round_trips()
    ask()
    return proxy.round_trips() - before


SIZE = 8  # connections
SIZES = {"mincached", "maxcached", "maxconnections", "maxshared", "blocking"}


@exercise(
    "4.4",
    hints=(
        (
            "Lesson 04, sections 5 and 8: which two arguments of the pool talk to the server? "
            "And what must a program promise that turns `reset` off?"
        ),
        (
            "Switch off the check at the checkout and the rollback at the return. Then nothing "
            "ends a transaction any more: so there must be none that stays open."
        ),
        (
            '`{"ping": 0, "reset": False, ...}`, and the third keyword is one of '
            "`pymysql.connect`: it commits each statement by itself."
        ),
    ),
    why="While the pool itself waits for the server, all other callers wait for the pool.",
    wrong={
        "options = {}": "round trips",
        'options = {"ping": 0}': "round trips",
        'options = {"reset": False, "autocommit": True}': "round trips",
        'options = {"ping": 0, "reset": False}': "still shows age 24",
        """
        options = {"ping": 0, "reset": False, "maxconnections": 64, "autocommit": True}
        """: "leave the size",
        """
        options = {
            "ping": 0,
            "reset": False,
            "init_command": "set session transaction isolation level read committed",
        }
        """: "others still see",
        'options = {"ping": 0, "reset": True, "autocommit": True}': "round trips",
        'options = {"ping": 1, "reset": False, "autocommit": True}': "round trips",
        'options = {"pong": 0}': "TypeError",
    },
    also_right=(
        """
        options = dict(autocommit=True, reset=False, ping=0, ssl_disabled=True)
        """,
        """
        options = {"init_command": "set autocommit = 1", "autocommit": None}
        options |= {"ping": 0, "reset": False}
        """,
    ),
)
def check_options(options: dict[str, Any]) -> None:
    """Count the round trips of a query; then change rows outside the pool and through it."""
    size = sorted(SIZES & set(options))
    expect(not size, f"leave the size as it is: without {language.listed(size)}")
    with (
        scene("student"),
        delay_proxy() as proxy,
        closing(Pooled(proxy.settings, SIZE, **options)) as way,
    ):
        way.select()
        before = proxy.round_trips()
        way.select()
        counted = proxy.round_trips() - before
        expect(
            counted == 1,
            f"a query over a borrowed connection costs {counted} round trips, expected 1",
        )
        for age in (24, 42):
            ask("update student set age = %s where id = 1", age)
            for _ in range(SIZE):
                seen = way.query("select age from student where id = 1")[0]["age"]
                expect(
                    seen == age,
                    f"the age of student 1 is {age} now, and the pool still shows age {seen}",
                )
        way.query("update student set age = 77 where id = 2")
        seen = ask("select age from student where id = 2")[0]["age"]
        expect(
            seen == 77,
            f"a caller has changed the age of student 2 to 77, and others still see {seen}",
        )
