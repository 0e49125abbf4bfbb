"""How two runs of a lesson differ, and what the figures of a run did not bear out."""

import difflib
import re

from nbformat import NotebookNode

from course.lesson import NOT_THIS_TIME
from course.notebooks.comparison import lines, pictures, text


def differences(kept: NotebookNode, new: NotebookNode, database: str = "book") -> str:
    """Return how a new run in a database differs from what a notebook keeps: by cell, as a diff; "" if it does not."""
    found = []
    for before, after in zip(kept.cells, new.cells, strict=True):
        said = lines(before), lines(after, database)
        diff = list(difflib.unified_diff(*said, "kept", "new", lineterm=""))
        if diff:
            found.append(f"cell {after.id}:\n" + "\n".join(diff))
        if sorted(pictures(before)) != sorted(pictures(after)):
            found.append(
                f"cell {after.id}: kept pictures {pictures(before)}, new {pictures(after)}"
            )
    return "\n\n".join(found)


def claims(cell: NotebookNode) -> list[str]:
    """Return the sentences of a cell's outputs without a digit."""
    return [
        line
        for line in text(cell).splitlines()
        if re.fullmatch(r"\W*[A-Z`'].* .*[.!]", line) and not any(map(str.isdigit, line))
    ]


def failed_claims(notebook: NotebookNode) -> list[str]:
    """Return what the figures of this run did not bear out: on a busy machine that can happen."""
    found = [line for cell in notebook.cells for line in text(cell).splitlines()]
    return [line for line in found if line.startswith(NOT_THIS_TIME)]
