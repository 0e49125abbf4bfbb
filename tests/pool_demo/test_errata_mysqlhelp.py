"""E8 to E12: the source's MysqlHelp, and ours.

What the naive class returns, raises and prints here, the source's did when it was run.
"""

import pymysql
import pytest
from pymysql.constants import ER

from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.naive.mysqlhelp import MysqlHelp as NaiveHelp
from demos.pool_demo.naive.mysqlhelp import MysqlHelpWithExecute
from demos.pool_demo.naive.ptpool import PTConnectionPool, getPTConnection
from tests.support.waiting import all_at_once

from .conftest import STUDENTS

pytestmark = pytest.mark.filterwarnings("ignore:'(db|passwd)' is deprecated:DeprecationWarning")

QUOTED = "update student set name = '%s' where id = %s"
RENAME = "update student set name = %s where id = %s"
MANY = "insert into student(name,age,gender) values (%s,%s,%s)"
MISSING_TABLE = "update nothing set name = 1"


def forget(helper):
    """Forget the one object; its pool goes with it, and closes its connections."""
    if "inst" in vars(helper):
        del helper.inst


@pytest.fixture
def bare(book):
    """The source's class as it stands: `execute` is a comment."""
    yield NaiveHelp
    forget(NaiveHelp)


@pytest.fixture
def naive(book):
    """The source's class with the `execute` of its comment."""
    yield MysqlHelpWithExecute()
    forget(MysqlHelpWithExecute)


def name(ask, key):
    return ask("select name from student where id = %s", key)[0]["name"]


@pytest.mark.parametrize(
    ("method", "variable"),
    [
        ("selectall", "cursor"),
        ("selectone", "cursor"),
        ("insert", "conn"),
        ("update", "conn"),
        ("delete", "conn"),
    ],
)
def test_e08_a_method_fails_in_its_own_except(bare, capsys, method, variable):
    with pytest.raises(UnboundLocalError, match=f"cannot access local variable '{variable}' "):
        getattr(bare(), method)("select * from student")
    said = """("'MysqlHelp' object has no attribute 'execute'",)"""
    assert capsys.readouterr().out == f"{method} except  {said}\n"


def test_e08_only_insertmany_does_without_execute(bare, ask):
    assert bare().insertmany(MANY, [("赵丽颖", "21", "女"), ("Angelababy", "22", "女")]) is True
    assert [row["name"] for row in ask("select name from student where id > 3")] == [
        "赵丽颖",
        "Angelababy",
    ]


def test_e08_ours_has_execute(db):
    assert db.execute("select * from student") == 3
    assert len(db.selectall("select * from student")) == 3


def test_e09_get_instance_reads_what_nobody_set(bare):
    with pytest.raises(AttributeError) as caught:
        bare.getInstance()
    assert str(caught.value) == "type object 'MysqlHelp' has no attribute 'mysql'"


def test_e09_five_singletons_open_nothing_and_with_a_query_each_fifty(naive, witness):
    made = [MysqlHelpWithExecute() for _ in range(5)]
    assert witness.ids() == []
    opened = set()
    for _ in range(5):
        made.append(MysqlHelpWithExecute())
        assert made[-1].selectone("select 1 as one") == {"one": 1}
        opened |= set(witness.ids())
        assert witness.settle(10) == 10  # the pool before went with its wrapper
    assert len(opened) == 50
    assert all(one is made[0] for one in made)
    # Why: what was meant for all stays None, since each wrapper has written one of its own.
    assert vars(PTConnectionPool)["_PTConnectionPool__pool"] is None
    assert vars(made[0].db)["_PTConnectionPool__pool"] is not None


def test_e09_ours_is_one_object_over_one_pool(db, witness):
    MysqlHelp.close_all()
    made = all_at_once(16, MysqlHelp) + [MysqlHelp() for _ in range(5)] + [MysqlHelp.getInstance()]
    assert all(one is made[0] for one in made)
    for one in made:
        one.selectone("select 1")
    assert witness.settle(1) == 1


def test_e10_quoted_placeholder_is_true_and_changes_nothing(naive, ask):
    assert naive.update(QUOTED, ("杨颖", "1")) is True
    assert name(ask, 1) == "韩雪"


SWALLOWED = [
    ("selectall", "select * from nothing", None, "selectall except  ('execute() first',)\n"),
    ("selectone", "select * from nothing", None, "selectone except  ('execute() first',)\n"),
    ("insert", "insert into nothing set a = 1", None, ""),
    ("update", MISSING_TABLE, True, ""),
    ("update", "update student set name = 'x' where id = 7", True, ""),
    ("delete", "delete from nothing", True, ""),
    ("delete", "delete from student where id = 7", True, ""),
]


def test_e10_failures_are_swallowed(naive, capsys):
    for method, sql, returned, printed in SWALLOWED:
        assert getattr(naive, method)(sql) is returned
        assert capsys.readouterr().out == printed
    assert naive.insertmany("insert into nothing(a) values (%s)", [(1,)]) is False
    assert capsys.readouterr().out.startswith("insert many except  (1146, ")


def test_what_the_source_returns_when_all_is_well(naive, ask):
    """A8's six operations, as it writes them; the ids are those of the seed."""
    assert naive.selectall("select * from student") == STUDENTS
    assert naive.selectone("select * from student") == STUDENTS[0]
    added = "insert into student set name='{}',age='{}',gender='{}'".format("小甜甜", "20", "女")
    assert naive.insert(added) == 4
    assert naive.insertmany(MANY, [("赵丽颖", "21", "女"), ("Angelababy", "22", "女")]) is True
    assert naive.update(RENAME, ("杨颖", "6")) is True
    assert name(ask, 6) == "杨颖"
    assert naive.delete("delete from student where id=%s", ("6",)) is True
    assert [row["id"] for row in naive.selectall("select id from student")] == [1, 2, 3, 4, 5]
    assert naive.selectall("select * from student where id = 99") == ()
    assert naive.selectone("select * from student where id = 99") is None
    ask("create table nokey (a int)")
    assert naive.insert("insert into nokey values (5)") is True
    ask("drop table nokey")


def test_the_source_s_block_has_tuples_and_undoes_what_failed(book, ask, capsys):
    with pytest.raises(RuntimeError), getPTConnection() as pt:
        pt.cursor.execute("update student set name = 'x' where id = 3")
        pt.cursor.execute("select * from student where id = 3")
        assert pt.cursor.fetchall() == ((3, "x", 25, "女"),)
        raise RuntimeError
    assert name(ask, 3) == "唐嫣"
    assert capsys.readouterr().out == "PT数据库创建con和cursor\n"


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
    assert naive.update("update student set age = age - 5 where id = 1") is True
    assert naive.update("update nothing set age = age + 5 where id = 2") is True
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
