"""ptpool.py: borrow on enter, return on exit."""

import pytest
from dbutils.pooled_db import InvalidConnection

from demos.pool_demo.ptpool import getPTConnection
from tests.support.waiting import all_at_once

RENAME = "update student set name = 'x' where id = 1"


def name(ask):
    return ask("select name from student where id = 1")[0]["name"]


def read():
    with getPTConnection() as db:
        db.cursor.execute("select * from student where id = 1")
        return db.cursor.fetchone()


def test_rows_are_dicts(ptpool):
    assert read() == {"id": 1, "name": "韩雪", "age": 24, "gender": "女"}


def test_first_callers_at_the_same_moment_make_one_pool(ptpool, witness):
    all_at_once(16, read)
    assert witness.settle(10) == 10


def test_exit_returns_the_connection(ptpool):
    with getPTConnection() as db:
        conn = db.conn
    with pytest.raises(InvalidConnection):
        conn.cursor()


def test_commit_is_the_block_s_own_work(ptpool, ask):
    with getPTConnection() as db:
        db.cursor.execute(RENAME)
    assert name(ask) == "韩雪"
    with getPTConnection() as db:
        db.cursor.execute(RENAME)
        db.conn.commit()
    assert name(ask) == "x"


def test_an_error_rolls_back_returns_and_goes_on(ptpool, ask, witness):
    for _ in range(3):
        with pytest.raises(KeyError), getPTConnection() as db:
            db.cursor.execute(RENAME)
            raise KeyError
    assert name(ask) == "韩雪"
    assert witness.settle(10) == 10


def test_getconn_gives_cursor_and_connection(ptpool):
    cursor, conn = getPTConnection().getconn()
    assert cursor.execute("select * from student") == 3
    assert cursor.fetchone()["id"] == 1
    cursor.close()
    conn.close()


def test_close_pool_closes_and_a_later_caller_gets_a_new_pool(ptpool, witness):
    read()
    ptpool.close_pool()
    assert witness.settle(0) == 0
    assert read()["id"] == 1
