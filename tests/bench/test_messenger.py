"""The private chat's benchmark: a faulty server is found out, verdicts follow figures, a quick run reports."""

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace

import pymysql
import pytest
from websockets.sync.server import serve

from bench.chat.load.joining import LoadError
from bench.chat.servers import Contender
from bench.messenger import parts, report, targets
from bench.messenger.load.pairs import Flow, Pairs
from bench.messenger.load.reports import INTERVAL, Reports
from bench.messenger.parts import Paced, Shared, Talk
from bench.messenger.servers import CEILING, COMMIT_EACH, CONTENDERS, IN_TURN, MESSENGER
from bench.rounds import rounds
from course.ground.place import ROOT
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import connect_args
from tests.bench.running import bench, check_missed, ended, has_server, processes
from tests.support.processes import alive
from tests.support.waiting import eventually

FLOW = Flow(1000, 0.01, 0.02, 0.019, 0.5, 1000, 0)


def talk(rate, **changes):
    flow = replace(FLOW, rate=rate, **changes)
    return Talk(dict.fromkeys(parts.IN_FLIGHT, flow), {1: 100.0, 8: 90.0}, {1: 50.0, 8: 60.0})


def paced(calm=0.03, busy=0.04):
    log_ins = [0.1, 0.2]
    return Paced(40.0, replace(FLOW, p99=calm), replace(FLOW, p99=busy), log_ins, 0.25, 0.75)


RATES = {MESSENGER: 5000, CEILING: 9000, COMMIT_EACH: 450, IN_TURN: 200}
REDIS = (
    parts.ALONE,
    parts.WITH_REDIS,
    parts.TOGETHER,
    parts.APART,
)


def figures(**changes):
    """Figures in which every target is reached."""
    found = parts.Figures(
        parts.FULL,
        talks={name: [talk(rate)] for name, rate in RATES.items()},
        paced={MESSENGER: [paced()], CEILING: [paced()]},
        shared={name: [Shared(FLOW, 100.0, 12.0, 34.0)] for name in REDIS},
    )
    return replace(found, **changes)


def test_good_figures_reach_every_target():
    assert {target.reached for target in targets.targets(figures())} == {True}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"talks": figures().talks | {COMMIT_EACH: [talk(501)]}}, ["10 x"] * 2),
        ({"talks": figures().talks | {CEILING: [talk(10001)]}}, ["50% of"] * 2),
        ({"paced": {MESSENGER: [paced(0.051, 0.051)]}}, ["p99 under 50", "log in: p99 under 50"]),
        ({"paced": {MESSENGER: [paced(0.01, 0.016)]}}, ["do not slow"]),
    ],
)
def test_a_figure_that_falls_short_is_a_missed_target(changes, missed):
    found = check_missed(targets.targets(figures(**changes)), missed)
    assert all(target.why for target in found)


