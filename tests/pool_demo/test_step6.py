"""Step 6: the machinery counts right, the sentences follow the figures, every step runs."""

import re
import threading
import time
from xml.etree import ElementTree

import pytest

from demos.instruments import plots, rounds
from demos.instruments.rounds import Callers, Sample, Turns
from demos.pool_demo import step6_raw_against_pooled as step6
from demos.pool_demo import step6b_count_round_trips as step6b
from demos.pool_demo import step6c_phases_of_a_connect as step6c
from demos.pool_demo import step6d_add_latency as step6d
from demos.pool_demo import step6e_size_of_the_pool as step6e
from demos.pool_demo import step6f_fair_turns as step6f
from demos.pool_demo.compared import phases, ways
from demos.pool_demo.compared.ways import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED, WAYS
from demos.pool_demo.settings import Settings, load
from tests.support.contrast import contrast


def sample(*values):
    return Sample(tuple(float(value) for value in values))


def test_a_sample_has_median_spread_and_ratios_by_round():
    found = sample(2, 8, 4)
    assert (found.median, found.low, found.high) == (4, 2, 8)
    assert found.over(sample(1, 2, 4)).values == (2, 4, 1)
    assert found.scaled(10).values == (20, 80, 40)
    assert str(sample(0.5, 123.4, 2)) == "2.0 (0.50-123)"
    assert str(sample(7)) == "7.0"


def test_who_is_ahead():
    found = {"a": sample(5, 6, 7), "b": sample(4, 7, 5), "c": sample(1, 2, 3)}
    assert rounds.ahead(found) == "a and b"
    assert rounds.ahead({"a": sample(5, 6), "b": sample(4, 5)}) == "a"


def test_percentile_is_a_value_that_occurred():
    values = [float(number) for number in range(200, 0, -1)]
    assert rounds.percentile(values, 99) == 198
    assert rounds.percentile(values, 50) == 100
    assert rounds.percentile([3.0], 99) == 3


def test_callers_work_at_once_and_each_turn_is_counted():
    inside, most, calls = 0, 0, []
    lock = threading.Lock()

    def operation():
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with lock:
            inside -= 1
            calls.append(threading.get_ident())

    with Callers(5) as callers:
        turns = callers.run(operation, 5, 0.05)
    assert most == 5
    assert sum(turns.each) == len(calls)
    assert sorted(turns.each) == sorted(calls.count(thread) for thread in set(calls))
    assert turns.rate == len(calls) / turns.seconds
    assert 0.002 <= turns.slowest() <= turns.seconds


def test_no_time_is_still_one_turn_for_each():
    with Callers(3) as callers:
        assert callers.run(lambda: None, 3, 0).each == [1, 1, 1]
        assert callers.run(lambda: None, 2, 0).each == [1, 1]


def test_the_error_of_one_caller_is_raised_and_nobody_hangs():
    calls = iter(range(100))

    def operation():
        if next(calls) == 2:
            raise LookupError("the third")

    with Callers(3) as callers, pytest.raises(LookupError, match="the third"):
        callers.run(operation, 3, 0.05)


def test_trials_take_turns_in_an_order_that_changes_and_is_alike_in_every_run():
    def play():
        order = []
        trials = {name: lambda name=name: order.append(name) or len(order) for name in "abcd"}
        return order, rounds.interleave("trials", trials, 6)

    order, found = play()
    turns = ["".join(order[first : first + 4]) for first in range(0, 24, 4)]
    assert all(sorted(one) == list("abcd") for one in turns)
    assert len(set(turns)) > 1
    assert [order[place - 1] for place in found["a"]] == ["a"] * 6
    assert play() == (order, found)
    assert rounds.samples({"x": [1, 3]}, lambda value: value * 2) == {"x": sample(2, 6)}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_reads_the_students_and_leaves_no_connection(name, book, witness):
    with ways.opened(name, load(), 2) as way:
        assert [row["name"] for row in way.select()] == ["韩雪", "舒畅", "唐嫣"]
        with way.borrow() as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
    del connection, cursor
    assert witness.settle(0) == 0


