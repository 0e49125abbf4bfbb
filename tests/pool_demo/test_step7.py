"""Step 7: each failure, really injected; the naive code first, then ours. And what the steps use."""

import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from course.ground.place import ROOT
from demos.instruments.bank import Bank
from demos.instruments.closable_port import Relay
from demos.pool_demo.settings import load
from tests.support.waiting import eventually, within

from .conftest import conclusion


def moments(output):
    """Return the cells of the rows `before`, `away` and `back`, for the naive way and for ours."""
    rows = [
        tuple(re.split(r" {2,}", line.strip()))
        for line in output.splitlines()
        if re.match(r" (before|away|back) ", line)
    ]
    return rows[:3], rows[3:]


def test_step7a_naive_loses_a_deposit_it_confirmed(play):
    output = play("step7a_server_restart")
    naive, ours = moments(output)
    assert naive == [
        ("before", "True", "110", "110"),
        ("away", "True", "None", "110"),
        ("back", "True", "120", "120"),
    ]
    assert ours == [
        ("before", "True", "110", "110"),
        ("away", "error 2003", "error 2003", "110"),
        ("back", "True", "120", "120"),
    ]
    assert "naive said True to 3 deposits, of which 2 arrived" in conclusion(output)
    assert "MysqlHelp said True to 2 deposits, of which 2 arrived" in conclusion(output)


def test_step7b_naive_pays_twice(play):
    output = play("step7b_killed_connection")
    assert output.count("naive: first teller paid 100") == 1
    assert output.count("naive: second teller paid 100") == 1
    assert "MysqlHelp: first teller was told: " in output
    assert "MysqlHelp: second teller paid 100" in output
    assert "a KILL of all: [100, 100], and alice has 100" in output
    assert "alice has 200 by the naive tellers, 100 by MysqlHelp" in conclusion(output)


def test_step7c_naive_makes_money_appear(play):
    output = play("step7c_kill_between_updates")
    assert re.search(r"naive, KILL +done +100 +130 +230 ", output)
    assert re.search(r"MysqlHelp, KILL +\w+Error \d+ +100 +100 +200 ", output)
    assert re.search(r"MysqlHelp, again +done +70 +130 +200 ", output)
    assert "there are 230 after the naive transfer, which said done" in conclusion(output)
    assert "200 after MysqlHelp's, which raised " in conclusion(output)


def test_step7d_naive_keeps_half_of_the_victim(play):
    output = play("step7d_deadlock_victim")
    naive, ours = output.split("MysqlHelp:\n")
    assert re.search(r"\{'alice': (100|110), 'bob': (100|110)\}", naive)
    assert len(re.findall(r"is the victim, and runs again: \(1213,", ours)) == 1
    assert "victim" not in naive
    assert "{'alice': 100, 'bob': 100}" in ours
    assert "there are 210 after the naive transfers, and 200 after" in conclusion(output)


def test_step7e_naive_callers_wait_for_each_other(play):
    output = play("step7e_nested_checkout")
    assert re.findall(r"\d of 6 wait", output) == ["6 of 6 wait", "0 of 6 wait"]
    assert "6 of 6 wait; idle connections: 6" in output
    assert output.count("['唐嫣', '唐嫣', '唐嫣', '唐嫣', '唐嫣', '唐嫣']") == 2
    assert "6 of 6 naive callers waited" in conclusion(output)
    assert "0 of 6 of MysqlHelp's" in conclusion(output)
    assert "PoolTimeout: no connection came free within 0.5 s: 6 callers hold" in output


def test_step7f_naive_parent_reads_the_childs_row(play):
    output = play("step7f_fork")
    assert re.search(r"naive +the child +the parent +0 +2 ", output)
    assert re.search(r"MysqlHelp +the parent +the child +1 +1 ", output)
    assert "naive parent read the row of the child and kept 0 of 2" in conclusion(output)
    assert "with MysqlHelp it read that of the parent and kept 1 of 1" in conclusion(output)


def test_e13_step7g_bad_logins_freeze_the_sources_server(play):
    output = play("step7g_bad_logins")
    (froze,) = re.findall(r"bad log-in (\d+) froze the source's server", conclusion(output))
    assert 6 < int(froze) <= 40
    assert "as the source: the database sees 6 connections of the server, 6 idle" in output
    assert "and a good one got: no answer; with MysqlHelp it answered 40" in conclusion(output)
    assert conclusion(output).endswith("a good one got: let in.")


# -- what the steps use ----------------------------------------------------------------------------


def test_bank_counts_what_is_committed(book, connection, ask):
    with Bank() as bank:
        bank.open(alice=100, bob=50)
        connection.begin()
        ask("update account set balance = 0")
        assert bank.balances() == {"alice": 100, "bob": 50}
        connection.commit()
        assert bank.total() == 0
        bank.open(carol=1)
        assert bank.balances() == {"carol": 1}
    assert ask("show tables like 'account'") == []


def test_bank_drops_its_table_when_the_block_fails(book, ask):
    with pytest.raises(ZeroDivisionError), Bank():
        _ = 1 / 0
    assert ask("show tables like 'account'") == []


def test_relay_breaks_connections_and_opens_the_same_port_again(witness):
    with Relay() as relay:
        address = relay.settings.host, relay.settings.port
        one = pymysql.connect(**relay.settings.connect_args())
        assert witness.settle(1) == 1
        relay.close()
        with pytest.raises(pymysql.OperationalError) as caught:
            one.cursor().execute("select 1")
        assert caught.value.args[0] in (2006, 2013)
        assert witness.settle(0) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        relay.open()
        assert (relay.settings.host, relay.settings.port) == address
        with pymysql.connect(**relay.settings.connect_args()) as two, two.cursor() as cursor:
            assert cursor.execute("select 1") == 1
    assert eventually(lambda: witness.ids() == [])


def test_relay_goes_through_a_unix_socket_too(witness, ask):
    (row,) = ask("select @@socket as path")
    if not Path(row["path"] or "/nowhere").is_socket():
        pytest.skip("the server has no unix socket on this machine")
    upstream = replace(load(), host="localhost", unix_socket=row["path"])
    with Relay(upstream) as relay, pymysql.connect(**relay.settings.connect_args()) as one:
        assert one.cursor().execute("select 1") == 1
    assert eventually(lambda: witness.ids() == [])


def test_relay_of_a_server_that_is_away_hangs_up_without_a_word(capfd):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        upstream = replace(load(), host="127.0.0.1", port=nobody.getsockname()[1])
        with Relay(upstream) as relay, pytest.raises(pymysql.OperationalError) as caught:
            pymysql.connect(**relay.settings.connect_args())
    assert caught.value.args[0] == 2013
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("borrow", ["as the source", "MysqlHelp"])
def test_login_server_ends_with_its_standard_input(witness, borrow):
    command = [sys.executable, "-m", "demos.pool_demo.naive.login_server", "--port", "0", "--tied"]
    command += ["--borrow", borrow]
    server = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        assert within(60, server.stdout.readline).startswith("Open http://127.0.0.1:")
        server.communicate(timeout=60)  # closes its standard input
        assert server.returncode == 0
    finally:
        server.kill()
    assert witness.settle(0) == 0
