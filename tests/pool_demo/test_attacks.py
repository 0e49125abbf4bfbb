"""MysqlHelp against what the text of a statement does not show, and what strikes at a bad moment."""

import enum
import itertools
import random
import secrets
import signal
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy
import pymysql
import pytest
from markupsafe import Markup
from pymysql.constants import ER

from demos.pool_demo.lending.statements import can_be_undone, first_word, is_read
from demos.pool_demo.lending.turnstile import Turnstile
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import load
from tests.support.waiting import eventually, within

ADD = "insert into student(name, age, gender) values(%s, %s, %s)"
AGE = "update student set age = age + %s where id = %s"
REFUSED = 1399


@pytest.fixture
def small(book):
    """Make a MysqlHelp of one connection, unless more are asked for."""
    MysqlHelp.close_all()
    yield lambda connections=1: MysqlHelp(connections=connections, wait=60.0)
    MysqlHelp.close_all()


@pytest.fixture
def stored(ask):
    """Create a procedure, function, trigger or view; each is dropped at the end."""
    made = []

    def create(kind, name, rest):
        ask(f"drop {kind} if exists {name}")
        ask(f"create {kind} {name} {rest}")
        made.append(f"drop {kind} if exists {name}")

    yield create
    for sql in reversed(made):
        ask(sql)


def ages(ask):
    return [row["age"] for row in ask("select age from student order by id")]


def is_mariadb(ask):
    return "MariaDB" in ask("select version() as v")[0]["v"]


# -- a transaction stays the one that began ----------------------------------------------------------

ENDS = [
    "begin",
    "start transaction",
    "commit",
    "commit and chain",
    "rollback",
    "/* a comment */ rollback and chain",
    "create table student (a int)",
    "truncate nothing_here",
    "drop table if exists nothing_here",
    "alter table stu comment ''",
    "analyze table student",
    "lock tables stu read",
    "flush tables",
    "xa start 'another'",
    "call commit_and_begin()",
    "call commit_and_fail()",
    "call create_something()",
]


@pytest.fixture
def procedures(stored):
    """Procedures that end the caller's transaction on their way."""
    more = "update student set age = age + 1 where id = 3;"
    stored("procedure", "commit_and_begin", f"() begin commit; start transaction; {more} end")
    stored("procedure", "commit_and_fail", "() begin commit; select * from nothing_here; end")
    stored("procedure", "create_something", "() begin create table student(a int); end")


@pytest.mark.parametrize("sql", ENDS)
def test_what_would_end_a_transaction_is_refused_before_it_does(small, ask, procedures, sql):
    db = small()
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute(AGE, (-5, 1))
        with pytest.raises(pymysql.ProgrammingError, match="would end the transaction") as caught:
            db.execute(sql)
        assert caught.value.args[0] == REFUSED
        assert ages(ask) == [24, 23, 25], "nothing is public"
        db.execute(AGE, (5, 2))
        1 / 0  # noqa: B018
    assert ages(ask) == [24, 23, 25]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("call commit_and_begin()", pymysql.ProgrammingError),  # it is refused
        (
            "insert into student(id, name, age, gender) values (1, 'x', 1, 'x')",
            pymysql.IntegrityError,
        ),
    ],
)
def test_a_block_goes_on_after_an_error_that_undoes_nothing(small, ask, procedures, sql, error):
    db = small()
    with db.transaction():
        db.execute(AGE, (-5, 1))
        with pytest.raises(error):
            db.execute(sql)
        db.execute(AGE, (5, 2))
    assert ages(ask) == [19, 28, 25]


def test_a_procedure_that_does_not_commit_is_part_of_the_block(small, ask, stored):
    stored("procedure", "give", "() begin update student set age = age + 5 where id = 2; end")
    db = small()
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("call give()")
        1 / 0  # noqa: B018
    assert ages(ask) == [24, 23, 25]


@pytest.fixture
def undo(ask):
    """In a block, let the server undo the transaction with error 1020, and catch that."""
    if not ask("show variables like 'innodb_snapshot_isolation'"):
        pytest.skip("this server has no snapshot isolation")

    def run(db):
        db.execute("set innodb_snapshot_isolation = 1")
        db.selectall("select * from student")
        db.execute(AGE, (11, 3))
        ask(AGE, 76, 1)
        with pytest.raises(pymysql.OperationalError) as caught:
            db.execute(AGE, (1, 1))
        assert caught.value.args[0] == 1020

    return run


