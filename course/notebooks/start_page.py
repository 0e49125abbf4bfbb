"""The page on which JupyterLab opens: `lessons/start.md`, with what comes next and how far the student is.

It is written anew at each start and after each right answer; git ignores it. Standard library only.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from course.ground import jupyter, language, manifest, optionfile, place
from course.ground.errors import CourseError, explain
from course.notebooks import builds, exercises, lessons, next_up, progress

NAME = "start.md"
EXTENSIONS = (
    Path(__file__).parent / "labextensions"
)  # ours: it reads the page anew when its tab comes to the front
MESSENGER = r"^## (6\. .+)$"  # the heading of the section of lesson 00 that starts it

PAGE = """\
# Connection pools and WebSockets with Flask

## What comes next

{next}

## The whole game first

The course builds a messenger: accounts, friends, and messages that wait for people who are away. {messenger}
and use it for two minutes. Then you know what the lessons lead to.

## The map

| lesson | minutes | exercises | solved |
|---|---:|---|---|
{rows}
| **all** | | | {bar} {right} of {total} |

## How to work

1. Read a lesson and run its cells with Shift+Enter. Where it says **Predict, then run**, decide first what you expect.
2. Solve the exercises of the lesson. Your notebooks are in the folder `mine`; nobody else changes them.
3. In a terminal (menu *File*, *New*, *Terminal*), `course exercises watch` checks an exercise each time you save its notebook.
   `course exercises next` says what comes next.

The [glossary](glossary.md) has the Chinese and the English words.
"""


def extensions() -> Path:
    """Return the folder of JupyterLab's extensions, in the reader's language."""
    if language.chosen() == language.USUAL:
        return EXTENSIONS
    return place.lessons() / "authors" / EXTENSIONS.name


def file() -> Path:
    """Return where the page is: beside the lessons, so that JupyterLab's file browser shows them next to it."""
    return exercises.folder("mine").parent / NAME


def write() -> str:
    """Write the page; return a sentence if that was not possible, else ""."""
    entries, _ = progress.load()
    try:
        text = page(entries)
        if not file().exists() or file().read_text("utf-8") != text:
            optionfile.write_private(file(), text)
    except OSError as error:
        return f"The start page was not written: {explain(error)}"
    except CourseError as error:
        return f"The start page was not written: {error}"
    return ""


def page(entries: Mapping[str, progress.Entry]) -> str:
    """Return the page for this progress, as Markdown whose links JupyterLab follows."""
    tasks, every = next_up.tasks(), lessons.every()
    solved = {task for task in tasks if next_up.is_solved(task, entries)}
    return language.translated(PAGE).format(
        next=_next(entries),
        messenger=_link(
            language.translated("Start the finished messenger"), every[0].path.name, messenger()
        ),
        rows="\n".join(
            row
            for lesson in every
            for row in [
                _row(lesson, [task for task in tasks if task.lesson == lesson], solved),
                *_builds_after(lesson),
            ]
        ),
        bar=progress.bar(len(solved), len(tasks)),
        right=len(solved),
        total=len(tasks),
    )


def _next(entries: Mapping[str, progress.Entry]) -> str:
    task = next_up.first_unsolved(entries)
    build = next_up.open_build(task)
    to_build = (
        language.translated(
            f" Or build **{build.title}**: in a terminal, `course build {build.name}`."
        )
        if build
        else ""
    )
    if task is None:
        return language.translated("You have solved all exercises.") + to_build
    lesson, exercise = _lesson(task.lesson), _link(task.heading, _mine(task.lesson), task.heading)
    if next_up.is_new(entries):
        return language.translated(
            f"Begin with lesson **{_lesson(lessons.every()[0])}**. It says whether this computer is ready. "
            f"Then read lesson {lesson}; its first exercise is {exercise}."
        )
    if next_up.lesson_first(task, entries):
        said = f"Read lesson **{lesson}**. Its first exercise is {exercise}."
        return language.translated(said) + to_build
    said = f"Solve exercise **{exercise}**. It belongs to lesson {lesson}."
    minutes = f" It takes about {task.minutes} minutes." if task.minutes else ""
    return language.translated(said) + language.translated(minutes) + to_build


def messenger() -> str:
    """Return the heading in lesson 00 below which the finished messenger starts."""
    found = re.search(MESSENGER, lessons.every()[0].prose, re.MULTILINE)
    return found[1] if found else ""


def _row(lesson: lessons.Lesson, tasks: list[next_up.Task], solved: set[next_up.Task]) -> str:
    cells = [_lesson(lesson), str(lesson.minutes or ""), "", ""]
    if tasks:
        right = len(solved.intersection(tasks))
        far = language.translated(f"{right} of {len(tasks)}", 2)
        bar = f"{progress.bar(right, len(tasks))} {far}"
        cells[2:] = [_link(language.translated("exercises"), _mine(lesson)), bar]
    return f"| {' | '.join(cells)} |"


def _builds_after(lesson: lessons.Lesson) -> list[str]:
    return [_build(build) for build in manifest.read().builds if build.after == lesson.number]


def _build(build: manifest.Build) -> str:
    words = f"**{build.title}**, from an empty file: `course build {build.name}`"
    first, last = build.minutes
    return f"| {language.translated(words)} | {first}–{last} | | {_bar_of(build)} |"


def _bar_of(build: manifest.Build) -> str:
    done, goals = builds.reached(build.name), len(build.goals)
    far = language.translated(f"{done} of {goals} goals")
    return f"{progress.bar(done, goals)} {far}".replace(" ", "\u00a0")


def _lesson(lesson: lessons.Lesson) -> str:
    return _link(lesson.heading, lesson.path.name)


def _mine(lesson: lessons.Lesson) -> str:
    return f"mine/{lesson.path.name}"


def _link(text: str, path: str, heading: str = "") -> str:
    """Return a Markdown link from the page to another file of the lessons."""
    return f"[{text}]({path}{jupyter.anchor(heading)})"
