"""The wire's benchmark: its verdict follows the figures, and a quick run measures both ways."""

import os
import subprocess
import sys
import uuid

from bench.chat import wire
from bench.chat.load.crowd import Crowd, Delays, Rate
from bench.chat.load.process import LoadClient
from bench.chat.servers import room
from bench.chat.wire_people import People
from course.ground.place import ROOT
from tests.bench.running import processes
from tests.support.waiting import eventually


def trial(deliveries):
    rates = dict.fromkeys(wire.IN_FLIGHT, Rate(deliveries, 0.3, 1000))
    return wire.Trial(
        rates,
        dict.fromkeys(rates, 3.0),
        dict.fromkeys(rates, 0.1),
        Delays(0.001, 0.002, [0.002], 0, 0),
        0,
    )


def verdict(plain, watched):
    done = {wire.PLAIN: [trial(plain)] * 3, wire.WATCHED: [trial(watched)] * 3}
    return wire.report(done, {name: [one.rates for one in ones] for name, ones in done.items()})


def test_the_verdict_is_about_the_clients_throughput(capsys):
    assert verdict(100e3, 91e3)
    assert not verdict(100e3, 89e3)
    assert "0.89 (0.89-0.89)" in capsys.readouterr().out


def test_people_hear_directly_and_through_a_tap():
    with room().started() as server, wire.tap(server.url) as (_, tapped), LoadClient() as load:
        load.begin(People, [server.url, tapped])
        with LoadClient() as crowd:
            crowd.connect([server.url], "named")
            crowd.call(Crowd.join, 3)
            said = crowd.call(Crowd.flood, 1, 0.1).total
        assert said > 0

        def both_have_heard():
            heard, lost = load.call(People.report)
            return (
                lost == 0 and heard > said / 2 * 100 * 2
            )  # a message has 100 characters, and two hear it

        assert eventually(both_have_heard)
        load.call(People.leave)


def test_a_quick_run_reports_and_leaves_no_process():
    mark = uuid.uuid4().hex
    done = subprocess.run(
        [sys.executable, "-m", "bench.chat.wire", "--quick"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "BENCH_MARK": mark},
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "100 clients, 8 in flight" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(("reached: ", "MISSED: "))
    assert processes(mark) == []
