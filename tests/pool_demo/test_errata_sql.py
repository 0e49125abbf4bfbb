"""E5 and E14: SQL by %, and passwords in clear. The log-in has a file of its own, test_naive_login.py."""

import pymysql
import pytest

from demos.pool_demo.naive.insert_by_format import insert_by_format
from demos.pool_demo.settings import connect_args
from demos.pool_demo.step1_raw_pymysql import insert_student

MALLORY = "Eve', 1), ('Mallory', 99) -- "
QUERY = 'eve", (select password from userinfo)) -- '


@pytest.fixture
def old(book):
    """A connection as the source has it: no dicts, no autocommit."""
    with pymysql.connect(**connect_args()) as connection:
        yield connection


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


def test_e05_our_insert_stores_the_attack_as_a_name(db, ask):
    name = QUERY[:32].strip()
    stored = ask("select password from userinfo where id = 1")[0]["password"]
    assert db.insert("insert into userinfo(name, password) values(%s, %s)", (name, stored)) == 5
    assert ask("select name from userinfo where id = 5") == [{"name": name}]


def test_e14_our_table_takes_no_clear_password(db, ask):
    with pytest.raises(pymysql.MySQLError) as caught:
        db.insert("insert into userinfo(name, password) values(%s, %s)", ("carol", "secret"))
    assert caught.value.args[0] in (3819, 4025)
    assert ask("select * from userinfo where name = 'carol'") == []
    assert all(row["password"].startswith("scrypt:") for row in ask("select * from userinfo"))