@pytest.mark.parametrize("next_one", [AGE, "select %s + %s"])
def test_after_the_server_has_undone_all_nothing_runs_alone(small, ask, undo, next_one):
    db = small()
    with pytest.raises(pymysql.InterfaceError, match="undone the transaction"), db.transaction():
        undo(db)
        db.execute(next_one, (1, 2))
    assert ages(ask) == [100, 23, 25]


def test_a_block_that_swallows_an_undoing_does_not_commit_in_silence(small, ask, undo):
    db = small()
    with pytest.raises(pymysql.InterfaceError, match="undone the transaction"), db.transaction():
        undo(db)
    assert ages(ask) == [100, 23, 25]


def test_a_block_is_a_part_where_it_begins_wherever_it_was_made(small, ask):
    db = small()  # of one connection: another transaction would wait for ever
    block = db.transaction()
    with db.transaction():
        db.execute(AGE, (1, 1))
        with pytest.raises(ZeroDivisionError), block, block:
            db.execute(AGE, (1, 2))
            1 / 0  # noqa: B018
    with block:
        db.execute(AGE, (1, 3))
    assert ages(ask) == [25, 23, 26]


def test_a_block_that_two_threads_enter_is_one_transaction_for_each(small, ask):
    db = small(2)
    block, both_are_in = db.transaction(), threading.Barrier(2, timeout=60)

    def work(first, then, fails):
        with block, block:  # the second is a part, of this thread's own
            db.execute(AGE, (1, first))
            both_are_in.wait()
            db.execute(AGE, (1, then))
            if fails:
                raise ZeroDivisionError
            both_are_in.wait()

    with ThreadPoolExecutor(2) as threads:
        bad = threads.submit(work, 1, 2, True)
        good = threads.submit(work, 3, 3, False)
        assert isinstance(bad.exception(), ZeroDivisionError)
        both_are_in.wait()  # the good one ends after the bad one
        good.result()
    assert ages(ask) == [24, 23, 27]


def test_a_block_ends_in_the_thread_where_it_began(small, ask):
    db = small(2)
    block = db.transaction()
    with ThreadPoolExecutor(1) as thread, block:
        db.execute(AGE, (1, 1))
        with pytest.raises(RuntimeError, match="end it where it began"):
            thread.submit(block.__exit__, None, None, None).result()
        assert db.selectone("select age from student where id = 1") == {"age": 25}
    assert ages(ask) == [25, 23, 25]


def test_blocks_that_end_in_another_order_are_undone(small, ask):
    """Two generators that take turns: the block of the second is a part of the first one's."""
    db = small(2)

    def work(number):
        with db.transaction():
            db.execute(AGE, (1, number))
            yield
            db.execute(AGE, (1, number))
            yield

    first, second = work(1), work(2)
    for one in (first, second, first):
        next(one)
    with pytest.raises(RuntimeError, match="reverse order"):
        next(first)
    with pytest.raises(RuntimeError, match="reverse order"):
        next(second)
    assert ages(ask) == [24, 23, 25]
    with db.transaction():  # and the thread can go on
        db.execute(AGE, (1, 1))
    assert ages(ask) == [25, 23, 25]


def test_a_lost_block_holds_no_locks(small, ask):
    db = small(2)

    def work():
        with db.transaction():
            db.execute(AGE, (1, 1))
            yield

    lost = work()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(next, lost).result()
        with pytest.raises(RuntimeError, match="end it where it began"):
            lost.close()
    assert eventually(
        lambda: ask("select count(*) from information_schema.innodb_trx") == [{"count(*)": 0}]
    )
    ask("update student set age = age + 1 where id = 1")
    assert ages(ask) == [25, 23, 25]
    here = db.transaction()
    here.__enter__()
    db.execute(AGE, (1, 2))
    del here
    db.execute(AGE, (1, 3))  # alone, and so it is kept
    assert ages(ask) == [25, 23, 26]


def test_a_savepoint_of_yours_is_not_the_one_of_an_inner_block(small, ask):
    db = small()
    with db.transaction():
        db.execute(AGE, (1, 1))
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.execute(AGE, (1, 2))
            db.execute("savepoint nested_1")
            db.execute("savepoint part_1")
            1 / 0  # noqa: B018
    assert ages(ask) == [25, 23, 25]


