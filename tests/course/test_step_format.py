"""The shape of every step of every demo: docstring, length, how it starts."""

import ast
import re

import pytest

from course.ground import manifest
from course.ground.place import ROOT

STEPS = [ROOT / step.file for step in manifest.read().steps]
PARAGRAPHS = ["Source", "See", "Try", "New"]


def docstring(step):
    return ast.get_docstring(ast.parse(step.read_text("utf-8"))) or ""


@pytest.fixture(params=STEPS, ids=lambda step: f"{step.parent.name}/{step.stem}")
def step(request):
    return request.param


def test_there_are_steps():
    assert len(STEPS) >= 13


def test_first_line_names_sections_and_title(step):
    assert re.fullmatch(r"[AB]\d+(, [AB]\d+)*: \S.*\.", docstring(step).splitlines()[0])


def test_four_paragraphs_in_order(step):
    paragraphs = docstring(step).split("\n\n")[1:]
    assert [text.partition(": ")[0] for text in paragraphs] == PARAGRAPHS
    assert all(text.partition(": ")[2].strip().endswith((".", "?")) for text in paragraphs)


def test_a_step_fits_a_projector(step):
    lines = step.read_text("utf-8").splitlines()
    code = len(lines) - len(docstring(step).splitlines())
    assert len(lines) <= 110
    assert code <= 75
