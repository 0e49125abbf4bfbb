"""What MysqlHelp promises, each with the fault really injected."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pymysql
import pytest
from pymysql.constants import ER

from course.database import program, server
from course.ground import place
from demos.pool_demo.lending.turnstile import PoolTimeout, Turnstile
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import Settings, load, shared_context
from tests.support.processes import halt
from tests.support.waiting import all_at_once, eventually

from . import forked

ADD = "insert into student(name, age, gender) values(%s, %s, %s)"
AGE = "update student set age = age + %s where id = %s"
LOST = {2006, 2013}


@pytest.fixture
def small(book):
    """Make a MysqlHelp of few connections and little patience."""
    MysqlHelp.close_all()

    def make(**changes):
        return MysqlHelp(**{"connections": 1, "wait": 0.2, **changes})

    yield make
    MysqlHelp.close_all()


def ages(ask):
    return [row["age"] for row in ask("select age from student order by id")]


def connection_id(db):
    return db.selectone("select connection_id() as id")["id"]


def in_thread(work):
    """Run work in a thread; return the thread and the list that gets its result or error."""
    results = []

    def run():
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


# -- one pool per process and configuration ------------------------------------------------------


def test_one_object_per_configuration(small):
    assert small() is small()
    assert small() is not small(connections=2)
    assert MysqlHelp(Settings(database="a")) is not MysqlHelp(Settings(database="b"))


def test_closed_object_says_so(small):
    db = small()
    db.close()
    with pytest.raises(pymysql.InterfaceError, match="makes a new one"):
        db.selectone("select 1")


def test_closing_twice_leaves_the_newer_object_alone(small):
    old = small()
    old.close()
    new = small()
    old.close()
    assert new is small() is not old
    assert new.selectone("select 1 one") == {"one": 1}


def test_closing_closes_what_is_out_when_it_comes_back(small, witness):
    db = small()
    with db.transaction():
        connection_id(db)
        db.close()
    assert witness.settle(0) == 0


def test_pool_of_nothing_is_refused(small):
    with pytest.raises(ValueError, match="at least 1"):
        small(connections=0)


def test_nothing_is_opened_before_it_is_needed(small, witness):
    small(connections=5)
    assert witness.settle(0) == 0


def test_no_more_connections_than_allowed(small, witness):
    db = small(connections=3, wait=60.0)
    watcher, counts = in_thread(lambda: [len(witness.ids()) for _ in range(50)])
    all_at_once(12, lambda: db.selectone("select sleep(0.02)"))
    watcher.join(60)
    assert max(counts[0]) <= 3
    assert witness.settle(3) == 3


def test_a_process_that_forks(book):
    done = subprocess.run(
        [sys.executable, "-m", "tests.pool_demo.forked"],
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.stdout.splitlines() == [case.__doc__ for case in forked.CASES], done.stderr


# -- in order, with a time-out ---------------------------------------------------------------------


def test_waiting_too_long_is_a_named_error_with_the_counts(small):
    db = small(wait=0.3)
    with db.lender.lend():
        others = [in_thread(lambda: db.selectone("select 1")) for _ in range(3)]
        for thread, _ in others:
            thread.join(60)
    errors = [results[0] for _, results in others]
    assert all(
        isinstance(error, PoolTimeout) and isinstance(error, TimeoutError) for error in errors
    )
    said = {str(error).partition(": ")[2].partition(";")[0] for error in errors}
    assert "1 callers hold one and 3 wait" in said
    assert db.selectone("select 1 as one") == {"one": 1}, "the place is free again"


def test_callers_are_served_in_the_order_they_came(small):
    db, served = small(wait=60.0), []
    with ExitStack() as held:
        held.enter_context(db.lender.lend())
        callers = []
        for number in range(8):
            callers.append(
                in_thread(
                    lambda number=number: (
                        served.append(number) if db.selectone("select 1") else None
                    )
                )
            )
            assert eventually(lambda number=number: db.lender.turnstile.counts()[1] == number + 1)
    for thread, _ in callers:
        thread.join(60)
    assert served == sorted(served) and len(served) == 8


def test_turnstile_gives_equal_turns():
    gate, turns, stop = Turnstile(2), [0] * 8, threading.Event()

    def caller(number):
        while not stop.is_set():
            with gate.enter(60):
                turns[number] += 1
                time.sleep(0.001)

    threads = [in_thread(lambda number=number: caller(number))[0] for number in range(8)]
    assert eventually(lambda: min(turns) >= 20)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert max(turns) <= 2 * min(turns)  # a pool's own lock: some get a hundred times as many
    assert gate.counts() == (0, 0)


def test_a_caller_who_gives_up_does_not_block_the_line():
    gate = Turnstile(1)
    with gate.enter(1), pytest.raises(PoolTimeout):
        gate.enter(0.01)
    with gate.enter(0.01):
        pass
    assert gate.counts() == (0, 0)


# -- transactions ----------------------------------------------------------------------------------


def test_nested_call_uses_the_transactions_connection(small):
    db = small()  # of one connection: a second checkout would wait for ever
    with db.transaction() as tx:
        first = connection_id(tx)
        assert connection_id(db) == first
        with db.transaction():
            assert connection_id(db) == first
        with db.stream("select connection_id() as id") as rows:
            assert [row["id"] for row in rows] == [first]
        assert db.insertmany(ADD, [("a", 1, "x")]) is True


def test_another_thread_is_not_in_the_transaction(small):
    db = small(connections=2)
    with db.transaction():
        mine = connection_id(db)
        thread, results = in_thread(lambda: connection_id(db))
        thread.join(60)
    assert results[0] != mine


def test_stream_in_a_transaction_refuses_other_statements_until_its_end(small):
    db, seen = small(), []
    with db.transaction():
        with db.stream("select id from student order by id") as rows:
            for row in rows:
                seen.append(row["id"])
                with pytest.raises(pymysql.ProgrammingError, match="end its block first"):
                    db.execute(AGE, (1, row["id"]))
        assert db.execute(AGE, (1, 1)) == 1
    assert seen == [1, 2, 3]


def test_insertmany_of_a_stream_inserts_every_row(small, ask):
    db = small(connections=2)
    with db.stream("select name, age, gender from student") as rows:
        db.insertmany(ADD, (tuple(row.values()) for row in rows))
    assert len(ages(ask)) == 6


def test_transaction_commits_or_rolls_back(small, ask):
    db = small()
    with db.transaction():
        db.execute(AGE, (1, 1))
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute(AGE, (100, 1))
        1 / 0  # noqa: B018
    assert ages(ask) == [25, 23, 25]


def test_inner_block_can_fail_alone(small, ask):
    db = small()
    with db.transaction():
        db.execute(AGE, (1, 1))
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.execute(AGE, (1, 2))
            1 / 0  # noqa: B018
        db.execute(AGE, (1, 3))
    assert ages(ask) == [25, 23, 26]


def test_kill_between_two_updates_leaves_nothing_half_done(small, ask, witness):
    db = small()
    with pytest.raises(pymysql.MySQLError) as caught, db.transaction():
        db.execute(AGE, (-5, 1))
        witness.kill(connection_id(db))
        db.execute(AGE, (5, 2))
    assert caught.value.args[0] in LOST | {1927, 4031}
    assert ages(ask) == [24, 23, 25]
    assert db.update(AGE, (1, 1)) is True


def test_after_a_lost_connection_nothing_of_the_block_runs_alone(small, ask, witness):
    """Also not when the block catches the error and goes on."""
    db = small()
    with pytest.raises(pymysql.MySQLError), db.transaction():
        db.execute(AGE, (-5, 1))
        witness.kill(connection_id(db))
        for _ in range(2):
            with pytest.raises(pymysql.MySQLError):
                db.execute(AGE, (5, 2))
    assert ages(ask) == [24, 23, 25]


def test_deadlock_victim_is_undone_and_does_not_go_on(small, ask, book):
    db = small(connections=2, wait=60.0)
    both = threading.Barrier(2)

    def transfer(first, second):
        with db.transaction():
            db.execute(AGE, (-1, first))
            both.wait(60)
            try:
                db.execute(AGE, (1, second))
            except pymysql.OperationalError as error:
                assert error.args[0] == ER.LOCK_DEADLOCK
                # Somebody who swallows it must not commit half a transfer.
                with pytest.raises(pymysql.MySQLError):
                    db.execute(AGE, (1, second))
                raise

    pairs = [in_thread(lambda: transfer(1, 2)), in_thread(lambda: transfer(2, 1))]
    for thread, _ in pairs:
        thread.join(60)
    errors = [results[0] for _, results in pairs if results[0] is not None]
    assert [error.args[0] for error in errors] == [ER.LOCK_DEADLOCK]
    assert sum(ages(ask)) == 24 + 23 + 25


# -- lost connections outside a transaction ----------------------------------------------------------


def test_idle_connection_that_died_is_replaced_before_a_write(small, ask, witness):
    db = small()
    witness.kill(connection_id(db))
    assert db.update(AGE, (1, 1)) is True
    assert ages(ask)[0] == 25


def killed_while_it_runs(db, witness, call):
    """Kill the connection on which `call` runs; return its result or error."""
    looks = [set()]

    def busy():
        """Return whoever is busy in two looks: what a new connection is told first is over by then."""
        time.sleep(0.02)
        looks.append({one.id for one in witness.seen() if one.command == "Query"})
        return looks[-1] & looks[-2]

    thread, results = in_thread(call)
    assert eventually(busy)
    (running,) = looks[-1] & looks[-2]
    witness.kill(running)
    thread.join(60)
    return results[0]


def test_read_is_repeated_once_on_a_lost_connection(small, witness):
    db = small()
    sql = "select name, sleep(0.3) as s from student where id = 1"
    assert killed_while_it_runs(db, witness, lambda: db.selectone(sql)) == {"name": "韩雪", "s": 0}


@pytest.mark.parametrize(
    "sql", ["update student set age = age + 1 where id = 1 and sleep(0.5) = 0", "do sleep(0.5)"]
)
def test_write_is_never_repeated(small, ask, witness, sql):
    db = small()
    error = killed_while_it_runs(db, witness, lambda: db.update(sql))
    assert isinstance(error, pymysql.MySQLError)
    assert ages(ask) == [24, 23, 25]


def test_read_in_a_transaction_is_never_repeated(small, witness):
    db = small()

    def read():
        with db.transaction():
            return db.selectone("select sleep(0.5)")

    assert isinstance(killed_while_it_runs(db, witness, read), pymysql.MySQLError)


def test_select_whose_function_writes_is_not_repeated(small, ask, witness):
    ask("drop function if exists count_me")
    ask(
        "create function count_me() returns int deterministic modifies sql data "
        "begin insert into stu(name, age) values ('x', 1); do sleep(0.4); return 1; end"
    )
    try:
        error = killed_while_it_runs(
            small(), witness, lambda: small().selectone("select count_me()")
        )
        assert isinstance(error, pymysql.MySQLError)
        assert ask("select count(*) as n from stu")[0]["n"] <= 1
    finally:
        ask("drop function count_me")


# -- the connection always goes back -----------------------------------------------------------------


def is_whole(db):
    """Say whether all places are free and a query gets its own answer."""
    return db.lender.turnstile.counts() == (0, 0) and db.selectone("select 42 as n") == {"n": 42}


def press_ctrl_c():
    """Interrupt the main thread as the terminal does, also in the middle of a system call."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_keyboard_interrupt_in_mid_query(small):
    db = small()

    def interrupt():
        assert eventually(lambda: db.lender.turnstile.counts()[0] == 1)
        time.sleep(0.05)  # into the query; too early would be another path, and right as well
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        helper = threading.Thread(target=interrupt)
        helper.start()
        db.selectone("select 1 as wrong, sleep(60)")
    helper.join(60)
    assert is_whole(db)


