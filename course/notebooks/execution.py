"""Execute lessons from a clean kernel, in order, and keep their outputs: `python3 -m course lessons run`."""

import contextlib
import copy
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from course.database import server, target
from course.ground import say
from course.ground.errors import CourseError
from course.notebooks import comparison, exercises, lessons, reading_time, run_sheet
from course.notebooks.reading_time import guesses, settled

CELL_LIMIT = 120  # seconds for one cell, and for the kernel's start
SAID_LIMIT = 30  # seconds for what a cell has printed to arrive, once it is done
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass
class Played:
    """A notebook that was executed."""

    notebook: NotebookNode
    seconds: dict[str, float] = field(default_factory=dict)  # that each cell took, by its id


def read(path: Path) -> NotebookNode:
    """Return a notebook."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, laid out as Jupyter does; a reader meets the old file or the new one."""
    new = path.with_suffix(".new")
    new.write_text(nbformat.writes(notebook) + "\n", "utf-8")  # type: ignore[no-untyped-call]
    new.replace(path)


def play(
    notebook: NotebookNode,
    folder: Path,
    *,
    allow_errors: bool = False,
    environment: dict[str, str] | None = None,
    each: Callable[[], None] = lambda: None,
) -> Played:
    """Execute a copy of a notebook in order, in a new kernel of this Python.

    Args:
        notebook: stays as it is.
        folder: where the kernel works.
        allow_errors: go on after a cell that failed.
        environment: more of it for the kernel.
        each: called after each code cell.

    Raises:
        CellExecutionError: a cell failed.
    """
    played = Played(copy.deepcopy(notebook))
    played.notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    began: dict[str, float] = {}

    def begin(cell: NotebookNode, cell_index: int) -> None:
        began[cell.id] = perf_counter()

    def end(cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
        played.seconds[cell.id] = perf_counter() - began[cell.id]
        each()

    with tempfile.TemporaryDirectory(prefix="course-lessons-", dir=_short()) as own:
        # No folders to look for kernels in: then it is ipykernel's own, which is this Python.
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
        )
        manager.transport = "ipc"  # files of our own, and no port
        manager.connection_file = str(Path(own) / "kernel.json")
        client = NotebookClient(
            played.notebook,
            km=manager,
            timeout=CELL_LIMIT,
            startup_timeout=CELL_LIMIT,
            iopub_timeout=SAID_LIMIT,
            allow_errors=allow_errors,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=begin,
            on_cell_executed=end,
        )
        clean = {"IPYTHONDIR": str(Path(own) / "ipython"), "PYTHONUTF8": "1"}
        client.execute(env={**os.environ, **clean, **(environment or {})}, cleanup_kc=True)
    played.notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    return played


def _short() -> str | None:
    # A kernel's files must have short names; a temporary folder deep below another would not.
    return "/tmp" if Path("/tmp").is_dir() else None


def seed(settings: dict[str, str]) -> None:
    """Restore the starting state on the server that the settings lead to.

    Raises:
        CourseError: the server did not let us.
    """
    target.run_demo("demos.pool_demo.seed", environment=settings)


def renew(
    lesson: lessons.Lesson, each: Callable[[], None] = lambda: None, measure: bool = False
) -> None:
    """Execute a lesson on the seed and keep its outputs.

    Args:
        lesson: its notebook is written anew.
        each: called after each code cell.
        measure: take the new figures also where nothing else is new.

    Raises:
        CourseError: a cell failed; nothing is written then.
    """
    seed({})
    before = lesson.path.read_bytes()
    notebook = read(lesson.path)
    try:
        played = play(notebook, lesson.path.parent, each=each)
    except CellExecutionError as error:
        raise CourseError(
            f"{lesson.name} failed and stays as it was: mend the cell below and run the same command again.",
            re.sub(r"\x1b\[[\d;]*m", "", str(error)),
        ) from None
    if lesson.path.read_bytes() != before:
        raise CourseError(
            f"{lesson.name} was changed while it ran, so its outputs were not kept: run the same command again."
        )
    if not measure:
        comparison.keep_figures(notebook, played.notebook)
    _drop_links(played.notebook)
    found = reading_time.sections(played.notebook, played.seconds)
    minutes = settled(lesson.minutes, reading_time.total(found), 5)
    deeper = reading_time.total(found, deeper=True)
    more = settled(lesson.deeper, deeper, 5) if deeper else 0
    first = played.notebook.cells[0]
    first.source = with_minutes(first.source, minutes, more, exercises_of(lesson))
    number(played.notebook)
    write(played.notebook, lesson.path)
    page = run_sheet.file().read_text("utf-8")
    run_sheet.file().write_text(run_sheet.renewed(page, lesson, (minutes, more), found), "utf-8")


