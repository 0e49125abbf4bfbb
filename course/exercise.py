"""The exercises' engine. A notebook calls `check`, `hint` and `progress`; lessons/checks/ uses the rest.

    @exercise("3.2", hints=("first", "second"), why="…", wrong={"size = 1": "waited"})
    def check_size(size: int) -> None:
        waits = ...
        expect(max(waits) < 0.15, f"expected no wait over 150 ms, the longest was {max(waits):.2f} s")

The parameters are the names that the student's cell defines. A check that returns says: right.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import linecache
import signal
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn

from course import exercises
from course import progress as kept
from course.lesson import LessonError, ready

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"
LIMIT = 60.0  # seconds that a check may take; some start processes, and machines are slow
NUDGE = 5.0  # seconds until one that goes on regardless is interrupted again

Check = Callable[..., None]


class Wrong(Exception):
    """The answer is wrong; the message says what was expected and what was observed."""


class _TimeIsUp(BaseException):
    """The check has taken too long. Not an Exception, so that no `except Exception` swallows it."""


@dataclass(frozen=True)
class Verdict:
    """What a check found: one of the three outcomes, and the sentence for the student."""

    number: str
    outcome: str
    said: str


@dataclass(frozen=True)
class Exercise:
    """One exercise. The task and the solution are in the notebooks, under the same number."""

    number: str
    check: Check
    hints: tuple[str, str]
    why: str  # one sentence, said when the answer is right
    wrong: Mapping[str, str]  # plausible wrong answers, and words of what the check says to each
    limit: float  # seconds

    @property
    def answer(self) -> list[str]:
        """The names that the student's cell defines."""
        return list(inspect.signature(self.check).parameters)

    @property
    def book(self) -> Path:
        """The notebook that is handed out."""
        return _book(self.number)

    @property
    def cell(self) -> str:
        """The source of the cell that is handed out."""
        return exercises.source_of(self.book, f"ex-{self.number.replace('.', '-')}-code")


_known: dict[str, Exercise] = {}


def exercise(
    number: str,
    *,
    hints: tuple[str, str],
    why: str,
    wrong: Mapping[str, str],
    limit: float = LIMIT,
) -> Callable[[Check], Check]:
    """Register a check.

    Args:
        number: lesson and place, such as `3.2`.
        hints: the first says where to look, the second nearly tells.
        why: one sentence on why it matters, said after "right".
        wrong: plausible wrong answers, each as it would stand between the marks of the cell, with
            words that the check must say to it.
        limit: seconds until the check is given up.

    Raises:
        ValueError: another check has this number.
    """

    def register(check: Check) -> Check:
        other = _known.get(number)
        if other and other.check.__qualname__ != check.__qualname__:
            raise ValueError(f"two checks have the number {number}")
        _known[number] = Exercise(number, check, hints, why, wrong, limit)
        return check

    return register


def expect(condition: object, observed: str) -> None:
    """Go on if the condition is true; otherwise the answer is wrong.

    Args:
        condition: what a right answer makes true.
        observed: what was expected and what was seen instead, such as "expected 2 idle
            connections, the server shows 0".

    Raises:
        Wrong: the condition is not true.
    """
    if not condition:
        raise Wrong(observed)


def find(number: str) -> Exercise:
    """Return an exercise by its number.

    Raises:
        LessonError: there is none.
    """
    if number not in _known:
        lesson = number.partition(".")[0]
        if lesson.isdecimal():
            name = f"lessons.checks.exercises_{int(lesson):02}"
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name not in (name, "lessons.checks", "lessons"):
                    raise
    if number not in _known:
        every = [one for book in exercises.books() for one in exercises.numbers(book)]
        raise LessonError(f"There is no exercise {number}; there are {', '.join(every) or 'none'}.")
    return _known[number]


# -- what a notebook calls -------------------------------------------------------------------------


def check(number: str) -> None:
    """Judge your answer to an exercise and print the verdict.

    Args:
        number: in quotes, such as "3.2".

    Raises:
        LessonError: there is no such exercise, or no server to judge it with.
    """
    verdict = judge(str(number), _notebook())
    print(verdict.said)
    if verdict.outcome == RIGHT:
        _print_if_any(kept.save(verdict.number, right=True))


def hint(number: str) -> None:
    """Print the next hint for an exercise: there are two.

    Args:
        number: in quotes, such as "3.2".

    Raises:
        LessonError: there is no such exercise.
    """
    one = find(str(number))
    given = kept.entry_of(one.number)["hints"]
    if given < len(one.hints):
        print(f"Hint {given + 1} of {len(one.hints)}: {one.hints[given]}")
        _print_if_any(kept.save(one.number, hints=1))
        return
    print(f"There are no more hints for {one.number}. They were:")
    for text in one.hints:
        print(f"- {text}")
    print(f"The solution is in lessons/solutions/{one.book.name}.")


def progress() -> None:
    """Print how many exercises of each lesson you have solved."""
    print(kept.bars())