def test_keyboard_interrupt_while_waiting_in_line(small):
    db = small(connections=1, wait=60.0)
    free = threading.Event()

    def hold():
        with db.lender.lend():
            free.wait(60)

    holder, _ = in_thread(hold)
    assert eventually(lambda: db.lender.turnstile.counts() == (1, 0))

    def interrupt():
        assert eventually(lambda: db.lender.turnstile.counts() == (1, 1))
        press_ctrl_c()

    helper = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        helper.start()
        db.selectone("select 1")
    helper.join(60)
    free.set()
    holder.join(60)
    assert is_whole(db)


def test_errors_of_every_kind_give_the_connection_back(small):
    db = small()
    for sql, param in [
        ("select * from nothing", None),
        ("select %s", ({"a": 1},)),
        ("no sql", None),
        ("select %s, %s", (1,)),
    ]:
        with pytest.raises((pymysql.Error, TypeError, AttributeError, KeyError)):
            db.selectall(sql, param)
        assert is_whole(db)


def test_query_limit_ends_a_query(small):
    db = small(query_limit=0.3)
    began = time.monotonic()
    for _ in "a new session", "one that starts over":
        try:
            # MySQL's sleep() answers 1 when it is ended; MariaDB raises.
            assert db.selectone("select sleep(200) as s") == {"s": 1}
        except pymysql.OperationalError as error:
            assert error.args[0] in (1969, 3024)
    assert time.monotonic() - began < 100, "it was ended, not awaited"
    assert is_whole(db)


