"""`python3 -m course lessons`: list the lessons, run them anew, and make copies for class.

Standard library only: the command line imports it before anything is installed. The work is done by
modules that need packages, as processes of the environment's Python.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from course import environment, exercises, place, progress, say
from course.errors import CourseError

FOLDER = place.ROOT / "lessons"
FIGURES = FOLDER / "figures"
MEASURE = "--measure"  # take new figures of lessons also where nothing else is new
# Where copies go if nobody says otherwise; git ignores them. JupyterLab shows what is below lessons/.
CLEAN, SITE, SLIDES = FOLDER / "clean", place.ROOT / "lessons-html", place.ROOT / "lessons-slides"


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


def run(words: list[str], measure: bool = False) -> int:
    """Execute lessons on a server of their own and keep their outputs; return the exit code.

    Args:
        words: names or numbers of lessons; none for all.
        measure: keep the new figures also where only they differ.

    Raises:
        CourseError: no lesson or several have such a name.
    """
    return work("lessons_run", *(one.name for one in chosen(words)), *[MEASURE] * measure)


def work(module: str, *arguments: str) -> int:
    """Run one of our modules with the environment's Python; return the exit code."""
    environment.ensure()
    command = [str(place.venv_python()), "-m", f"course.{module}", *arguments]
    mine = {**os.environ, "PYTHONIOENCODING": ":backslashreplace"}
    return subprocess.run(command, cwd=place.ROOT, env=mine, check=False).returncode


def clean(words: list[str], folder: Path) -> int:
    """Write copies without outputs, with the pictures of the prose; return the exit code.

    Raises:
        CourseError: no lesson has such a name, or the copies would replace the lessons.
    """
    if folder.resolve() == FOLDER:
        raise CourseError(
            "the copies would replace the lessons: name another folder with --out, or none for lessons/clean."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in chosen(words):
        notebook = json.loads(lesson.path.read_text("utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        (folder / lesson.path.name).write_text(text, "utf-8")
    if FIGURES.is_dir():
        shutil.copytree(FIGURES, folder / "figures", dirs_exist_ok=True)
    say.line(f"Copies without outputs are in {place.shown(folder.absolute())}.")
    return 0


def slides(words: str, folder: Path) -> int:
    """Write the slides of a lesson, and open them where somebody sits in front; return the exit code.

    Raises:
        CourseError: no lesson or several have that name.
    """
    lesson = find(words)
    done = work("lessons_slides", lesson.name, str(folder))
    if done == 0:
        file = (folder / f"{lesson.name}.html").absolute()
        say.line(
            f"Slides: {place.shown(file)}. Arrow keys turn them, space reads on, f fills the screen."
        )
        if sys.stdout.isatty() and "CI" not in os.environ:
            webbrowser.open(file.as_uri())
    return done


def dispatch(words: argparse.Namespace) -> int:
    """Run what the command line asks for; return the exit code."""
    if words.action == "run":
        return run(words.names, words.measure)
    if words.action == "clean":
        return clean(words.names, words.out or CLEAN)
    if words.action == "html":
        return work("lessons_site", str((words.out or SITE).absolute()))
    if words.action == "slides":
        return slides(words.name, (words.out or SLIDES).absolute())
    if words.action == "figures":
        environment.ensure(environment.TEST)  # it drives a browser
        return work("figures", str((words.out or FIGURES).absolute()))
    show()
    return 0


def show() -> None:
    """Print all lessons with their titles, their minutes, and how many exercises are solved."""
    entries, sentence = progress.load()
    if sentence:
        say.note(sentence)
    for lesson in every():
        minutes = f"{lesson.minutes} min" if lesson.minutes else ""
        book = exercises.folder("exercises") / lesson.path.name
        numbers = exercises.numbers(book) if book.exists() else []
        right = sum(entries.get(number, progress.NOTHING)["right"] for number in numbers)
        solved = f"{right} of {len(numbers)} exercises" if numbers else ""
        say.line(f"  {lesson.name:<28} {minutes:>6}  {lesson.title:<28}  {solved}".rstrip())
    say.line("Read them in JupyterLab: python3 -m course")
