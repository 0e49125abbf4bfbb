"""Step 2b: six clients of step 2 at the same time, and what it says about them."""

import pytest

from demos.group_chat.push import push_clients
from demos.group_chat.push.push_clients import WAYS, Cost
from demos.group_chat.step2b_push_measured import plot, rows, sentence

FOUND = {
    "slow polling": Cost(5, 5, 350, 530),
    "polling": Cost(5, 50, 2012, 61),
    "quick polling": Cost(5, 240, 11439, 8.5),
    "long polling": Cost(5, 5, 256, 0.8),
    "server-sent events": Cost(5, 1, 117, 0.7),
    "WebSocket": Cost(5, 1, 145, 1.0),
}


@pytest.fixture(scope="module")
def found(shared):
    server = shared("step2_push_techniques", "--every", "0.1")
    return push_clients.measure(server.url, 2.5)


def test_all_ways_are_measured(found):
    assert list(found) == list(WAYS)
    assert min(cost.messages for cost in found.values()) > 5


def test_requests_are_those_of_the_way(found):
    assert (found["server-sent events"].requests, found["WebSocket"].requests) == (1, 1)
    assert found["slow polling"].requests < found["polling"].requests
    assert found["long polling"].requests <= found["long polling"].messages + 1


def test_polling_is_late_or_dear(found):
    assert found["slow polling"].delay > found["polling"].delay > found["WebSocket"].delay
    assert found["quick polling"].each > 3 * found["slow polling"].each
    assert found["quick polling"].each > 3 * found["WebSocket"].each


def test_the_sentence_follows_the_figures():
    assert sentence(FOUND) == (
        "slow polling has the longest delay, and quick polling moves the most bytes. The fewest "
        "bytes: server-sent events and WebSocket. Only one request: server-sent events "
        "and WebSocket."
    )
    other = {**FOUND, "WebSocket": Cost(5, 1, 20000, 600)}
    assert sentence(other).startswith(
        "WebSocket has the longest delay, and WebSocket moves the most bytes. The fewest "
        "bytes: server-sent events. Only"
    )


def test_the_plot_has_a_bar_for_each_way_and_figure():
    bytes_panel, delay_panel = plot(FOUND).panels
    assert [bar.get_width() for bar in bytes_panel.patches] == [c.each for c in FOUND.values()]
    assert [bar.get_width() for bar in delay_panel.patches] == [c.delay for c in FOUND.values()]
    assert [text.get_text() for text in bytes_panel.get_yticklabels()] == list(FOUND)


def test_rows_are_for_reading():
    assert rows(FOUND)[-1] == {
        "way": "WebSocket",
        "messages": 5,
        "requests": 1,
        "bytes for each message": "145",
        "delay, ms": "1.0",
    }


def test_the_step_measures_and_draws(run_step, tmp_path):
    done = run_step("group_chat.step2b_push_measured", "--quick", "--plots", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "push_techniques.svg").read_text("utf-8").startswith("<svg ")
    assert "Conclusion: slow polling has the longest delay, and quick polling moves the most" in (
        done.stdout
    )


def test_a_server_that_goes_away_is_an_error(start):
    server = start("step2_push_techniques")
    batches = push_clients.over_websocket(server.url, "a1", 0)
    next(batches)
    server.kill()
    with pytest.raises(Exception, match="no close frame"):
        push_clients.listen(batches, lambda _: False)
