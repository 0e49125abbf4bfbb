"""The map of the stage: sections, steps and lessons, read from the README's course map, the steps and the run sheet."""

import json
import re
from dataclasses import dataclass
from functools import cached_property

from course import lessons, lessons_sheet, place, stage_code, stage_text, steps

ORDER = [*(f"A{number}" for number in range(13)), *(f"B{number}" for number in range(1, 8))]
OTHER = "more"  # the section of steps that name none of the others


@dataclass(frozen=True)
class Section:
    """One row of the course map."""

    id: str  # such as "A5"
    teaches: str
    steps: list[str]  # paths, such as "pool_demo/step2_borrow_and_return"
    naive: list[str]  # paths, such as "group_chat/naive/chat"
    lessons: list[str]  # numbers, such as "03"


class CourseMap:
    """What there is at this moment: a step that is written while the stage runs appears by itself."""

    def __init__(self) -> None:
        """Read the README, and look for steps and lessons."""
        self.steps = {step.path: step for step in steps.every()}
        # The source's own programs, faults included, where they show a page.
        self.naive = {step.path: step for step in steps.naive() if stage_code.takes_port(step.path)}
        self.lessons = {lesson.number: lesson for lesson in lessons.every()}

    @cached_property
    def sections(self) -> list[Section]:
        """The sections in order, each with the steps that the README or their own title gives it."""
        found: list[Section] = []
        for row in re.findall(r"^\| ([AB]\d+) \|(.+)\|$", _readme(), re.MULTILINE):
            if row[0] in [section.id for section in found]:
                break  # the table below it is another one
            found.append(self._section(*row))
        placed = {path for section in found for path in section.steps}
        rest = [path for path in self.steps if path not in placed]
        return [*found, Section(OTHER, "what has no section", rest, [], [])] if rest else found

    @cached_property
    def order(self) -> list[str]:
        """All steps in the order of next and previous: demo by demo, as the course comes to them."""
        first: dict[str, int] = {}
        for place_in_map, section in enumerate(self.sections):
            for path in section.steps:
                first.setdefault(path.partition("/")[0], place_in_map)
        return sorted(self.steps, key=lambda path: (first[path.partition("/")[0]], path))

    def sections_of(self, path: str) -> list[Section]:
        """Return the sections that a step belongs to."""
        return [one for one in self.sections if path in (*one.steps, *one.naive)]

    def lessons_of(self, path: str) -> list[lessons.Lesson]:
        """Return the lessons that name a step; if none does, those of its sections."""
        name = self.find(path).name
        naming = [one for one in self.lessons.values() if name in one.path.read_text("utf-8")]
        if naming:
            return naming
        numbers = sorted({number for one in self.sections_of(path) for number in one.lessons})
        return [self.lessons[number] for number in numbers]

    def find(self, path: str) -> steps.Step:
        """Return a step, or a program of the source's.

        Raises:
            KeyError: there is none of that path.
        """
        return {**self.steps, **self.naive}[path]

    def wrong_ways(self, path: str) -> list[str]:
        """Return the source's programs that say that this step is the right way."""
        name = re.escape(self.find(path).name)
        return [
            one
            for one in self.naive
            if re.search(rf"\.\./{name}\.py", (place.ROOT / f"demos/{one}.py").read_text("utf-8"))
        ]

    def before(self, path: str) -> str | None:
        """Return the step of the same demo before this one."""
        if path in self.naive:
            return None
        place_in_order = self.order.index(path)
        former = self.order[place_in_order - 1] if place_in_order else ""
        return former if former.partition("/")[0] == path.partition("/")[0] else None

    def as_json(self) -> dict[str, object]:
        """Return the map as the page reads it."""
        return {
            "sections": [vars(section) for section in self.sections],
            "order": self.order,
            "titles": {path: words(step)[1] for path, step in {**self.steps, **self.naive}.items()},
            "lessons": {
                number: {"title": one.title, "minutes": one.minutes}
                for number, one in self.lessons.items()
            },
        }

    def _section(self, name: str, cells: str) -> Section:
        linked = re.findall(r"\]\(demos/(\w+/\w+)\.py\)", cells)
        named = [path for path, step in self.steps.items() if name in words(step)[0]]
        numbers = re.findall(r"\]\(lessons/(\d\d)_\w+\.ipynb\)", cells)
        return Section(
            name,
            cells.partition("|")[0].strip(),
            [path for path in self.steps if path in linked or path in named],
            [path for path, step in self.naive.items() if name in words(step)[0]],
            [number for number in numbers if number in self.lessons],
        )


def words(step: steps.Step) -> tuple[list[str], str]:
    """Return the sections that a step's title begins with, and the sentence after them."""
    title = step.title.partition(" Right: ")[0]  # the source's programs name their cure there
    names, colon, sentence = title.partition(": ")
    sections = names.split(", ")
    if colon and all(name in ORDER for name in sections):
        return sections, sentence
    return [], title


def notes(lesson: lessons.Lesson, step: steps.Step) -> dict[str, object]:
    """Return the run sheet's entry of a lesson, for the presenter of a step.

    `sections` has the minutes of each section of the lesson, and whether it shows this step; `blocks` what to show,
    where students stumble, and what to drop.
    """
    page = lessons_sheet.PAGE.read_text("utf-8")
    here = _sections_naming(lesson, step.name)
    return {
        "lesson": f"{lesson.number} {lesson.title}",
        "minutes": lesson.minutes,
        "sections": [
            {"title": title, "minutes": minutes, "here": title in here}
            for title, minutes in lessons_sheet.figures(page, lesson).items()
        ],
        "blocks": stage_text.blocks(_without_minutes(lessons_sheet.entry(page, lesson))),
    }


def _sections_naming(lesson: lessons.Lesson, name: str) -> set[str]:
    """Return the titles of a lesson's sections that name a step, in prose or code."""
    found, title = set(), ""
    for cell in json.loads(lesson.path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        heading = re.match(r"## (\d+\. .*|Summary)", source)
        title = heading[1] if heading else title
        if re.search(rf"\b{name}\b", source):
            found.add(title)
    return found


def _without_minutes(entry: str) -> str:
    """Return an entry of the run sheet without its heading and its table."""
    begin, end = re.escape(lessons_sheet.BEGIN), re.escape(lessons_sheet.END)
    return re.sub(rf"\A## [^\n]*\n|{begin}.*?{end}", "", entry, flags=re.DOTALL)


def _readme() -> str:
    return (place.ROOT / "README.md").read_text("utf-8")
