"""The manifest of the course, `course.toml`: lessons, sections, steps, the source's own programs, and the builds.

What a step is, whether it serves, and which lesson shows it, is said there and guessed nowhere. Two things stand in the
step's own docstring and are read from it: its title, and what a presenter says (`course/stage/listing.py`).
"""

import ast
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from course.ground import language, place
from course.ground.errors import CourseError

FILE = place.ROOT / "course.toml"
OPTION = "--redis"  # of a step that is told of a Redis so


@dataclass(frozen=True)
class Step:
    """One step of a demo, or a program of the source's: an entry `[[step]]` or `[[program]]`."""

    file: str  # such as "demos/pool_demo/step2_borrow_and_return.py"
    sections: tuple[str, ...]  # of the source that it belongs to, such as "A4"
    serves: bool = False  # it serves a page, at the port that `--port` names
    clients: int = 1  # people it is best shown with
    redis: str = (
        ""  # how it is told of a Redis: "REDIS_URL", the variable, or "--redis", the option
    )
    measures: bool = False  # it measures, for up to a minute; `--quick` takes a few seconds
    shown: tuple[str, ...] = ()  # where lessons show it: "03.4" is section 4 of lesson 03
    right: str = ""  # of a program: the path of the step that is the right way

    @property
    def path(self) -> str:
        """The name a user types, such as `pool_demo/step2_borrow_and_return`."""
        return self.file.removeprefix("demos/").removesuffix(".py")

    @property
    def demo(self) -> str:
        """Such as `pool_demo`."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """Such as `step2_borrow_and_return`, or `naive/chat`."""
        return self.path.partition("/")[2]

    @property
    def stage(self) -> str:
        """Such as `step2`."""
        return self.name.partition("_")[0]

    @property
    def module(self) -> str:
        """The name Python runs."""
        return f"demos.{self.path}".replace("/", ".")

    @property
    def title(self) -> str:
        """The first line of its docstring without the sections, such as "Borrow, query, give back.", in the reader's language."""
        line = first_line(place.ROOT / self.file)
        english, leads, _ = line.partition(": ")[2].partition(" Right: ")
        entry = line.removesuffix(".")  # as a catalogue has it
        said = language.translated(entry)
        if said == entry:
            return english
        if leads:  # the last sentence, which leads to the right way
            said = said.rpartition("：")[0].rpartition("。")[0]
        return said.partition("：")[2]

    @property
    def lessons(self) -> list[str]:
        """The numbers of the lessons that show it, in order."""
        return sorted({where.partition(".")[0] for where in self.shown})


@dataclass(frozen=True)
class Section:
    """One section of the source: an entry `[[section]]`."""

    id: str  # such as "A5"
    teaches: str
    lessons: tuple[str, ...]  # numbers, such as "03"
    tests: tuple[tuple[str, str], ...]  # name and file


@dataclass(frozen=True)
class Build:
    """A program that the student writes from an empty file: an entry `[[build]]`."""

    name: str  # such as "group_chat"
    title: str  # such as "Your group chat"
    after: str  # the number of the lesson that it comes after, such as "07"
    minutes: tuple[int, int]  # that it may take, from and to; estimated
    goals: tuple[str, ...]  # a sentence for each, in order
    ending: str = "py"  # of the student's file
    browser: bool = False  # it is judged in a browser
    database: bool = True  # the program, or its judge, uses the course's database

    @property
    def file(self) -> str:
        """The name of the student's file, such as `group_chat.py`."""
        return f"{self.name}.{self.ending}"

    @property
    def takes(self) -> str:
        """How long it may take, such as "90 to 180 minutes"."""
        return f"{self.minutes[0]} to {self.minutes[1]} minutes"


@dataclass(frozen=True)
class Manifest:
    """All of `course.toml`."""

    lessons: tuple[str, ...]  # notebooks without ".ipynb", in order
    sections: tuple[Section, ...]
    steps: tuple[Step, ...]  # demo by demo, as the course comes to them
    programs: tuple[Step, ...]  # the source's own, faults included
    builds: tuple[Build, ...] = ()  # in the order in which the course comes to them

    def steps_of(self, section: str) -> list[Step]:
        """Return the steps of a section, in order."""
        return [step for step in self.steps if section in step.sections]


def read() -> Manifest:
    """Return what the manifest says at this moment.

    Raises:
        CourseError: it is no TOML, or an entry has not what it needs.
    """
    return _parsed(FILE.read_text("utf-8"))


@lru_cache(maxsize=4)
def _parsed(text: str) -> Manifest:
    try:
        said = tomllib.loads(text)
        return Manifest(
            tuple(said["lessons"]),
            tuple(
                Section(
                    **{
                        **entry,
                        "lessons": tuple(entry["lessons"]),
                        "tests": tuple((test["name"], test["file"]) for test in entry["tests"]),
                    }
                )
                for entry in said["section"]
            ),
            tuple(map(_step, said["step"])),
            tuple(map(_step, said["program"])),
            tuple(
                Build(
                    **{
                        **entry,
                        "goals": tuple(entry["goals"]),
                        "minutes": (entry["minutes"][0], entry["minutes"][1]),
                    }
                )
                for entry in said["build"]
            ),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CourseError(
            f"course.toml cannot be used: {error}. Compare it with its neighbours."
        ) from error


def _step(entry: dict[str, object]) -> Step:
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    return Step(**{**entry, **lists})  # type: ignore[arg-type]  # a wrong name is a TypeError


def build(name: str) -> Build:
    """Return the build of that name.

    Raises:
        CourseError: there is none.
    """
    for one in read().builds:
        if one.name == name:
            return one
    raise CourseError(f"no build is called {name}: python3 -m course build lists them.")


def first_line(file: Path) -> str:
    """Return the first line of a module's docstring, without importing it."""
    return _first_line(file.read_text("utf-8"))


@lru_cache(maxsize=512)
def _first_line(source: str) -> str:
    docstring = ast.get_docstring(ast.parse(source)) or ""
    return docstring.partition("\n")[0]
