"""The exercises as files: the notebooks of exercises, where they come from and where a student works.

    lessons/authors/solutions/NN_topic.ipynb   written by hand; each answer stands between two marks
    lessons/authors/exercises/NN_topic.ipynb   the same without the answers, written by `exercises generate`
    lessons/mine/NN_topic.ipynb        the student's copy, which git ignores

Standard library only: the command line imports it before anything is installed.
"""

import hashlib
import json
import re
import textwrap
from pathlib import Path
from typing import Any

from course.ground import language, optionfile, place
from course.ground.errors import CourseError

BEGIN, INSTEAD, END = "# your code", "# handed out:", "# end of your code"
TAG = "exercise"  # of a cell that holds an answer
MINUTES = "minutes"  # in the metadata of such a cell: how long the exercise takes

# What `check` and the others are until a set-up cell imports the real ones.
WITHOUT_SET_UP = """\
def check(*_):
    print({said!r})


hint = progress = check
"""

Notebook = dict[str, Any]  # JSON, as Jupyter keeps it


def folder(name: str) -> Path:
    """Return the folder of `mine`, the student's own, or of `solutions` or `exercises`, which are the authors'."""
    return place.mine() if name == "mine" else place.lessons() / "authors" / name


def books() -> list[Path]:
    """Return the notebooks of exercises as they are handed out, in the lessons' order."""
    return sorted(folder("exercises").glob("[0-9]*.ipynb"))


def numbers(book: Path) -> list[str]:
    """Return the numbers of a notebook's exercises, such as `3.1`, in order."""
    return list(_minutes(read(book)))


def outline(name: str) -> list[tuple[str, str, int]]:
    """Return number, title and minutes of each exercise in the notebook of that name; nothing if there is none.

    Minutes are 0 where they are not known.
    """
    book = folder("exercises") / name
    if not book.exists():
        return []
    notebook = read(book)
    tasks = {cell.get("id"): cell["source"] for cell in notebook["cells"]}
    return [
        (number, _title(number, tasks.get(task_id(number), "")), takes)
        for number, takes in _minutes(notebook).items()
    ]


def minutes(book: Path) -> dict[str, int]:
    """Return how long each exercise of a notebook takes, by its number."""
    return _minutes(read(book))


def _minutes(notebook: Notebook) -> dict[str, int]:
    """Return the minutes of each exercise, by its number, in order; the cell with the answer names both."""
    found = {}
    for cell in notebook["cells"]:
        if one := re.fullmatch(r"ex-(\d+)-(\d+)-code", cell.get("id", "")):
            found[f"{one[1]}.{one[2]}"] = int(cell["metadata"].get(MINUTES, 0))
    return found


def _title(number: str, task: str) -> str:
    return task.partition("\n")[0].removeprefix(f"### {number}").strip()


def read(path: Path) -> Notebook:
    """Return a notebook; the source of each of its cells is one text.

    Raises:
        CourseError: the file is no notebook.
    """
    try:
        notebook: Notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    except (ValueError, KeyError, TypeError):
        raise CourseError(
            f"{place.shown(path)} is no notebook: restore it with git, or delete your copy of it."
        ) from None
    return notebook


def source_of(book: Path, cell_id: str) -> str:
    """Return the source of the cell with that id, or "" if the notebook has none."""
    found = [cell["source"] for cell in read(book)["cells"] if cell.get("id") == cell_id]
    return str(found[0]) if found else ""


def cells_for(notebook: Notebook, number: str) -> tuple[list[str], list[str]]:
    """Return what a try of an exercise has to run: the set-up with what the lesson's cells give, and the student's own.

    The student's own are all code cells from the task up to the cell with its `check`, also those that were added.
    """
    name = task_id(number)
    set_up: list[str] = []
    own: list[str] = []
    inside = False
    for cell in notebook["cells"]:
        source, cell_id = cell["source"], str(cell.get("id", ""))
        if cell["cell_type"] != "code":
            if re.match(r"#{2,3} ", source):  # a task begins, or what follows the last one
                inside = cell_id == name or source.startswith(f"### {number} ")
        elif cell_id == f"{name}-check" or source.strip() in (
            f'check("{number}")',
            f"check('{number}')",
        ):
            inside = False
        elif cell_id == "setup" or (cell_id.endswith("-given") and not inside and not own):
            set_up.append(source)
        elif inside:
            own.append(source)
    return set_up, own


# -- from solution to exercise ---------------------------------------------------------------------


def generate() -> list[Path]:
    """Write `lessons/authors/exercises/` anew from `lessons/authors/solutions/`; return the notebooks that changed.

    Raises:
        CourseError: a solution lacks its marks.
    """
    target = folder("exercises")
    target.mkdir(exist_ok=True)
    wanted = {path.name: handed_out(path) for path in sorted(folder("solutions").glob("*.ipynb"))}
    changed = []
    for name, text in wanted.items():
        path = target / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in books():
        if path.name not in wanted:
            path.unlink()
            changed.append(path)
    return changed


