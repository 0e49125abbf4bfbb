"""What step 8 draws and counts, from notes alone; and what it says about a look at the server."""

import random

import pytest

from demos.instruments.rounds import percentile
from demos.instruments.witness import Seen
from demos.pool_demo.live.cross_check import Look, Verdict, differences
from demos.pool_demo.live.lanes import COLUMN, Picture
from demos.pool_demo.live.waits import SECOND, Waits, box, middle

MS = 1_000_000
SLACK = 100 * MS


def drawn(notes, until):
    """A picture of notes whose times are milliseconds."""
    picture = Picture(0)
    picture.fold([(when * MS, *rest) for when, *rest in notes], until * MS)
    return picture


def rows(picture, part=0):
    """What each row showed, moment by moment."""
    columns = [column[part] for column in picture.take()]
    height = max(map(len, columns), default=0)
    return ["".join(column[row : row + 1] or "." for column in columns) for row in range(height)]


TURN = [
    (5, "connects", 0, None),
    (15, "opened", 0, 7),
    (25, "asks", 1, None),
    (25, "pings", 1, 7),
    (35, "is done", 1, 7),
    (35, "borrowed", 1, 7),
    (45, "queries", 1, 7),
    (65, "is done", 1, 7),
    (75, "returned", 1, 7),
    (75, "rolls back", 1, 7),
    (85, "is done", 1, 7),
    (95, "closed", 1, 7),
]


def test_a_lane_shows_what_its_connection_does_at_each_moment():
    picture = drawn(TURN, 100)
    assert rows(picture) == ["Cipoqqori."]
    assert picture.labels == [7]


def test_a_caller_is_seen_waiting_from_asking_to_borrowing():
    assert rows(drawn(TURN, 100), part=1) == ["..w......."]


def test_each_note_is_counted_also_those_that_no_column_shows():
    turn = [("asks", None), ("borrowed", 7), ("queries", 7), ("is done", 7), ("returned", 7)]
    notes = [(0, "connects", 0, None), (0, "opened", 0, 7)]
    notes += [(1 + n / 1000, what, 1, number) for n in range(1000) for what, number in turn]
    picture = Picture(0)
    picture.fold([(int(when * MS), *rest) for when, *rest in notes], 5 * MS)
    assert picture.take() == []
    assert {what: picture.counts[what] for what, _ in turn} == {what: 1000 for what, _ in turn}


def test_the_shares_of_time_are_those_of_the_notes():
    shares = drawn(TURN, 100).shares()
    assert {state: round(share * 90) for state, share in shares.items()} == {
        "c": 10,
        "i": 20,
        "o": 20,
        "q": 20,
        "p": 10,
        "r": 10,
    }


def test_the_time_of_what_is_not_over_counts_so_far():
    picture = drawn([(0, "connects", 0, None), (10, "opened", 0, 7)], 40)
    assert picture.shares()["i"] == pytest.approx(0.75)


def test_a_free_row_is_used_again_and_begins_with_a_capital():
    notes = [
        (1, "connects", 1, None),
        (2, "opened", 1, 7),
        (3, "connects", 2, None),
        (4, "opened", 2, 8),
        (11, "closed", 1, 7),
        (12, "connects", 1, None),
        (13, "opened", 1, 9),
    ]
    picture = drawn(notes, 30)
    assert rows(picture) == ["IIi", "Iii"]
    assert picture.labels == [9, 8]


def test_a_connection_that_comes_in_place_of_a_lost_one_is_checked_out_too():
    notes = [
        (1, "connects", 0, None),
        (2, "opened", 0, 7),
        (3, "asks", 1, None),
        (3, "borrowed", 1, 7),
        (11, "connects", 1, None),
        (12, "opened", 1, 8),
        (13, "closed", 1, 7),
        (21, "returned", 1, 8),
    ]
    assert rows(drawn(notes, 30)) == ["O..", ".Oi"]


def test_a_connection_that_cannot_be_opened_leaves_no_lane():
    picture = drawn([(1, "connects", 1, None), (11, "gives up", 1, None)], 20)
    assert rows(picture) == ["C."]
    assert picture.now() == {}


def test_one_wait_is_counted_once_however_often_somebody_was_quicker():
    notes = [(1, "asks", 1, None), (1, "waits", 1, None), (2, "waits", 1, None)]
    picture = drawn(notes, 40)
    assert picture.counts["waited"] == 1
    assert (picture.waiting(), picture.longest_wait()) == (1, 39 * MS)
    picture.fold([(41 * MS, "borrowed", 1, 7), (42 * MS, "asks", 1, None)], 50 * MS)
    picture.fold([(51 * MS, "waits", 1, None), (52 * MS, "refused", 1, None)], 60 * MS)
    assert picture.counts["waited"] == 2
    assert (picture.waiting(), picture.longest_wait()) == (0, 0)


