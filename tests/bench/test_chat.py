"""The chat benchmark: servers do the same work or are named, verdicts follow figures, a quick run reports."""

import json
import os
import signal
import sys
import uuid
from dataclasses import replace

import pytest
from websockets.sync.client import connect

from bench.chat import parts, report, targets
from bench.chat.load import pump
from bench.chat.load.crowd import Crowd, Delays, Rate
from bench.chat.load.dialects import DIALECTS
from bench.chat.load.joining import LoadError
from bench.chat.load.process import LoadClient
from bench.chat.parts import Deaf, Idle, Shared, Talk
from bench.chat.servers import (
    AIOHTTP,
    CONTENDERS,
    FLOOR,
    NODE,
    PYTHON_FLOOR,
    RICH,
    ROOM,
    SOCKETIO,
    SOURCE,
    WEBSOCKETS,
    Contender,
    ServerError,
)
from course.ground.place import ROOT
from tests.bench.running import bench, check_last_report, check_missed, ended, has_server, processes
from tests.support.waiting import eventually

BY_NAME = {one.name: one for one in CONTENDERS}
SIZES = parts.FULL.sizes


def talk(rate, delay=0.01, busy=0.5):
    rates = {(size, count): Rate(rate, busy, 1000) for size in SIZES for count in parts.IN_FLIGHT}
    delays = Delays(delay / 2, delay, [delay], 0, 0)
    return Talk(rates, dict.fromkeys(rates, 5.0), delays, "ws 1 on Node v1 at http://127.0.0.1:1")


def figures(**changes):
    """Figures in which every target is reached."""
    rates = {one.name: 100e3 for one in CONTENDERS} | {SOURCE: 70e3, ROOM: 150e3, FLOOR: 200e3}
    found = parts.Figures(
        parts.FULL,
        talks={name: [talk(rate, 0.009 if name == ROOM else 0.01)] for name, rate in rates.items()},
        idle={ROOM: [Idle(12, 0.5)], RICH: [Idle(13, 1.5)]},
        deaf={ROOM: [Deaf(0.05, 1, 0, 0)], RICH: [Deaf(0.0, 0, 0, 0)]},
        shared={
            parts.ALONE: [Shared(0.001, Rate(100e3, 0.5, 1), 1.0, 0.5)],
            parts.WITH_REDIS: [Shared(0.002, Rate(90e3, 0.5, 1), 1.0, 0.5)],
            parts.TWO: [Shared(0.002, Rate(160e3, 0.5, 1), 1.0, 0.5)],
        },
    )
    return replace(found, **changes)


def test_good_figures_reach_every_target():
    assert {target.reached for target in targets.targets(figures())} == {True}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"talks": figures().talks | {AIOHTTP: [talk(151e3)]}}, ["ahead of"] * 4),
        ({"talks": figures().talks | {SOURCE: [talk(76e3)]}}, ["2 x source"] * 4),
        ({"talks": figures().talks | {FLOOR: [talk(220e3)]}}, ["70% of floor, C"] * 4),
        ({"talks": figures().talks | {AIOHTTP: [talk(100e3, 0.008)]}}, ["p99 delay"]),
        ({"idle": {ROOM: [Idle(15, 0.5)], RICH: [Idle(14, 2.1)]}}, ["14 kB", "1,000 joins"]),
        ({"deaf": {ROOM: [Deaf(0.061, 1, 0, 0)], RICH: [Deaf(0, 2, 0, 0)]}}, ["a reader that"] * 2),
        (
            {"deaf": {ROOM: [Deaf(float("inf"), 1, 99, 1)], RICH: [Deaf(0, 0, 0, 0)]}},
            ["a reader that stops"],
        ),
        (
            {
                "shared": figures().shared
                | {parts.TWO: [Shared(0.0026, Rate(1e5, 0.5, 1), 1.0, 0.5)]}
            },
            ["1.7 x", "1.5 ms"],
        ),
        (
            {
                "shared": figures().shared
                | {parts.TWO: [Shared(0.002, Rate(160e3, 0.5, 1), 1.2, 0.5)]}
            },
            ["by CPU time"],
        ),
    ],
)
def test_a_figure_that_falls_short_is_a_missed_target(changes, missed):
    check_missed(targets.targets(figures(**changes)), missed)


