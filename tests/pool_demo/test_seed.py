"""sql/seed.sql and seed.py: the starting state, again and again, by any client."""

import os
import re
import subprocess
import uuid

import pymysql
import pytest
from werkzeug.security import check_password_hash

from course.database import program
from demos.pool_demo.seed import SEED, restore, restored
from demos.pool_demo.settings import connect_args, load

TABLES = ["student", "stu", "userinfo", "logins", "friendships", "messages"]
CHECK_FAILED = (3819, 4025)  # MySQL, MariaDB


@pytest.fixture
def state(ask):
    """Return the definition and the rows of all tables."""

    def look():
        created = {table: ask(f"show create table `{table}`") for table in TABLES}
        return created, {table: ask(f"select * from `{table}`") for table in TABLES}

    return look


@pytest.fixture
def client():
    """The command-line client as a list of words, and what its environment needs; or skip."""
    found = program.client()
    if not found:
        pytest.skip("no mysql client on this machine")
    to = load()
    where = [f"--host={to.host}", f"--port={to.port}"]
    if to.uses_socket:
        where = [f"--socket={to.unix_socket}"]
    return [str(found.path), *where, f"--user={to.user}"], found.environment


def test_restore_brings_back_rows_tables_and_the_next_id(ask, state):
    before = state()
    ask("delete from friendships")
    ask("insert into student(name, age, gender) values ('x', 1, 'y')")
    ask("alter table stu add column extra int")
    assert restore() == TABLES
    assert state() == before
    ask("insert into student(name, age, gender) values ('x', 1, 'y')")
    assert ask("select max(id) as id from student") == [{"id": 4}]


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_the_command_line_client_loads_the_same(client, ask, state, book, charset):
    command, environment = client
    before = state()
    ask("update student set name = 'x'")
    sql = SEED.read_text("utf-8").replace("`book`", f"`{book['MYSQL_DATABASE']}`")
    for _ in range(2):
        subprocess.run(
            [*command, f"--default-character-set={charset}"],
            input=sql.encode(),
            env={**os.environ, **environment, "MYSQL_PWD": load().password},
            check=True,
        )
    assert state() == before


def test_seed_names_the_database_and_drops_only_our_tables():
    sql = SEED.read_text("utf-8")
    assert "CREATE DATABASE IF NOT EXISTS `book`" in sql
    assert "USE `book`;" in sql
    assert "SET NAMES utf8mb4;" in sql
    assert "DROP DATABASE" not in sql.upper()
    assert sorted(re.findall(r"DROP TABLE IF EXISTS `(\w+)`;", sql)) == sorted(TABLES)


def test_restoring_one_table_leaves_the_others(ask):
    ask("delete from student")
    ask("insert into stu(name, age) values ('kept', 1)")
    assert restore("student") == ["student"]
    assert len(ask("select * from student")) == 3
    assert [row["name"] for row in ask("select * from stu")] == ["kept"]


def test_restoring_a_table_restores_those_that_refer_to_it(ask, state):
    before = state()
    ask("insert into messages(sender_id, recipient_id, client_id, body) values (1, 2, 'a', 'hi')")
    assert restore("userinfo") == ["userinfo", "logins", "friendships", "messages"]
    assert state() == before


def test_restoring_messages_leaves_the_users(ask):
    ask("delete from friendships where low_id = 2")
    assert restore("messages") == ["messages"]
    assert len(ask("select * from friendships")) == 3


def test_if_missing_touches_nothing_that_is_there(ask):
    ask("delete from student")
    ask("drop table messages")
    assert restore(if_missing=True) == ["messages"]
    assert ask("select * from student") == []
    assert restore(if_missing=True) == []


def test_a_table_of_the_user_stays(ask):
    ask("create table mine (id int)")
    restore()
    assert ask("select count(*) as n from mine") == [{"n": 0}]
    ask("drop table mine")


def test_an_unknown_table_is_refused(book):
    with pytest.raises(ValueError, match="there is no table nope"):
        restore("nope")


def test_a_missing_database_is_made(book, monkeypatch):
    name = f"{book['MYSQL_DATABASE']}_new`one"
    monkeypatch.setenv("MYSQL_DATABASE", name)
    try:
        assert restore("student") == ["student"]
    finally:
        with pymysql.connect(**connect_args(database=None)) as server:
            server.cursor().execute("drop database if exists `" + name.replace("`", "``") + "`")


def test_a_table_in_use_is_an_error_and_not_a_wait_for_ever(connection, monkeypatch, ask):
    monkeypatch.setattr("demos.pool_demo.seed.LOCK_WAIT", 1)
    connection.autocommit(False)
    ask("select * from student")
    with pytest.raises(pymysql.OperationalError) as caught:
        restore("student")
    assert caught.value.args[0] == 1205
    connection.rollback()


def test_restored_restores_before_and_after(ask):
    ask("delete from stu")
    with pytest.raises(ZeroDivisionError), restored("student"):
        ask("delete from student")
        1 / 0  # noqa: B018
    assert len(ask("select * from student")) == 3


