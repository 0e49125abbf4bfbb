"""The shape of every lesson, and that all it shows and runs exists."""

import itertools
import re

import nbformat
import pytest

from course import lesson
from course.ground.place import ROOT
from course.notebooks import comparison as compare
from course.notebooks import exercises, lessons, now_you, reading_time
from course.verbs import steps
from demos.instruments import chinese

from . import runs
from .conftest import LESSONS, calls, read

RUN = "keep the outputs with: python3 -m course lessons run"
BOX = "Python and terms that this lesson uses, in short"
PARTS = [
    "**What you will be able to do**",
    "**What you need",
    "## 1. ",
    "## Summary",
    "## Where to go further",
    "## Words",
]


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def path(request):
    return request.param


def sources(path, kind):
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def prose(path):
    return "\n\n".join(sources(path, "markdown"))


def test_notebook_is_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ran = [cell for cell in code if not reading_time.guesses(cell)]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1)), RUN
    assert [cell.id for cell in notebook.cells if set(cell.metadata) - {"tags", "jupyter"}] == []
    assert path.read_text("utf-8") == nbformat.writes(notebook) + "\n", "laid out as Jupyter does"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[a-z][a-z0-9-]*", one)] == []


def test_outputs_name_no_machine(path):
    """No path, port or time of day of the machine on which the lesson was run."""
    for cell in read(path).cells:
        said = compare.text(cell)
        assert not re.search(
            r"/(home|root|tmp|work|Users)/|(127\.0\.0\.1|localhost):\d|\b\d\d:\d\d:\d\d\b", said
        ), cell.id
        assert str(ROOT) not in said, cell.id
        # A link to a demo leads nowhere once the lesson has ended.
        shown = [output.get("data", {}).get("text/html", "") for output in compare.outputs(cell)]
        assert "://" not in "".join(shown), cell.id


def test_tagged_cells_say_their_claim(path):
    for cell in read(path).cells:
        assert compare.tags(cell) <= compare.TAGS, cell.id
        if compare.tags(cell):
            assert runs.claims(cell), f"{cell.id}: a sentence without digits says who wins"
        assert bool(compare.pictures(cell)) == ("plot" in compare.tags(cell)), cell.id
    assert runs.failed_claims(read(path)) == []


def test_a_picture_carries_its_chinese_letters(path):
    """So a browser shows them where the machine has no Chinese font."""
    for cell in read(path).cells:
        for output in compare.outputs(cell):
            picture = output.get("data", {}).get("image/svg+xml", "")
            assert picture == chinese.lettered(picture), f"{cell.id}: {RUN}"


def test_lesson_has_its_parts_in_order(path):
    text = prose(path)
    assert re.match(r"# [A-Z][a-z]+ \S", text)
    places = [text.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


def test_a_folded_box_explains_what_a_lesson_uses_of_python(path):
    """It stands below the title, and Markdown is read in it: a blank line after the summary, and one at the end."""
    if path.stem != "00_check_setup":
        box = read(path).cells[1]
        assert box.id == "refresher"
        assert re.fullmatch(
            rf"<details>\n<summary><b>{BOX}</b></summary>\n\n(- .+\n(  .*\n|\n)*){{3,}}</details>",
            box.source,
        )


def test_sections_are_numbered(path):
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", prose(path), re.M)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_heading_begins_its_cell(path):
    for source in sources(path, "markdown"):
        if not source.startswith(("## Summary", "## Where", "# ")):
            assert not re.search(r"\n#+ (?!Where|Words)", source), source


def test_lesson_asks_for_a_prediction(path):
    if path.stem != "00_check_setup":
        assert prose(path).count("**Predict, then run.**") >= 3


def test_a_prediction_stands_before_a_guess_and_a_folded_answer(path):
    """The prose asks, the student types a guess, and the outputs of the cell that answers wait to be run."""
    cells = read(path).cells
    asks = [place for place, cell in enumerate(cells) if "**Predict, then run.**" in cell.source]
    guesses = [place for place, cell in enumerate(cells) if reading_time.guesses(cell)]
    assert len(asks) == len(guesses)
    for asked, guess, next_asked in zip(asks, guesses, [*asks[1:], len(cells)], strict=False):
        assert asked < guess < next_asked, cells[asked].id
        between, answer = cells[asked + 1 : guess], cells[guess + 1]
        assert [cell.id for cell in between if cell.cell_type != "code" or cell.outputs] == []
        assert cells[guess].id == f"{answer.id}-guess"
        assert cells[guess].outputs == []
    answers = [guess + 1 for guess in guesses]
    folded = [place for place, cell in enumerate(cells) if "jupyter" in cell.metadata]
    assert set(answers) <= set(folded)
    for place in set(folded) - set(answers):  # it prints an answer once more
        answer = max(one for one in answers if one < place)
        between = [cell.source for cell in cells[answer + 1 : place]]
        assert not any(text.startswith("## ") for text in between), cells[place].id
    hidden = {"outputs_hidden": True}
    assert all(cell.metadata.jupyter == hidden for cell in cells if "jupyter" in cell.metadata)


def test_the_end_leads_to_the_next_lesson(path):
    every = lessons.every()
    here = [one.path for one in every].index(path)
    links = re.findall(r"^- Next: \[(.+)\]\((.+)\)\.$", read(path).cells[-1].source, re.M)
    assert links == [(one.title, one.path.name) for one in every[here + 1 : here + 2]]


def test_every_exercise_is_mentioned_once_at_the_end_of_a_section(path):
    cells = read(path).cells
    book = exercises.folder("exercises") / path.name
    found = {cell.id: cell.source for cell in cells if cell.id.startswith(now_you.MARK)}
    tasks = exercises.outline(path.name)
    wanted = {now_you.cell_id(task[0]): now_you.sentence(book, *task) for task in tasks}
    assert found == wanted, "python3 -m course exercises generate writes these cells"
    for cell, after in itertools.pairwise(cells):
        if cell.id in wanted:
            assert after.id in wanted or after.source.startswith("## "), cell.id


def test_cells_fit_a_projector(path):
    for source in sources(path, "code"):
        lines = source.splitlines()
        assert len(lines) <= 16, source
        assert max(map(len, lines)) <= 100, source


def test_code_is_imported_and_not_copied(path):
    """No three lines in a row of a demo stand in a notebook."""
    demos = set()
    for file in ROOT.glob("demos/**/*.py"):
        demos |= set(triples(file.read_text("utf-8")))
    for source in sources(path, "code"):
        assert demos.isdisjoint(triples(source)), source


def triples(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("import ", "from "))]
    return zip(lines, lines[1:], lines[2:], strict=False)


def test_everything_shown_exists(path):
    for arguments in calls(path, "show"):
        assert lesson.source(*arguments)


def test_every_step_run_is_named_in_full(path):
    for name, *_ in calls(path, "run_step"):
        assert steps.find(name).path == name
