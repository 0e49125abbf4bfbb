"""Every step of pool_demo, run as a user runs it."""

import ast
import re
import shlex
import socket
import subprocess
import sys
import uuid

import pytest

from course.ground import manifest
from course.ground.place import ROOT
from demos.instruments.witness import Witness
from demos.pool_demo.settings import NAMES

from .conftest import STUDENTS, conclusion

STEPS = [step.name for step in manifest.read().steps if step.demo == "pool_demo"]
FILL = f"{shlex.quote(sys.executable)} -m demos.pool_demo.seed --if-missing"


def test_step1_keeps_names_with_parameters_and_loses_them_with_percent(play):
    output = play("step1_raw_pymysql")
    assert 'lost "O\'Brien": error 1064' in output
    assert "3 inserts opened 3 connections" in conclusion(output)
    assert "kept 3 of 3 names. % kept 1, and inserted ['Eve', 'Mallory'] too" in conclusion(output)


def test_step2_prints_the_three_rows_and_nothing_else(play):
    lines = play("step2_borrow_and_return").splitlines()
    assert [ast.literal_eval(line) for line in lines] == STUDENTS


def test_step2b_lets_in_who_knows_the_password(play):
    output = play("step2b_pool_for_login")
    assert output.count("welcome") == 1
    assert output.count("refused") == 3
    assert "4 log-ins, 1 let in, over 2 connections" in conclusion(output)


def test_step3a_refuses_or_makes_wait(play):
    output = play("step3a_exhausted")
    assert "the third caller gets TooManyConnectionsError" in output
    waits = [float(text) for text in re.findall(r"waited (\d+\.\d+) s", output)]
    assert len(waits) == 3
    assert all(0.3 < seconds < 60 for seconds in waits)
    assert "the server has 2 connections" in conclusion(output)


def test_step3b_keeps_maxcached_and_lets_the_server_time_out(play):
    output = play("step3b_idle_cache")
    assert re.findall(r"(at the start|six borrowed|six returned) +(\d)", output) == [
        ("at the start", "2"),
        ("six borrowed", "6"),
        ("six returned", "3"),
    ]
    assert "0 of 2 left; without it: 2 of 2 left" in output
    assert "After one more checkout: 1" in output


def test_step3c_shares_nothing_and_raises_the_maximum(play):
    output = play("step3c_maxshared")
    assert "0 of 4 pools shared" in conclusion(output)
    assert "maxshared=20, maxconnections=2 allows 20" in conclusion(output)
    assert "maxcached=5 allows 5" in conclusion(output)


def test_step3d_counts_statements(play):
    output = play("step3d_maxusage")
    assert "lived for [3, 3, 2] statements; the 9 checkouts did not count" in conclusion(output)


def test_step3e_prepares_once_and_leaks(play):
    output = play("step3e_setsession")
    assert "setsession ran 1 time(s)" in conclusion(output)
    assert "found ['@secret', 'basket']" in conclusion(output)


def test_step3f_tries_every_ping(play):
    output = play("step3f_ping")
    rows = re.findall(r"^ (\d) +(\w+) +(\w+) +(\w+) +(answer) +(answer|error)", output, re.M)
    assert [(ping, *moments) for ping, *moments, _, _ in rows] == [
        ("0", "dead", "dead", "new"),
        ("1", "new", "new", "new"),
        ("2", "dead", "new", "new"),
        ("4", "dead", "dead", "new"),
        ("7", "new", "new", "new"),
    ]
    assert "with ping in [0, 1, 2, 4, 7]" in conclusion(output)
    assert "a transaction only with ping in [1, 7]" in conclusion(output)


def test_step3g_publishes_without_reset(play):
    assert "with reset in [False, None]" in conclusion(play("step3g_reset"))


def test_step3h_counts_threads_against_turns(play):
    output = play("step3h_persistent")
    assert "8 threads, nothing borrowed, 8 connections" in output
    assert "8 threads, nothing borrowed, 3 connections" in output


def test_step4_makes_one_pool_and_undoes_a_failed_block(play):
    last = conclusion(play("step4_pool_wrapper"))
    assert "8 first callers made one pool of 10 connections" in last
    assert "After the failed block the name was 韩雪, after the other block 赵丽颖" in last


