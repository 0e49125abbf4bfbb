"""The builds' engine: programs that a student writes from an empty file, judged goal by goal.

lessons/authors/builds/<name>/goals.py has one `stairs`:

    stairs = Staircase(serving)                    # what a goal is given: here, the running program

    @stairs.goal(hint="...", mutant=[("old", "new")], says="part of the sentence")
    def starts(chat: Program) -> None:
        expect(is_alive(...), "expected ..., ...")

The sentences of the goals are in course.toml, in the same order. `python3 -m course build` runs this module.
"""

import argparse
import importlib
import io
import os
import re
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from course.exercise import TimeIsUp, Wrong, name_of, time_limit
from course.ground import language, manifest, place, say
from course.ground.errors import CourseError
from course.lesson import ready
from course.notebooks import builds, progress

LIMIT = 60.0  # seconds that the judgement of one goal may take
OPENING = 30.0  # seconds until the program, or what stands for it, is there
GLANCE = 0.3  # seconds between two looks at the file, with --watch
REACHED, NOT_REACHED, NOT_TRIED = "✓", "✗", "·"


class Subject(Protocol):
    """What a goal is judged by: a running program, or what stands for one."""

    def trouble(self, missed: bool) -> str:
        """Return what is wrong with the program itself, as a sentence without a full stop; "" if nothing is.

        `missed` says that the goal was not reached, so that whatever the program said may be a clue.
        """


S = TypeVar("S", bound=Subject)


@dataclass(frozen=True)
class Mutant:
    """A program that misses a goal and reaches all before it."""

    changes: Sequence[tuple[str, str]]  # texts of a solution and what takes their place
    says: str  # words of the sentence that it gets
    of: str = "solution"  # the solution's file, without its ending


@dataclass(frozen=True)
class Goal(Generic[S]):
    """One step of a staircase."""

    judge: Callable[[S], None]  # raises Wrong, with what was expected and what was seen
    hint: str
    mutants: Sequence[Mutant]  # one at least
    limit: float  # seconds


class Staircase(Generic[S]):
    """The goals of one build, from the first to the last."""

    def __init__(self, opened: Callable[[Path], AbstractContextManager[S]]) -> None:
        """Begin without goals.

        Args:
            opened: makes of the student's file what the goals are given, for a `with` block. It may raise Wrong.
        """
        self.opened = opened
        self.goals: list[Goal[S]] = []

    def goal(
        self,
        *,
        hint: str,
        mutant: Sequence[tuple[str, str]],
        says: str,
        also: Sequence[Mutant] = (),
        limit: float = LIMIT,
    ) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
        """Add the next goal.

        Args:
            hint: said if the student asks; where to look, not the code.
            mutant: texts of the solution and what takes their place: a program that misses this goal and no earlier one.
            says: words that the judgement of that program has to contain.
            also: further programs that miss this goal.
            limit: seconds until the judgement is given up.
        """

        def add(judge: Callable[[S], None]) -> Callable[[S], None]:
            self.goals.append(Goal(judge, hint, [Mutant(mutant, says), *also], limit))
            return judge

        return add


@dataclass(frozen=True)
class Climb:
    """How far a program came: goals reached, and why it did not reach the next; "" if it reached all."""

    reached: int
    observed: str


def staircase(name: str) -> "Staircase[Subject]":
    """Return the goals of a build."""
    found: Staircase[Subject] = importlib.import_module(
        f"lessons.authors.builds.{name}.goals"
    ).stairs
    return found


def climb(
    name: str,
    file: Path,
    tell: Callable[[int], object] = lambda _: None,
    only: Sequence[int] = (),
) -> Climb:
    """Judge a program goal by goal, up to the first one that it misses.

    Args:
        name: of the build, such as `group_chat`.
        file: the program.
        tell: called with the number of each goal that is reached.
        only: numbers of the goals to judge; none for all.

    Raises:
        CourseError: it cannot be judged here.
    """
    stairs = staircase(name)
    reached = 0
    observed = ""
    try:
        with ExitStack() as stack:
            with time_limit(OPENING):
                subject = stack.enter_context(stairs.opened(file))
            for number in only or range(1, len(stairs.goals) + 1):
                observed = _observe(stairs.goals[number - 1], subject)
                if observed:
                    break
                reached = number
                tell(number)
    except TimeIsUp:
        observed = (
            f"not ready after {OPENING:g} s: something in your file waits or goes on for ever"
        )
    except Wrong as found:
        observed = str(found)
    return Climb(reached, observed)


def _observe(goal: Goal[S], subject: S) -> str:
    """Judge one goal; return what is wrong, or ""."""
    observed = ""
    try:
        with time_limit(goal.limit):
            goal.judge(subject)
    except Wrong as found:
        observed = str(found)
    except TimeIsUp:
        observed = (
            f"not done after {goal.limit:g} s: something in your program waits for what never comes"
        )
    except CourseError:
        raise
    except Exception as error:
        if type(error).__module__.startswith("pymysql"):
            with redirect_stdout(io.StringIO()):
                ready()  # a sentence if it is the database that is away
        return subject.trouble(missed=True) or _explain(error)
    trouble = subject.trouble(missed=bool(observed))
    if trouble and observed:
        return language.translated(f"{observed}. Also, {trouble}")
    return trouble or observed


