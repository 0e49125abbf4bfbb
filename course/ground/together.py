"""Two long pieces of work at the same time: they end together, by a failure of either or by Ctrl-C.

What they run as processes is started here, so that it can be ended from here.
"""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from course.ground import tether
from course.ground.errors import CourseError

END_LIMIT = 10.0  # seconds that work has to tidy up after its process was ended

_TEXT: dict[str, Any] = {"text": True, "encoding": "utf-8", "errors": "replace"}

_lock = threading.Lock()
_running: set[subprocess.Popen[Any]] = set()
_ending = False


@contextmanager
def started(command: Sequence[str | Path], **more: Any) -> Iterator[subprocess.Popen[Any]]:  # noqa: ANN401
    """Have a process for a block; it is ended with the block, and when the other work fails.

    Args:
        command: program and arguments.
        more: passed to `subprocess.Popen`.

    Raises:
        CourseError: the other work has failed already.
    """
    with _lock:
        if _ending:
            raise CourseError("the set-up was ended.")
        process: subprocess.Popen[Any] = tether.start(command, **more)
        _running.add(process)
    try:
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
    finally:
        with _lock:
            _running.discard(process)


def saying(
    command: Sequence[str | Path],
    environment: dict[str, str],
    cwd: Path | None = None,
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Have a process for a block as `started` does, without input; all it says is text in its `stdout`."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return started(command, **_TEXT, **pipes, env=environment, cwd=cwd)


def run(command: Sequence[str | Path], **more: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    """Run a process to its end, without input; return its exit code and what it has said, as text."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, **_TEXT, **pipes, **more) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def both(mine: Callable[[], object], other: Callable[[], object]) -> None:
    """Do `mine` in this thread and `other` in a second one; return when both are done.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        BaseException: what the one that failed first has raised.
    """
    global _ending
    failures: list[BaseException] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)
            _end()

    # A daemon: whatever it waits for, this process can end without it.
    second = threading.Thread(target=attempt, args=(other,), daemon=True)
    second.start()
    try:
        attempt(mine)
        try:
            second.join(END_LIMIT if failures else None)
        except KeyboardInterrupt as interrupt:
            failures.append(interrupt)
            _end()
            second.join(END_LIMIT)
    finally:
        _ending = False
    # Ctrl-C reaches the processes too, and they may have been quicker to complain.
    for failure in [one for one in failures if isinstance(one, KeyboardInterrupt)] or failures:
        raise failure


def _end() -> None:
    global _ending
    with _lock:
        _ending = True
        for process in _running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