def handed_out(solution: Path) -> str:
    """Return the text of the notebook that is handed out for a notebook of solutions.

    Raises:
        CourseError: a cell lacks the marks around its answer.
    """
    notebook = read(solution)
    for cell in notebook["cells"]:
        if TAG in cell["metadata"].get("tags", []):
            try:
                cell["source"] = emptied(cell["source"])
            except ValueError as error:
                raise CourseError(
                    f"{place.shown(solution)}, cell {cell.get('id')}: {error}."
                ) from None
    for number, takes in _minutes(notebook).items():
        for cell in notebook["cells"]:
            if takes and cell.get("id") == task_id(number):
                heading, blank, task = cell["source"].partition("\n\n")
                cell["source"] = f"{heading}{blank}*About {takes} minutes.* {task}"
    return without_outputs(notebook)


def task_id(number: str) -> str:
    """Return the id of the cell with the task, such as `ex-3-1`."""
    return f"ex-{number.replace('.', '-')}"


def emptied(source: str) -> str:
    """Return a cell without its answer: with `...`, or with what the cell says to hand out instead.

    Raises:
        ValueError: the marks are missing.
    """
    before, answer, after = _parts(source)
    indent = _indent(before[-1])
    found = [line.strip() for line in answer]
    if INSTEAD in found:
        commented = answer[found.index(INSTEAD) + 1 :]
        given = [re.sub(r"^(\s*)# ?", r"\1", line) for line in commented]
    else:
        given = [f"{indent}..."]
    return "\n".join([*before, *given, *after])


def answered(source: str, answer: str) -> str:
    """Return a cell with another answer between the marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, _, after = _parts(source)
    lines = textwrap.dedent(answer).strip("\n")
    return "\n".join([*before, textwrap.indent(lines, _indent(before[-1])), *after])


def _parts(source: str) -> tuple[list[str], list[str], list[str]]:
    """Split a cell into the lines up to the first mark, the answer, and the rest from the second."""
    lines = source.splitlines()
    marks = [index for index, line in enumerate(lines) if line.strip() in (BEGIN, END)]
    if [lines[index].strip() for index in marks] != [BEGIN, END]:
        raise ValueError(f"an answer stands between one line `{BEGIN}` and one line `{END}`")
    first, last = marks
    return lines[: first + 1], lines[first + 1 : last], lines[last:]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def without_outputs(notebook: Notebook) -> str:
    """Return a notebook without outputs as text."""
    cells = []
    for cell in notebook["cells"]:
        kept = {**cell, "source": cell["source"].splitlines(keepends=True)}
        if cell["cell_type"] == "code":
            kept |= {"outputs": [], "execution_count": None}
        cells.append(kept)
    return as_text({**notebook, "cells": cells})


def as_text(notebook: Notebook) -> str:
    """Return a notebook as text, laid out as Jupyter does."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


# -- the student's copies --------------------------------------------------------------------------


def hand_out() -> list[str]:
    """Give the student a copy of each notebook, or of a new version of it; return what to say.

    A copy in which the student has changed something is never touched: the new version comes to
    lie beside it.
    """
    mine = folder("mine")
    mine.mkdir(exist_ok=True)
    said = []
    for book in books():
        copy = mine / book.name
        beside = copy.with_suffix(".new.ipynb")
        if not copy.exists() or _is_untouched(copy):
            _give(book, copy)
            continue
        is_old = _version(copy) != _digest(read(book))
        is_free = not beside.exists() or _is_untouched(beside)
        if is_old and is_free and _give(book, beside):
            said.append(
                f"{book.name} has a new version: it is in {place.shown(beside)}, and your "
                f"{place.shown(copy)} stays as you left it."
            )
    return said


def _give(book: Path, copy: Path) -> bool:
    """Copy a notebook unless the copy is of this version; say whether there was anything to do."""
    notebook = read(book)
    version = _digest(notebook)
    if copy.exists() and _version(copy) == version:
        return False
    optionfile.write_private(copy, _copied(notebook))
    return True


def _copied(notebook: Notebook) -> str:
    """Return the text of a student's copy: the notebook, and which version it is."""
    versioned = {**notebook["metadata"], "course": {"version": _digest(notebook)}}
    return without_outputs({**notebook, "metadata": versioned})


def _is_untouched(copy: Path) -> bool:
    """Say whether the cells are still those that were handed out; having run them does not count."""
    try:
        return _digest(read(copy)) == _version(copy)
    except CourseError:
        return False


def is_as_handed_out(copy: Path) -> bool:
    """Say whether a copy holds, letter for letter, what we wrote: no answer yet, no output, nothing of anybody else's."""
    book = folder("exercises") / copy.name
    try:
        return book.exists() and copy.read_text("utf-8") == _copied(read(book))
    except (CourseError, OSError, UnicodeDecodeError):
        return False


def _version(copy: Path) -> str:
    """Return the digest of the cells that were copied; "" where that is not known."""
    try:
        return str(read(copy)["metadata"]["course"]["version"])
    except (CourseError, KeyError, TypeError):
        return ""


def _digest(notebook: Notebook) -> str:
    cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def prepare_kernels(profile: Path) -> None:
    """Let a notebook whose set-up cell has not run answer with a sentence, where Python would say NameError.

    Args:
        profile: the folder of IPython's profile that the kernels use.
    """
    startup = profile / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    said = language.translated(
        "Nothing is checked yet: run the set-up cell at the top of this notebook first."
    )
    (startup / "exercises.py").write_text(WITHOUT_SET_UP.format(said=said), "utf-8")
