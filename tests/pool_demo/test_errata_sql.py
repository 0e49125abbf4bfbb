"""E5 and E14: SQL by %, and passwords in clear."""

import pymysql
import pytest

from demos.pool_demo.naive.insert_by_format import insert_by_format
from demos.pool_demo.naive.login_by_format import clear_passwords, log_in, register
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step1_raw_pymysql import insert_student
from demos.pool_demo.step2b_pool_for_login import log_in as our_log_in

USERS = {"alice": "wonderland", "bob": "builder"}
MALLORY = "Eve', 1), ('Mallory', 99) -- "
COPY_ALICE = 'eve", (select password from (select * from userinfo) as t where name = "alice")) -- '


@pytest.fixture
def old(book):
    """A connection as the source has it: no dicts, no autocommit."""
    with pymysql.connect(**connect_args()) as connection:
        yield connection


@pytest.fixture
def clear_table(old, book):
    """A `userinfo` with clear passwords in a database of its own.

    Not a temporary table: MySQL cannot read one twice in a statement.
    """
    scratch = f"{book['MYSQL_DATABASE']}_clear"
    with old.cursor() as cursor:
        cursor.execute(f"drop database if exists {scratch}")
        cursor.execute(f"create database {scratch} character set utf8mb4")
        old.select_db(scratch)
        cursor.execute("create table userinfo (name varchar(200), password varchar(64))")
        cursor.executemany("insert into userinfo values (%s, %s)", list(USERS.items()))
        old.commit()
        yield old
        cursor.execute(f"drop database {scratch}")


def names_in(connection):
    with connection.cursor() as cursor:
        cursor.execute("select name from stu order by id")
        return [name for (name,) in cursor.fetchall()]


def test_e05_insert_by_percent_loses_o_brien(old):
    with pytest.raises(pymysql.ProgrammingError) as caught:
        insert_by_format(old, "O'Brien", 30)
    code, message = caught.value.args
    assert code == 1064
    assert message.endswith("near 'Brien','30')' at line 1")
    assert names_in(old) == []


def test_e05_insert_by_percent_lets_data_become_sql(old):
    insert_by_format(old, MALLORY, 30)
    assert names_in(old) == ["Eve", "Mallory"]


@pytest.mark.parametrize("name", ["O'Brien", MALLORY, 'a"b', "%s", "\\"])
def test_e05_ours_keeps_any_name(old, name):
    insert_student(old, name, 30)
    assert names_in(old) == [name]


ATTACKS = [("alice", 'x" or "1"="1'), ('alice"-- ', "")]


@pytest.mark.parametrize(("username", "password"), ATTACKS)
def test_e05_log_in_by_percent_lets_strangers_in(old, username, password):
    clear_passwords(old, USERS)
    assert log_in(old, "alice", "wonderland") == "alice"
    assert log_in(old, "alice", "wrong") is None
    assert log_in(old, username, password) == "alice"


@pytest.mark.parametrize(("username", "password"), ATTACKS)
def test_e05_our_log_in_does_not(ptpool, username, password):
    who = username.replace("alice", "韩雪")
    assert not our_log_in(ptpool.pool(), who, password)
    assert our_log_in(ptpool.pool(), "韩雪", "let-me-learn")


def test_e05_registration_by_percent_copies_a_password_out(clear_table):
    register(clear_table, COPY_ALICE, "whatever")
    assert log_in(clear_table, "eve", USERS["alice"]) == "eve"


def test_e05_our_insert_stores_the_attack_as_a_name(db, ask):
    name = COPY_ALICE[:32].strip()
    stored = ask("select password from userinfo where id = 1")[0]["password"]
    assert db.insert("insert into userinfo(name, password) values(%s, %s)", (name, stored)) == 5
    assert ask("select name from userinfo where id = 5") == [{"name": name}]


def test_e14_registration_stores_the_password_in_clear(clear_table):
    register(clear_table, "carol", "secret")
    with clear_table.cursor() as cursor:
        cursor.execute("select password from userinfo where name = 'carol'")
        assert cursor.fetchone() == ("secret",)


def test_e14_our_table_refuses_it(old, ask):
    with pytest.raises(pymysql.MySQLError) as caught:
        register(old, "carol", "secret")
    assert caught.value.args[0] in (3819, 4025)
    assert ask("select * from userinfo where name = 'carol'") == []
    assert all(row["password"].startswith("scrypt:") for row in ask("select * from userinfo"))