@pytest.mark.parametrize("name", [POOLED, TUNED, HELPER])
def test_a_pool_opens_all_its_connections_at_once(name, book, witness):
    with ways.opened(name, load(), 3) as way:
        assert witness.settle(3) == 3
        way.select()
        assert witness.settle(3) == 3


def test_transports_lead_to_the_same_server(book):
    found = ways.transports(load())
    assert load() in found.values()
    assert set(found) <= {"TCP", "unix socket"}
    for name, settings in found.items():
        assert settings.uses_socket == (name == "unix socket")


def test_a_socket_that_is_not_there_is_left_out(book, monkeypatch):
    if load().uses_socket:
        pytest.skip("this server is reached by its socket")
    monkeypatch.setattr(
        ways, "_identity", lambda settings: (("", ""), settings.port, "/nowhere/s.sock")
    )
    assert list(ways.transports(load())) == ["TCP"]


def test_round_trips_are_counted(book):
    found = step6b.count_all()
    each = {name: trips for name, (_, trips) in found.items()}
    assert each[RAW_NO_TLS] == 6 <= each[RAW]  # TLS, where the server offers it, costs more
    assert each[POOLED] == 3
    assert each[TUNED] == each[HELPER] == 1


def test_phases_come_in_order(book):
    found = phases.connect_once()
    assert list(found)[:4] == [phases.CONTEXT, phases.HANDSHAKE, phases.GREETING, phases.LOGIN]
    assert any(phase.startswith("SET NAMES utf8mb4") for phase in found)
    assert all(found[phase] > 0 for phase in list(found)[1:])


def rates(raw, bare, pooled, tuned, persistent, helper):
    return dict(zip(WAYS, (raw, bare, pooled, tuned, persistent, helper), strict=True))


def test_sentence_of_step6_follows_the_figures():
    one = rates(*(sample(rate, rate) for rate in (50, 2000, 4000, 8000, 4000, 8000)))
    many = rates(*(sample(rate, rate) for rate in (60, 2000, 4000, 9000, 4000, 8000)))
    found = {(1, name): rate for name, rate in one.items()}
    found |= {(8, name): rate for name, rate in many.items()}
    text = step6.sentence("TCP", found)
    assert "160 (160-160) times as fast as raw PyMySQL" in text
    assert "4.0 (4.0-4.0) times as fast as raw without TLS context" in text
    assert "98% of the time" in text  # (1/50 - 1/2000) / (1/50 - 1/8000)
    assert text.endswith("With 8 callers the fastest is PooledDB tuned.")


def test_sentence_of_step6b_follows_the_figures():
    text = step6b.sentence({"a": (9, 8.0), "b": (3, 2.0), "c": (4, 2.0)})
    assert "8 with a, 2 with b and c" in text
    assert "comes to 4, for one caller" in text


def test_sentence_of_step6c_follows_the_figures():
    context, rest = phases.CONTEXT, {"greeting": sample(1500)}
    assert "TLS context, 50% of 3.0 ms" in step6c.sentence({context: sample(1500)} | rest)
    assert "greeting, 75% of 2.0 ms" in step6c.sentence({context: sample(500)} | rest)


@pytest.mark.parametrize(
    ("pooled", "verdict"),
    [((50, 60), "loses"), ((90, 120), "no clear difference"), ((150, 160), "helps")],
)
def test_sentence_of_step6d_says_when_a_pool_loses(pooled, verdict):
    hundred = sample(100, 100)
    ways = rates(hundred, hundred, sample(*pooled), hundred, hundred, sample(400, 500))
    text = step6d.sentence(32, {0: rates(*[hundred] * 6), 5: ways})
    assert "with 5 ms added and 32 at once the fastest is MysqlHelp." in text
    assert text.endswith(f" times as fast: {verdict}.")


