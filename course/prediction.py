"""What a student guesses before a cell runs, told beside what then ran: the cells with `predict` in the lessons.

    # How many connections?
    predict("03-pool-import", 3)

The name is the number of the lesson and the id of the cell that answers. Which part of that cell's output is the
answer stands in `lessons/authors/predictions.toml`; the answer itself comes from the run.
"""

from __future__ import annotations

import difflib
import functools
import re
import sys
import tomllib
from dataclasses import dataclass, field
from typing import Any

from course.ground import kernel, language, place, say
from course.ground.errors import LessonError

TABLE = place.ROOT / "lessons" / "authors" / "predictions.toml"
ARTICLES = {"a", "an", "the"}
NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
HAN_NUMBERS = ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
YES, NO = (
    {"yes", "y", "true", "是", "对", "会", "能"},
    {"no", "n", "false", "否", "不", "不会", "不能"},
)


@dataclass(frozen=True)
class Prediction:
    """What a lesson asks before a cell runs: where the answer stands in the cell's output."""

    name: str  # lesson and cell, such as `03-pool-import`
    answer: tuple[
        str, ...
    ]  # regular expressions; their groups, or else what they match, are the answers
    count: bool = False  # the answers are how often each of them matches
    yes: str = (
        ""  # a regular expression: the answers are "yes" where it is found in them, else "no"
    )
    factor: float = 1.0  # a number is near enough if it is within this factor
    # other words for an answer, such as its number in a table
    same: dict[str, list[str]] = field(default_factory=dict)
    compare: bool = False  # the student compares: no verdict is given

    @property
    def cell(self) -> str:
        """The id of the cell that answers."""
        return self.name.partition("-")[2]

    def answers(self, said: str) -> list[str]:
        """Return the answers that an output holds, in order.

        Args:
            said: what the cell printed and displayed, as text.
        """
        found: list[str] = []
        for pattern in self.answer:
            matches = list(re.finditer(pattern, said, re.MULTILINE))
            if self.count:
                found.append(str(len(matches)))
            else:
                found += [part for one in matches for part in one.groups() or (one[0],)]
        if self.yes:
            return ["yes" if re.search(self.yes, one) else "no" for one in found]
        return [one.strip() for one in found]

    def is_answered_by(self, said: str) -> bool:
        """Say whether an output holds an answer."""
        return any(re.search(pattern, said, re.MULTILINE) for pattern in self.answer)

    def told(self, guess: list[object], said: str) -> str:
        """Return the guess beside the answer, and whether they agree: two lines.

        Args:
            guess: its parts; `...` for one that is not given.
            said: what the cell printed and displayed, as text.
        """
        answers = self.answers(said)
        mine = ", ".join("..." if part is ... else str(part) for part in guess)
        words = {}
        if self.yes:
            words = {"yes": language.translated("yes"), "no": language.translated("no")}
        ran = ", ".join(words.get(one, one) for one in answers)
        if self.compare:
            return f"Your guess: {mine}\nCompare:    {ran}"
        return f"Your guess: {mine}\nWhat ran:   {ran}    {self._verdict(guess, answers)}"

    def _verdict(self, guess: list[object], answers: list[str]) -> str:
        if len(guess) != len(answers):
            return f"(Your guess has {len(guess)} of {len(answers)} parts.)"
        pairs = zip(guess, answers, strict=True)
        given = [(str(mine), answer) for mine, answer in pairs if mine is not ...]
        right = sum(
            any(_agree(mine, one, self.factor) for one in (answer, *self.same.get(answer, ())))
            for mine, answer in given
        )
        if len(given) > 1 and 0 < right < len(given):
            return f"{right} of {len(given)} agree."
        if right and self.factor > 1 and any(map(_differ, given)):
            return "Near enough."
        return "They agree." if right else "They differ."


@functools.cache
def every() -> dict[str, Prediction]:
    """Return all predictions of the lessons, by their names."""
    found = {}
    for name, entry in tomllib.loads(TABLE.read_text("utf-8")).items():
        patterns = entry.pop("answer")
        answer = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        found[name] = Prediction(name, answer, **entry)
    return found


def predict(name: str, *guess: object) -> None:
    """Keep a guess; when the cell that answers has run, the two stand side by side below it.

    Args:
        name: as it stands in the lesson, such as `03-pool-import`.
        guess: a number, a text, or several; as long as all of them are `...`, nothing happens.

    Raises:
        LessonError: the lessons have no prediction of that name.
    """
    if name not in every():
        near = difflib.get_close_matches(name, every(), n=1, cutoff=0)
        raise LessonError(
            f'There is no prediction "{name}": write "{near[0]}", as the lesson has it.'
        )
    _watch.keep(every()[name], _parts(guess))