# -- no session state reaches the next -----------------------------------------------------------------

LEAKS = [
    ("set @secret = 'mine'", "select @secret is not null as x"),
    ("select @secret := 'mine'", "select @secret is not null as x"),
    ("set session sort_buffer_size = 65536", "select @@sort_buffer_size = 65536 as x"),
    ("set time_zone = '+05:00'", "select @@time_zone = '+05:00' as x"),
    ("set names latin1", "select @@character_set_client = 'latin1' as x"),
    ("set autocommit = 0", "select @@autocommit = 0 as x"),
    ("select get_lock(database(), 0)", "select is_used_lock(database()) is not null as x"),
    ("use information_schema", "select database() = 'information_schema' as x"),
    ("begin", "select 0 as x"),
    ("lock tables stu read", "select 0 as x"),
    ("insert into stu(name, age) values ('x', 1)", "select last_insert_id() > 0 as x"),
    ("select sql_calc_found_rows * from student limit 1", "select found_rows() > 1 as x"),
]


@pytest.mark.parametrize(("left", "look"), LEAKS)
@pytest.mark.parametrize("way", ["alone", "in a transaction"])
def test_session_state_does_not_reach_the_next(small, left, look, way):
    db = small()
    if way == "alone":
        db.execute(left)
    else:
        try:
            with db.transaction():
                db.execute(left)
        except pymysql.ProgrammingError as error:
            assert "would end the transaction" in str(error)
    # The server lets go of a lock as soon as it has noticed that the connection is closed.
    assert eventually(lambda: not db.selectone(look)["x"])
    assert db.insert(ADD, ("x", 1, "y")), "and it can write, and the write is committed"
    assert db.selectone("select count(*) as n from student")["n"] == 4


