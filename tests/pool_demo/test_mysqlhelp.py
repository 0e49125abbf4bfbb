"""mysqlhelp.py: what each method returns, raises and leaves behind."""

import os
import subprocess
import sys

import pymysql
import pytest
from pymysql.constants import ER

from course.ground.place import ROOT
from demos.pool_demo.mysqlhelp import MysqlHelp
from tests.support.waiting import all_at_once

ADD = "insert into student(name, age, gender) values(%s, %s, %s)"
RENAME = "update student set name = %s where id = %s"


def names(ask):
    return [row["name"] for row in ask("select name from student order by id")]


def test_selectall_gives_dicts(db):
    rows = db.selectall("select id, name from student where age > %s", (23,))
    assert rows == [{"id": 1, "name": "韩雪"}, {"id": 3, "name": "唐嫣"}]
    assert db.selectall("select * from stu") == []


def test_selectone_gives_the_first_row_or_none(db):
    assert db.selectone("select id from student") == {"id": 1}
    assert db.selectone("select id from student where id = %(id)s", {"id": 9}) is None


def test_a_percent_sign_needs_no_care_without_param(db):
    assert len(db.selectall("select * from student where name like '%雪'")) == 1


def test_insert_gives_the_new_key(db, ask):
    assert db.insert(ADD, ("😀", 20, "女")) == 4
    assert db.insert(ADD, ["O'Brien", 20, "男"]) == 5
    assert names(ask)[3:] == ["😀", "O'Brien"]


def test_insert_is_true_where_the_table_has_no_key_of_its_own(db):
    sql = "insert into friendships(low_id, high_id, state, actor_id) values (2, 4, 'requested', 4)"
    assert db.insert(sql) is True
    assert db.insert(sql.replace("insert", "insert ignore", 1)) is False


def test_insertmany_is_all_or_none(db, ask):
    assert db.insertmany(ADD, [("a", 1, "x"), ("b", 2, "x")]) is True
    assert names(ask)[3:] == ["a", "b"]
    with pytest.raises(pymysql.DataError):
        db.insertmany(ADD, [("c", 1, "x"), ("d", -1, "x")])
    assert names(ask)[3:] == ["a", "b"]


def test_update_says_whether_a_row_matched(db):
    assert db.update(RENAME, ("x", 1)) is True
    assert db.update(RENAME, ("x", 1)) is True
    assert db.update(RENAME, ("x", 7)) is False


def test_delete_says_whether_a_row_was_there(db):
    assert db.delete("delete from student where id = %s", (1,)) is True
    assert db.delete("delete from student where id = %s", (1,)) is False


def test_execute_counts_rows(db):
    assert db.execute("update student set age = 30") == 3
    assert db.execute("select * from student") == 3


def test_transaction_runs_all(db, ask):
    counts = db.execute_all(
        [
            {"sql": ADD, "param": ("a", 1, "x")},
            {"sql": "update student set age = 9"},
        ]
    )
    assert counts == [1, 4]
    assert {row["age"] for row in ask("select age from student")} == {9}


def test_transaction_undoes_all_when_one_fails(db, ask):
    with pytest.raises(pymysql.ProgrammingError) as caught:
        db.execute_all([{"sql": RENAME, "param": ("x", 1)}, {"sql": "update nothing set a = 1"}])
    assert caught.value.args[0] == ER.NO_SUCH_TABLE
    assert names(ask) == ["韩雪", "舒畅", "唐嫣"]


def test_a_transaction_that_loses_its_connection_is_not_run_in_part(db, ask):
    with pytest.raises(pymysql.MySQLError):
        db.execute_all(
            [
                {"sql": RENAME, "param": ("x", 1)},
                {"sql": "kill connection_id()"},
                {"sql": RENAME, "param": ("x", 2)},
            ]
        )
    assert names(ask) == ["韩雪", "舒畅", "唐嫣"]
    assert db.update(RENAME, ("y", 1)) is True


def test_errors_have_their_code_and_give_the_connection_back(db):
    def fail_often():
        codes = set()
        for _ in range(30):  # the pool has 10
            try:
                db.selectall("select * from nothing")
            except pymysql.ProgrammingError as error:
                codes.add(error.args[0])
        return codes

    assert all_at_once(1, fail_often) == [{ER.NO_SUCH_TABLE}]


@pytest.mark.parametrize("param", ["7", "", b"7", 7])
def test_a_bare_value_is_no_param(db, param):
    for call in (db.selectall, db.selectone, db.insert, db.update, db.delete, db.execute):
        with pytest.raises(
            TypeError, match=r"not a tuple: one parameter is \(value,\) with a comma"
        ):
            call("select %s", param)


@pytest.mark.parametrize("param", [["a", "b"], ("a", 1, "x")])
def test_insertmany_wants_tuples(db, param):
    with pytest.raises(TypeError, match="not a tuple"):
        db.insertmany(ADD, param)


@pytest.mark.parametrize("param", ["ab", {"a": 1}])
def test_insertmany_wants_a_list(db, param):
    with pytest.raises(TypeError, match="not a list of rows"):
        db.insertmany(ADD, param)


def test_close_closes_and_the_next_call_opens_a_new_pool(db, witness):
    db.selectone("select 1")
    assert witness.settle(1) == 1
    db.close()
    assert witness.settle(0) == 0
    assert MysqlHelp() is not db
    assert MysqlHelp().selectone("select 1 as one") == {"one": 1}


def test_it_is_also_a_module_of_its_folder(book):
    code = (
        "from mysqlhelp import MysqlHelp\n"
        "print(len(MysqlHelp.getInstance().selectall('select * from student')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "demos" / "pool_demo",
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "3\n"
