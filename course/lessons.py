"""`python3 -m course lessons`: list the lessons, run them anew, and make copies for class.

Standard library only: the command line imports it before anything is installed. The work is done by
modules that need packages, as processes of the environment's Python.
"""

import argparse
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from course import environment, place, say
from course.errors import CourseError

FOLDER = place.ROOT / "lessons"
CLEAN, SITE, SLIDES = (
    "lessons-clean",
    "lessons-html",
    "lessons-slides",
)  # default folders, ignored by git


@dataclass(frozen=True)
class Lesson:
    """One notebook of `lessons/`."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `03_share_a_pool`."""
        return self.path.stem

    @property
    def number(self) -> str:
        """Such as `03`."""
        return self.name[:2]

    @property
    def prose(self) -> str:
        """All its Markdown cells."""
        cells = json.loads(self.path.read_text("utf-8"))["cells"]
        return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")

    @property
    def title(self) -> str:
        """Its heading."""
        return self.prose.partition("\n")[0].removeprefix("# ")

    @property
    def minutes(self) -> int | None:
        """What its first cell says; None if it has never been run by `lessons run`."""
        found = re.search(r"^\*\*Minutes:\*\* (\d+)$", self.prose, re.MULTILINE)
        return int(found[1]) if found else None


def every() -> list[Lesson]:
    """Return the lessons in order."""
    return [Lesson(path) for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))]


def find(words: str) -> Lesson:
    """Return the one lesson that the words name: such as `03`, `3` or `03_share_a_pool`.

    Raises:
        CourseError: no lesson or several have that name.
    """
    name = Path(words).name.removesuffix(".ipynb")
    number = name.zfill(2) if name.isdecimal() else name
    lessons = every()
    exact = [one for one in lessons if number in (one.name, one.number)]
    found = exact or [one for one in lessons if name in one.name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CourseError(f"no lesson is called {words}: python3 -m course lessons lists them.")
    raise CourseError(
        f"{words} could mean several lessons: name one of {', '.join(one.name for one in found)}."
    )


def chosen(words: list[str]) -> list[Lesson]:
    """Return the lessons that are named, or all if none is."""
    return [find(word) for word in words] or every()


def run(words: list[str]) -> int:
    """Execute lessons on a server of their own and keep their outputs; return the exit code.

    Raises:
        CourseError: no lesson or several have such a name.
    """
    return work("lessons_run", *(one.name for one in chosen(words)))


def work(module: str, *arguments: str) -> int:
    """Run one of our modules with the environment's Python; return the exit code."""
    environment.ensure()
    command = [str(place.venv_python()), "-m", f"course.{module}", *arguments]
    mine = {**os.environ, "PYTHONIOENCODING": ":backslashreplace"}
    return subprocess.run(command, cwd=place.ROOT, env=mine, check=False).returncode


def dispatch(words: argparse.Namespace) -> int:
    """Run what the command line asks for; return the exit code."""
    if words.action == "run":
        return run(words.names)
    if words.action == "figures":
        environment.ensure(environment.TEST)  # it drives a browser
        return work("figures")
    show()
    return 0


def show() -> None:
    """Print all lessons with their titles and minutes."""
    for lesson in every():
        minutes = f"{lesson.minutes} min" if lesson.minutes else ""
        say.line(f"  {lesson.name:<28} {minutes:>7}  {lesson.title}")
    say.line("Read them in JupyterLab: python3 -m course")