# -- the kernel ------------------------------------------------------------------------------------


class _Copy:
    """Passes on what is printed, and keeps it."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - the kernel's own kind of stream
        self.stream = stream
        self.said: list[str] = []

    def write(self, text: str) -> int:
        self.said.append(text)
        return int(self.stream.write(text))

    def hear(self, english: str, shown: str) -> None:
        """Show a line in the reader's language, and keep its English: there the answers are looked for."""
        self.said.append(f"{english}\n")
        self.stream.write(f"{shown}\n")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.stream, name)


class _Watch:
    """Keeps the guesses of a kernel, and what the cells that answer have printed and displayed."""

    def __init__(self) -> None:
        self.guesses: dict[str, list[object]] = {}  # by the prediction's name
        self.ran: dict[str, str] = {}  # by the id of the cell
        self.copy: _Copy | None = None  # of what the running cell prints
        self.asked = False  # the running cell is one that guesses

    def keep(self, one: Prediction, guess: list[object]) -> None:
        """Keep a guess, and say so; also if it comes too late."""
        self.asked = True
        self.guesses[one.name] = guess
        if not _is_given(guess):
            return
        if one.cell in self.ran:
            say.line("The cell below has run already, so this is no prediction any more.")
            say.line(one.told(guess, self.ran[one.cell]))
        else:
            say.line("Noted. Now run the cell below.")

    def begin(self, _info: Any) -> None:  # noqa: ANN401 - IPython calls it, and has no types
        """Listen to what a cell prints."""
        self.asked = False
        self.copy = sys.stdout = _Copy(sys.stdout)

    def display(self, message: Any) -> Any:  # noqa: ANN401
        """Listen to what a cell displays; pass it on."""
        if self.copy and "text/plain" in message["content"].get("data", {}):
            self.copy.said.append(message["content"]["data"]["text/plain"] + "\n")
        return message

    def end(self, result: Any) -> None:  # noqa: ANN401
        """Tell the guess beside the answer, if this cell has answered one."""
        if self.copy is None:
            return
        said = "".join(self.copy.said)
        if result.result is not None:
            said += f"{result.result!r}\n"
        if sys.stdout is self.copy:
            sys.stdout = self.copy.stream
        self.copy = None
        if not self.asked:
            self._tell(str(result.info.cell_id or ""), said)

    def _tell(self, cell: str, said: str) -> None:
        for name, one in every().items():
            # JupyterLab names the cell. Where nobody does, the answer is in the first output that holds one.
            is_named = re.fullmatch(r"[\w-]+", cell)
            answers = cell == one.cell if is_named else name in self.guesses
            if answers and one.is_answered_by(said):
                self.ran[one.cell] = said
                guess = self.guesses.get(name, []) if is_named else self.guesses.pop(name)
                if _is_given(guess):
                    say.line(one.told(guess, said))


_watch = _Watch()


def _register() -> None:
    """Listen to the cells of the kernel that imports this; outside a kernel, do nothing."""
    shell = kernel.shell()
    if shell is not None:
        shell.events.register("pre_run_cell", _watch.begin)
        shell.events.register("post_run_cell", _watch.end)
        if hasattr(shell.display_pub, "register_hook"):
            shell.display_pub.register_hook(_watch.display)


_register()

# -- what agrees -----------------------------------------------------------------------------------


def _parts(guess: object) -> list[object]:
    """Return the parts of a guess; a list in it has several."""
    if isinstance(guess, (list, tuple)):
        return [part for one in guess for part in _parts(one)]
    return [guess]


def _is_given(guess: list[object]) -> bool:
    return any(part is not ... for part in guess)


def _agree(guess: str, answer: str, factor: float) -> bool:
    """Say whether a guess is the answer: numbers as numbers, words without case, signs and articles."""
    right = _number(answer)
    if right is None or answer.strip() != re.sub(r"[^\d.,-]", "", answer):
        return _words(guess) == _words(answer)
    mine = _number(guess)
    if mine is None:
        return False
    return mine == right or (mine * right > 0 and 1 / factor <= mine / right <= factor)


def _differ(pair: tuple[str, str]) -> bool:
    guess, answer = pair
    return not _agree(guess, answer, 1.0)


def _number(text: str) -> float | None:
    """Return the one number that a text holds, in digits or as a word; None if it holds none or several."""
    for words in (NUMBERS, HAN_NUMBERS):
        if text.strip().casefold() in words:
            return float(words.index(text.strip().casefold()))
    found = re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))
    return float(found[0]) if len(found) == 1 else None


def _words(text: str) -> list[str]:
    words = [word for word in re.findall(r"\w+", text.casefold()) if word not in ARTICLES]
    return ["yes" if word in YES else "no" if word in NO else word for word in words]
