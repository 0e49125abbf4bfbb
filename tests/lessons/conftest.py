"""What the tests of the lessons share: the notebooks, and a kernel to run them."""

import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from course.place import ROOT

LESSONS = sorted((ROOT / "lessons").glob("*.ipynb"))
Play = Callable[..., "Played"]


class Played:
    """A notebook that was executed."""

    def __init__(self, notebook: nbformat.NotebookNode):
        self.outputs = {cell.id: cell.get("outputs", []) for cell in notebook.cells}
        self.errors = [
            output
            for outputs in self.outputs.values()
            for output in outputs
            if output.output_type == "error"
        ]

    def text(self, cell_id: str) -> str:
        """What a cell printed and displayed, as plain text."""
        texts = [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in self.outputs[cell_id]
        ]
        return "".join(texts)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


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
def play(book, tmp_path, monkeypatch) -> Play:
    """Execute a notebook in order, in a new kernel of this Python, in `lessons/`."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def run(path: Path, allow_errors: bool = False, **environment: str) -> Played:
        notebook = read(path)
        # No folders to look for kernels in: then it is ipykernel's own, which is this Python.
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
        )
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=120,
            allow_errors=allow_errors,
            resources={"metadata": {"path": str(path.parent)}},
        )
        mine = {"IPYTHONDIR": str(tmp_path / "ipython")}
        client.execute(env={**os.environ, **mine, **environment}, cleanup_kc=True)
        assert manager.kernel_spec.argv[0] == sys.executable
        return Played(notebook)

    return run