def test_a_missed_target_says_why_and_only_that_one(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    says = written(figures(talks=figures().talks | {CEILING: [talk(10001)]}))
    assert "; 100 pairs, 8 in flight" not in says
    # 100 and 50 µs, and half of the load client's time for 5,000 messages: 250 µs on two cores
    assert f"- 100 pairs, 1 in flight: at least 50% of “{CEILING}”: a message takes 100 µs" in says
    assert f"they would do 8000 messages a second, 0.80 (0.80-0.80) x “{CEILING}”" in says
    assert "busy 62% (62%-62%) of the time" in says
    assert "a target was missed" not in written(figures())


def test_what_is_missing_leaves_targets_open_and_is_named():
    found = figures(talks={}, paced={}, shared={}, failures={CEILING: "it rains"})
    assert {target.reached for target in targets.targets(found)} == {None}
    assert f"- {CEILING} is missing; it rains." in written(found)


def test_a_busy_load_client_is_marked():
    found = figures(talks=figures().talks | {MESSENGER: [talk(5000, busy=0.96)]})
    assert "| the messenger | 5000 * |" in written(found)
    limited = [t for t in targets.targets(found) if "limited by" in t.measured]
    assert len(limited) == 4
    assert " * |" not in written(figures())


def written(found):
    return report.markdown(report.Run(found, "MariaDB 1.2.3", False, 0.0))


# The load client, against servers that have one fault each.

HONEST = "honest"


class Faulty:
    """A messenger for two pages, known by their cookies, with one fault; `heard` is what they sent."""

    def __init__(self, fault):
        self.fault, self.pages, self.heard = fault, {}, []
        self.ids, self.one_at_a_time = iter(range(1, 100_000)), threading.Lock()

    def __call__(self, socket):
        name = socket.request.headers["Cookie"]
        self.pages[name] = socket
        socket.send(json.dumps({"type": "welcome", "name": name}))
        for text in socket:
            with self.one_at_a_time, contextlib.suppress(OSError):
                frame = json.loads(text)
                self.heard.append(frame)
                if "msg" in frame:
                    self.hand_over(name, frame)

    def confirmed(self):
        return [number for frame in self.heard for number in frame.get("got", ())]

    def hand_over(self, name, frame):
        number = next(self.ids)
        event = {"type": "message", "id": number, "from": name, **frame}
        sender, recipient = self.pages[name], self.pages[frame["to"]]
        is_tenth = number % 10 == 0
        if number == 1 and self.fault == "stalls":
            time.sleep(0.5)
        if not (is_tenth and self.fault == "no acknowledgement"):
            sender.send(json.dumps(event))
        if not (is_tenth and self.fault == "lost"):
            recipient.send(json.dumps(event))
        if is_tenth and self.fault == "stored twice":
            recipient.send(json.dumps(event | {"id": next(self.ids)}))
        if is_tenth and self.fault == "again":
            recipient.send(json.dumps(event))
        if is_tenth and self.fault == "wrong name":
            recipient.send(json.dumps(event | {"from": "somebody"}))
        if is_tenth and self.fault == "invented":
            recipient.send(json.dumps(event | {"client_id": "000099999"}))
        if is_tenth and self.fault == "refused":
            sender.send(json.dumps({"type": "error", "code": "x", "reason": "It rains."}))
        if is_tenth and self.fault == "cut off":
            sender.close(1011, "a fault")


@contextmanager
def pair(fault, monkeypatch):
    """Two friends at a server with a fault."""
    monkeypatch.setattr("bench.messenger.load.pairs.GRACE", 0.3)
    server = Faulty(fault)
    with serve(server, "127.0.0.1", 0, subprotocols=["im.v1"]) as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        pairs = Pairs([url], [("ann", "ann"), ("bob", "bob")])
        try:
            pairs.join(2)
            yield pairs, server
        finally:
            pairs.leave()
            listener.shutdown()
            thread.join(60)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("lost", "messages were not delivered"),
        ("no acknowledgement", "messages were not acknowledged"),
        ("stored twice", "a message was stored twice"),
        ("wrong name", "a message from ann came as one from somebody|from bob came as one from"),
        ("invented", "got a message that nobody has written"),
        ("refused", r"a message was refused \(It rains\)"),
        ("cut off", "the server closed on (ann|bob): 'a fault'"),
    ],
)
def test_a_server_with_a_fault_is_found_out(fault, sentence, monkeypatch):
    with pair(fault, monkeypatch) as (pairs, _), pytest.raises(LoadError, match=sentence):
        pairs.pace(200, 0.2, warm_up=0.0)


def test_without_a_fault_every_message_is_counted_and_confirmed(monkeypatch):
    with pair(HONEST, monkeypatch) as (pairs, server):
        flow = pairs.flood(4, 0.2, warm_up=0.05)
        written = [frame["client_id"] for frame in server.heard if "msg" in frame]
        assert flow.total == len(written) == len(set(written)) > 4
        assert 0 < flow.rate <= flow.total / 0.2
        assert 0 < flow.p50 <= flow.p99
        assert eventually(lambda: sorted(server.confirmed()) == list(range(1, flow.total + 1)))


def test_what_comes_again_under_its_id_is_counted_and_no_fault(monkeypatch):
    with pair("again", monkeypatch) as (pairs, _):
        assert pairs.pace(200, 0.2, warm_up=0.0).repeated == 4