def number(notebook: NotebookNode) -> None:
    """Number the cells that have run, and their results, in order. The student's are left out: they wait for a guess."""
    ran = (cell for cell in notebook.cells if cell.cell_type == "code")
    count = 0
    for cell in ran:
        count += not guesses(cell)
        cell.execution_count = None if guesses(cell) else count
        for output in comparison.outputs(cell):
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count


def _drop_links(notebook: NotebookNode) -> None:
    """Take out the links to demos that ran beside the lesson: nothing answers there any more. Their plain text stays."""
    for cell in notebook.cells:
        for output in comparison.outputs(cell):
            if "://127.0.0.1:" in output.get("data", {}).get("text/html", ""):
                del output.data["text/html"]


def exercises_of(lesson: lessons.Lesson) -> int:
    """Return the minutes that the exercises of a lesson take together; 0 if it has none."""
    return sum(takes for _, _, takes in exercises.outline(lesson.path.name))


def with_minutes(source: str, minutes: int, deeper: int, practice: int) -> str:
    """Return a lesson's first cell with its minutes, below what one needs.

    Args:
        source: of the cell.
        minutes: to read it.
        deeper: for the part that can be skipped; 0 if there is none.
        practice: for the exercises, which are not in the others; 0 if there are none.
    """
    takes = str(minutes)
    if practice:
        takes = f"{minutes}, and about {practice} for the exercises"
    if deeper:
        takes = f'{minutes}, and {deeper} for the part "Going deeper", which you can skip'
    if deeper and practice:
        takes = (
            f'{minutes}, and {deeper} for the part "Going deeper", which you can skip; about '
            f"{practice} for the exercises"
        )
    line = f"**Minutes:** {takes}"
    if "**Minutes:**" in source:
        return re.sub(r"^\*\*Minutes:\*\*.*$", line, source, flags=re.MULTILINE)
    return re.sub(
        r"(\*\*What you need.*?)(\n\n|\Z)", rf"\1\n\n{line}\2", source, count=1, flags=re.DOTALL
    )


@contextlib.contextmanager
def own_server() -> Iterator[None]:
    """Have a private server for a block, with nobody else's rows and callers; MYSQL_* lead to it."""
    before = dict(os.environ)
    with (
        tempfile.TemporaryDirectory(prefix="course-", dir=_short()) as folder,
        server.Lease(Path(folder) / "server") as lease,
    ):
        for name in target.NAMES:
            os.environ.pop(name, None)
        os.environ.update(lease.status.as_environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def main(words: list[str]) -> int:
    """Renew the lessons that are named, and show how far that is; return the exit code. `--measure`: see `renew`."""
    measure = lessons.MEASURE in words
    chosen = lessons.chosen([word for word in words if word != lessons.MEASURE])
    with own_server():
        for lesson in chosen:
            cells = sum(cell.cell_type == "code" for cell in read(lesson.path).cells)
            with say.progress(lesson.name, cells) as progress:
                renew(lesson, progress.advance, measure)
    return 0


if __name__ == "__main__":
    say.prepare()
    sys.exit(say.ending(lambda: main(sys.argv[1:])))
