"""Each claim of each lesson can fail: there are figures with which it does."""

import nbformat
import pytest

from tests.lessons.claims import claims, fails, holds
from tests.lessons.conftest import LESSONS, read
from tests.lessons.counter_examples import COUNTER_EXAMPLES


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_claim_fails_with_its_counter_example(path):
    notebook, answers = read(path), COUNTER_EXAMPLES.get(path.stem, {})
    assert set(claims(notebook)) == set(answers), "each claim has a counter-example, by its words"
    assert {
        words: why for words in answers if (why := fails(notebook, words, answers[words]))
    } == {}


def test_counter_examples_are_of_lessons_that_there_are():
    assert set(COUNTER_EXAMPLES) <= {path.stem for path in LESSONS}


# -- what counts as a counter-example ------------------------------------------------------------------

MEASURED = """
from statistics import median

def clock():
    raise AssertionError("the real one")

for _ in range(2):
    unused = clock()
took = {name: clock() for name in ("raw", "pooled")}
saved = took["raw"] - took["pooled"]
print(saved)
"""


def lesson(claim, measured=MEASURED):
    code = [nbformat.v4.new_code_cell(source) for source in (measured, claim)]
    return nbformat.v4.new_notebook(cells=code)


def test_lines_between_the_figures_and_the_claim_are_the_lesson_s():
    notebook = lesson('claim(saved > 0, "It saves.")')
    assert holds(notebook, "It saves.", {"clock": [3.0, 1.0]})
    assert fails(notebook, "It saves.", {"clock": [1.0, 3.0]}) == ""
    assert fails(notebook, "It saves.", {"clock": [3.0, 1.0]}) == "it holds"


@pytest.mark.parametrize(
    ("condition", "figures", "why"),
    [
        ("abs(saved) > 0", [1.0, 1.0], "it fails by a hair: it holds if nudged"),
        ("took['raw'] > 0", [0.0, 1.0], "clock never finds 0.0"),
        ("took['raw'] > 0", [-1, 1.0], "clock never finds -1"),
        ("took['raw'] > 0", [float("nan"), 1.0], "clock never finds nan"),
        ("took['raw']", [False, 1.0], "clock measures, and False is no figure"),
        ("saved > 0", [1.0], "clock has too few answers"),
        ("saved > 0", [1.0, 3.0, 3.0], "clock has too many answers"),
        ("True", [1.0, 1.0], "the claim does not rest on clock"),
    ],
)
def test_a_claim_that_cannot_fail_has_no_counter_example(condition, figures, why):
    notebook = lesson(f'claim({condition}, "It saves.")')
    assert fails(notebook, "It saves.", {"clock": figures}) == why


def test_what_a_lesson_computes_is_not_given():
    notebook = lesson('claim(saved > 0, "It saves.")')
    why = fails(notebook, "It saves.", {"saved": [1.0], "clock": [1.0, 3.0]})
    assert why == "the lesson computes saved: give what measures"


def test_a_function_that_is_not_named_is_the_real_one():
    with pytest.raises(AssertionError, match="the real one"):
        holds(lesson('claim(saved > 0, "It saves.")'), "It saves.", {})


def test_what_a_module_measures_is_named_with_it():
    notebook = lesson('claim(time.time() > 5, "It is late.")', "import time")
    assert fails(notebook, "It is late.", {"time.time": [3.0]}) == ""
    assert holds(notebook, "It is late.", {})


def test_a_claim_stands_at_the_left_edge():
    with pytest.raises(AssertionError, match="indented"):
        claims(lesson('if saved:\n    claim(saved > 0, "It saves.")'))
