"""One try of an exercise, as a process: the cells of the student's notebook, then the check.

    python -m course.practice.trial lessons/mine/03_share_a_pool.ipynb 3.2
    python -m course.practice.trial --hint 3.2

The first writes lines of JSON to standard output: how long to wait for what comes, `{"limit": 10}`, and in the end the
verdict, `{"outcome": "wrong", "said": "3.2 wrong: ..."}`. What the student's code prints goes to standard error.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from course import exercise
from course.ground.errors import CourseError
from course.lesson import LessonError
from course.notebooks import exercises

SET_UP_LIMIT = (
    60.0  # seconds for the cells that are not the student's; a busy machine imports slowly
)
CELLS_LIMIT = 10.0  # seconds for the student's cells
MORE = 60.0  # seconds that a check may take on top of its limit, which does not count the starts of processes
NOT_JUDGED = "not judged"  # the one outcome that the engine does not have: it could not begin

Report = Callable[..., None]


def judged(book: Path, number: str, report: Report) -> exercise.Verdict:
    """Run an exercise's cells in a shell of their own and judge what they have made.

    Args:
        book: the student's notebook.
        number: such as `3.2`.
        report: called with the seconds that the next part may take, as `limit`.

    Raises:
        CourseError: there is no such exercise or no notebook, or the set-up or the check found no server.
    """
    one = exercise.find(number)
    set_up, own = exercises.cells_for(exercises.read(book), number)
    shell = _shell()
    report(limit=SET_UP_LIMIT)
    for source in set_up:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            error = _failure(shell, source)
        if error is not None:
            said = exercise.explained(number, error, shell.user_ns)
            return exercise.Verdict(number, NOT_JUDGED, f"{number} not judged, the set-up: {said}")
    # The notebook's own calls would count hints and judge by themselves.
    shell.user_ns.update(dict.fromkeys(("check", "hint", "progress"), lambda *_: None))
    report(limit=CELLS_LIMIT)
    for source in own:
        error = _failure(shell, source)
        if error is not None:
            said = exercise.explained(number, error, shell.user_ns)
            return exercise.Verdict(number, exercise.WRONG, f"{number} wrong: {said}")
    report(limit=one.limit + MORE)
    return exercise.judge(number, shell.user_ns)


class Shell(InteractiveShell):
    """A shell as a notebook has one, which tells nobody of errors: we have a sentence for each."""

    def showtraceback(self, *_: object, **__: object) -> None:
        """Say nothing."""

    def showsyntaxerror(self, *_: object, **__: object) -> None:
        """Say nothing."""


def _shell() -> InteractiveShell:
    """Return a shell that keeps no history."""
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    shell: InteractiveShell = Shell.instance(config=settings)
    return shell


def _failure(shell: InteractiveShell, source: str) -> BaseException | None:
    """Run a cell; return what it raised, or None.

    Raises:
        LessonError: the cell found that the course is not ready.
    """
    done: Any = shell.run_cell(source, store_history=False)  # type: ignore[no-untyped-call]
    error: BaseException | None = done.error_before_exec or done.error_in_exec
    if isinstance(error, LessonError):
        raise error
    return error


def main(book: str, number: str) -> int:
    """Judge, and report to standard output; return the exit code."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the student prints, and by whatever means

    def report(**what: object) -> None:
        print(json.dumps(what), file=lines, flush=True)

    os.chdir(Path(book).parent)  # as a kernel does
    try:
        verdict = judged(Path(book), number, report)
        kept = exercise.keep(verdict)
    except CourseError as error:
        report(outcome=NOT_JUDGED, said=f"{number} not judged: {error}")
        return 1
    help_there = f' For help: hint("{number}")'  # in a notebook; a terminal has a key for it
    report(outcome=verdict.outcome, said=verdict.said.removesuffix(help_there), more=kept)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--hint":
        try:
            exercise.hint(sys.argv[2])
        except CourseError as problem:
            sys.exit(str(problem))
    else:
        sys.exit(main(*sys.argv[1:]))