def test_a_server_that_stands_still_delays_all_that_was_due_meanwhile(monkeypatch):
    with pair("stalls", monkeypatch) as (pairs, _):
        monkeypatch.setattr("bench.messenger.load.pairs.GRACE", 5.0)
        flow = pairs.pace(50, 0.4, warm_up=0.0)
        assert flow.total == 20
        assert 0.2 < flow.p50 < flow.p99
        assert flow.p99 >= 0.5


def test_a_page_reports_at_once_and_then_in_turns():
    reports = Reports()
    reports.add(1, 11, now=5.0)
    assert (reports.next(), list(reports.take(5.0))) == (5.0, [(1, [11])])
    reports.add(1, 12, now=5.1)
    reports.add(1, 13, now=5.15)
    reports.add(2, 14, now=5.15)
    assert list(reports.take(5.15)) == [(2, [14])]
    assert reports.next() == pytest.approx(5.0 + INTERVAL)
    assert list(reports.take(5.0 + INTERVAL)) == [(1, [12, 13])]
    assert list(reports.take(99.0)) == []
    reports.add(1, 15, now=5.3)
    assert list(reports.take(5.3)) == []
    assert list(reports.take(5.3, early=True)) == [(1, [15])]


COMPLAINT = """
import sys
print("http://127.0.0.1:1", flush=True)
print("event=database error=PoolTimeout", flush=True)
print("event=other", flush=True)
sys.stdin.read()
input()
"""


def test_a_failure_comes_with_what_the_server_complained_of():
    server = Contender("mine", lambda: [sys.executable, "-c", COMPLAINT])

    def trial(one):
        with one.started() as running:
            # It has ended, so it has said all; somebody may have asked for its exit code or not.
            assert eventually(lambda: not alive(running.pid))
            raise LoadError("a message was lost")

    failures = {}
    assert rounds("Trial", [server], trial, 1, failures) == {}
    assert re.fullmatch(
        "trial: a message was lost; the server's last complaint: EOFError.*", failures["mine"]
    )


# The whole.


def own_databases():
    with pymysql.connect(**connect_args(database=None)) as link, link.cursor() as cursor:
        cursor.execute("show databases like %s", (f"{os.environ['MYSQL_DATABASE']}%",))
        return [name for (name,) in cursor.fetchall()]


def test_a_quick_run_writes_report_and_plot(tmp_path, book, redis_server):
    mark = uuid.uuid4().hex
    running = bench("messenger", tmp_path, mark, REDIS_URL=redis_server.url)
    said, errors = ended(running)
    assert (running.returncode, errors) == (0, "")
    text = (tmp_path / "messenger.md").read_text("utf-8")
    assert len(said.splitlines()) == len(targets.targets(figures()))
    assert "not measured" not in said
    assert "is missing" not in text
    for name in [*(one.name for one in CONTENDERS), *REDIS]:
        assert f"| {name} | " in text, name
    assert re.search(r"log-in, both pages, takes \d+ ms at the median of \d", text)
    assert "too short to believe" in text
    assert "<svg" in (tmp_path / "messenger.svg").read_text("utf-8")
    for secret in (redis_server.url, str(ROOT), os.uname().nodename, "127.0.0.1"):
        assert secret not in text
    # What it made is gone, and nothing else was touched.
    assert processes(mark) == []
    assert own_databases() == [book["MYSQL_DATABASE"]]
    assert MysqlHelp().selectone("select count(*) n from userinfo") == {"n": 4}


def test_an_interrupted_run_leaves_no_process_and_no_database(tmp_path, book):
    mark = uuid.uuid4().hex
    running = bench("messenger", tmp_path, mark)
    assert eventually(lambda: has_server(mark), seconds=60)
    running.send_signal(signal.SIGTERM)
    _, errors = ended(running)
    assert running.returncode == 143
    assert eventually(lambda: not processes(mark))
    assert own_databases() == [book["MYSQL_DATABASE"]]
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_without_a_database_it_is_one_sentence(tmp_path):
    running = bench("messenger", tmp_path, "", MYSQL_HOST="127.0.0.1", MYSQL_PORT="1")
    _, errors = ended(running)
    assert running.returncode == 1
    assert errors.startswith("No MySQL server answers")
    assert len(errors.splitlines()) == 1