def test_sentence_of_step6e_follows_the_figures():
    slowest = {1: sample(300), 2: sample(150), 4: sample(140)}
    bent = ({1: sample(100), 2: sample(190), 4: sample(200)}, slowest)
    assert step6e.bend(bent[0]) == 2
    assert "with up to 2 connections" in step6e.sentence(bent)
    assert "4 connections, 2.0 times as many, do only 1.1" in step6e.sentence(bent)
    straight = ({1: sample(100), 2: sample(200), 4: sample(390)}, slowest)
    assert step6e.bend(straight[0]) == 4
    assert step6e.sentence(straight).endswith("more connections could do more.")


def test_sentence_of_step6f_follows_the_figures():
    uneven = [Turns([[0.1], [0.01] * 9], 1.0)]
    even = [Turns([[0.02] * 5, [0.02] * 5], 1.0)]
    found = step6f.columns({POOLED: uneven, TUNED: uneven, HELPER: even})
    assert found["fewest turns"][TUNED].median == 1
    assert found["most turns"][TUNED].median == 9
    text = step6f.sentence(found)
    assert "9.0 times as many turns as another with PooledDB tuned, and 1.0 times" in text
    assert "100 ms against 20" in text
    assert "served 1.0 times as many" in text


def test_a_plot_shows_itself_in_a_notebook_light_or_dark():
    found = {"a": sample(1, 2), "b": sample(3, 4)}
    drawn = [
        plots.bars({"one": found, "two": found}, "unit"),
        plots.curves({"one": {"a": {1: sample(1), 2: sample(3)}}}, "x", "y", "log"),
    ]
    for plot in drawn:
        picture = plot._repr_svg_()
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        assert "fill: var(--ink)" in picture and "fill: var(--paper)" in picture
        assert plots.INK not in picture.replace(plots.LOOK, "")


def test_a_plot_of_bars_says_where_a_line_is_cut_and_counts_in_whole_numbers():
    """A round that is far slower than the median does not fit: the line to it ends with an arrow, and not as if it ended there."""
    times = {"slow once": sample(5, 5, 90), "even": sample(4, 5, 6)}
    (axes,) = plots.bars({"one": times}, "ms").panels
    assert [line.get_marker() for line in axes.lines].count(">") == 1
    (axes,) = plots.bars({"one": {"a": sample(1), "b": sample(2)}}, "counted").panels
    assert len(axes.lines) == 0
    assert all(place == int(place) for place in axes.get_xticks())


def test_colours_of_plots_can_be_seen_on_light_and_on_dark_paper():
    """As WCAG 2 asks of graphics: a contrast of 3 at least."""
    papers = re.findall(r"--paper: (#\w+)", plots.LOOK)
    assert len(papers) == 2
    for paper in papers:
        for ink in (*plots.PALETTE, plots.NEUTRAL):
            assert contrast(ink, paper) >= 3, (ink, paper)


QUICK = [
    "step6_raw_against_pooled",
    "step6b_count_round_trips",
    "step6c_phases_of_a_connect",
    "step6d_add_latency",
    "step6e_size_of_the_pool",
    "step6f_fair_turns",
]


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_run_shows_draws_and_concludes(name, run_step, book, witness, tmp_path):
    done = run_step(f"pool_demo.{name}", "--quick", "--plots", str(tmp_path / "plots"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().splitlines()[-1].startswith("Conclusion: ")
    (plot,) = (tmp_path / "plots").iterdir()
    assert f"Plot: {plot}" in done.stdout
    assert witness.settle(0) == 0


def test_without_a_folder_a_plot_goes_to_a_new_temporary_one(run_step, book, tmp_path):
    done = run_step("pool_demo.step6b_count_round_trips", env={"TMPDIR": str(tmp_path)})
    (plot,) = tmp_path.glob("pool_demo-*/round_trips.svg")
    assert f"Plot: {plot}" in done.stdout


def test_settings_of_another_server_are_compared_by_identity(book, monkeypatch):
    answers = iter([("one", "a"), ("one", "a"), ("two", "b")])
    path = __file__  # any file that exists stands for the socket
    monkeypatch.setattr(ways, "_identity", lambda settings: (next(answers), 1, path))
    assert len(ways.transports(Settings(port=1))) == 1
