"""The course map: the manifest's sections as a table, in README.md between two marks, and on the site of the lessons."""

import re

from course.ground import language, manifest, place
from course.ground.errors import CourseError
from course.ground.manifest import Manifest, Section, Step

BEGIN = "<!-- The map below is written by `python3 -m course map`. -->"
END = "<!-- end of the course map -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)  # the map with its marks
README = place.ROOT / "README.md"


def table(said: Manifest) -> str:
    """Return the map in Markdown, with links from the course's folder: a row for each section of the source."""
    head = language.translated("| section | what it teaches | step | lesson | test |")
    rows = [head, "|---|---|---|---|---|"]
    for one in said.sections:
        cells = [
            one.id,
            language.translated(one.teaches),
            _steps(said, one),
            _lessons(said, one),
            _tests(one),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def renewed(page: str, said: Manifest) -> str:
    """Return a page with the map that stands between its marks as it is now.

    Raises:
        CourseError: it has not the two marks.
    """
    if not BLOCK.search(page):
        raise CourseError(
            f"README.md has no place for the course map: put {BEGIN} and {END} into it."
        )
    return BLOCK.sub(lambda _: f"{BEGIN}\n{table(said)}\n{END}", page, count=1)


def write() -> None:
    """Write the map into README.md and the same page in other languages anew.

    Raises:
        CourseError: the manifest or the page cannot be used.
    """
    for name in language.NAMES:
        page = place.in_language(README, name)
        with language.speaking(name):
            page.write_text(renewed(page.read_text("utf-8"), manifest.read()), "utf-8")


def _steps(said: Manifest, section: Section) -> str:
    steps = said.steps_of(section.id)
    demos = {step.demo for step in steps}
    return ", ".join(f"[{_label(step, len(demos) > 1)}]({step.file})" for step in steps)


def _label(step: Step, with_demo: bool) -> str:
    return f"{step.demo} {step.stage}" if with_demo else step.stage


def _lessons(said: Manifest, section: Section) -> str:
    names = {name[:2]: name for name in said.lessons}
    return ", ".join(f"[{number}](lessons/{names[number]}.ipynb)" for number in section.lessons)


def _tests(section: Section) -> str:
    return ", ".join(f"[{name}]({file})" for name, file in section.tests)
