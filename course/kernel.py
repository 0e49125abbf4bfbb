"""What a notebook's kernel says instead of a traceback: no set-up yet, or the database is gone.

The environment's IPython loads this as an extension when a kernel starts (`environment.py` writes the
setting); `lesson.ready()` adds what needs the driver.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from course import place
from course.errors import LessonError

SET_UP_FIRST = "Run the set-up cell first: it is the first cell with code."


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython calls it, and has no types
    """Explain a name that is missing because the set-up cell has not run."""
    shell.set_custom_exc((NameError,), _show)


def watch(*errors: type[Exception]) -> None:
    """Explain these errors too, from now on in this kernel; outside a kernel, do nothing."""
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NameError, *errors), _show)


def explanation(error: BaseException) -> str:
    """Return cause and cure of an error in one sentence; "" if its traceback says more."""
    if isinstance(error, NameError):
        return SET_UP_FIRST if _is_lesson() and "course.lesson" not in sys.modules else ""
    done = subprocess.run(
        [sys.executable, "-m", "demos.pool_demo.where"],
        cwd=place.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
    )
    said = done.stderr.strip().splitlines()
    if done.returncode != 0 and len(said) == 1:  # the demos' own sentence
        return f"{said[0]} Then run this notebook again from its set-up cell."
    return ""


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