# -- nothing is left to the next, whoever left it ----------------------------------------------------------


def test_what_a_trigger_sets_does_not_reach_the_next(small, stored):
    stored("trigger", "leaky", "before insert on stu for each row set @secret = new.name")
    db = small()
    db.insert("insert into stu(name, age) values (%s, 1)", ("mine",))
    assert db.selectone("select @secret as secret") == {"secret": None}


@pytest.mark.parametrize(
    ("does", "look"),
    [
        ("set @secret = 5;", "select @secret is not null as x"),
        ("do get_lock('a lock of a view', 0);", "select is_used_lock('a lock of a view') > 0 as x"),
        ("set session sort_buffer_size = 65536;", "select @@sort_buffer_size = 65536 as x"),
    ],
)
def test_what_a_view_does_does_not_reach_the_next(small, stored, does, look):
    stored("function", "leak", f"() returns int no sql begin {does} return 1; end")
    stored("view", "leaky_view", "as select leak() as one")
    db = small()
    assert db.selectall("select * from leaky_view") == [{"one": 1}]
    assert not db.selectone(look)["x"]


OTHERWISE = "set sql_mode = 'NO_BACKSLASH_ESCAPES';"  # until the routine ends
BREAKS_OUT = "\\' or 1 = 1 -- "


def finds_nobody_and_keeps_backslashes(db):
    found = db.selectall("select id from student where name = %s", (BREAKS_OUT,))
    text = Markup(r"a\b'c")  # whose `replace` escapes as HTML does
    return found == [] and db.selectone("select %s as x", (text,)) == {"x": text}


@pytest.mark.parametrize(
    "sql", ["select otherwise()", "call otherwise_too()", f"begin not atomic {OTHERWISE} end"]
)
def test_a_routine_that_reads_backslashes_otherwise_opens_no_door(small, ask, stored, sql):
    """The server's answer says that the mode stays, and it does not: a value would end its quotes."""
    if "atomic" in sql and not is_mariadb(ask):
        pytest.skip("MySQL has no block outside of a routine")
    stored("function", "otherwise", f"() returns int no sql begin {OTHERWISE} return 1; end")
    stored("procedure", "otherwise_too", f"() begin {OTHERWISE} end")
    db = small()
    db.execute(sql)
    assert finds_nobody_and_keeps_backslashes(db)
    with db.transaction():
        db.execute(sql)
        assert finds_nobody_and_keeps_backslashes(db)


def test_a_block_that_reads_backslashes_otherwise_gets_what_it_wants(small, ask):
    db = small()
    with db.transaction():
        for _ in range(2):
            db.execute(OTHERWISE.rstrip(";"))
            assert finds_nobody_and_keeps_backslashes(db)
            assert db.selectone(r"select length('\\') as n") == {"n": 2}
            db.execute("set sql_mode = ''")
            assert finds_nobody_and_keeps_backslashes(db)
            assert db.selectone(r"select length('\\') as n") == {"n": 1}
    assert finds_nobody_and_keeps_backslashes(db)


SWALLOWS = "\u0984' or 1 = 1 #"  # in gbk, its last byte and the backslash behind it are one letter


def is_refused_or_finds_nobody(db):
    """A value never ends its quotes: either it is not sent, or it finds what it says."""
    try:
        return db.selectall("select id from student where name = %s", (SWALLOWS,)) == []
    except pymysql.ProgrammingError as error:
        return "character set" in str(error)