def test_session_state_does_not_leave_through_stream_or_insertmany(small):
    db = small()
    lock, look = "select get_lock(database(), 0)", "select is_used_lock(database()) is null as free"
    with db.transaction(), db.stream(lock) as rows:
        list(rows)
    assert eventually(lambda: db.selectone(look)["free"])
    db.insertmany("insert into stu(name, age) values(%s, @leak := %s)", [("x", 1)])
    assert db.selectone("select @leak as leak") == {"leak": None}


def test_temporary_table_does_not_reach_the_next(small):
    db = small()
    db.execute("create temporary table basket (item varchar(10))")
    with pytest.raises(pymysql.ProgrammingError) as caught:
        db.selectall("select * from basket")
    assert caught.value.args[0] == ER.NO_SUCH_TABLE


def test_plain_statements_keep_their_connection(small):
    db = small()
    first = connection_id(db)
    db.insert(ADD, ("a@b", 1, "x"))
    db.selectall("select count(*), max(age) from student where name in (%s, %s)", ("a@b", "x"))
    db.insertmany(ADD, [("c", 1, "x")] * 3)
    with db.transaction():
        db.update(AGE, (1, 1))
    assert connection_id(db) == first


# -- large results and inserts -------------------------------------------------------------------------


def test_stream_gives_rows_one_by_one(small, ask):
    db = small()
    numbers = "select a.n + 10 * b.n as n from ({0}) a, ({0}) b order by 1".format(
        " union all ".join(f"select {n} as n" for n in range(10))
    )
    with db.stream(numbers) as rows:
        assert [row["n"] for row in rows] == list(range(100))
    with db.stream(numbers) as rows:
        assert next(rows) == {"n": 0}  # and the rest is left unread
    assert is_whole(db)


def test_stream_may_take_longer_than_a_query(small):
    """Rows that keep coming are no query that hangs."""
    db = small(query_limit=0.3)
    with db.stream("select sleep(0.2) as s from student") as rows:
        assert len(list(rows)) == 3
    with db.transaction():
        with db.stream("select sleep(0.2) as s from student") as rows:
            assert len(list(rows)) == 3
        with pytest.raises(pymysql.ProgrammingError), db.stream("select * from nothing"):
            pass
        try:  # and what comes behind it is limited again; MySQL's sleep() answers 1
            assert db.selectone("select sleep(200) as s") == {"s": 1}
        except pymysql.OperationalError as error:
            assert error.args[0] in (1969, 3024)


def test_percent_sign_with_empty_param(small):
    for empty in ((), [], {}):
        assert small().selectone("select 'a%' as x", empty) == {"x": "a%"}


def test_stream_with_a_wrong_statement(small):
    db = small()
    with pytest.raises(pymysql.ProgrammingError), db.stream("select * from nothing"):
        pass
    assert is_whole(db)