def test_what_is_missing_leaves_targets_open_and_is_named():
    found = figures(
        talks={name: ones for name, ones in figures().talks.items() if name not in (NODE, FLOOR)},
        shared={},
        failures={NODE: "it rains"},
    )
    open_targets = [one for one in targets.targets(found) if one.reached is None]
    assert [one.text for one in open_targets if "ahead" in one.text]
    assert len(open_targets) == 4 + 3
    assert any(PYTHON_FLOOR in one.text for one in targets.targets(found))
    text = report.markdown(report.Run(found, True, 0.0))
    assert f"- {NODE} is missing; it rains." in text
    assert f"not measured: {NODE}" in text


def test_nothing_measured_is_a_report_too():
    empty = parts.Figures(parts.QUICK, failures={ROOM: "it rains"})
    assert {one.reached for one in targets.targets(empty)} == {None}
    assert "it rains" in report.markdown(report.Run(empty, True, 0.0))


def test_a_busy_load_client_is_said():
    found = figures(talks=figures().talks | {FLOOR: [talk(200e3, busy=0.96)]})
    assert "200 *" in report.throughput(found, 1)
    limited = [one for one in targets.targets(found) if "limited by the load" in one.measured]
    assert len(limited) == 4


def test_the_report_has_no_host_name_and_no_path():
    text = report.markdown(report.Run(figures(), False, 0.0))
    assert os.uname().nodename not in text.split()
    assert str(ROOT) not in text
    assert "127.0.0.1" not in text
    assert "too short to believe" not in text


def test_stalls_are_counted_once_each():
    assert parts.stalls([0.1, 0.3, 0.4, 0.1, 0.5], 0.2) == 2
    assert parts.stalls([0.1, 0.1], 0.2) == 0


def heard(connection, seconds):
    try:
        return json.loads(connection.recv(seconds))
    except TimeoutError:
        return None


@pytest.mark.parametrize("name", [one.name for one in CONTENDERS if one.dialect == "named"])
def test_every_server_does_the_same_work(name):
    try:
        with BY_NAME[name].started() as server:
            url = server.url.replace("http", "ws")
            with connect(f"{url}/anna") as anna, connect(f"{url}/bert") as bert:
                said = {"username": "anna", "msg": "一"}
                # A server may answer before it has put a client into its list.
                assert eventually(lambda: anna.send(json.dumps(said)) or heard(bert, 0.5)) == said
                said = {"username": "bert", "msg": "二"}
                bert.send(json.dumps(said))
                assert heard(anna, 60) == said  # and none of its own
    except ServerError as error:
        pytest.skip(str(error))


def test_without_a_compiler_the_floor_in_c_says_so(monkeypatch):
    monkeypatch.setenv("COURSE_NO_CC", "1")
    with pytest.raises(ServerError, match="there is no C compiler"), BY_NAME[FLOOR].started():
        pytest.fail("it started")


@pytest.mark.parametrize("name", [PYTHON_FLOOR, ROOM, RICH, SOCKETIO])
def test_the_load_client_counts_every_delivery(name):
    contender = BY_NAME[name]
    try:
        with contender.started() as server, LoadClient() as load:
            load.connect([server.url], contender.dialect)
            assert load.call(Crowd.join, 12) > 0
            assert load.call(Crowd.flood, 8, 0.05).deliveries > 0
            paced = load.call(Crowd.pace, 100, 0.1)
            assert len(paced.slowest) == 10
            assert paced.lost == 0
            assert 0 < paced.p50 <= paced.p99 <= max(paced.slowest) + 1e-6
    except ServerError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("inner_loop", [pump.pump, pump.pump_in_python])
def test_both_inner_loops_do_the_same(inner_loop):
    with BY_NAME[PYTHON_FLOOR].started() as server:
        clients = Crowd([server.url], "named")
        clients.join(5)
        plan = pump.Plan(1, 0.2, interval=0.02, delays=True)
        found = inner_loop(clients._members, plan)
        assert found.said == 10
        assert (found.all, found.lost, found.closed) == (4 * found.said, 0, 0)
        assert len(found.delays) == found.all
        assert len(found.slowest) == found.said
        assert max(found.delays) == max(found.slowest) > 0
        clients.leave()


