"""The load of step 8: what its callers note, held against the server and against their own turns."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace

import pymysql
import pytest

from course.ground.place import ROOT
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED
from demos.pool_demo.lending.turnstile import PoolTimeout
from demos.pool_demo.live.lanes import Picture
from demos.pool_demo.live.load_choice import WAYS, Choice, Refused
from demos.pool_demo.live.load_process import Load, LoadProcess
from demos.pool_demo.live.ways_that_note import Notes, watched
from demos.pool_demo.settings import load
from tests.support.waiting import eventually, within


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def way(notes, book):
    opened = []

    def make(name, size=1):
        opened.append(watched(notes)[name](load(), size))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def what(notes):
    return [what for _, what, _, _ in notes.take()]


BORROWED = {
    RAW: ["asks", "connects", "opened", "borrowed", "queries", "is done", "closed"],
    TUNED: ["asks", "borrowed", "queries", "is done", "returned"],
}
BORROWED[POOLED] = ["asks", "pings", "is done", *BORROWED[TUNED][1:], "rolls back", "is done"]
BORROWED |= {RAW_NO_TLS: BORROWED[RAW], HELPER: BORROWED[TUNED]}


@pytest.mark.parametrize("name", WAYS)
def test_a_turn_is_noted_step_by_step(name, way, notes):
    one = way(name)
    notes.take()
    assert [row["name"] for row in one.select()] == ["韩雪", "舒畅", "唐嫣"]
    assert what(notes) == BORROWED[name]


@pytest.mark.parametrize("name", WAYS)
def test_the_notes_name_the_connections_of_the_server(name, way, notes, witness):
    one = way(name, 2)
    with one.borrow() as connection:
        with connection.cursor() as cursor:
            cursor.execute("select connection_id()")
            (number,) = cursor.fetchone()
        assert number in witness.ids()
    borrowed = [number for _, what, _, number in notes.take() if what == "borrowed"]
    assert borrowed[-1] == number


@pytest.mark.parametrize("name", [POOLED, TUNED, HELPER])
def test_who_waits_at_the_maximum_is_noted(name, way, notes):
    one = way(name)
    notes.take()

    def other():
        notes.i_am(2)
        one.select()

    with one.borrow():
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        assert eventually(lambda: len(notes._notes) and notes._notes[-1][1] == "waits")
    thread.join(60)
    waiting = [what for _, what, who, _ in notes.take() if who == 2]
    assert waiting[:2] == ["asks", "waits"]
    assert waiting.count("borrowed") == 1


def test_who_waits_in_vain_is_noted(way, notes, monkeypatch):
    one = way(HELPER)
    notes.take()
    monkeypatch.setattr(one.db.lender, "wait", 0.01)
    with one.borrow():
        notes.take()
        with pytest.raises(PoolTimeout), one.borrow():
            pass
        assert what(notes) == ["asks", "waits", "refused"]


@pytest.mark.parametrize("name", [RAW, RAW_NO_TLS])
def test_who_cannot_connect_is_noted(name, notes, book):
    nowhere = replace(load(), host="127.0.0.1", port=1, unix_socket=None)
    with pytest.raises(pymysql.OperationalError):
        watched(notes)[name](nowhere, 1).select()
    assert what(notes) == ["asks", "connects", "gives up", "refused"]


def test_a_lost_connection_is_noted_and_the_next_one_too(way, notes, witness):
    one = way(HELPER)
    (number,) = witness.ids()
    witness.kill(number)
    notes.take()
    one.select()
    found = [(what, at) for _, what, _, at in notes.take()]
    (again,) = witness.ids()
    assert ("closed", number) in found
    assert ("opened", again) in found


def test_no_note_is_lost_and_none_comes_twice(notes):
    threads = [
        threading.Thread(target=lambda: [notes.note("asks") for _ in range(20000)]) for _ in "abcd"
    ]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(notes.take())
    assert taken + len(notes.take()) == 80000


def run(chosen, turns):
    """Run a load until it has had so many turns, or ends by itself.

    Return the picture at its end, its last report, and all notes by what they say.
    """
    with LoadProcess(chosen) as process:
        picture, counts = None, Counter()
        for report in process.reports():
            picture = picture or Picture(report["until"] - 1)
            picture.fold(report["notes"], report["until"])
            counts.update(what for _, what, _, _ in report["notes"])
            if report["turns"] >= turns:
                process.stop()
    return picture, report, counts


@pytest.mark.parametrize("name", WAYS)
def test_all_turns_are_in_the_notes(book, witness, name):
    picture, report, counts = run(Load(name, clients=6, size=2, query=0.0), 20)
    assert report["errors"] == {}
    assert report["turns"] >= 20
    assert counts["asks"] == counts["borrowed"]
    # Each client's turns, and those with which MysqlHelp opens its connections.
    assert 0 <= counts["borrowed"] - report["turns"] <= 2
    assert counts["queries"] == report["turns"]
    assert counts["opened"] == counts["closed"]
    assert picture.counts["borrowed"] == counts["borrowed"]
    assert picture.lanes == {}
    assert picture.waiting() == 0
    assert witness.settle(0) == 0


def test_without_watching_there_are_turns_and_no_notes(book):
    _, report, counts = run(Load(HELPER, 4, 2, 0.0, watch=False), 20)
    assert report["turns"] >= 20
    assert not counts


def until(process, condition, seconds=60):
    """Return the first report that fulfils the condition; none for too long is a failure."""
    end = time.monotonic() + seconds
    for report in process.reports():
        if condition(report):
            return report
        assert time.monotonic() < end, report
    raise AssertionError("the load has ended")


def test_those_who_hold_keep_their_connection_until_they_are_told(book, witness):
    with LoadProcess(Load(TUNED, clients=1, size=3, query=0.01)) as process:
        found = {"borrowed": set(), "returned": set()}

        def by_holders(what, report):
            found[what] |= {at for _, one, who, at in report["notes"] if one == what and who > 1}
            return len(found[what]) == 2

        process.hold(2)
        until(process, lambda report: by_holders("borrowed", report))
        assert found["borrowed"] <= set(witness.ids())
        process.give_back()
        until(process, lambda report: by_holders("returned", report))
        assert found["returned"] == found["borrowed"]


def test_an_error_is_counted_and_the_client_goes_on(book, witness):
    with LoadProcess(Load(RAW_NO_TLS, clients=2, query=0.5)) as process:
        report = until(process, lambda report: "queries" in {one[1] for one in report["notes"]})
        witness.kill(next(at for _, what, _, at in report["notes"] if what == "queries"))
        report = until(process, lambda report: report["errors"])
        assert next(iter(report["errors"])) in ("OperationalError 2013", "OperationalError 1927")
        turns = report["turns"]
        until(process, lambda report: report["turns"] >= turns + 4)


def test_without_a_server_it_says_why(book):
    _, report, _ = run(Load(POOLED, port=1), 1)
    assert report["failed"].startswith("No MySQL server answers at ")
    assert not report["ready"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_who_started_it(book, witness, end):
    program = (
        "from demos.pool_demo.live.load_process import *\n"
        "for report in LoadProcess(Load('MysqlHelp', 4, 2, 0.01)).reports():\n"
        "    print(report['turns'], flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ
    )
    assert eventually(lambda: int(within(60, parent.stdout.readline)) > 0)
    assert len(witness.ids()) == 2
    parent.send_signal(end)
    parent.wait(60)
    parent.stdout.close()
    assert witness.settle(0) == 0


def test_a_choice_is_read_or_refused():
    values = {"way": POOLED, "clients": 1, "size": 200, "query": 0, "latency": 500}
    assert Choice.read(values) == Choice(POOLED, 1, 200, 0, 500)
    wrong = [{"clients": 201}, {"size": 0}, {"query": -1}, {"latency": 0.5}, {"clients": True}]
    for change in [*wrong, {"way": None}, {"size": "3"}, {"query": None}]:
        with pytest.raises(Refused, match=next(iter(change))):
            Choice.read(values | change)
