"""What a notebook's kernel says instead of a traceback: no set-up yet, a cell not run, or the database gone.

The environment's IPython loads this as an extension when a kernel starts (`environment.py` writes the
setting); `lesson.ready()` adds what needs the driver.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from course.ground import language, place
from course.ground.errors import LessonError

RUN_ABOVE = "Run the cells above this one first (menu Run, Run All Above Selected Cell)."
ASK_LIMIT = 60.0  # seconds to find out whether the database answers
# JupyterLab writes what a kernel says of its language into the notebook. Of our notebooks this is what they say
# already; with Python's exact version in it, each would be changed by being opened.
LANGUAGE = {"name": "python"}
SET_UP_FIRST = "Run the set-up cell first: it is the first cell with code."


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython calls it, and has no types
    """Explain a name that is missing because the set-up cell has not run; leave an opened notebook as it is."""
    shell.set_custom_exc((NameError,), _show)
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:  # a terminal's shell has none
        kernel.language_info = LANGUAGE


def watch(*errors: type[Exception]) -> None:
    """Explain these errors too, from now on in this kernel; outside a kernel, do nothing."""
    if (mine := shell()) is not None:
        mine.set_custom_exc((NameError, *errors), _show)


def shell() -> Any:  # noqa: ANN401 - IPython has no types
    """Return the shell of the kernel that runs this; None outside a kernel, and where there is no IPython."""
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return None
    return get_ipython()


def explanation(error: BaseException) -> str:
    """Return cause and cure of an error in one sentence; "" if its traceback says more."""
    if isinstance(error, NameError):
        if _is_lesson() and "course.lesson" not in sys.modules:
            return SET_UP_FIRST
        line = _maker_of(error.name or "")
        return f"An earlier cell makes {error.name}: `{line}`. {RUN_ABOVE}" if line else ""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "demos.pool_demo.where"],
            cwd=place.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONUTF8": "1"},
            timeout=ASK_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:  # it takes connections and says nothing
        return ""
    said = done.stderr.strip().splitlines()
    if done.returncode != 0 and len(said) == 1:  # the demos' own sentence
        cure = language.translated("Then run this notebook again from its set-up cell.")
        return f"{language.translated(said[0])} {cure}"
    return ""


def _maker_of(name: str) -> str:
    """Return the line of this kernel's notebook that makes a name; "" if there is none."""
    try:
        cells = json.loads(Path(os.environ["JPY_SESSION_NAME"]).read_text("utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (KeyError, TypeError, ValueError, OSError):  # no notebook that we could read
        return ""
    for source in sources:
        with contextlib.suppress(SyntaxError):
            for node in ast.parse(source).body:
                if name in _names_made(node):
                    return source.splitlines()[node.lineno - 1].rstrip(" :")
    return ""


def _names_made(node: ast.stmt) -> set[str]:
    """Return the names that a statement makes in the notebook: variables, functions, imports."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(one.asname or one.name).partition(".")[0] for one in node.names}
    inside = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
    return {one.id for one in inside if isinstance(one.ctx, ast.Store)}


def _is_lesson() -> bool:
    """Say whether this kernel's notebook may be one of the course; who starts it need not tell."""
    name = Path(os.environ.get("JPY_SESSION_NAME", "00_unknown")).stem
    return bool(re.match(r"\d\d_", name))


def _show(
    shell: Any,  # noqa: ANN401
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show the sentence if there is one, else the ordinary traceback."""
    sentence = explanation(error)
    if sentence:
        found = LessonError(sentence)
        shell.showtraceback((LessonError, found, None))
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset, running_compiled_code=True)
