"""The map of the stage: sections, steps and lessons of the manifest, and what the run sheet says of them."""

import re

from course.ground import language, manifest
from course.ground.manifest import Step
from course.notebooks import lessons, run_sheet
from course.stage import markdown


class CourseMap:
    """What the manifest says at this moment: a step that is added while the stage runs appears by itself."""

    def __init__(self) -> None:
        """Read the manifest."""
        self.manifest = manifest.read()
        self.steps = {step.path: step for step in self.manifest.steps}
        # The source's own programs, faults included, where they show a page.
        self.programs = {step.path: step for step in self.manifest.programs if step.serves}
        self.lessons = {lesson.number: lesson for lesson in lessons.every()}

    @property
    def order(self) -> list[str]:
        """All steps in the order of next and previous."""
        return list(self.steps)

    def lessons_of(self, step: Step) -> list[lessons.Lesson]:
        """Return the lessons that show a step; if none does, those of its sections."""
        of_sections = [section for section in self.manifest.sections if section.id in step.sections]
        numbers = step.lessons or sorted({one for found in of_sections for one in found.lessons})
        return [self.lessons[number] for number in numbers]

    def find(self, path: str) -> Step:
        """Return a step, or a program of the source's.

        Raises:
            KeyError: there is none of that path.
        """
        return {**self.steps, **self.programs}[path]

    def wrong_ways(self, path: str) -> list[str]:
        """Return the source's programs of which this step is the right way."""
        return [program.path for program in self.programs.values() if program.right == path]

    def before(self, path: str) -> str | None:
        """Return the step of the same demo before this one."""
        if path in self.programs:
            return None
        place_in_order = self.order.index(path)
        former = self.order[place_in_order - 1] if place_in_order else ""
        return former if former.partition("/")[0] == path.partition("/")[0] else None

    def as_json(self) -> dict[str, object]:
        """Return the map as the page reads it."""
        return {
            "sections": [
                {
                    "id": section.id,
                    "teaches": language.translated(section.teaches),
                    "steps": [step.path for step in self.manifest.steps_of(section.id)],
                    "naive": [
                        path for path, one in self.programs.items() if section.id in one.sections
                    ],
                    "lessons": section.lessons,
                }
                for section in self.manifest.sections
            ],
            "order": self.order,
            "titles": {path: one.title for path, one in {**self.steps, **self.programs}.items()},
            "lessons": {
                number: {"title": one.title, "minutes": one.minutes}
                for number, one in self.lessons.items()
            },
        }


def notes(lesson: lessons.Lesson, step: Step) -> dict[str, object]:
    """Return the run sheet's entry of a lesson, for the presenter of a step.

    `sections` has the minutes of each section of the lesson, and whether it shows this step; `blocks` what to show,
    where students stumble, and what to drop.
    """
    page = run_sheet.file().read_text("utf-8")
    return {
        "lesson": lesson.number,
        "title": lesson.title,
        "minutes": lesson.minutes,
        "sections": [
            {
                "title": title,
                "minutes": minutes,
                "here": f"{lesson.number}.{title.partition('.')[0]}" in step.shown,
            }
            for title, minutes in run_sheet.figures(page, lesson).items()
        ],
        "blocks": markdown.blocks(_without_minutes(run_sheet.entry(page, lesson))),
    }


def _without_minutes(entry: str) -> str:
    """Return an entry of the run sheet without its heading and its table."""
    return run_sheet.BLOCK.sub("", re.sub(r"\A## [^\n]*\n", "", entry))