def test_step5_shows_the_six_operations_with_the_table_after_each(play):
    output = play("step5_mysqlhelp")
    results = re.findall(r"^\d\. (\w+).*\n +-> (.*)$", output, re.M)
    assert [name for name, _ in results] == [
        "selectall",
        "selectone",
        "insert",
        "insertmany",
        "update",
        "delete",
    ]
    assert ast.literal_eval(results[0][1]) == STUDENTS
    assert ast.literal_eval(results[1][1]) == STUDENTS[0]
    assert [result for _, result in results[2:]] == ["4", "True", "True", "True"]
    tables = output.split("student:")[1:]
    assert [len(re.findall(r"^ +\d+ ", text, re.M)) for text in tables] == [3, 3, 4, 6, 6, 5]
    assert "Angelababy" in tables[3]
    assert "杨颖" in tables[4]
    assert "Renaming id 7, as in the source -> False" in output


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_a_terminal_without_chinese_shows_escapes(play, encoding):
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    assert r"'name': '\u97e9\u96ea'" in play("step2_borrow_and_return", **env)
    assert r"\u6768\u9896" in play("step5_mysqlhelp", **env)


@pytest.fixture
def closed_port():
    """A port on which nothing listens, and nothing else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield str(taken.getsockname()[1])


@pytest.mark.parametrize("step", STEPS)
def test_without_a_server_a_step_ends_with_one_sentence(run_step, closed_port, step):
    env = {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": closed_port, "MYSQL_UNIX_SOCKET": None}
    done = run_step(f"pool_demo.{step}", env=env)
    assert done.returncode == 1
    assert done.stderr == (
        f"No MySQL server answers at 127.0.0.1:{closed_port}. "
        f"Correct MYSQL_*, or use the course's own server: unset {' '.join(NAMES)}\n"
    )


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"MYSQL_PORT": "many"}, "MYSQL_PORT is 'many', and a port is a number from 1 to 65535."),
        ({"MYSQL_PASSWORD": "wrong"}, "refuses user"),
        ({"MYSQL_DATABASE": "course_not_there"}, "There is no database course_not_there"),
    ],
)
def test_settings_that_lead_nowhere_end_with_one_sentence(run_step, book, env, sentence):
    done = run_step("pool_demo.step2_borrow_and_return", env=env)
    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_table_is_one_sentence_that_says_how_to_get_it(run_step, book, ask):
    ask("drop table student")
    done = run_step("pool_demo.step2_borrow_and_return")
    assert done.returncode == 1
    assert done.stderr.endswith("lacks a table. Fill it with: " + FILL + "\n")
    run_step(*FILL.partition(" -m demos.")[2].split())
    assert len(ask("select * from student")) == 3


def test_pool_keeps_its_values(book):
    with Witness() as witness:
        from demos.pool_demo.pool import POOL

        assert witness.settle(2) == 2
        borrowed = [POOL.connection() for _ in range(6)]
        assert witness.settle(6) == 6
        for connection in borrowed:
            connection.close()
        assert witness.settle(5) == 5
        POOL.close()
        assert witness.settle(0) == 0


@pytest.mark.parametrize(
    ("grant", "step", "sentence"),
    [
        ("", "seed", "Name one that you were given in MYSQL_DATABASE"),
        ("select on `{book}`.*", "where --rights", "lacks a right on a table"),
        ("select on `{book}`.*", "step1_raw_pymysql", "lacks a right on a table"),
        ("select on `{book}`.*", "step3b_idle_cache", ""),
    ],
)
def test_a_user_with_few_rights_reads_which_one_is_lacking(
    run_step, book, ask, grant, step, sentence
):
    """With the rights that a step needs, it runs; none needs to see other users' connections."""
    user = f"few_{uuid.uuid4().hex[:8]}"
    ask(f"create user '{user}'@'%' identified by 'Few-1-rights'")
    try:
        if grant:
            ask(f"grant {grant.format(book=book['MYSQL_DATABASE'])} to '{user}'@'%'")
        env = {"MYSQL_USER": user, "MYSQL_PASSWORD": "Few-1-rights"}
        done = run_step(*f"pool_demo.{step}".split(), env=env)
        assert done.returncode == (1 if sentence else 0), done.stderr
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == (1 if sentence else 0)
    finally:
        ask(f"drop user '{user}'@'%'")


def test_another_python_says_which_one_to_use(tmp_path):
    """One without the packages: the environment's own, told to look nowhere else."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "demos.pool_demo.step1_raw_pymysql"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert ".venv/bin/python" in done.stderr
    assert len(done.stderr.splitlines()) == 1
