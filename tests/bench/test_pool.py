"""The pool benchmark: peers are right or named, verdicts follow the figures, a quick run reports."""

import os
from dataclasses import replace

import pytest

from bench.pool import parts, peers, report
from bench.pool.peers import C_FLOOR, C_HELPER, CONNECTOR, FLOOR, RESET, SQLALCHEMY, Peer
from course.ground.place import ROOT
from demos.instruments.rounds import Sample, Turns
from demos.instruments.witness import Witness
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED
from demos.pool_demo.settings import load
from tests.bench.running import bench, check_last_report, check_missed, ended


def sample(*values):
    return Sample(tuple(float(value) for value in values))


def figures(**changes):
    """Figures in which every target is reached."""
    names = [peer.name for peer in peers.PEERS]
    selects = {name: sample(100, 100) for name in names} | {
        FLOOR: sample(1000, 1000),
        HELPER: sample(900, 900),
    }
    even = [Turns([[0.055] * 10] * 64, 1.0)]
    found = parts.Figures(
        selects={count: dict(selects) for count in parts.CALLERS},
        checkouts={HELPER: sample(5, 6)},
        slow_network={FLOOR: sample(1500), HELPER: sample(1400), SQLALCHEMY: sample(500)},
        round_trips={FLOOR: 1, HELPER: 1, SQLALCHEMY: 3},
        fairness=parts.Fairness({HELPER: even, POOLED: even, TUNED: even}, sample(0.005)),
        inserts={HELPER: sample(6)},
        stream=parts.Stream(1_000_000, 1.0, 30.0, 3.0),
    )
    return replace(found, **changes)


def verdicts(found):
    return [target.reached for target in report.targets(found)]


def test_good_figures_reach_every_target():
    assert set(verdicts(figures())) == {True}


def slower(found, name, rate):
    return {count: rates | {name: sample(rate, rate)} for count, rates in found.selects.items()}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"selects": slower(figures(), HELPER, 790)}, ["1.25"]),
        (
            {"selects": slower(figures(), SQLALCHEMY, 901)},
            ["callers: 1", "callers: 8", "callers: 32"],
        ),
        ({"checkouts": {HELPER: sample(10.1)}}, ["checkout"]),
        (
            {"slow_network": {FLOOR: sample(1500), HELPER: sample(1190), SQLALCHEMY: sample(600)}},
            ["2 x SQLAlchemy", "80 %"],
        ),
        ({"inserts": {HELPER: sample(12.1)}}, ["insertmany"]),
        ({"stream": parts.Stream(1_000_000, 1.0, 60.1, 3.0)}, ["stream"]),
    ],
)
def test_a_figure_that_falls_short_is_a_missed_target(changes, missed):
    check_missed(report.targets(figures(**changes)), missed)


def test_the_price_of_the_reset_is_said():
    missed = figures(selects=slower(figures(selects=slower(figures(), HELPER, 400)), RESET, 500))
    [found] = [target for target in report.targets(missed) if "1.25" in target.text]
    assert "takes 2.00 (2.00-2.00) x the floor's time" in found.why
    assert "MysqlHelp 1.25 (1.25-1.25) x the time of that one" in found.why


def test_unfair_turns_are_missed_targets():
    fair = figures().fairness
    luckless = [Turns([[0.05] * 13] * 63 + [[0.6]], 1.0)]
    unfair = parts.Fairness({**fair.turns, HELPER: luckless}, sample(0.005))
    check_missed(report.targets(figures(fairness=unfair)), ["most / least served"])


def test_the_price_of_the_order_is_said():
    fair = figures().fairness
    slow, quick = [Turns([[0.05] * 10] * 64, 1.0)], [Turns([[0.05] * 30] * 32 + [[0.05]] * 32, 1.0)]
    turns = {**fair.turns, HELPER: slow, POOLED: quick}
    found = report.targets(figures(fairness=parts.Fairness(turns, sample(0.005))))
    [why] = [target.why for target in found if target.text.endswith(f"than {POOLED}'s")]
    # 640 of the 1,200 turns that six connections do in a second.
    assert "reaches 53% (53%-53%) of what 6 connections allow" in why
    assert "most served caller gets 30 x the turns of the least served, MysqlHelp's 1.00 x" in why


def test_a_peer_that_is_missing_leaves_a_target_open_and_is_named():
    found = figures(slow_network={FLOOR: sample(1500), HELPER: sample(1400)})
    for rates in found.selects.values():
        del rates[SQLALCHEMY], rates[C_HELPER]
    done = report.Run(found, "MariaDB 1", {SQLALCHEMY: "it rains"}, parts.QUICK, 0.0)
    text = report.markdown(done)
    assert verdicts(found).count(None) == 4
    assert f"not measured: {SQLALCHEMY}" in text
    assert f"- {SQLALCHEMY} did not take part: it rains." in text
    assert "the ceiling was not measured" in text


def test_the_report_has_no_host_name_and_no_path():
    text = report.markdown(report.Run(figures(), "MariaDB 1", {}, parts.FULL, 0.0))
    assert os.uname().nodename not in text.split()
    assert str(ROOT) not in text
    assert "MISSED" not in text


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_a_peer_reads_the_students_and_leaves_no_connection(peer, book):
    with Witness() as witness:
        try:
            with peer.opened(load(), 2, 3) as way:
                assert [row["name"] for row in way.select()] == ["韩雪", "舒畅", "唐嫣"]
        except ModuleNotFoundError as error:
            pytest.skip(f"{error.name} is in requirements-bench.lock only")
        del way
        assert witness.settle(0) == 0


@pytest.mark.parametrize("name", [FLOOR, HELPER, SQLALCHEMY, peers.ASYNCMY])
def test_all_callers_of_a_peer_get_turns(name, book):
    found, missing = peers.working(load())
    if name in missing:
        pytest.skip(missing[name])
    turns = peers.turns(found[name], load(), 2, 5, "select 1", 0.02)
    assert len(turns.each) == 5
    assert min(turns.each) >= 1


def test_a_peer_that_does_not_work_here_is_named(book, monkeypatch):
    def broken(settings, size):
        raise ValueError("no such option\nsecond line")

    def absent(settings, size):
        raise ModuleNotFoundError("x", name="x")

    class Wrong(peers.Way):
        def query(self, sql):
            return []

    monkeypatch.setattr(
        peers,
        "PEERS",
        [
            Peer("broken", broken),
            Peer("absent", absent, "package-x"),
            Peer("wrong", lambda settings, size: Wrong(None)),
            Peer(FLOOR, peers._open_pymysql),
        ],
    )
    found, missing = peers.working(load())
    assert list(found) == [FLOOR]
    assert missing == {
        "broken": "ValueError: no such option",
        "absent": "package-x is not installed",
        "wrong": "it reads other rows than PyMySQL",
    }


def test_a_quick_run_writes_report_and_plot(book, tmp_path):
    running = bench("pool", tmp_path, "")
    said, errors = ended(running)
    assert (running.returncode, errors) == (0, "")
    text = (tmp_path / "pool.md").read_text("utf-8")
    for peer in peers.PEERS:
        assert peer.name in text
    assert len(said.splitlines()) == len(report.targets(figures()))
    assert "<svg" in (tmp_path / "pool.svg").read_text("utf-8")
    with Witness() as witness:
        assert witness.settle(0, seconds=30) == 0


def test_the_last_report_is_of_this_benchmark():
    check_last_report(
        "pool", (FLOOR, HELPER, RAW, RAW_NO_TLS, POOLED, SQLALCHEMY, CONNECTOR, C_FLOOR)
    )
