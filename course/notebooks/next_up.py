"""`python3 -m course exercises next`: the exercise that comes next, the lesson it belongs to, and where both are.

Standard library only, as the command line imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course.ground import jupyter, manifest, place
from course.notebooks import builds, exercises, lessons, progress


@dataclass(frozen=True)
class Task:
    """One exercise, as its notebook presents it."""

    number: str  # such as "3.2"
    title: str  # such as "Write the limits"
    minutes: int  # that it takes; 0 where its notebook does not say
    lesson: lessons.Lesson

    @property
    def heading(self) -> str:
        """What stands above it in its notebook."""
        return f"{self.number} {self.title}"

    @property
    def file(self) -> Path:
        """The student's notebook."""
        return exercises.folder("mine") / self.lesson.path.name


def tasks() -> list[Task]:
    """Return all exercises in order."""
    return [
        Task(number, title, minutes, lesson)
        for lesson in lessons.every()
        for number, title, minutes in exercises.outline(lesson.path.name)
    ]


def is_solved(task: Task, entries: Mapping[str, progress.Entry]) -> bool:
    """Say whether the progress has this exercise as solved."""
    return bool(entries.get(task.number, progress.NOTHING)["right"])


def first_unsolved(entries: Mapping[str, progress.Entry], after: str = "") -> Task | None:
    """Return the exercise that comes next; None if all are solved.

    It is the first unsolved exercise, from the top, of the lesson that the student worked on last; then comes one of
    the lessons after it, and at last one of those before it.

    Args:
        entries: the progress, in the order in which it was made.
        after: the exercise that the student worked on last; where it is "", the progress tells.
    """
    every = tasks()
    lesson_of = {task.number: task.lesson for task in every}
    last = after or next((number for number in [*entries][::-1] if number in lesson_of), "")
    start = next((n for n, task in enumerate(every) if task.lesson == lesson_of.get(last)), 0)
    return next((t for t in every[start:] + every[:start] if not is_solved(t, entries)), None)


def is_new(entries: Mapping[str, progress.Entry]) -> bool:
    """Say whether no exercise is solved, so that the lesson without exercises, 00, comes first."""
    return not any(is_solved(one, entries) for one in tasks())


def lesson_first(task: Task, entries: Mapping[str, progress.Entry]) -> bool:
    """Say whether the student has not begun the exercises of this one's lesson, so that the lesson comes first."""
    same = [other for other in tasks() if other.lesson == task.lesson]
    return not any(other.number in entries for other in same)


def open_build(task: Task | None) -> manifest.Build | None:
    """Return the first program to build that belongs before an exercise and is not finished; None if there is none."""
    for build in manifest.read().builds:
        comes_before = task is None or build.after < task.lesson.number
        if comes_before and builds.reached(build.name) < len(build.goals):
            return build
    return None


def sentences(entries: Mapping[str, progress.Entry], after: str = "") -> list[str]:
    """Return what a terminal says about what comes next; the arguments are those of `first_unsolved`."""
    task = first_unsolved(entries, after)
    if task is None:
        return [f"All {len(tasks())} exercises are solved.", *_to_build(None)]
    said = _to_build(task)
    lesson = task.lesson
    if is_new(entries):
        first = lessons.every()[0]
        said += [f"First lesson: {_takes(first.heading, first.minutes)}", *_places(first.path)]
    if lesson_first(task, entries):
        said += [f"Next lesson: {_takes(lesson.heading, lesson.minutes)}", *_places(lesson.path)]
        said += [f"Its first exercise: {_takes(task.heading, task.minutes)}"]
    else:
        said += [f"Next: {_takes(task.heading, task.minutes)}"]
        said += [f"  Lesson   {lesson.heading}"]
    said += _places(task.file)
    if not jupyter.running(task.file):
        said += ["JupyterLab is not running: python3 -m course opens it."]
    return said


def in_one_line(entries: Mapping[str, progress.Entry], after: str) -> str:
    """Return what a notebook says about what comes next; the arguments are those of `first_unsolved`."""
    task = first_unsolved(entries, after)
    if task is None:
        return f"All {len(tasks())} exercises are solved."
    if lesson_first(task, entries):
        return f"Next lesson: {_takes(task.lesson.heading, task.lesson.minutes)}"
    return f"Next: {_takes(task.heading, task.minutes)}"


def _to_build(task: Task | None) -> list[str]:
    build = open_build(task)
    if build is None:
        return []
    goals = f"{builds.reached(build.name)} of {len(build.goals)} goals"
    return [
        f"To build: {build.title} ({goals}, {build.takes}): python3 -m course build {build.name}"
    ]


def _takes(what: str, minutes: int | None) -> str:
    return f"{what} ({minutes} minutes)" if minutes else what


def _places(file: Path) -> list[str]:
    address = jupyter.running(file)
    return [f"  File     {place.shown(file)}", *([f"  Open it  {address}"] if address else [])]