def test_insertmany_takes_a_generator_and_sends_few_statements(small, ask):
    db = small()
    rows = ((f"n{number}", number % 100, "x") for number in range(2500))
    with db.transaction():
        counted = "show session status like 'Com_insert'"
        start = int(db.selectone(counted)["Value"])
        db.insertmany(ADD, rows)
        assert int(db.selectone(counted)["Value"]) - start == 3, "chunks of 1000"
    assert ask("select count(*) as n from student") == [{"n": 2503}]


# -- gevent --------------------------------------------------------------------------------------------

UNDER_GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.lending.turnstile import PoolTimeout

db = MysqlHelp(connections=4, wait=60.0)

def until(counts):
    with gevent.Timeout(60):
        while db.lender.turnstile.counts() != counts:
            gevent.sleep(0.005)

jobs = [gevent.spawn(db.selectone, "select sleep(0.2)") for _ in range(8)]
until((4, 4))  # at once, and not one after the other
gevent.joinall(jobs, raise_error=True)

victim = gevent.spawn(db.selectone, "select 1 as wrong, sleep(5)")
until((1, 0))
gevent.sleep(0.05)
victim.kill()  # GreenletExit in mid-query
assert db.lender.turnstile.counts() == (0, 0)
assert [db.selectone("select 42 as n") for _ in range(6)] == [{"n": 42}] * 6

with gevent.Timeout(0.1, False):
    db.selectone("select 1 as wrong, sleep(5)")
assert [db.selectone("select 43 as n") for _ in range(6)] == [{"n": 43}] * 6

shared = db.transaction()

def inside():
    with shared:
        first = db.selectone("select connection_id() as id")
        gevent.sleep(0.05)
        assert db.selectone("select connection_id() as id") == first
        return first["id"]

ids = [job.get() for job in [gevent.spawn(inside) for _ in range(4)]]
assert len(set(ids)) == 4

one = MysqlHelp(connections=1, wait=0.2)
with one.lender.lend():
    late = gevent.spawn(one.selectone, "select 1")
    late.join()
assert isinstance(late.exception, PoolTimeout), late.exception
ticks = []
ticker = gevent.spawn(lambda: [(ticks.append(1), gevent.sleep(0.01)) for _ in range(1000)])
one.selectone("select sleep(0.3)")
ticker.kill()
assert len(ticks) > 2, "a slow query froze the other greenlets"
print("all held")
"""


def test_the_same_under_gevent(book):
    done = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT],
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "all held\n", done.stderr


# -- a server that hangs, a server that restarts ---------------------------------------------------------


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A private server that a test may stop, kill and start again, and its settings."""
    if program.find() is None:
        pytest.skip("MYSQL_* names a server, so none of our own is installed here")
    state = tmp_path_factory.mktemp("own") / "server"

    def settings():
        known = server.status(state)
        return Settings(known.host, known.port, None, known.user, known.password, "mysql")

    with server.Lease(state) as lease:
        yield lease, settings


def test_a_hung_server_blocks_nobody_who_does_not_need_it(own_server, small):
    lease, settings = own_server
    hung = MysqlHelp(settings(), connections=2, wait=0.3, query_limit=1.0)
    hung.selectone("select 1")
    healthy = small(wait=60.0)
    healthy.selectone("select 1")
    halt(lease.status.server_pid)
    try:
        stuck = [in_thread(lambda: hung.selectone("select 1")) for _ in range(4)]
        assert eventually(lambda: hung.lender.turnstile.counts()[0] == 2)
        assert healthy.selectone("select 42 as n") == {"n": 42}
        for thread, _ in stuck:
            thread.join(60)
        errors = [results[0] for _, results in stuck]
        # Two wait for the server until the query's limit, two for those until their patience ends.
        assert (
            sorted(type(error).__name__ for error in errors)
            == ["OperationalError"] * 2 + ["PoolTimeout"] * 2
        )
        assert {error.args[0] for error in errors if isinstance(error, pymysql.Error)} == {2013}
    finally:
        os.kill(lease.status.server_pid, signal.SIGCONT)
    assert hung.selectone("select 42 as n") == {"n": 42}
    hung.close()


