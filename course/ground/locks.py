"""File locks that the kernel releases by itself, also when their holder is killed."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course.ground import say


class Lock:
    """One lock file. Several processes may hold it shared, or one alone.

    The lock belongs to this object's open file: closing it, or the death of the process, releases it.
    """

    def __init__(self, path: Path) -> None:
        """Open (and create) the lock file, readable by its owner only."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self) -> None:
        """Wait until no process holds it alone, then hold it with others."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def try_share(self) -> bool:
        """Hold it with others if no process holds it alone; say whether it worked."""
        return self._try(fcntl.LOCK_SH)

    def try_alone(self) -> bool:
        """Hold it alone if no other process holds it; say whether it worked."""
        return self._try(fcntl.LOCK_EX)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)


def is_held_alone(path: Path) -> bool:
    """Say whether some process holds the lock file alone."""
    probe = Lock(path)
    try:
        return not probe.try_share()
    finally:
        probe.close()


@contextmanager
def alone(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock file alone for a block; say `waiting` once if another process has it."""
    lock = Lock(path)
    try:
        if not lock.try_alone():
            say.note(waiting)
            while not lock.try_alone():
                time.sleep(0.05)
        yield
    finally:
        lock.close()