@pytest.mark.parametrize("charset", ["gbk", "big5", "sjis", "cp932", "gb18030", "latin1"])
@pytest.mark.parametrize(
    "sql",
    [
        "set names {}",
        "set character set {}",
        "set character_set_client = {}",
        "/*!50000 set names {} */",
        "prepare one from 'set names {}' | execute one",
        "begin not atomic set names {}; end",
        "select speak() | call speak_too()",
        "insert into stu(name, age) values ('x', 1)",
    ],
)
def test_a_block_that_sets_another_character_set_opens_no_door(small, ask, stored, sql, charset):
    maria = is_mariadb(ask)
    if ("atomic" in sql) > maria or (charset == "gb18030" and maria):
        pytest.skip("this server does not know it")
    does = f"set names {charset}"
    stored("function", "speak", f"() returns int no sql begin {does}; return 1; end")
    stored("procedure", "speak_too", f"() begin {does}; end")
    stored("trigger", "speaking", f"before insert on stu for each row {does}")
    db = small()
    with db.transaction():
        for one in sql.format(charset).split(" | "):
            db.execute(one)
        assert is_refused_or_finds_nobody(db)
        assert is_refused_or_finds_nobody(db), "the second time, too"
        db.execute("set names utf8mb4")
        assert db.selectall("select id from student where name = %s", (SWALLOWS,)) == []
        db.execute("set names utf8mb3")
        assert db.selectone("select %s as x", ("舒畅",)) == {"x": "舒畅"}
    assert db.selectall("select id from student where name = %s", (SWALLOWS,)) == []


@pytest.mark.parametrize("charset", ["sjis", "ujis"])
def test_a_letter_that_becomes_a_backslash_is_refused(small, charset):
    """In these, Python writes a yen as the server's backslash."""
    small()
    db = MysqlHelp(replace(load(), charset=charset), connections=1)
    yen = "\u00a5' or 1 = 1 -- "
    with pytest.raises(pymysql.ProgrammingError, match="not in the character set"):
        db.selectall("select id from student where name = %s", (yen,))
    assert db.selectone("select %s as x", ("表\\'",)) == {"x": "表\\'"}


def test_a_temporary_table_of_a_function_does_not_reach_the_next(small, stored):
    says = "deterministic modifies sql data"  # MySQL's binary log wants the first word
    does = "create temporary table basket (item int);"
    stored("function", "leak", f"() returns int {says} begin {does} return 1; end")
    db = small()
    db.selectall("select leak()")
    with pytest.raises(pymysql.ProgrammingError) as caught:
        db.selectall("select * from basket")
    assert caught.value.args[0] == ER.NO_SUCH_TABLE


@pytest.fixture
def role(ask):
    """A role that the tests' account may use, and has not switched on."""
    name = f"role_{secrets.token_hex(4)}"
    ask(f"create role {name}")
    if not is_mariadb(ask):  # MariaDB gives a role to its creator
        ask(f"grant {name} to {account(ask)}")
    yield name
    ask(f"drop role {name}")


def account(ask):
    name, _, host = ask("select current_user() as account")[0]["account"].rpartition("@")
    return f"'{name}'@'{host}'"


ROLE = "select coalesce(nullif(upper(current_role()), 'NONE'), '') as role"


@pytest.mark.parametrize("in_block", [False, True])
@pytest.mark.parametrize("sql", ["select switch()", "insert into stu(name, age) values ('x', 1)"])
def test_a_role_that_a_routine_sets_does_not_reach_the_next(small, stored, role, sql, in_block):
    stored("function", "switch", f"() returns int no sql begin set role {role}; return 1; end")
    stored("trigger", "switching", f"before insert on stu for each row set role {role}")
    db = small()
    with db.transaction() if in_block else nullcontext():
        db.execute(sql)
        if in_block:
            assert role.upper() in db.selectone(ROLE)["role"]
    assert db.selectone(ROLE) == {"role": ""}
    with db.transaction():
        assert db.selectone(ROLE) == {"role": ""}


def test_a_role_of_a_new_session_is_that_of_every_borrower(book, ask, stored, role):
    """Whether a routine has switched it off or not."""
    stored("function", "switch", "() returns int no sql begin set role none; return 1; end")
    name, settings = role.replace("role", "user"), load()
    user, default = f"'{name}'@'%'", f"set default role {role} {'for' if is_mariadb(ask) else 'to'}"
    ask(f"create user {user} identified by '{name}'")
    try:
        ask(f"grant all on `{settings.database}`.* to {user}")
        ask(f"grant {role} to {user}")
        ask(f"{default} {user}")
        db = MysqlHelp(replace(settings, user=name, password=name), connections=1)
        for sql in (ROLE, "select switch()", ROLE):
            found = db.selectone(sql)
            assert sql != ROLE or role.upper() in found["role"]
        with db.transaction():
            assert role.upper() in db.selectone(ROLE)["role"]
    finally:
        MysqlHelp.close_all()
        ask(f"drop user {user}")


