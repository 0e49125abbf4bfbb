"""The exercises' engine. A notebook calls `check`, `hint`, `progress` and `sample_of`; lessons/authors/checks/ uses the rest.

    @exercise(
        "2.1",
        hints=("where to look", "what to do", "nearly the answer"),
        why="…",
        wrong={"insert(name)": "others see 0 rows"},
        also_right=("with connect() as connection: …",),
    )
    def check_commit(enrol: Callable[[str], object]) -> None:
        enrol("赵丽颖")
        rows = ask("select name from stu")
        expect(len(rows) == 1, f"after one call others see {len(rows)} rows in stu, expected 1")

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

from course.ground import kernel, language, place, say
from course.lesson import LessonError, ready
from course.notebooks import exercises, next_up, start_page
from course.notebooks import progress as kept

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"
LIMIT = 10.0  # seconds that a check may take, without the starts of processes: see `not_counted`
NUDGE = 5.0  # seconds until one that goes on regardless is interrupted again

Check = Callable[..., None]


class Wrong(Exception):
    """The answer is wrong; the message says what was expected and what was observed."""


class TimeIsUp(BaseException):
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
    hints: tuple[str, ...]  # two or more, each of which tells more than the one before
    why: str  # a sentence or two, said when the answer is right
    wrong: Mapping[str, str]  # plausible wrong answers, and words of what the check says to each
    also_right: tuple[str, ...]  # right answers that are written differently from the solution
    limit: float  # seconds
    sample: Callable[[], Any] | None = None  # makes an example of what the answer is called with

    @property
    def answer(self) -> list[str]:
        """The names that the student's cell defines."""
        return list(inspect.signature(self.check).parameters)

    @property
    def minutes(self) -> int:
        """What it takes a student who has just read the lesson; its notebook says so."""
        return exercises.minutes(self.book)[self.number]

    @property
    def book(self) -> Path:
        """The notebook that is handed out."""
        return _book(self.number)

    @property
    def cell(self) -> str:
        """The source of the cell that is handed out."""
        return exercises.source_of(self.book, f"{exercises.task_id(self.number)}-code")


_known: dict[str, Exercise] = {}


def exercise(
    number: str,
    *,
    hints: tuple[str, ...],
    why: str,
    wrong: Mapping[str, str],
    also_right: tuple[str, ...] = (),
    limit: float = LIMIT,
    sample: Callable[[], Any] | None = None,
) -> Callable[[Check], Check]:
    """Register a check.

    Args:
        number: lesson and place, such as `3.2`.
        hints: where to look, what to do, and nearly the answer.
        why: a sentence or two on why it matters, said after "right": true of every right answer.
        wrong: plausible wrong answers, each as it would stand between the marks of the cell, with
            words that the check must say to it.
        also_right: right answers, too, which are written differently from the solution.
        limit: seconds until the check is given up.
        sample: makes an example of what the answer is called with, for the student to look at.

    Raises:
        ValueError: another check has this number, or there is only one hint.
    """

    def register(check: Check) -> Check:
        other = _known.get(number)
        if other and other.check.__qualname__ != check.__qualname__:
            raise ValueError(f"two checks have the number {number}")
        if len(hints) < 2:
            raise ValueError(f"{number} has {len(hints)} hints, and two are the least")
        _known[number] = Exercise(number, check, hints, why, wrong, also_right, limit, sample)
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
            name = f"lessons.authors.checks.exercises_{int(lesson):02}"
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name not in (name, "lessons.authors.checks", "lessons"):
                    raise
    if number not in _known:
        every = [one for book in exercises.books() for one in exercises.numbers(book)]
        raise LessonError(f"There is no exercise {number}; there are {', '.join(every) or 'none'}.")
    return _known[number]


# -- what a notebook calls -------------------------------------------------------------------------


def check(number: str) -> None:
    """Judge your answer to an exercise; print the verdict and, if it is right, what comes next.

    Args:
        number: in quotes, such as "3.2".

    Raises:
        LessonError: there is no such exercise, or no server to judge it with.
    """
    verdict = judge(str(number), _notebook())
    say.line(verdict.said)
    _print_if_any(keep(verdict))
    if verdict.outcome == RIGHT:
        say.line(next_up.in_one_line(kept.load()[0], verdict.number))


def sample_of(number: str) -> Callable[[], Any]:
    """Return a function that makes an example of what your answer to an exercise is called with.

    Args:
        number: in quotes, such as "6.4".

    Raises:
        LessonError: there is no such exercise, or it has no example.
    """
    found = find(str(number)).sample
    if found is None:
        raise LessonError(f"Exercise {number} has no example to look at.")
    return found