def judge(number: str, namespace: dict[str, Any]) -> Verdict:
    """Judge the answer that a notebook's names hold.

    Raises:
        LessonError: there is no such exercise, or no server to judge it with.
    """
    one = find(number)
    missing = _not_attempted(one, namespace)
    if missing:
        return Verdict(number, NOT_ATTEMPTED, f"{number} not attempted: {missing}")
    observed = _observe(one, namespace)
    if observed:
        return Verdict(number, WRONG, f'{number} wrong: {observed}. For help: hint("{number}")')
    return Verdict(number, RIGHT, f"{number} right. {one.why}")


# -- not attempted ---------------------------------------------------------------------------------


def _not_attempted(one: Exercise, namespace: Mapping[str, Any]) -> str:
    """Return why there is nothing to judge, or ""."""
    for name in one.answer:
        if name not in namespace:
            return f"there is no `{name}` yet. Run the cell above this one first."
        if namespace[name] is ...:
            return f"`{name}` is still `...`. Put your answer there and run that cell."
    given = one.cell
    if all(_is_as_given(given, name, namespace[name]) for name in one.answer):
        names = " and ".join(f"`{name}`" for name in one.answer)
        return f"{names} is as it was handed out. Change the cell above, and run it."
    return ""


def _is_as_given(given: str, name: str, value: Any) -> bool:  # noqa: ANN401 - a student's value
    """Say whether a value is what the cell that was handed out makes of this name."""
    for node in ast.parse(given).body:
        if isinstance(node, ast.Assign) and name in [ast.unparse(one) for one in node.targets]:
            try:
                return bool(ast.literal_eval(node.value) == value)
            except ValueError:  # made by a call: whether it has changed only its use can tell
                return False
    made = compile(given, "<handed out>", "exec", dont_inherit=True).co_consts
    codes = {code.co_name: code for code in made if isinstance(code, CodeType)}
    if name not in codes:
        return False
    if inspect.isclass(value):
        theirs = [
            _essence(method.__code__)
            for method in map(inspect.unwrap, vars(value).values())
            if inspect.isfunction(method)
        ]
        return theirs == [
            _essence(code) for code in codes[name].co_consts if isinstance(code, CodeType)
        ]
    function = inspect.unwrap(value) if callable(value) else value
    return inspect.isfunction(function) and _essence(function.__code__) == _essence(codes[name])


def _essence(code: CodeType) -> tuple[object, ...]:
    """Return what a function does, without where it stands and what its comments say."""
    constants = tuple(
        _essence(constant) if isinstance(constant, CodeType) else (type(constant), constant)
        for constant in code.co_consts
    )
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants)


# -- wrong or right --------------------------------------------------------------------------------


def _observe(one: Exercise, namespace: dict[str, Any]) -> str:
    """Run the check; return what is wrong with the answer, or "" if it is right."""
    try:
        with _time_limit(one.limit):
            one.check(*(namespace[name] for name in one.answer))
    except Wrong as found:
        return str(found)
    except _TimeIsUp:
        return f"not done after {one.limit:g} s, so something in it waits for what never comes"
    except LessonError:
        raise
    except (Exception, SystemExit) as error:
        return _explain(error, one, namespace)
    return ""


def _explain(error: BaseException, one: Exercise, namespace: dict[str, Any]) -> str:
    """Say what an unexpected error has to do with the answer.

    Raises:
        LessonError: it has nothing to do with it, as the database cannot be used.
    """
    if isinstance(error, OSError) or type(error).__module__.startswith("pymysql"):
        with redirect_stdout(io.StringIO()):
            ready()
    text = textwrap.shorten(str(error), 300, placeholder=" …").rstrip(".")
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    lines = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals is namespace
    ]
    if not lines:
        return f"your answer cannot be used. Trying it raised {words}"
    frame, line = lines[-1]
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    where = f"in line {line} of its cell" + (f", `{code}`" if code else "")
    if isinstance(error, NameError) and error.name in _set_up_names(one.book):
        return f"your code raised {words}: run the set-up cell at the top, then this one again"
    return f"your code raised {words}, {where}"


def _set_up_names(book: Path) -> tuple[str, ...]:
    return compile(exercises.source_of(book, "setup"), "<set-up>", "exec").co_names


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt a block that takes longer. Only the main thread can be, and there a kernel runs cells."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _TimeIsUp

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, NUDGE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


# -- the notebook ----------------------------------------------------------------------------------


def _notebook() -> dict[str, Any]:
    """Return the names of the notebook that runs this.

    Raises:
        LessonError: no notebook does.
    """
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        raise LessonError(
            "Exercises are checked in a notebook: python3 -m course opens them, in mine/."
        )
    names: dict[str, Any] = shell.user_ns
    return names


def _book(number: str) -> Path:
    lesson = int(number.partition(".")[0])
    for book in exercises.books():
        if book.stem.startswith(f"{lesson:02}_"):
            return book
    raise LessonError(f"Lesson {lesson} has no notebook in lessons/exercises/.")


def _print_if_any(sentence: str) -> None:
    if sentence:
        print(sentence)
