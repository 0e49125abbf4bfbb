"""`python3 -m course lessons`: list the lessons, run them anew, and make copies for class.

Standard library only: the command line imports it before anything is installed. The work is done by
modules of `course/notebooks/` that need packages, as processes of the environment's Python.
"""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from course.ground import environment, language, place, say
from course.ground.errors import CourseError
from course.notebooks import exercises, lessons, progress
from course.translations import wanted

# Where copies go if nobody says otherwise; git ignores them. JupyterLab shows what is below lessons/.
SITE, SLIDES = place.ROOT / "lessons-html", place.ROOT / "lessons-slides"


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Declare what `course lessons` can be asked for."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    again = actions.add_parser("run", help="execute lessons on the seed and keep their outputs")
    copies = actions.add_parser("clean", help="copies without outputs, for class")
    again.add_argument(
        lessons.MEASURE,
        action="store_true",
        help="keep the new figures also where only they differ; else such cells stay as they are",
    )
    for action in (again, copies):
        action.add_argument("names", nargs="*", metavar="NAME", help="such as 03; default: all")
    site = actions.add_parser("html", help="all lessons as pages that need no network")
    talk = actions.add_parser("slides", help="one lesson as slides that need no network")
    talk.add_argument("name", metavar="NAME", help="such as 03")
    figures = actions.add_parser("figures", help="make the lessons' pictures anew, with a browser")
    for action, folder in (
        (copies, place.lessons() / "clean"),
        (site, SITE),
        (talk, SLIDES),
        (figures, lessons.FIGURES),
    ):
        where = folder.relative_to(place.ROOT)
        action.add_argument("--out", type=Path, metavar="DIR", help=f"where to; default: {where}/")


def run(words: list[str], measure: bool = False) -> int:
    """Execute lessons on a server of their own and keep their outputs; return the exit code.

    Args:
        words: names or numbers of lessons; none for all.
        measure: keep the new figures also where only they differ.

    Raises:
        CourseError: no lesson or several have such a name.
    """
    names = [one.name for one in lessons.chosen(words)]
    language.choose(language.USUAL)  # it writes the English lessons
    return environment.run("course.notebooks.execution", *names, *[lessons.MEASURE] * measure)


def clean(words: list[str], folder: Path) -> int:
    """Write copies without outputs, with the pictures of the prose; return the exit code.

    Raises:
        CourseError: no lesson has such a name, or the copies would replace the lessons.
    """
    if folder.resolve() in (place.english(), place.lessons()):
        raise CourseError(
            "the copies would replace the lessons: name another folder with --out, or none for lessons/clean."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons.chosen(words):
        text = exercises.without_outputs(exercises.read(lesson.path))
        (folder / lesson.path.name).write_text(text, "utf-8")
    lessons.copy_figures(folder)
    say.line(f"Copies without outputs are in {place.shown(folder.absolute())}.")
    return 0


def slides(words: str, folder: Path) -> int:
    """Write the slides of a lesson, and open them where somebody sits in front; return the exit code.

    Raises:
        CourseError: no lesson or several have that name.
    """
    lesson = lessons.find(words)
    done = environment.run("course.notebooks.slides", lesson.name, str(folder))
    if done == 0:
        file = (place.of_reader(folder) / f"{lesson.name}.html").absolute()
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
        return clean(words.names, words.out or place.lessons() / "clean")
    if words.action in ("html", "slides"):  # they are written in all languages
        for name in language.NAMES:
            for sentence in wanted.make(name):
                say.note(sentence)
    if words.action == "html":
        return environment.run("course.notebooks.site", str((words.out or SITE).absolute()))
    if words.action == "slides":
        return slides(words.name, (words.out or SLIDES).absolute())
    if words.action == "figures":
        environment.ensure(environment.TEST)  # it drives a browser
        language.choose(language.USUAL)  # it draws the English lessons
        return environment.run(
            "course.notebooks.figures", str((words.out or lessons.FIGURES).absolute())
        )
    return show()


def show() -> int:
    """Print all lessons with titles, minutes, and how many exercises are solved; return the exit code."""
    entries, sentence = progress.load()
    if sentence:
        say.note(sentence)
    for lesson in lessons.every():
        minutes = language.translated(f"{lesson.minutes} min", 3) if lesson.minutes else ""
        numbers = [number for number, *_ in exercises.outline(lesson.path.name)]
        right = sum(entries.get(number, progress.NOTHING)["right"] for number in numbers)
        solved = language.translated(f"{right} of {len(numbers)} exercises") if numbers else ""
        title = say.padded(lesson.title, 28)
        say.line(f"  {lesson.name:<28} {minutes:>6}  {title}  {solved}".rstrip())
    say.line("Read them in JupyterLab: python3 -m course")
    return 0
