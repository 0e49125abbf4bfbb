"""How long a lesson takes, counted and not guessed: what there is to read, to think about, and to wait for.

The figures below are a model of one student who reads with care, by section; a class that talks takes longer.
Sections that may be skipped are marked, so that their minutes can be named apart.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course.notebooks import now_you

if TYPE_CHECKING:
    from nbformat import NotebookNode

WORDS_A_MINUTE = 150  # of prose in a second language
LINE = 6.0  # seconds for a line of code, of a cell or shown from a file; imports are skipped
PREDICTION = 30.0  # seconds to predict and to type the guess, before a cell is run
LONGEST = 45  # minutes a lesson may take, without the sections that may be skipped

ASK = "**Predict, then run.**"
GUESS = "-guess"  # how the id of the cell ends into which the student types the guess
DEEPER = "## Going deeper"  # the sections after this heading, up to the summary, may be skipped


@dataclass
class Section:
    """A section of a lesson, with what it takes."""

    title: str  # such as "1. Python"; the cells before the first and after the last have titles too
    seconds: float = 0.0
    deeper: bool = False  # whether it may be skipped

    @property
    def minutes(self) -> float:
        """What it takes, in minutes."""
        return self.seconds / 60


def sections(notebook: "NotebookNode", runs: Mapping[str, float]) -> list[Section]:
    """Return what each section of an executed lesson takes, in order.

    Args:
        notebook: with its outputs, since they show code.
        runs: the seconds that each cell took to run, by its id.
    """
    found = [Section("What you need, and set-up")]
    deeper = False
    for cell in notebook.cells:
        deeper = deeper or cell.source.startswith(DEEPER)
        heading = re.match(r"## (\d+\. .*|Summary)", cell.source)
        if heading:
            found.append(Section(heading[1], deeper=deeper and heading[1] != "Summary"))
        found[-1].seconds += _reading(cell) + runs.get(cell.id, 0.0)
    return found


def total(found: Iterable[Section], deeper: bool = False) -> float:
    """Return the minutes of all sections that have to be read, or of those that may be skipped."""
    return sum(section.minutes for section in found if section.deeper == deeper)


def settled(kept: int | None, found: float, step: int) -> int:
    """Return a rounded figure: the one that was kept, while the model is near it.

    So a run that is a moment slower than the last one changes no file.
    """
    if kept is not None and abs(found - kept) <= 0.75 * step:
        return kept
    return max(step, step * round(found / step))


def guesses(cell: "NotebookNode") -> bool:
    """Say whether a cell is one into which the student types a guess."""
    return bool(cell.cell_type == "code" and cell.id.endswith(GUESS))


def _reading(cell: "NotebookNode") -> float:
    if guesses(cell) or cell.id.startswith(now_you.MARK):  # the former are part of PREDICTION
        return 0.0
    if cell.cell_type == "markdown":
        # What is folded is for those who miss it; the others go on.
        unfolded = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
        words = len(re.findall(r"[\w'.`]*\w[\w'.`]*", unfolded))
        asked = len(re.findall(re.escape(ASK), cell.source))
        return 60 * words / WORDS_A_MINUTE + PREDICTION * asked
    lines: list[str] = [] if cell.id == "setup" else _code(cell.source)
    for output in cell.get("outputs", []):
        shown = output.get("data", {}).get("text/markdown", "")
        for block in re.findall(r"^(`{3,})\w*\n(.*?)\n\1$", shown, re.MULTILINE | re.DOTALL):
            lines += _code(block[1])
    return LINE * len(lines)


def _code(source: str) -> list[str]:
    """Return the lines of a source that are read."""
    skipped = ("import ", "from ")
    return [
        line
        for line in source.splitlines()
        if re.search(r"\w", line) and not line.startswith(skipped)
    ]