def test_percentiles_of_waits_are_exact_to_three_percent():
    luck = random.Random(1)
    lengths = [int(luck.lognormvariate(14, 2)) for _ in range(5000)]
    waits = Waits()
    for length in lengths:
        waits.add(SECOND, length)
    for percent in (1, 50, 99, 100):
        (found,) = waits.percentiles(SECOND, (percent,))
        assert found == pytest.approx(percentile(lengths, percent), rel=0.03)


def test_a_box_holds_its_middle():
    for number in [*range(1, 3000), 10**6, 10**9, 10**12]:
        assert middle(box(number)) == pytest.approx(number, rel=0.03)
        assert box(number) <= box(number + 1)


def test_waits_of_long_ago_are_forgotten():
    waits = Waits(seconds=2)
    waits.add(SECOND, 10)
    waits.add(2 * SECOND, 20)
    assert waits.percentiles(2 * SECOND, (100,)) == [20]
    assert waits.percentiles(3 * SECOND, (1,)) == [20]
    assert waits.percentiles(4 * SECOND, (50, 99)) == [None, None]


# -- the comparison ----------------------------------------------------------------------------------

OPEN = [(0, "connects", 0, None), (1, "opened", 0, 7)]
OUT = [*OPEN, (2, "asks", 1, None), (2, "borrowed", 1, 7)]
LOOK = (500, 501)


def wrong(notes, *seen, until=601):
    """What a look from 500 to 501 ms has to say about the picture."""
    began, ended = LOOK
    look = Look(began * MS, ended * MS, [Seen(number, command, 0) for number, command in seen])
    return [(one.number, one.what) for one in differences(look, drawn(notes, until), SLACK)]


@pytest.mark.parametrize(
    ("notes", "command"),
    [
        (OPEN, "Sleep"),
        (OUT, "Sleep"),
        ([*OUT, (3, "queries", 1, 7)], "Query"),
        ([*OUT, (3, "rolls back", 1, 7)], "Query"),
    ],
)
def test_what_is_drawn_as_it_is_agrees(notes, command):
    assert wrong(notes, (7, command)) == []


@pytest.mark.parametrize(
    ("notes", "seen", "what"),
    [
        (OPEN, [], "drawn, but the server has no such connection"),
        (OPEN, [(7, "Query")], "drawn idle, and the server says Query"),
        (OUT, [(7, "Query")], "drawn checked out, and the server says Query"),
        (
            [*OUT, (3, "queries", 1, 7)],
            [(7, "Sleep")],
            "drawn in a query, and the server says Sleep",
        ),
        ([*OPEN, (3, "closed", 0, 7)], [(7, "Sleep")], "the server has it, but it is not drawn"),
        ([], [(7, "Sleep")], "the server has it, but it is not drawn"),
    ],
)
def test_what_is_drawn_wrong_is_said(notes, seen, what):
    assert wrong(notes, *seen) == [(7, what)]


@pytest.mark.parametrize("when", [401, 499, 505, 599])
def test_what_changes_about_then_is_not_judged(when):
    assert wrong([*OPEN, (when, "closed", 0, 7)]) == []
    assert wrong([*OPEN, (when, "closed", 0, 7)], (7, "Sleep")) == []
    assert wrong([*OUT, (when, "queries", 1, 7)], (7, "Sleep")) == []
    assert wrong([(when, "connects", 0, None), (when, "opened", 0, 7)]) == []
    assert wrong([(when, "connects", 0, None), (when, "opened", 0, 7)], (7, "Sleep")) == []


def test_who_connects_excuses_one_number_that_is_not_known_yet():
    connecting = [(100, "connects", 1, None)]
    assert wrong(connecting, (8, "Sleep")) == []
    assert len(wrong(connecting, (8, "Sleep"), (9, "Sleep"))) == 1


def test_a_verdict_counts_looks_and_those_that_disagreed():
    look = Look(*(when * MS for when in LOOK), [Seen(7, "Sleep", 0)], others=2)
    found = differences(look, drawn([], 601), SLACK)
    verdict = Verdict().after(look, found).after(look, [])
    assert (verdict.looks, verdict.wrong, verdict.at_server, verdict.others) == (2, 1, 1, 2)
    assert verdict.differences == ()


def test_a_column_is_a_hundredth_of_a_second():
    assert COLUMN == 10 * MS
    assert len(drawn([], 1000).take()) == 100