def hint(number: str) -> None:
    """Print the next hint for an exercise: where to look, what to do, nearly the answer.

    Args:
        number: in quotes, such as "3.2".

    Raises:
        LessonError: there is no such exercise.
    """
    one = find(str(number))
    given = kept.entry_of(one.number)["hints"]
    if given < len(one.hints):
        say.line(f"Hint {given + 1} of {len(one.hints)}: {one.hints[given]}")
        _print_if_any(kept.save(one.number, hints=1))
        return
    say.line(f"There are no more hints for {one.number}. They were:")
    for text in one.hints:
        print(f"- {language.translated(text)}")
    solution = exercises.folder("solutions") / one.book.name
    say.line(f"The solution is in {solution.relative_to(place.ROOT).as_posix()}.")
    say.line(f"JupyterLab opens it: menu File, Open from Path, authors/solutions/{one.book.name}")


def progress() -> None:
    """Print how many exercises of each lesson you have solved."""
    print(kept.bars())


def judge(number: str, namespace: dict[str, Any]) -> Verdict:
    """Judge the answer that a notebook's names hold.

    Raises:
        LessonError: there is no such exercise, or no server to judge it with.
    """
    one = find(number)
    # Each part by itself: an entry that begins with a value's place would take the words before it for that value.
    missing = language.translated(_not_attempted(one, namespace))
    if missing:
        return Verdict(number, NOT_ATTEMPTED, f"{number} not attempted: {missing}")
    observed = language.translated(_observe(one, namespace))
    if observed:
        return Verdict(number, WRONG, f'{number} wrong: {observed}. For help: hint("{number}")')
    return Verdict(number, RIGHT, f"{number} right. {language.translated(one.why)}")


def keep(verdict: Verdict) -> str:
    """Keep in the progress and on the start page what was tried, and whether it was right.

    Returns:
        A sentence if that was not possible, else "".
    """
    if verdict.outcome == NOT_ATTEMPTED:
        return ""
    return kept.save(verdict.number, right=verdict.outcome == RIGHT) or start_page.write()


def explained(number: str, error: BaseException, namespace: dict[str, Any]) -> str:
    """Say what an error that a student's cell raised has to do with the answer, as words that end a sentence.

    Raises:
        LessonError: it has nothing to do with it, as the database cannot be used.
    """
    if isinstance(error, SyntaxError):
        return f"line {error.lineno} of its cell is not valid Python: {error.msg}"
    return _explain(error, find(number), namespace)


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
        names = language.listed(f"`{name}`" for name in one.answer)
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
        with time_limit(one.limit):
            one.check(*(namespace[name] for name in one.answer))
    except Wrong as found:
        return str(found)
    except TimeIsUp:
        return f"not done after {one.limit:g} s, so something in it waits for ever"
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
    words = f"{name_of(error)}: {language.translated(text)}" if text else name_of(error)
    lines = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals is namespace
    ]
    if not lines:
        return f"your answer cannot be used. Trying it raised {words}"
    frame, line = lines[-1]
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    if isinstance(error, NameError) and error.name in _set_up_names(one.book):
        return f"your code raised {words}: run the set-up cell at the top, then this one again"
    if not code:
        return f"your code raised {words}, in line {line} of its cell"
    return f"your code raised {words}, in line {line} of its cell, `{code}`"


def name_of(error: BaseException) -> str:
    """Return the name of an error's class; a name such as `error`, which is a word as well, with its module."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__name__}" if kind.__name__.islower() else kind.__name__


def _set_up_names(book: Path) -> tuple[str, ...]:
    return compile(exercises.source_of(book, "setup"), "<set-up>", "exec").co_names


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt a block that takes longer. Only the main thread can be, and there a kernel runs cells."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeIsUp

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, NUDGE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@contextmanager
def not_counted() -> Iterator[None]:
    """Stop the clock of the time limit for a block in which the check is slow, and not the answer.

    A process that starts on a busy machine takes as long as it takes.
    """
    left, again = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, again)


# -- the notebook ----------------------------------------------------------------------------------


def _notebook() -> dict[str, Any]:
    """Return the names of the notebook that runs this.

    Raises:
        LessonError: no notebook does.
    """
    shell = kernel.shell()
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
    raise LessonError(f"Lesson {lesson} has no notebook in lessons/authors/exercises/.")


def _print_if_any(sentence: str) -> None:
    if sentence:
        say.line(sentence)
