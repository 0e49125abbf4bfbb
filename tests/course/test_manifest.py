"""course.toml lists what is here, says what is true of it, and README.md shows it."""

import json
import re

import pytest

from course.ground import manifest
from course.ground.errors import CourseError
from course.ground.place import ROOT
from course.notebooks import lessons, readme_map

SAID = manifest.read()
SECTIONS = [*(f"A{number}" for number in range(13)), *(f"B{number}" for number in range(1, 8))]


@pytest.fixture(params=[*SAID.steps, *SAID.programs], ids=lambda step: step.path)
def step(request):
    return request.param


def listed(steps):
    return sorted(step.file for step in steps)


def here(pattern, *, runs=False):
    files = [
        file for file in ROOT.glob(pattern) if not runs or "__main__" in file.read_text("utf-8")
    ]
    return sorted(str(file.relative_to(ROOT)) for file in files)


def test_every_step_and_no_other_is_listed():
    assert listed(SAID.steps) == here("demos/*/step*.py")


def test_every_program_of_the_sources_and_no_other_is_listed():
    assert listed(SAID.programs) == here("demos/*/naive/*.py", runs=True)


def test_every_lesson_and_no_other_is_listed():
    files = [f"lessons/{name}.ipynb" for name in SAID.lessons]
    assert files == here("lessons/[0-9][0-9]_*.ipynb")


def test_every_section_of_the_source_is_there_once_in_order():
    assert [section.id for section in SAID.sections] == SECTIONS


def test_every_section_has_a_step_a_lesson_and_a_test():
    numbers = {name[:2] for name in SAID.lessons}
    for section in SAID.sections:
        assert SAID.steps_of(section.id), section.id
        assert section.lessons, section.id
        assert set(section.lessons) <= numbers, section.id
        assert section.tests, section.id
        assert [file for _, file in section.tests if not (ROOT / file).is_file()] == []


def test_every_step_is_in_the_sections_that_its_docstring_names(step):
    named = manifest.first_line(ROOT / step.file).partition(": ")[0].split(", ")
    assert set(named) <= {*SECTIONS, *(f"E{number}" for number in range(20))}
    assert {name for name in named if name in SECTIONS} <= set(step.sections) <= set(SECTIONS)


def test_steps_are_listed_demo_by_demo_in_order():
    demos = list(dict.fromkeys(step.demo for step in SAID.steps))
    assert [step.path for step in SAID.steps] == sorted(
        (step.path for step in SAID.steps),
        key=lambda path: (demos.index(path.partition("/")[0]), path),
    )


def test_every_program_names_the_step_that_is_the_right_way():
    steps = {step.path for step in SAID.steps}
    assert {program.right for program in SAID.programs} <= steps
    assert not [step.path for step in SAID.steps if step.right]


def sections_that_name(step):
    """Return where lessons name a step, in prose or in code, such as `03.4`."""
    found = set()
    for lesson in lessons.every():
        number = ""
        for cell in json.loads(lesson.path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            heading = re.match(r"## (?:(\d+)\. |Summary)", source)
            number = (heading[1] or "") if heading else number
            if number and re.search(rf"\b{step.name}\b", source):
                found.add(f"{lesson.number}.{number}")
    return found


@pytest.mark.parametrize("step", SAID.steps, ids=lambda step: step.path)
def test_the_sections_of_lessons_that_show_a_step_are_listed(step):
    assert set(step.shown) == sections_that_name(step)


def test_readme_has_the_map_of_the_manifest():
    page = readme_map.README.read_text("utf-8")
    assert page == readme_map.renewed(page, SAID), "write it anew: python3 -m course map"


def test_the_map_names_every_step_lesson_and_test():
    table = readme_map.table(SAID)
    for step in SAID.steps:
        assert (
            f"[{step.stage}]({step.file})" in table
            or f"{step.demo} {step.stage}]({step.file})" in table
        )
    for name in SAID.lessons[1:]:  # 00 comes before the first section
        assert f"(lessons/{name}.ipynb)" in table


def test_a_page_without_marks_says_what_it_needs():
    with pytest.raises(CourseError, match="has no place for the course map"):
        readme_map.renewed("no marks here", SAID)


@pytest.mark.parametrize(
    "text",
    [
        "lessons = [",
        "lessons = []",
        "lessons = []\nsection = []\nprogram = []\n[[step]]\nserve = true",
    ],
    ids=["no TOML", "no sections", "a name that is none"],
)
def test_a_manifest_that_cannot_be_read_is_one_sentence(tmp_path, monkeypatch, text):
    file = tmp_path / "course.toml"
    file.write_text(text)
    monkeypatch.setattr(manifest, "FILE", file)
    with pytest.raises(CourseError, match=r"^course\.toml cannot be used: "):
        manifest.read()


def test_steps_that_measure_are_those_that_have_a_quick_way():
    for step in SAID.steps:
        source = (ROOT / step.file).read_text("utf-8")
        quick = "options(__doc__)" in source or "--quick" in source
        assert step.measures == quick, step.path


def test_every_step_is_named_in_a_test_of_its_demo():
    without = []
    for demo in {step.demo for step in SAID.steps}:
        tests = (ROOT / "tests" / demo).glob("*.py")
        said = "".join(file.read_text("utf-8") for file in tests)
        without += [step.path for step in SAID.steps if step.demo == demo and step.name not in said]
    assert without == []
