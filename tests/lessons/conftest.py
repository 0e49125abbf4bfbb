"""What the tests of the lessons share: the notebooks, and a kernel to run them."""

import ast
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from course.ground import tools
from course.ground.place import ROOT
from course.notebooks import comparison, execution, lessons

LESSONS = [lesson.path for lesson in lessons.every()]
Play = Callable[..., "Played"]


class Played:
    """A notebook that was executed."""

    def __init__(self, played: execution.Played):
        self.notebook, self.seconds = played.notebook, played.seconds
        self.outputs = {cell.id: cell.get("outputs", []) for cell in self.notebook.cells}
        self.errors = [
            output
            for outputs in self.outputs.values()
            for output in outputs
            if output.output_type == "error"
        ]

    def text(self, cell_id: str) -> str:
        """What a cell printed and displayed, as plain text."""
        (cell,) = [cell for cell in self.notebook.cells if cell.id == cell_id]
        return comparison.text(cell)


def read(path: Path) -> nbformat.NotebookNode:
    return execution.read(path)


def calls(path: Path, function: str) -> list[list[str]]:
    """The constant arguments of every call of a function in a notebook's code."""
    found = []
    for cell in read(path).cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
                    found.append([argument.value for argument in node.args])
    return found


@pytest.fixture
def play(book, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Execute a notebook in order, in a new kernel of this Python, in its folder or another."""
    redis = tools.find("redis-server")
    if redis:  # so that a test with a state folder of its own does not fetch another one
        monkeypatch.setenv(tools.RECIPES["redis-server"].variable, str(redis.path))

    def run(
        notebook: Path | nbformat.NotebookNode,
        allow_errors: bool = False,
        folder: Path = ROOT / "lessons",
        **environment: str,
    ) -> Played:
        if isinstance(notebook, Path):
            notebook = read(notebook)
        return Played(
            execution.play(notebook, folder, allow_errors=allow_errors, environment=environment)
        )

    return run
