"""Guesses: where the answers stand in the outputs, what agrees, and what the student is told."""

import itertools

import nbformat
import pytest

from course.ground.errors import LessonError
from course.notebooks import comparison, reading_time
from course.prediction import Prediction, every, predict

from .conftest import LESSONS, calls, read

ANSWERED = {
    f"{path.stem[:2]}-{cell.id}": (path, cell)
    for path in LESSONS
    for guess, cell in itertools.pairwise(read(path).cells)
    if reading_time.guesses(guess)
}


def test_every_prediction_has_an_entry_and_every_entry_a_prediction():
    asked = [name for path in LESSONS for name, *_ in calls(path, "predict")]
    assert asked == list(ANSWERED)
    assert sorted(every()) == sorted(ANSWERED)


@pytest.mark.parametrize("name", every())
def test_the_answer_is_found_in_the_kept_output(name):
    """And the student's cell has a place for each part of it."""
    path, cell = ANSWERED[name]
    one, said = every()[name], comparison.text(cell)
    assert one.is_answered_by(said)
    answers = one.answers(said)
    assert all(answers)
    (places,) = [places for asked, *places in calls(path, "predict") if asked == name]
    assert places == [...] * len(answers)
    (guess,) = [c for c in read(path).cells if c.id == f"{cell.id}{reading_time.GUESS}"]
    question, _ = guess.source.splitlines()
    assert question.startswith("# ")
    assert question.endswith("?")


def test_a_misspelled_name_is_one_sentence():
    with pytest.raises(LessonError) as caught:
        predict("03-pool-imprt", 2)
    (line,) = caught.value._render_traceback_()
    assert (
        line
        == 'There is no prediction "03-pool-imprt": write "03-pool-import", as the lesson has it.'
    )


# -- what agrees -------------------------------------------------------------------------------------

TWO = Prediction("03-a", (r"(\d+) opened",))
WORD = Prediction("03-b", (r"^found: (.+)$",))
MANY = Prediction("03-c", (r"^/\S+ +(\d+)",))
NEAR = Prediction("03-d", (r"([\d,.]+) times",), factor=2)
STATE = Prediction("03-f", (r"^state: (.+)$",), same={"OPEN": ["1"]})
COUNT = Prediction("03-e", (r"^a\b", r"^b\b"), count=True)
YES = Prediction("03-f", (r"hears: (.*)$",), yes="msg")
THINK = Prediction("03-g", (r"^(Who .*)$",), compare=True)


@pytest.mark.parametrize(
    ("one", "said", "guess", "verdict"),
    [
        (TWO, "2 opened", [2], "They agree."),
        (TWO, "2 opened", ["2"], "They agree."),
        (TWO, "2 opened", ["2 connections"], "They agree."),
        (TWO, "2 opened", ["Two"], "They agree."),
        (TWO, "2 opened", [3], "They differ."),
        (TWO, "2 opened", ["two or 3"], "They differ."),
        (TWO, "2 opened", ["none"], "They differ."),
        (TWO, "2 opened", [True], "They differ."),
        (TWO, "2 opened", [2, 3], "(Your guess has 2 of 1 parts.)"),
        (WORD, "found: read uncommitted", ["Read-uncommitted!"], "They agree."),
        (WORD, "found: read uncommitted", ["read committed"], "They differ."),
        (WORD, "found: secret key", ["the secret key"], "They agree."),
        (WORD, "found: None", [None], "They agree."),
        (WORD, "found: True", ["yes"], "They agree."),
        (WORD, "found: False", [True], "They differ."),
        (WORD, "found: 韩雪", ["韩雪"], "They agree."),
        (WORD, "found: /files/a.css", ["/files/b.css"], "They differ."),
        (MANY, "/a 200\n/b 302", [200, 302], "They agree."),
        (MANY, "/a 200\n/b 302", [200, 404], "1 of 2 agree."),
        (MANY, "/a 200\n/b 302", [404, 404], "They differ."),
        (MANY, "/a 200\n/b 302", [..., 302], "They agree."),
        (NEAR, "1,200 times", [1200], "They agree."),
        (NEAR, "1,200 times", ["2,000"], "Near enough."),
        (NEAR, "1,200 times", [599], "They differ."),
        (NEAR, "1,200 times", [-1200], "They differ."),
        (COUNT, "a\nb\na\n", [2, 1], "They agree."),
        (COUNT, "a\na\n", [2, 1], "1 of 2 agree."),
        (STATE, "state: OPEN", ["open"], "They agree."),
        (STATE, "state: OPEN", [1], "They agree."),
        (STATE, "state: OPEN", [3], "They differ."),
        (STATE, "state: CLOSED", [1], "They differ."),
        (YES, "hears: []\nhears: ['msg']", ["no", True], "They agree."),
        (YES, "hears: []\nhears: ['msg']", ["Yes", "No."], "They differ."),
    ],
)
def test_a_guess_is_compared_leniently(one, said, guess, verdict):
    mine, ran = one.told(guess, said).splitlines()
    assert mine.startswith("Your guess: ")
    assert ran.startswith("What ran:   ")
    assert ran.endswith(f"    {verdict}")