def test_the_command(run_step, book, ask):
    ask("delete from student")
    name = book["MYSQL_DATABASE"]
    assert run_step("pool_demo.seed", "--if-missing").stdout == f"Restored in {name}: nothing.\n"
    assert run_step("pool_demo.seed", "student").stdout == f"Restored in {name}: student.\n"
    assert len(ask("select * from student")) == 3
    refused = run_step("pool_demo.seed", "nope")
    assert refused.returncode == 2
    assert "there is no table nope" in refused.stderr


def test_classroom_passwords(ask):
    users = ask("select * from userinfo order by id")
    assert [user["name"] for user in users] == ["韩雪", "舒畅", "唐嫣", "小甜甜"]
    assert all(check_password_hash(user["password"], "let-me-learn") for user in users)
    assert len({user["password"] for user in users}) == 4


def test_names_that_differ_are_two_users(ask):
    a_hash = ask("select password from userinfo limit 1")[0]["password"]
    names = ["bob", "Bob", "böb", "BOB", "😀", "😁", "n" * 32]
    for name in names:
        ask("insert into userinfo(name, password) values (%s, %s)", name, a_hash)
    assert [len(ask("select id from userinfo where name = %s", name)) for name in names] == [1] * 7
    for wrong, code in [
        ("bob", (1062,)),
        ("n" * 33, (1406,)),
        ("bob ", CHECK_FAILED),
        ("", CHECK_FAILED),
    ]:
        with pytest.raises(pymysql.MySQLError) as caught:
            ask("insert into userinfo(name, password) values (%s, %s)", wrong, a_hash)
        assert caught.value.args[0] in code, wrong


@pytest.mark.parametrize(
    "password", ["123456", "", "scrypt:", "SCRYPT:1:8:1$salt$hash", "scrypt:a"]
)
def test_a_password_that_is_no_hash_is_refused(ask, password):
    with pytest.raises(pymysql.MySQLError) as caught:
        ask("insert into userinfo(name, password) values ('eve', %s)", password)
    assert caught.value.args[0] in CHECK_FAILED


def test_a_pair_has_one_friendship_row(ask):
    add = "insert into friendships(low_id, high_id, state, actor_id) values (%s, %s, %s, %s)"
    ask(add, 2, 4, "requested", 4)
    wrong = {
        (2, 4, "requested", 2): (1062,),  # the request that crosses it
        (4, 3, "requested", 3): CHECK_FAILED,  # the wrong way round
        (3, 4, "requested", 1): CHECK_FAILED,  # asked by a third
        (3, 99, "requested", 3): (1452,),  # nobody
        (3, 4, "married", 3): (1265,),
    }
    for row, codes in wrong.items():
        with pytest.raises(pymysql.MySQLError) as caught:
            ask(add, *row)
        assert caught.value.args[0] in codes, row
    for state in ("accepted", "declined", "none"):
        ask(
            "update friendships set state = %s, actor_id = 2 where low_id = 2 and high_id = 4",
            state,
        )
    with pytest.raises(pymysql.MySQLError) as caught:
        ask("update friendships set state = 'accepted', low_blocks = true where low_id = 2")
    assert caught.value.args[0] in CHECK_FAILED, "a friend is not blocked"


def test_a_message_sent_twice_is_stored_once(ask):
    key = str(uuid.uuid4())
    add = "insert into messages(sender_id, recipient_id, client_id, body) values (%s, %s, %s, %s)"
    ask(add, 1, 2, key, "你好 😀")
    ask(add, 2, 1, key, "another sender may use the same id")
    with pytest.raises(pymysql.IntegrityError):
        ask(add, 1, 2, key, "你好 😀")
    (kept,) = ask("select * from messages where sender_id = 1")
    assert (kept["id"], kept["body"], kept["low_id"], kept["high_id"]) == (1, "你好 😀", 1, 2)
    assert (kept["delivered_at"], kept["read_at"]) == (None, None)
    age = "select abs(timestampdiff(second, sent_at, utc_timestamp(3))) as s from messages limit 1"
    assert ask(age)[0]["s"] < 60
    with pytest.raises(pymysql.MySQLError) as caught:
        ask("update messages set read_at = utc_timestamp(3) where id = 1")
    assert caught.value.args[0] in CHECK_FAILED


UNDELIVERED = (
    "select * from messages force index (messages_undelivered) "
    "where recipient_id = 1 and delivered_at is null order by id"
)
PAGE = (
    "select * from messages force index (messages_conversation) "
    "where low_id = 1 and high_id = 2 and id < 40 order by id desc limit 5"
)


def test_message_keys_give_the_order_without_sorting(ask):
    """Forced, because in so small a table any plan is good."""
    add = "insert into messages(sender_id, recipient_id, client_id, body) values (%s, %s, %s, 'x')"
    for number in range(60):
        sender, recipient = [(1, 2), (2, 1), (3, 1), (1, 3)][number % 4]
        ask(add, sender, recipient, f"m{number}")
    ask("update messages set delivered_at = utc_timestamp(3) where id > 7")
    for query in (UNDELIVERED, PAGE):
        plan = str(ask("explain " + query)).lower()  # a table here, a tree on MySQL 9
        assert "sort" not in plan
    assert [row["id"] for row in ask(UNDELIVERED)] == [2, 3, 6, 7]
    assert [row["id"] for row in ask(PAGE)] == [38, 37, 34, 33, 30]