def test_warnings_and_keys_of_the_last_borrower_are_not_shown(small):
    db = small()
    db.insert("insert into stu(name, age) values ('x', 1)")
    db.selectall("select cast('mine' as unsigned)")
    assert db.selectall("show warnings") == []
    with db.transaction():
        assert db.selectone("select last_insert_id() as k") == {"k": 0}


@pytest.mark.parametrize("sql", ["use information_schema", "call leave_a_role()"])
def test_what_a_reset_leaves_ends_with_its_connection(small, stored, sql):
    stored("procedure", "leave_a_role", "() begin set role none; end")
    db = small()
    first = db.selectone("select connection_id() as id, database() as db")
    db.execute(sql)
    then = db.selectone("select connection_id() as id, database() as db")
    assert (then["id"] != first["id"], then["db"]) == (True, first["db"])


@pytest.mark.parametrize("charset", ["utf8mb4", "gbk"])
def test_a_session_that_starts_over_is_like_a_new_one(small, ask, charset):
    small()
    limit = "@@max_statement_time" if is_mariadb(ask) else "@@max_execution_time"
    look = (
        "select @@character_set_client, @@character_set_results, @@collation_connection, "
        f"@@autocommit, {limit}, connection_id(), max(gender) from student"
    )
    db = MysqlHelp(replace(load(), charset=charset), connections=1)
    new = db.selectone(look)
    assert (new["@@character_set_client"], new["max(gender)"]) == (charset, "女")
    for _ in range(2):
        assert db.selectone(look) == new
    with db.transaction():
        assert db.selectone(look) == new
    db.execute("do 0")  # what might stay closes the connection behind it
    assert {**db.selectone(look), "connection_id()": new["connection_id()"]} == new


def test_a_long_literal_is_read_in_no_time(small):
    """What was quadratic took 32 s for 40,000 letters; this would take a day."""
    for filling in ("a", "0x", "'' ", "("):
        text = (filling * 1_500_000).replace("'", "''")
        sql = f"select length('{text}') as n"
        assert small().selectone(sql)["n"] == len(filling) * 1_500_000
    for filling in (" ", "values ", "values(%(", "values(%s,", "on "):
        with pytest.raises(pymysql.MySQLError):
            small().insertmany(f"{ADD} {filling.replace('%', '%%') * 100_000} x", [("a", 1, "x")])


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("  (select 1)", "select"),
        ("/* a */ -- b\n # c\n\tSELECT 1", "select"),
        ("/*!50000 use x */", ""),
        ("/* never closed", ""),
        ("", ""),
    ],
)
def test_the_first_word_is_found(sql, word):
    assert first_word(sql) == word


@pytest.mark.parametrize("sql", ["/*! use x */", "call p()", "set @a = 1", "select GET_LOCK/**/()"])
def test_what_a_reset_may_not_undo(sql):
    assert not can_be_undone(sql)
    assert not is_read("with x as (select 1) delete from x")


# -- every result, and every error ---------------------------------------------------------------------


def test_an_error_after_the_first_result_is_raised(small, stored, ask):
    stored("procedure", "half", "() begin select 1 as one; select * from nothing_here; end")
    db = small()
    for call in (db.selectall, db.selectone, db.execute):
        with pytest.raises(pymysql.ProgrammingError) as caught:
            call("call half()")
        assert caught.value.args[0] == ER.NO_SUCH_TABLE


def test_a_procedure_is_awaited_to_its_end(small, stored, ask):
    work = (
        "select 1 as one; do sleep(0.1); update student set age = 99 where id = 1; select 2 as t;"
    )
    stored("procedure", "slow", f"() begin {work} end")
    assert small().selectall("call slow()") == [{"one": 1}]
    assert ages(ask)[0] == 99


@pytest.mark.parametrize("in_block", [False, True])
def test_a_stream_reads_all_results_of_a_procedure_too(small, stored, ask, in_block):
    first = "select 1 as one; select 2 as two; select 3 as three;"
    stored("procedure", "half", f"() begin {first} select * from nothing_here; end")
    change = "update student set age = 99 where id = 1;"
    stored("procedure", "slow", f"() begin {first} do sleep(0.1); {change} end")
    db = small()

    def streamed(sql, read=list):
        with db.transaction() if in_block else nullcontext(), db.stream(sql) as rows:
            return read(rows)

    with pytest.raises(pymysql.ProgrammingError) as caught:
        streamed("call half()")
    assert caught.value.args[0] == ER.NO_SUCH_TABLE
    assert streamed("call slow()", read=next) == {"one": 1}
    assert ages(ask)[0] == 99


