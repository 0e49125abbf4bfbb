"""Lesson 11 lists every erratum with the lesson, the step and the test that show it. Each row is looked up."""

import ast
import re

import pytest

from course.ground.place import ROOT
from course.notebooks import lessons
from course.verbs import steps
from demos.group_chat.clients.faults import FAULTS as OF_GROUP_CHAT
from demos.private_chat.clients.faults import FAULTS as OF_PRIVATE_CHAT

from .conftest import read

LESSON = lessons.find("11")
ERRATA = [f"E{number}" for number in range(1, 16)] + [f"W{number}" for number in range(1, 15)]


def table():
    """The rows by number: what the source has, what we have, where it is shown, what pins it."""
    rows = re.findall(r"^\| ([EW]\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", LESSON.prose, re.M)
    return {number: cells for number, *cells in rows}


@pytest.fixture(params=ERRATA)
def erratum(request):
    return request.param


@pytest.fixture
def row(erratum):
    return table()[erratum]


def everything(notebook):
    """What a lesson says, and what its cells have shown."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            yield from map(str, output.get("data", {}).values())


def test_the_table_has_every_erratum_once_and_in_order():
    assert re.findall(r"^\| ([EW]\d+) \|", LESSON.prose, re.M) == ERRATA
    assert list(table()) == ERRATA


def test_the_lessons_of_a_row_name_its_erratum(erratum, row):
    numbers = re.findall(r"\b\d\d\b", row[2])
    assert numbers
    for number in numbers:
        shown = "\n".join(everything(read(lessons.find(number).path)))
        assert re.search(rf"\b{erratum}\b", shown), f"lesson {number} does not name {erratum}"


def test_the_steps_of_a_row_exist(erratum, row):
    for name in re.findall(r"\w+/step\w+", row[2]):
        step = steps.find(name)
        if step.name.startswith(("step4b", "step5b")):
            faults = {"group_chat": OF_GROUP_CHAT, "private_chat": OF_PRIVATE_CHAT}[step.demo]
            assert erratum in {fault.erratum for fault in faults}
    assert "step" in row[2] or erratum in (
        "E6",
        "E7",
        "E9",
        "E12",
        "W13",
    )  # shown by a lesson alone


def test_the_tests_of_a_row_are_about_its_erratum(erratum, row):
    paths = re.findall(r"[\w/]+\.py", row[3])
    assert paths
    for path in paths:
        text = (ROOT / path).read_text("utf-8")
        tests = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        named = f"test_{erratum[0].lower()}{int(erratum[1:]):02}_"
        pinned = any(name.startswith(named) for name in tests)
        if "FAULTS" in text:
            faults = OF_GROUP_CHAT if "group_chat" in path else OF_PRIVATE_CHAT
            pinned |= erratum in {fault.erratum for fault in faults}
        assert pinned, f"{path} has no {named}*"


def test_every_named_test_of_an_erratum_is_in_the_table():
    """A test of a new erratum has to get a row."""
    found = set()
    for file in ROOT.glob("tests/*/test_*.py"):
        for letter, number in re.findall(r"^def test_([ew])(\d\d)_", file.read_text("utf-8"), re.M):
            found.add(f"{letter.upper()}{int(number)}")
    assert found <= set(table())
    assert {fault.erratum for fault in (*OF_GROUP_CHAT, *OF_PRIVATE_CHAT)} <= set(table())
