"""The cells of the lessons that lead to the exercises: "Now you: 3.1", each after the section that it needs.

Where such a cell stands is chosen in the lesson. What it says comes from the notebook of exercises:
`python3 -m course exercises generate` writes it.

Standard library only: the command line imports it before anything is installed.
"""

import json
from pathlib import Path
from typing import Any

from course.ground import language, place
from course.notebooks import exercises

Cells = list[dict[str, Any]]  # JSON, as Jupyter keeps it

MARK = "now-you-"  # how the ids of these cells begin
END = "## Summary"  # how the cell begins before which a new one is put


def cell_id(number: str) -> str:
    """Return the id of the cell that leads to an exercise, such as `now-you-3-1`."""
    return MARK + number.replace(".", "-")


def sentence(book: Path, number: str, title: str, minutes: int) -> str:
    """Return what the cell says: the exercise's number, its title as a link, and its minutes if they are not 0."""
    # JupyterLab opens a notebook at that cell.
    link = f"mine/{book.name}#cell-id={exercises.task_id(number)}"
    takes = f", about {minutes} minutes" if minutes else ""
    return language.translated(f"**Now you: {number}** — [{title}]({link}){takes}")


def renewed(cells: Cells, book: Path) -> tuple[Cells, list[str]]:
    """Return a lesson's cells with those that lead to its exercises as they have to be.

    Args:
        cells: of the lesson; they stay as they are.
        book: its notebook of exercises, as it is handed out.

    Returns:
        The cells, and the numbers of the exercises whose cells are new: they stand before the summary.
    """
    tasks = exercises.outline(book.name)
    says = {cell_id(task[0]): [sentence(book, *task)] for task in tasks}
    wanted = {cell_id(number): number for number, *_ in tasks}
    kept = []
    for cell in cells:
        if cell["id"] in wanted:
            kept.append(cell | {"source": says[cell["id"]]})
            del wanted[cell["id"]]
        elif not cell["id"].startswith(MARK):
            kept.append(cell)
    end = next(
        (n for n, cell in enumerate(kept) if "".join(cell["source"]).startswith(END)), len(kept)
    )
    kept[end:end] = [
        {"cell_type": "markdown", "id": name, "metadata": {}, "source": says[name]}
        for name in wanted
    ]
    return kept, list(wanted.values())


def write() -> list[str]:
    """Write these cells of all lessons anew; return what to say."""
    said = []
    for book in exercises.books():
        path = place.ROOT / "lessons" / book.name
        if not path.exists():
            continue
        lesson = json.loads(path.read_text("utf-8"))
        cells, new = renewed(lesson["cells"], book)
        if cells != lesson["cells"]:
            path.write_text(exercises.as_text(lesson | {"cells": cells}), "utf-8")
            said.append(f"written: {place.shown(path)}")
        if new:
            said.append(
                f"{', '.join(new)} stand before the summary of {path.name}: move each "
                f"`{MARK}` cell to the end of the section that it needs."
            )
    return said
