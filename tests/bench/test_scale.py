"""The page that calculates from one process to a million people: its tables follow from the figures."""

from dataclasses import replace

import pytest

from bench import scale
from bench.scale import MEASURED, PAGE


def cells(table, first):
    """Return the cells of the line that begins so, by the heads of their columns."""
    head, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    return next(dict(zip(head, line, strict=True)) for line in lines if line[0] == first)


def test_the_page_has_the_tables_that_follow_from_the_figures():
    page = PAGE.read_text("utf-8")
    assert scale.with_tables(page) == page, "python3 -m bench.scale writes them anew"


def test_another_figure_gives_another_page():
    page = PAGE.read_text("utf-8")
    assert scale.with_tables(page, replace(MEASURED, apart=1.0)) != page


def test_a_page_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match="no place for the table costs"):
        scale.with_tables("# Another page\n")


def test_the_arithmetic():
    """A million people, one message a minute: 16,667 a second; 60 µs each make one core."""
    plain = replace(
        MEASURED, memory=10, kernel=1, apart=60, redis=6, database=30, row=100, log_in=288
    )
    found = cells(scale.people(plain), "1,000,000")
    assert found["messages a second"] == "16,667"
    assert found["processes: cores"] == "1"
    assert found["Redis: cores"] == "0.1"
    assert found["database: cores"] == "0.5"
    assert found["processes: memory"] == "10 GB"
    assert found["rows a day"] == "480 million"
    assert found["disk a day"] == "48 GB"
    assert found["log-ins: cores"] == "10"
    assert found["processes needed"] == "40"


def test_one_process_may_always_be_away():
    assert cells(scale.people(MEASURED), "1,000")["processes needed"] == "2"


def test_a_room_multiplies():
    found = cells(scale.room(replace(MEASURED, gathered=1, single=5)), "10,000")
    assert found["deliveries a second"] == "100,000"
    assert (found["cores, written together"], found["cores, each by itself"]) == ("0.1", "0.5")