MANY = 2000  # rows of 10,000 letters: more than fits between server and client


@pytest.fixture
def basket(ask, stored):
    """A table, a function that puts something into it, and a view with many numbers."""
    stored("table", "basket", "(item int) engine = innodb")
    stored("view", "ten", f"as {' union all '.join(['select 1 as one'] * 10)}")
    stored("view", "many", "as select row_number() over () as i from ten a, ten b, ten c, ten d")
    does = "begin insert into basket values (item); return repeat('x', 10000); end"
    says = "deterministic modifies sql data"
    stored("function", "put", f"(item int) returns varchar(10000) {says} {does}")
    return lambda: ask("select count(*) as n from basket")[0]["n"]


@pytest.mark.parametrize(
    "sql",
    [
        "select put(i) from many",
        "select if(i < 100, repeat('x', 10000), put(i)) from many",
        "with all_of_them as (select put(i) from many) select * from all_of_them",
        "/* a comment */ (select put(i) from many)",
    ],
)
def test_a_stream_of_a_query_that_writes_is_refused_or_read_to_its_end(small, basket, sql):
    """A stream that is left early ends its connection: what it has written would not be stored."""
    db = small()
    sql = f"{sql} limit {MANY}"
    with (
        pytest.raises(pymysql.ProgrammingError, match="put the stream into"),
        db.stream(sql) as one,
    ):
        list(one)
    assert basket() == 0
    with db.transaction(), db.stream(sql) as rows:
        next(rows)
    assert basket() == MANY - 99 * sql.count("if(")


@pytest.mark.parametrize("fails", [False, True])
def test_a_stream_that_writes_is_done_even_if_it_is_left_early(small, ask, basket, fails):
    if not is_mariadb(ask):
        pytest.skip("MySQL has no returning")
    add = f"insert into basket select i from many limit {MANY} returning repeat('x', 10000)"
    left = pytest.raises(ZeroDivisionError) if fails else nullcontext()
    with left, small().stream(add) as rows:
        next(rows)
        if fails:
            1 / 0  # noqa: B018
    assert basket() == MANY


@pytest.mark.parametrize("in_block", [False, True])
def test_a_stream_whose_connection_is_killed_says_so(small, witness, in_block):
    """And so does one that Ctrl-C strikes: that closes the connection as well."""
    db = small()
    long = "select connection_id() as id, repeat('x', 10000) from {0} a, {0} b, {0} c, {0} d, {0} e, {0} f, {0} g"
    with (
        pytest.raises(pymysql.MySQLError),
        db.transaction() if in_block else nullcontext(),
        db.stream(long.format("student")) as rows,
    ):
        witness.kill(next(rows)["id"])
        list(rows)
    with (
        pytest.raises(KeyboardInterrupt),
        db.transaction() if in_block else nullcontext(),
        db.stream(long.format("student")) as rows,
    ):
        next(rows)
        raise KeyboardInterrupt
    assert db.selectone("select 42 as n") == {"n": 42}


def test_insert_returning_gives_the_key(small, ask):
    if not is_mariadb(ask):
        pytest.skip("MySQL has no `returning`")
    db = small()
    assert db.insert(f"{ADD} returning id, name", ("a", 1, "x")) == 4
    assert db.insert(f"{ADD} returning name", ("a", 1, "x")) is True
    assert db.selectall(f"{ADD} returning name", ("b", 1, "x")) == [{"name": "b"}]


def test_insert_runs_nothing_but_inserts(small, ask):
    with pytest.raises(ValueError, match=r"insert\(\) runs no call"):
        small().insert("call anything()")
    with pytest.raises(ValueError, match="no update"):
        small().insert(AGE, (1, 1))
    for hidden in ("/*!50000 update student set age = 1 */", "/*M! update student set age = 1 */"):
        with pytest.raises(ValueError, match="no statement that begins so"):
            small().insert(hidden)
    assert ages(ask) == [24, 23, 25]


# -- what goes in ---------------------------------------------------------------------------------------


