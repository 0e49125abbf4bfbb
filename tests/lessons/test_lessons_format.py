"""The shape of every lesson, and that all it shows and runs exists."""

import itertools
import re

import nbformat
import pytest

from course import lesson, steps
from course import lessons_compare as compare
from course.place import ROOT

from .conftest import LESSONS, calls, read

RUN = "keep the outputs with: python3 -m course lessons run"
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


def test_the_lessons_are_there():
    """The course map of README names them all, and no others; 00 comes before the map."""
    page = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"\(lessons/(\d\d_\w+)\.ipynb\)", page))
    assert named | {"00_check_setup"} == {path.stem for path in LESSONS}


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
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), RUN
    assert [cell.id for cell in notebook.cells if set(cell.metadata) - {"tags"}] == []
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


def test_tagged_cells_say_their_claim(path):
    for cell in read(path).cells:
        assert compare.tags(cell) <= compare.TAGS, cell.id
        if compare.tags(cell):
            assert compare.claims(cell), f"{cell.id}: a sentence without digits says who wins"
        assert bool(compare.pictures(cell)) == ("plot" in compare.tags(cell)), cell.id
    assert compare.failed_claims(read(path)) == []


def test_lesson_has_its_parts_in_order(path):
    text = prose(path)
    assert re.match(r"# [A-Z][a-z]+ \S", text)
    places = [text.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


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


def test_a_prediction_stands_before_a_cell_that_runs(path):
    cells = read(path).cells
    for cell, after in itertools.pairwise(cells):
        if "**Predict, then run.**" in cell.source:
            assert after.cell_type == "code"


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