def test_a_restart_of_the_server_is_survived(own_server):
    lease, settings = own_server
    db = MysqlHelp(settings(), connections=3, wait=5.0)
    all_at_once(3, lambda: db.selectone("select sleep(0.05)"))
    os.kill(lease.status.server_pid, signal.SIGKILL)
    assert eventually(lambda: not lease.is_good())
    with pytest.raises(pymysql.OperationalError) as caught:
        db.selectone("select 1")
    assert caught.value.args[0] == 2003
    lease.renew()
    assert db.selectone("select 42 as n") == {"n": 42}
    db.close()


def test_a_write_is_not_lost_when_the_servers_autocommit_is_turned_off(own_server):
    _, settings = own_server
    reader, writer = (MysqlHelp(settings(), connections=count) for count in (1, 2))
    reader.selectone("select 1")
    writer.selectone("select 1")
    with pymysql.connect(**settings().connect_args(), autocommit=True) as other:
        cursor = other.cursor()
        cursor.execute("create database if not exists kept")
        cursor.execute("create table if not exists kept.numbers (n int)")
        cursor.execute("set global autocommit = 0")
        try:
            assert reader.selectone("select 42 as n") == {"n": 42}
            with pytest.raises(pymysql.OperationalError, match="do not commit by themselves"):
                writer.insert("insert into kept.numbers values (1)")
            for number in (2, 3):
                writer.insert("insert into kept.numbers values (%s)", (number,))
        finally:
            cursor.execute("set global autocommit = 1")
        cursor.execute("select n from kept.numbers")
        assert cursor.fetchall() == ((2,), (3,))
    reader.close()
    writer.close()


def test_a_backslash_means_what_it_did_when_connecting(own_server):
    """Whatever the server's mode becomes meanwhile: a value must not end its quotes."""
    _, settings = own_server
    db = MysqlHelp(settings(), connections=1)
    with pymysql.connect(**settings().connect_args(), autocommit=True) as other:
        cursor = other.cursor()
        cursor.execute("select @@global.sql_mode")
        ((usual,),) = cursor.fetchall()
        try:
            for mode in (usual, f"{usual},NO_BACKSLASH_ESCAPES", usual):
                cursor.execute("set global sql_mode = %s", (mode,))
                for value in ("\\' or 1 = 1 -- ", "\\"):
                    assert (
                        db.selectone("select 1 as found from user where user = %s", (value,))
                        is None
                    )
                    assert db.selectone("select %s as x", (value,)) == {"x": value}
                    with db.transaction():
                        assert db.selectone("select %s as x", (value,)) == {"x": value}
        finally:
            cursor.execute("set global sql_mode = %s", (usual,))
    db.close()


def test_a_limit_that_was_raised_counts_for_the_next(own_server):
    """The error advises to raise it; nobody has to begin a new process for that."""
    _, settings = own_server
    db = MysqlHelp(settings(), connections=1)
    length, change = "select length(%s) as n", "set global max_allowed_packet = %s"
    limit = db.selectone("select @@max_allowed_packet as n")["n"]
    with pytest.raises(pymysql.DataError, match="raise its max_allowed_packet"):
        db.selectone(length, ("x" * limit,))
    with pymysql.connect(**settings().connect_args()) as other:
        other.cursor().execute(change, (limit + 1024 * 1024,))
        try:
            assert db.selectone(length, ("x" * limit,)) == {"n": limit}
        finally:
            other.cursor().execute(change, (limit,))
    db.close()


# -- TLS and character set -------------------------------------------------------------------------------


def test_tls_context_is_built_once_and_only_when_wanted(small, monkeypatch):
    built = []
    original = ssl.create_default_context
    monkeypatch.setattr(
        ssl,
        "create_default_context",
        lambda *args, **more: built.append(1) or original(*args, **more),
    )
    db = small(connections=4, wait=60.0)
    all_at_once(4, lambda: db.selectone("select sleep(0.05)"))
    assert built == [], "this machine: no TLS"


def test_tls_can_be_demanded(small, ask):
    offered = ask("show variables like 'have_ssl'") or [{"Value": "YES"}]
    context = shared_context(verify=False)
    db = MysqlHelp(
        Settings(**{**vars(load()), "host": "127.0.0.1", "unix_socket": None}), tls=context
    )
    if offered[0]["Value"] == "YES":
        assert db.selectone("show status like 'Ssl_cipher'")["Value"]
    else:
        with pytest.raises(pymysql.OperationalError, match="SSL"):
            db.selectone("select 1")
    db.close()


def test_emoji_make_the_round_trip(small):
    db = small()
    key = db.insert(ADD, ("小甜甜😀", 20, "女"))
    assert db.selectone("select name from student where id = %s", (key,)) == {"name": "小甜甜😀"}