def test_insertmany_with_parameters_behind_the_rows(small, ask):
    db = small()
    sql = "insert into student(id, name, age, gender) values(%s, %s, %s, 'x') "
    db.insertmany(f"{sql} on duplicate key update age = %s", [(1, "a", 1, 50), (4, "d", 4, 51)])
    named = (
        "insert into student(id, name, age, gender) values(%(id)s, 'e', 5, 'x') "
        "on duplicate key update age = %(age)s"
    )
    db.insertmany(named, [{"id": 2, "age": 52}, {"id": 5, "age": 53}])
    assert ages(ask) == [50, 52, 25, 4, 5]


def test_insertmany_with_parameters_behind_the_rows_is_all_or_none(small, ask):
    sql = "insert into student(id, name, age, gender) values(1, 'a', 1, 'x') "
    with pytest.raises(pymysql.MySQLError):
        small().insertmany(f"{sql} on duplicate key update age = %s", [(50,), (-1,)])
    assert ages(ask) == [24, 23, 25]


def test_bytes_are_no_sql_and_a_generator_is_no_tuple(small):
    with pytest.raises(TypeError, match="sql is of type bytes, and a text is needed"):
        small().selectall(b"select 1")
    with pytest.raises(TypeError, match=r"a generator, not a tuple: tuple\(\.\.\.\) makes one"):
        small().selectone("select %s", (one for one in [1]))


@pytest.mark.parametrize(
    ("sql", "param", "why"),
    [
        ("select %s, %s", (1,), "not enough arguments"),
        ("select %s", [1, 2], "not all arguments"),
        ("select %s", {"a": 1}, "without a name"),
        ("select %(a)s", {"b": 1}, "'a'"),
        ("select %(a)s", (1,), "requires a mapping"),
        ("select * from student where name like '韩%' and age > %s", (1,), "%%"),
        ("select * from student where age > %s and name like '韩%'", (1,), "%%"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_a_sentence(small, ask, sql, param, why):
    db = small()
    for call in (db.selectall, db.execute, lambda sql, param: db.insertmany(sql, [param])):
        with db.transaction():
            db.execute(AGE, (1, 1))
            with pytest.raises(pymysql.ProgrammingError, match="do not fit the SQL") as caught:
                call(sql, param)
            assert why in caught.value.args[1]
    assert ages(ask)[0] == 27, "and the block goes on"


def test_each_row_of_insertmany_has_to_fit(small, ask):
    rows = [(4, "d"), (5, "e"), (6,), (7, "g")]
    for last in (rows, [[*row] for row in rows], [(), *rows]):
        with pytest.raises(pymysql.ProgrammingError):
            small().insertmany(
                "insert into student(id, name, age, gender) values(%s, %s, 1, 'x')", last
            )
    assert len(ages(ask)) == 3


def test_too_long_a_statement_is_refused_with_the_limit_and_nothing_is_lost(small, ask):
    limit = int(ask("select @@max_allowed_packet as n")[0]["n"])
    db = small()
    with db.transaction():
        db.execute(AGE, (1, 1))
        with pytest.raises(pymysql.DataError, match=f"less than {limit}: .*max_allowed_packet"):
            db.execute("select length(%s)", ("x" * limit,))
        db.execute(AGE, (1, 2))
    assert ages(ask) == [25, 24, 25]
    assert db.selectall("select length(%s)", ("x" * (limit - 1000),)), "a little less"


class Size(enum.IntEnum):
    """A number with a name."""

    LARGE = 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.int64(5), "5"),
        (numpy.uint8(5), "5"),
        (numpy.float64(1.5), "1.5"),
        (numpy.float32(1.5), "1.5"),
        (numpy.bool_(True), "1"),
        (Size.LARGE, "7"),
    ],
)
def test_a_number_is_sent_as_a_number(small, value, text):
    assert small().selectone("select concat(%s + 0) as x", (value,)) == {"x": text}
    assert small().lender.lend  # and the connection is still there
    sent = small().selectone("select %s as x", (value,))["x"]
    assert isinstance(sent, int | float)


