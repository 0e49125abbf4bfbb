"""E8 to E12: the source's MysqlHelp, and ours."""

import pymysql
import pytest
from pymysql.constants import ER

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive.mysqlhelp import MysqlHelp as NaiveHelp
from demos.pool_demo.naive.mysqlhelp import MysqlHelpWithExecute
from tests.waiting import all_at_once

QUOTED = "update student set name = '%s' where id = %s"
RENAME = "update student set name = %s where id = %s"
MISSING_TABLE = "update nothing set name = 1"


@pytest.fixture
def naive(book):
    """The naive class with the `execute` of the source's comment."""
    made = MysqlHelpWithExecute()
    yield made
    made.pool.close()
    MysqlHelpWithExecute._one = None


def name(ask, key):
    return ask("select name from student where id = %s", key)[0]["name"]


def test_e08_every_method_fails_in_its_own_except(book, capsys):
    help = NaiveHelp()
    for call in (help.selectall, help.update, help.delete):
        with pytest.raises(UnboundLocalError):
            call("select * from student")
    assert "has no attribute 'execute'" in capsys.readouterr().out
    help.pool.close()
    NaiveHelp._one = None


def test_e08_ours_has_execute(db):
    assert db.execute("select * from student") == 3
    assert len(db.selectall("select * from student")) == 3


def test_e09_get_instance_reads_what_nobody_set(book):
    with pytest.raises(AttributeError):
        NaiveHelp.getInstance()


def test_e09_five_singletons_open_fifty_connections(witness):
    opened = set()
    made = []
    for _ in range(5):
        made.append(NaiveHelp())
        opened |= set(witness.ids())
    assert len(opened) == 50
    assert all(one is made[0] for one in made)
    made[0].pool.close()
    NaiveHelp._one = None


def test_e09_ours_is_one_object_over_one_pool(db, witness):
    MysqlHelp.close_all()
    made = all_at_once(16, MysqlHelp) + [MysqlHelp() for _ in range(5)] + [MysqlHelp.getInstance()]
    assert all(one is made[0] for one in made)
    for one in made:
        one.selectone("select 1")
    assert witness.settle(1) == 1


def test_e10_quoted_placeholder_is_true_and_changes_nothing(naive, ask):
    assert naive.update(QUOTED, ("杨颖", 1)) is True
    assert name(ask, 1) == "韩雪"


def test_e10_missing_table_and_missing_row_are_true(naive):
    assert naive.update(MISSING_TABLE) is True
    assert naive.update(RENAME, ("x", 7)) is True
    assert naive.delete("delete from student where id = 7") is True
    assert naive.delete("delete from nothing") is True


def test_e10_select_from_a_missing_table_is_none(naive):
    assert naive.selectall("select * from nothing") is None


def test_e10_ours_raises_the_error_of_the_server(db):
    for call, sql, param, code in [
        (db.update, QUOTED, ("杨颖", 1), ER.PARSE_ERROR),
        (db.update, MISSING_TABLE, None, ER.NO_SUCH_TABLE),
        (db.delete, "delete from nothing", None, ER.NO_SUCH_TABLE),
        (db.selectall, "select * from nothing", None, ER.NO_SUCH_TABLE),
    ]:
        with pytest.raises(pymysql.ProgrammingError) as caught:
            call(sql, param)
        assert caught.value.args[0] == code


def test_e10_ours_says_whether_a_row_matched(db, ask):
    assert db.update(RENAME, ("x", 7)) is False
    assert db.delete("delete from student where id = 7") is False
    assert db.update(RENAME, ("杨颖", 1)) is True
    assert name(ask, 1) == "杨颖"


def test_e11_each_statement_commits_so_half_a_transfer_stays(naive, ask):
    naive.update("update student set age = age - 5 where id = 1")
    naive.update("update nothing set age = age + 5 where id = 2")
    assert ask("select age from student where id = 1") == [{"age": 19}]


def test_e11_our_transaction_spans_two(db, ask):
    with pytest.raises(pymysql.ProgrammingError):
        db.execute_all(
            [
                {"sql": "update student set age = age - 5 where id = 1"},
                {"sql": "update nothing set age = age + 5 where id = 2"},
            ]
        )
    assert ask("select age from student where id = 1") == [{"age": 24}]


def test_e12_a_string_passes_for_a_tuple(naive, ask):
    with pytest.warns(DeprecationWarning, match="single argument is deprecated"):
        assert naive.delete("delete from student where id = %s", ("1")) is True
    assert len(ask("select * from student")) == 2


def test_e12_ours_says_what_is_missing(db, ask):
    with pytest.raises(TypeError, match=r"one parameter is \(value,\) with a comma"):
        db.delete("delete from student where id = %s", ("1"))
    assert len(ask("select * from student")) == 3
