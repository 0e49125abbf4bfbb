"""Samples of a program: which functions run after each so many seconds of its CPU time."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType

EVERY = 0.002  # seconds of CPU time between two samples


def stack(frame: FrameType | None) -> tuple[str, ...]:
    """Return the functions that are running in this greenlet, the innermost first."""
    found = []
    while frame:
        code = frame.f_code
        found.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


@contextmanager
def sampling(file: Path) -> Iterator[None]:
    """Sample this process during a block; then write the samples as JSON.

    Each stack is a list of "folder/file:function", the innermost first; with it comes how often it
    was met. SIGUSR1 begins anew.
    """
    met: Counter[tuple[str, ...]] = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: met.update([stack(frame)]))
    signal.signal(signal.SIGUSR1, lambda *_: met.clear())
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        file.write_text(json.dumps(list(met.items())), "utf-8")


def run_sampled() -> None:
    """Call `main` of a module, and sample it; the command line is: FILE MODULE ARGUMENTS."""
    file, *sys.argv = sys.argv[1:]
    with sampling(Path(file)):
        import_module(sys.argv[0]).main()