@pytest.mark.parametrize(
    "value", [uuid.UUID(int=1), numpy.datetime64("2020-01-01"), numpy.array([1, 2]), object()]
)
def test_a_value_that_the_driver_does_not_know_is_refused_before_sending(small, ask, value):
    db = small()
    with db.transaction():
        db.execute(AGE, (1, 1))
        with pytest.raises(TypeError, match="would send as text: convert it"):
            db.execute("select %s", (value,))
    assert ages(ask)[0] == 25


# -- Ctrl-C at any moment ----------------------------------------------------------------------------------


@pytest.fixture
def interrupted(monkeypatch):
    """Run work that does not end, until Ctrl-C strikes after so many seconds."""
    # What Python drops in a finalizer, pytest would collect, and Ctrl-C may strike there as well.
    monkeypatch.setattr(sys, "unraisablehook", lambda _dropped: None)
    armed = False

    def strike(*_):
        if armed:
            raise KeyboardInterrupt

    def run(seconds, work):
        nonlocal armed
        armed = True
        try:
            # Again and again: Python drops an exception that strikes in a finalizer.
            signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
            work()
        except KeyboardInterrupt:
            armed = False
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, strike)
    yield run
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_hundreds_of_interrupts_lose_no_place_at_the_turnstile(interrupted):
    gate, dice = Turnstile(3), random.Random(1)

    def pass_through():
        while True:
            with gate.enter(60):
                pass

    for _ in range(300):
        interrupted(dice.uniform(2e-5, 2e-4), pass_through)
    # Asked from another thread: a lock that stayed locked could still belong to this one.
    assert within(30, lambda: eventually(lambda: gate.counts() == (0, 0)))
    with gate.enter(1), gate.enter(1), gate.enter(1):
        assert gate.counts() == (3, 0)


def is_struck(step, work):
    """Work until Ctrl-C at a step, one of those where Python looks for it; say whether it got there."""
    steps = itertools.count(1)
    reached = False

    def look(_frame, event, _arg):
        nonlocal reached
        if event in ("call", "c_return") and next(steps) == step:
            sys.setprofile(None)
            reached = True
            raise KeyboardInterrupt

    try:
        sys.setprofile(look)
        work()
    except KeyboardInterrupt:  # which Python drops in a finalizer
        pass
    finally:
        sys.setprofile(None)
    return reached


def test_an_interrupt_at_any_step_leaves_no_lock_locked(small, ask, monkeypatch):
    """With DBUtils' own lock, four steps of a loan did."""
    dropped = set()  # by Python, in a finalizer; Ctrl-C may strike there as well
    monkeypatch.setattr(sys, "unraisablehook", lambda what: dropped.add(what.exc_type))
    db = small()

    def work():
        with db.transaction():
            db.execute(AGE, (1, 1))

    step = 1
    while is_struck(step, work):
        # Asked from another thread: a lock that stayed locked could still belong to this one.
        assert within(30, lambda: db.selectone("select 1 as n")) == {"n": 1}, f"step {step}"
        assert db._mine.transaction() is None, "nobody is in a block"
        step += 1
    assert step > 100
    assert dropped <= {KeyboardInterrupt}, "no finalizer fails"
    assert db.lender.turnstile.counts() == (0, 0)


def test_hundreds_of_interrupts_lose_nothing(small, ask, interrupted):
    """No place, no connection, no half of a transfer; and every answer is one's own."""
    db, dice, wrong = small(2), random.Random(2), []

    def ask_and_transfer():
        for number in itertools.count():
            if db.selectone("select %s as n", (number,)) != {"n": number}:
                wrong.append(number)
            with db.transaction():
                db.execute(AGE, (-1, 1))
                db.execute(AGE, (1, 2))
                with db.transaction():
                    db.execute(AGE, (1, 1))
                    db.execute(AGE, (-1, 2))

    for _ in range(200):
        interrupted(dice.uniform(1e-4, 8e-3), ask_and_transfer)
        assert db._mine.transaction() is None, "nobody is in a block"
    assert wrong == []
    assert eventually(lambda: db.lender.turnstile.counts() == (0, 0))
    assert sum(ages(ask)) == 24 + 23 + 25
    assert db.update(AGE, (1, 3)) and ages(ask)[2] == 26


def test_a_place_that_nobody_holds_comes_back_to_who_waits():
    gate = Turnstile(1)
    lost = gate.enter(1)
    waiting = Turnstile.enter
    del lost
    with waiting(gate, 1):
        assert gate.counts() == (1, 0)