def _explain(error: Exception) -> str:
    """Say an error of the judgement itself, of which the program is the likely cause."""
    text = textwrap.shorten(" ".join(str(error).split()), 200, placeholder=" …").rstrip(".")
    frames = traceback.extract_tb(error.__traceback__)
    judged = [frame for frame in frames if "builds" in frame.filename]
    words = f"{name_of(error)}: {text}"
    if judged and judged[-1].line:
        return f"your program cannot be used as expected: the judge did `{judged[-1].line}` and got {words}"
    return f"your program cannot be used as expected: {words}"


# -- the command -----------------------------------------------------------------------------------


def report(name: str) -> bool:
    """Judge the student's program, print the staircase and keep how far it came; say whether it reached the top."""
    build = manifest.build(name)
    file = builds.file(build)
    say.line(f"{language.translated(build.title)}{language.colon()}{place.shown(file)}")
    if builds.is_untouched(build):
        for number, sentence in enumerate(build.goals, start=1):
            _print_goal(NOT_TRIED, number, sentence)
        say.line(
            "The file is still as it was handed out. It says what to build; these are the goals."
        )
        return False

    def tell(number: int) -> None:
        _print_goal(REACHED, number, build.goals[number - 1])
        if sentence := progress.save(builds.entry(name, number), right=True):
            say.note(sentence)

    result = climb(name, file, tell)
    missed = result.reached + 1 if result.observed else 0
    if sentence := progress.save(builds.entry(name, missed)):
        say.note(sentence)
    if not missed:
        say.line(f"All {result.reached} goals are reached. {build.title} is done.")
        return True
    _print_goal(NOT_REACHED, missed, build.goals[result.reached])
    say.line(_filled(_sentence(language.translated(result.observed)), "     "))
    for number in range(missed + 1, len(build.goals) + 1):
        _print_goal(NOT_TRIED, number, build.goals[number - 1])
    say.line(f"A hint for goal {missed}: python3 -m course build {name} --hint")
    return False


def hint(name: str) -> None:
    """Print the hint for the goal at which the last judgement stopped; before the first one, for goal 1."""
    stairs, number = staircase(name), builds.missed(name)
    if not number:
        say.line("You have reached all goals.")
        return
    say.line(f"This hint is for the first of {len(stairs.goals)} goals that is not reached.")
    say.line(f"Goal {number}: {manifest.build(name).goals[number - 1]}")
    say.line(f"Hint: {stairs.goals[number - 1].hint}")
    say.line(f"--hint does not judge what you have saved. For that: python3 -m course build {name}")
    if sentence := progress.save(builds.entry(name, number), hints=1):
        say.note(sentence)


def watch(name: str) -> None:
    """Judge, and judge again whenever the file was saved; until Ctrl-C."""
    file = builds.file(manifest.build(name))
    for _ in _saves(file):
        report(name)
        say.line("Waiting for the next save; Ctrl-C ends this.")


def _saves(file: Path) -> Iterator[float]:
    """Yield now, and at each later change of a file."""
    before = -1.0
    while True:
        now = file.stat().st_mtime if file.exists() else 0.0
        if now != before:
            before = now
            yield now
        time.sleep(GLANCE)


def _print_goal(mark: str, number: int, sentence: str) -> None:
    first = f" {mark} {number:>2}  "
    say.line(_filled(language.translated(sentence), first))


def _filled(text: str, first: str) -> str:
    """Return a text in lines of at most 100 characters below each other; one without blanks is left to the terminal."""
    if not text.isascii() and text.count(" ") < len(text) / 12:
        return first + text
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=" " * len(first))


def _sentence(observed: str) -> str:
    text = f"{observed[:1].upper()}{observed[1:]}"
    if text.endswith((".", "!", "?", "。", "！", "？")):
        return text
    # An English sentence may have Chinese values in it, also at its end.
    is_chinese = language.chosen() != language.USUAL and re.search("[\u3400-\u9fff]", text)
    return f"{text}。" if is_chinese else f"{text}."


def main(arguments: list[str]) -> int:
    """Run one build's judgement; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m course build")
    parser.add_argument("name")
    parser.add_argument("--hint", action="store_true")
    parser.add_argument("--watch", action="store_true")
    chosen = parser.parse_args(arguments)
    say.prepare()
    try:
        if chosen.hint:
            hint(chosen.name)
        elif chosen.watch:
            watch(chosen.name)
        else:
            return 0 if report(chosen.name) else 1
    except CourseError as error:
        say.failure(error)
        return 1
    except KeyboardInterrupt:
        say.note("\nStopped.")
    except BrokenPipeError:  # whoever reads what we say has enough of it, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
