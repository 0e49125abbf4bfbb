"""The pool that writes down what happens, its timeline, and the step that draws it."""

import re
import threading
from xml.etree import ElementTree

import pytest
from dbutils.pooled_db import TooManyConnectionsError

from demos.pool_demo.live.timeline import Event, Log, Span, WatchedPool
from demos.pool_demo.live.timeline_plot import lanes
from demos.pool_demo.settings import connect_args
from tests.support.waiting import eventually

from .conftest import conclusion


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def open_pool(log, book):
    pools = []

    def make(**limits):
        pools.append(WatchedPool(log, **limits, **connect_args()))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def what(log):
    return [event.what for event in log.events]


def server_number(connection):
    with connection.cursor() as cursor:
        cursor.execute("select connection_id()")
        return cursor.fetchone()[0]


def test_a_connection_is_known_by_the_number_that_the_server_gives_it(log, open_pool):
    pool = open_pool(maxconnections=1)
    lent = pool.connection()
    number = server_number(lent)
    lent.close()
    assert [(event.what, event.connection) for event in log.events] == [
        ("asks", None),
        ("opened", number),
        ("borrowed", number),
        ("returned", number),
    ]
    assert log.connections() == [number]


def test_what_the_pool_opens_for_itself_is_idle_and_nobody_asked(log, open_pool, witness):
    open_pool(mincached=2)
    assert what(log) == ["opened", "opened", "returned", "returned"]
    assert {span.doing for span in log.spans()} == {"idle"}
    assert witness.settle(2) == 2
    assert sorted(log.connections()) == witness.ids()


def test_beyond_maxcached_a_connection_is_closed(log, open_pool):
    pool = open_pool(maxcached=1)
    for lent in [pool.connection(), pool.connection()]:
        lent.close()
    assert what(log)[-3:] == ["returned", "returned", "closed"]
    assert log.events[-1].connection == log.connections()[1]


def test_closing_the_pool_closes_what_is_idle(log, open_pool, witness):
    pool = open_pool(mincached=2)
    pool.close()
    assert what(log)[-2:] == ["closed", "closed"]
    assert witness.settle(0) == 0


def test_who_waits_is_seen_to_wait_until_one_comes_back(log, open_pool):
    pool = open_pool(maxconnections=1, blocking=True)
    lent = pool.connection()
    other = threading.Thread(target=lambda: pool.connection().close(), name="other", daemon=True)
    other.start()
    assert eventually(lambda: "waits" in what(log))
    assert log.waits() == []  # it has not ended
    lent.close()
    other.join(10)
    ((begin, end),) = log.waits()
    (returned, _) = [event.when for event in log.events if event.what == "returned"]
    assert begin < returned < end
    (waiting,) = [span for span in log.spans() if span.lane == "other"]
    assert (waiting.doing, waiting.begin <= begin, waiting.end) == ("waiting", True, end)


def test_who_is_refused_does_not_wait(log, open_pool):
    pool = open_pool(maxconnections=1, blocking=False)
    lent = pool.connection()
    with pytest.raises(TooManyConnectionsError):
        pool.connection()
    lent.close()
    assert "waits" not in what(log)
    assert what(log)[-3:] == ["asks", "refused", "returned"]


def test_spans_follow_the_events(log):
    log.events = [
        Event(0.0, "opened", "main", 7),
        Event(0.1, "asks", "a", None),
        Event(0.2, "borrowed", "a", 7),
        Event(0.3, "asks", "b", None),
        Event(0.4, "waits", "b", None),
        Event(0.5, "waits", "b", None),  # somebody was quicker
        Event(0.6, "returned", "a", 7),
        Event(0.7, "borrowed", "b", 7),
        Event(0.8, "returned", "b", 7),
        Event(0.9, "closed", "main", 7),
    ]
    assert log.spans() == [
        Span(7, "idle", 0.0, 0.2),
        Span("a", "waiting", 0.1, 0.2),
        Span(7, "checked out", 0.2, 0.6),
        Span("b", "waiting", 0.3, 0.7),
        Span(7, "idle", 0.6, 0.7),
        Span(7, "checked out", 0.7, 0.8),
        Span(7, "idle", 0.8, 0.9),
    ]
    assert log.waits() == [(0.4, 0.7)]


def test_what_has_not_ended_lasts_to_the_last_event(log):
    log.events = [
        Event(0.0, "opened", "main", 7),
        Event(0.1, "borrowed", "a", 7),
        Event(0.2, "asks", "b", None),
        Event(0.5, "opened", "b", 8),
    ]
    ends = {span.lane: (span.doing, span.end) for span in log.spans()}
    assert ends == {7: ("checked out", 0.5), "b": ("waiting", 0.5), 8: ("idle", 0.5)}


def test_the_plot_has_a_lane_for_each(log, open_pool):
    pool = open_pool(mincached=1, maxconnections=2)
    for lent in [pool.connection(), pool.connection()]:
        lent.close()
    plot = lanes(log)
    (axes,) = plot.panels
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["connection 1", "connection 2", "MainThread"]
    assert ElementTree.fromstring(plot._repr_svg_()).tag.endswith("svg")


def test_step3i_agrees_with_the_server(play):
    last = conclusion(play("step3i_timeline"))
    (turns, opened, seen, out, waits, unanswered) = re.search(
        r"took (\d+) turns over (\d) connections, and the server had (\d)\. At most (\d) were "
        r"borrowed at the same time\. (\d+) turns began with a wait .* s\. (\d) waits ended although",
        last,
    ).groups()
    assert (turns, out, unanswered) == ("20", "3", "0")
    assert opened == seen == "3"
    assert 0 < int(waits) < 20