def served(code):
    """A server of this test's own: a program that gets a listening socket's address to print."""
    program = f"from websockets.sync.server import serve\n{code}\n"
    program += "with serve(chat, '127.0.0.1', 0) as server:\n"
    program += "    print('http://127.0.0.1:%d' % server.socket.getsockname()[1], flush=True)\n"
    program += "    server.serve_forever()\n"
    return Contender("mine", lambda: [sys.executable, "-c", program])


EVERYBODY = """
all = set()
def chat(one):
    all.add(one)
    for text in one:
        for other in list(all):
            other.send(text)
"""
NOBODY = """
def chat(one):
    for text in one:
        pass
"""
FAREWELL = """
all = set()
def chat(one):
    all.add(one)
    for text in one:
        if len(text) > 500:
            break
        for other in all - {one}:
            other.send(text)
"""


@pytest.mark.parametrize(
    ("code", "size", "sentence"),
    [
        (EVERYBODY, 100, "came twice, or to those who said them"),
        (NOBODY, 100, "a message did not reach 2 clients"),
        (FAREWELL, 600, "the server cut off 1 clients"),
    ],
)
def test_a_server_that_does_other_work_is_found_out(code, size, sentence):
    with served(code).started() as server:
        clients = Crowd([server.url], "named")
        with pytest.raises(LoadError, match=sentence):
            clients.join(3, size, seconds=0.5)
            clients.flood(2, 0.05, warm_up=0.0)
        clients.leave()


@pytest.mark.parametrize("inner_loop", [pump.pump, pump.pump_in_python])
def test_clients_that_a_server_cuts_off_are_counted(inner_loop):
    with served(FAREWELL).started() as server:
        clients = Crowd([server.url], "named")
        clients.join(4)
        for member in clients._members:
            member.say = DIALECTS["named"].say(member.name, 600)
        found = inner_loop(clients._members, pump.Plan(1, 0.06, interval=0.02, grace=0.3))
        # Each is cut off when it has said something, and nobody hears it.
        assert (found.said, found.closed, found.all) == (3, 3, 0)
        assert found.lost == 3 * 3
        clients.leave()


def test_a_server_that_fails_is_named_with_its_last_words():
    absent = Contender("absent", lambda: [sys.executable, "-c", "import no_such_package"])
    deaf = Contender("deaf", lambda: [sys.executable, "-c", "print('http://127.0.0.1:1')"])
    failures = {}
    with LoadClient() as load:
        assert parts.talks([absent, deaf], load, parts.QUICK, failures) == {}
    assert "No module named 'no_such_package'" in failures["absent"]
    assert "refused" in failures["deaf"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process(number, tmp_path):
    mark = uuid.uuid4().hex
    running = bench("chat", tmp_path, mark)
    assert eventually(lambda: has_server(mark), seconds=60)
    running.send_signal(number)
    _, errors = ended(running)
    assert running.returncode != 0
    assert eventually(lambda: not processes(mark))
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_quick_run_writes_report_and_plot(tmp_path, redis_server):
    mark = uuid.uuid4().hex
    running = bench("chat", tmp_path, mark, REDIS_URL=redis_server.url)
    said, errors = ended(running)
    assert (running.returncode, errors) == (0, "")
    text = (tmp_path / "chat.md").read_text("utf-8")
    assert [one.name for one in CONTENDERS if one.name not in text] == []
    assert len(said.splitlines()) == len(targets.targets(figures()))
    not_measured = [line for line in said.splitlines() if line.startswith("not measured")]
    assert not [line for line in not_measured if "Redis" in line]
    assert "<svg" in (tmp_path / "chat.svg").read_text("utf-8")
    assert redis_server.url not in text
    assert processes(mark) == []


def test_the_last_report_is_of_this_benchmark():
    check_last_report("chat", (ROOM, RICH, SOURCE, WEBSOCKETS, AIOHTTP, SOCKETIO, NODE, FLOOR))
