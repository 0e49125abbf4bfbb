"""The benchmark of step 8's page: verdicts follow the figures, a quick run reports."""

import subprocess
import sys
import uuid

import pytest

from bench.pool import watching
from bench.pool.watching import ALONE, QUERIES, WATCHED, WAYS, Rate
from bench.program import RESULTS
from course.ground.place import ROOT
from demos.instruments.witness import Witness
from demos.pool_demo.compared.ways import HELPER
from tests.support.waiting import eventually

from .running import bench, ended, processes


def figures(share=1.0, way=HELPER):
    """Figures in which every load does the same watched, but one that does so much of it."""
    return {
        (title, one, when): [Rate(1000 * (share if (one, when) == (way, WATCHED) else 1), 20)] * 3
        for title in QUERIES
        for one in WAYS
        for when in (ALONE, WATCHED)
    }


@pytest.mark.parametrize(("share", "missed"), [(1.0, 0), (0.91, 0), (0.89, len(QUERIES))])
def test_a_load_that_loses_a_tenth_misses_the_target(share, missed):
    found = watching.targets(figures(share))
    assert len(found) == len(QUERIES) * len(WAYS)
    assert [one.reached for one in found].count(False) == missed
    assert all("20 (20-20) notes a millisecond" in one.why for one in found)


def test_a_rate_leaves_out_the_beginning():
    second = 10**9
    progress = [(0, 0, 0), (second, 5000, 9000), (2 * second, 5100, 9200), (3 * second, 5200, 9400)]
    depth = watching.Depth(1, seconds=1.5, settled=0.5)
    assert watching.rate(iter(progress), depth) == Rate(100, 0.2)


def test_a_load_on_a_slow_machine_gets_the_time_for_a_turn():
    second = 10**9
    progress = [(now * second, int(now > 4), 0) for now in range(10)]
    assert watching.rate(iter(progress), watching.Depth(1, 1, 0)).turns == 0.25


def test_a_load_that_stands_still_has_no_rate():
    with pytest.raises(RuntimeError, match="stands still"):
        watching.rate(((now * 10**9, 0, 0) for now in range(1000)), watching.QUICK)


def test_a_load_that_ends_has_no_rate():
    with pytest.raises(RuntimeError):
        watching.rate(iter([(0, 0, 0), (10**9, 1, 1)]), watching.FULL)


def test_the_report_names_ways_and_verdicts():
    text = watching.markdown(figures(0.5), "MariaDB 1", 0.0, quick=True)
    assert all(way in text for way in WAYS)
    assert text.count("MISSED") == len(QUERIES)
    assert "too short to believe" in text
    assert "MISSED" not in watching.markdown(figures(), "MariaDB 1", 0.0, quick=False)


def test_a_quick_run_reports_and_leaves_nothing(book, tmp_path):
    mark = uuid.uuid4().hex
    with Witness() as witness:
        process = bench("watching", tmp_path, mark)
        out, err = ended(process)
        assert (process.returncode, err) == (0, "")
        assert witness.settle(0, seconds=30) == 0
    assert eventually(lambda: processes(mark) == [])
    assert len(out.splitlines()) == len(QUERIES) * len(WAYS) + 1
    assert "notes a millisecond" in (tmp_path / "watching.md").read_text("utf-8")


def test_the_last_report_is_of_this_benchmark():
    text = (RESULTS / "watching.md").read_text("utf-8")
    assert all(way in text for way in WAYS)
    assert "too short to believe" not in text


def test_it_is_listed():
    done = subprocess.run(
        [sys.executable, "-m", "course", "bench"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert "watching" in done.stdout