def test_a_guess_without_a_short_answer_is_not_judged():
    said = THINK.told(["the pool"], "1\nWho waits, waits.\n")
    assert said == "Your guess: the pool\nCompare:    Who waits, waits."


# -- in a kernel -------------------------------------------------------------------------------------

SET_UP = "from IPython import get_ipython\nfrom course.prediction import predict"


def test_a_guess_stands_beside_what_ran(play):
    """One kernel: right and wrong, not given, too late; with a table, with a result, and a cell between."""
    sources = {
        "setup": SET_UP,
        "right-guess": 'predict("03-pool-import", 2)',
        "right": 'print("2 connections opened by the import")',
        "again": 'print("3 connections opened by the import")',
        "open-guess": 'predict("03-idle-run", ...)',
        "open": 'print("seven returned: 5   promised: 7")',
        "late": 'predict("03-idle-run", 7)',
        "table-guess": 'predict("04-options-count", 3, [2, 2], 4)',
        "between": "x = 1",
        "table": 'print("3 with the default\\n2 with a\\n2 with b")\nprint("1 with both")',
        "shown-guess": 'predict("06-length-run", 2, 4)',
        "shown": "from course.lesson import show_rows\n"
        'show_rows([{"payload": 5, "head": 2}, {"payload": 126, "head": 4}])',
        "result-guess": 'predict("06-frame-draw", 11)',
        "result": "class Drawing:\n    __repr__ = lambda self: '12 bytes: text'\nDrawing()",
        "misspelled": 'predict("03-pool", 2)',
        "utf8-fails-guess": "import os\n"
        'os.environ["COURSE_LANG"] = "zh"\n'
        'predict("02-utf8-fails", "是")',
        "utf8-fails": "from course.lesson import show_error\nwith show_error():\n    pass",
    }
    cells = [nbformat.v4.new_code_cell(source, id=name) for name, source in sources.items()]
    played = play(nbformat.v4.new_notebook(cells=cells), allow_errors=True)

    def told(cell):
        return played.text(cell).splitlines()[-2:]

    assert played.text("right-guess") == "Noted. Now run the cell below.\n"
    assert played.text("open-guess") == ""
    assert told("right") == ["Your guess: 2", "What ran:   2    They agree."]
    assert played.text("right").startswith("2 connections opened by the import\n")
    assert played.text("again") == "3 connections opened by the import\n"  # and no word of a guess
    assert played.text("open") == "seven returned: 5   promised: 7\n"
    assert played.text("late").startswith("The cell below has run already")
    assert told("late") == ["Your guess: 7", "What ran:   5    They differ."]
    assert played.text("between") == ""
    assert told("table") == ["Your guess: 3, 2, 2, 4", "What ran:   3, 2, 2, 1    3 of 4 agree."]
    assert told("shown") == ["Your guess: 2, 4", "What ran:   2, 4    They agree."]
    assert "What ran:   12    They differ." in played.text("result")
    # The answer is looked for in English, whatever the reader is shown.
    shown, mine, ran = played.text("utf8-fails").splitlines()
    assert "No error" not in shown
    assert mine.endswith("是")
    assert "They" not in ran
    assert "是" in ran
    (error,) = played.errors
    assert error.traceback[0].startswith('There is no prediction "03-pool": write "03-')
