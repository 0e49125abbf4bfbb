"""course/exercise.py, exercises.py and progress.py: what they say, also when something is wrong."""

import json
import shutil
import sys

import pytest

from course import cli, exercise
from course.exercise import exercise as register
from course.exercise import expect, judge
from course.ground import place
from course.ground.errors import CourseError
from course.lesson import LessonError
from course.notebooks import exercises, progress, run_sheet
from course.verbs import lab

CELL = '''\
def twice(number):
    """Return the double."""
    # your code
    return 2 * number
    # handed out:
    # return number + number + number
    # end of your code


SIZE = 3
'''


place_of = {
    "mine": "lessons/mine",
    "exercises": "lessons/authors/exercises",
    "solutions": "lessons/authors/solutions",
}.__getitem__


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A course of its own: lessons with one notebook of solutions, and a state folder."""
    monkeypatch.setattr(exercises, "folder", lambda name: tmp_path / place_of(name))
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / ".course"))
    monkeypatch.setattr(progress, "_unsaved", {})
    monkeypatch.setattr(exercise, "_known", {})
    monkeypatch.setattr(run_sheet, "file", lambda: tmp_path / "README.md")
    run_sheet.file().write_text("# Run sheet\n", "utf-8")
    (tmp_path / place_of("solutions")).mkdir(parents=True)
    write(tmp_path, CELL)
    exercises.generate()
    return tmp_path


def write(home, source, tags=("exercise",), name="90_try_it.ipynb"):
    cells = [
        {"cell_type": "markdown", "id": "ex-90-1", "metadata": {}, "source": "### 90.1 Twice"},
        code("setup", "import math\n"),
        code("ex-90-1-code", source, tags=list(tags)),
        code("ex-90-1-check", 'check("90.1")'),
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (home / place_of("solutions") / name).write_text(json.dumps(book), "utf-8")


def code(name, source, **metadata):
    return {
        "cell_type": "code",
        "id": name,
        "metadata": metadata,
        "source": source,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
        "execution_count": 7,
    }


def twice(check=None, **changes):
    """Register exercise 90.1."""
    settings = {"hints": ("one", "two"), "why": "It counts.", "wrong": {}, **changes}

    def usual(twice):
        expect(twice(4) == 8, f"expected 8, got {twice(4)}")

    register("90.1", **settings)(check or usual)


def verdict(source, number="90.1"):
    names = {}
    exec(compile(source, "<cell>", "exec"), names)
    return judge(number, names)


# -- from solution to exercise ---------------------------------------------------------------------


def test_the_answer_is_taken_out():
    cell = "a = 1\n# your code\nb = 2\nc = 3\n# end of your code\nd = 4"
    assert exercises.emptied(cell) == "a = 1\n# your code\n...\n# end of your code\nd = 4"
    assert exercises.answered(cell, "b = 5") == cell.replace("b = 2\nc = 3", "b = 5")


def test_the_answer_is_replaced_by_what_is_to_be_mended():
    given = exercises.emptied(CELL)
    assert "    return number + number + number\n    # end" in given
    assert "2 *" not in given and "handed out" not in given


@pytest.mark.parametrize(
    "cell",
    [
        "a = 1",
        "# your code\na = 1",
        "# end of your code\na = 1\n# your code",
        "# your code\n1\n# end of your code\n# your code\n2\n# end of your code",
    ],
)
def test_marks_that_are_missing_are_one_sentence(home, cell):
    write(home, cell)
    with pytest.raises(CourseError, match=r"90_try_it.ipynb, cell ex-90-1-code: an answer stands"):
        exercises.generate()


def test_generation_writes_what_changed_and_removes_what_is_gone(home):
    assert exercises.generate() == []
    write(home, CELL.replace("double", "double of it"))
    assert [path.name for path in exercises.generate()] == ["90_try_it.ipynb"]
    text = (home / "lessons/authors/exercises/90_try_it.ipynb").read_text("utf-8")
    assert "double of it" in text and '"old"' not in text
    (home / "lessons/authors/solutions/90_try_it.ipynb").unlink()
    exercises.generate()
    assert exercises.books() == []


# -- the three outcomes ----------------------------------------------------------------------------


def test_right_wrong_and_not_attempted(home):
    twice()
    assert verdict("def twice(number): return number * 2").said == "90.1 right. It counts."
    assert verdict("def twice(number): return number").said == (
        '90.1 wrong: expected 8, got 4. For help: hint("90.1")'
    )
    for source in ("", "twice = ...", exercises.emptied(CELL)):
        assert verdict(source).outcome == exercise.NOT_ATTEMPTED, source
    assert "as it was handed out" in verdict(exercises.emptied(CELL)).said


def test_a_comment_more_is_no_attempt(home):
    twice()
    source = exercises.emptied(CELL).replace("    # your code", "\n    # hm\n\n    # your code")
    assert verdict(source).outcome == exercise.NOT_ATTEMPTED


def test_a_value_that_was_handed_out_is_no_attempt(home):
    twice(lambda SIZE: expect(SIZE == 4, f"expected 4, this is {SIZE}"))
    assert verdict("SIZE = 3").outcome == exercise.NOT_ATTEMPTED
    assert verdict("SIZE = 4").outcome == exercise.RIGHT
    assert "expected 4, this is 5" in verdict("SIZE = 5").said


def test_a_class_that_was_handed_out_is_no_attempt(home):
    write(
        home, "class Room:\n    # your code\n    def size(self): return 1\n    # end of your code"
    )
    solution = home / "lessons/authors/solutions/90_try_it.ipynb"
    shutil.copy(solution, home / "lessons/authors/exercises/90_try_it.ipynb")
    twice(lambda Room: expect(Room().size() == 2, f"expected 2, got {Room().size()}"))
    assert verdict("class Room:\n    def size(self): return 1").outcome == exercise.NOT_ATTEMPTED
    assert verdict("class Room:\n    def size(self): return 2").outcome == exercise.RIGHT
    assert verdict("class Room:\n    def size(self): return 3").outcome == exercise.WRONG


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def twice(n):\n    return {}['x']", "raised KeyError: 'x', in line 2 of its cell"),
        ("def twice(n): return math.log(n)", "name 'math' is not defined: run the set-up cell"),
        ("def twice(n): return other(n)", "name 'other' is not defined, in line 1"),
        ("def twice(n): raise SystemExit", "your code raised SystemExit, in line 1"),
        (
            "import struct\ndef twice(n): return struct.unpack('!H', b'')",
            "your code raised struct.error: unpack",  # "error: " begins a sentence of the course
        ),
        ("def twice(n): assert False", "your code raised AssertionError, in line 1"),
        ("def twice(): return 8", "your answer cannot be used. Trying it raised TypeError"),
        ("twice = 8", "your answer cannot be used. Trying it raised TypeError: 'int' object is"),
    ],
)
def test_code_that_fails_is_wrong_with_one_sentence(home, source, words):
    twice()
    found = verdict(source)
    assert found.outcome == exercise.WRONG
    assert words in found.said
    assert "\n" not in found.said


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "try:\n        time.sleep(60)\n    except Exception: return 8",
    ],
)
def test_code_that_never_ends_is_wrong(home, body):
    twice(limit=0.2)
    found = verdict(f"import threading, time\ndef twice(n):\n    {body}")
    assert "not done after 0.2 s" in found.said


def test_an_interrupt_goes_through(home):
    twice()
    with pytest.raises(KeyboardInterrupt):
        verdict("def twice(n): raise KeyboardInterrupt")


def test_an_exercise_that_is_not_there_is_one_sentence(home):
    with pytest.raises(LessonError, match=r"There is no exercise 9\.9; there are 90\.1\."):
        exercise.find("9.9")
    with pytest.raises(LessonError, match="There is no exercise x;"):
        exercise.find("x")


def test_two_checks_cannot_have_one_number(home):
    twice()
    with pytest.raises(ValueError, match=r"two checks have the number 90\.1"):
        twice(lambda other: None)


@pytest.mark.usefixtures("database")
def test_without_a_server_nothing_is_judged(home, monkeypatch):
    def ask(twice):
        raise ConnectionRefusedError("no server")

    monkeypatch.undo()
    twice(ask)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exercise.Exercise, "cell", "")
            patch.setattr(exercise.Exercise, "book", exercises.books()[0])
            assert (
                "Trying it raised ConnectionRefusedError" in verdict("def twice(n): return 8").said
            )
            patch.setenv("MYSQL_PORT", "1")
            patch.setenv("MYSQL_HOST", "127.0.0.1")
            with pytest.raises(LessonError, match=r"No MySQL server answers at 127\.0\.0\.1:1"):
                verdict("def twice(n): return 8")
    finally:
        del exercise._known["90.1"]


# -- hints and progress ----------------------------------------------------------------------------


def test_hints_come_one_by_one_and_end_with_the_solution(home, capsys, monkeypatch):
    monkeypatch.setattr(place, "ROOT", home)
    twice()
    for _ in range(3):
        exercise.hint("90.1")
    assert capsys.readouterr().out.splitlines() == [
        "Hint 1 of 2: one",
        "Hint 2 of 2: two",
        "There are no more hints for 90.1. They were:",
        "- one",
        "- two",
        "The solution is in lessons/authors/solutions/90_try_it.ipynb.",
        "JupyterLab opens it: menu File, Open from Path, authors/solutions/90_try_it.ipynb",
    ]


def test_once_right_stays_right(home, capsys, monkeypatch):
    twice()
    names = {"twice": lambda number: 2 * number}
    monkeypatch.setattr(exercise, "_notebook", lambda: names)
    exercise.check("90.1")
    names["twice"] = lambda number: number
    exercise.check("90.1")
    assert "wrong" in capsys.readouterr().out
    exercise.progress()
    assert f"90_try_it  {'█' * 20}  1 of 1" in squeezed(capsys.readouterr().out)
    assert json.loads(progress.file().read_text("utf-8")) == {"90.1": {"hints": 0, "right": True}}


def squeezed(text):
    return "\n".join(
        "  ".join(line.split()).replace("1  of  1", "1 of 1") for line in text.splitlines()
    )


@pytest.mark.parametrize("broken", ["{", "[]", '{"90.1": 3}', '{"90.1": {"right": true}}', "\0"])
def test_a_broken_file_is_kept_and_said(home, broken):
    progress.file().parent.mkdir()
    progress.file().write_text(broken, "utf-8")
    assert "cannot be read, so it begins anew" in progress.bars()
    assert "cannot be read, so it begins anew" in progress.save("90.1", right=True)
    assert progress.file().with_suffix(".broken").read_text("utf-8") == broken
    assert progress.save("90.2", right=True) == ""
    assert set(progress.load()[0]) == {"90.1", "90.2"}


def test_where_nothing_can_be_written_the_kernel_remembers(home, capsys):
    twice()
    (home / ".course").write_text("a file in the way")
    exercise.hint("90.1")
    exercise.hint("90.1")
    said = capsys.readouterr().out
    assert "Hint 1 of 2: one\nYour progress cannot be kept in" in said
    assert "Hint 2 of 2: two" in said


def test_outside_a_notebook_check_says_where_it_works(home):
    twice()
    with pytest.raises(LessonError, match="Exercises are checked in a notebook"):
        exercise.check("90.1")


# -- the student's copies --------------------------------------------------------------------------


def mine(home, name="90_try_it.ipynb"):
    return home / "lessons" / "mine" / name


def edit(path, **cells):
    book = json.loads(path.read_text("utf-8"))
    for cell in book["cells"]:
        cell["source"] = cells.get(cell["id"].replace("-", "_"), cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
    path.write_text(json.dumps(book), "utf-8")


def test_a_copy_is_made_and_then_left_alone(home):
    assert exercises.hand_out() == []
    assert "2 *" not in mine(home).read_text("utf-8")
    edit(mine(home), ex_90_1_code="my work")
    before = mine(home).read_bytes()
    assert exercises.hand_out() == []
    assert mine(home).read_bytes() == before
    assert [path.name for path in mine(home).parent.iterdir()] == ["90_try_it.ipynb"]


def test_a_copy_that_was_only_run_is_renewed(home):
    exercises.hand_out()
    edit(mine(home))
    write(home, CELL.replace("double", "double of it"))
    exercises.generate()
    assert exercises.hand_out() == []
    assert "double of it" in mine(home).read_text("utf-8")


def test_a_new_version_comes_to_lie_beside_my_work(home):
    exercises.hand_out()
    edit(mine(home), ex_90_1_code="my work")
    before = mine(home).read_bytes()
    write(home, CELL.replace("double", "double of it"))
    exercises.generate()
    (said,) = exercises.hand_out()
    assert "90_try_it.new.ipynb" in said and "stays as you left it" in said
    assert mine(home).read_bytes() == before
    beside = mine(home, "90_try_it.new.ipynb")
    assert "double of it" in beside.read_text("utf-8")
    assert exercises.hand_out() == [], "it is said once"
    edit(beside, ex_90_1_code="more work")
    write(home, CELL.replace("double", "double of all"))
    exercises.generate()
    exercises.hand_out()
    assert "more work" in beside.read_text("utf-8")


def test_a_copy_that_is_no_notebook_is_left_alone(home):
    exercises.hand_out()
    mine(home).write_text("half a notebo")
    (said,) = exercises.hand_out()
    assert "stays as you left it" in said
    assert mine(home).read_text() == "half a notebo"


def test_the_lab_starts_without_copies_too(home, capsys):
    (home / "lessons" / "mine").write_text("a file in the way")
    lab._hand_out_exercises()
    assert "Exercises were not copied" in capsys.readouterr().err


# -- the command -----------------------------------------------------------------------------------


def test_the_command_shows_a_bar_for_each_lesson(monkeypatch, capfd, tmp_path):
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("course.ground.environment.ensure", lambda: None)
    monkeypatch.setattr(place, "venv_python", lambda: sys.executable)
    monkeypatch.setattr(exercises, "hand_out", lambda: ["a new version"])
    assert cli.main(["exercises"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("a new version\n")
    for book in exercises.books():
        assert f"0 of {len(exercises.numbers(book))}" in next(
            line for line in said.splitlines() if book.stem in line
        )


def test_the_command_generates(home, capfd):
    write(home, CELL.replace("double", "double of it"))
    assert cli.main(["exercises", "generate"]) == 0
    assert "90_try_it.ipynb" in capfd.readouterr().out
    assert cli.main(["exercises", "generate"]) == 0
    assert capfd.readouterr().out == "lessons/authors/exercises/ is up to date.\n"
    write(home, "no marks")
    assert cli.main(["exercises", "generate"]) == 1
    assert capfd.readouterr().err.startswith("course: ")


def test_the_lab_copies_the_exercises_and_prepares_kernels(home, capsys):
    lab._hand_out_exercises()
    assert capsys.readouterr().err == ""
    assert mine(home).exists()
    profile = home / ".course" / "jupyter" / "ipython" / "profile_default"
    assert "run the set-up cell" in (profile / "startup" / "exercises.py").read_text("utf-8")
