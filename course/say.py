"""What the user sees: sentences, and progress on long steps."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from course.errors import CourseError


def prepare() -> None:
    """Let a terminal that lacks a character show its escape instead of stopping the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def line(text: str) -> None:
    """Print one line of result."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print one line about what is going on; it goes to standard error, so that results stay clean."""
    print(text, file=sys.stderr, flush=True)


def failure(error: CourseError) -> None:
    """Print a failure: one sentence, then its details."""
    print(f"course: {error}", file=sys.stderr)
    if error.details:
        print(error.details.rstrip(), file=sys.stderr)


class Progress:
    """A counter on one line of a terminal; elsewhere a line now and then."""

    def __init__(self, title: str, total: int = 0) -> None:
        """Start counting to `total` (0: unknown)."""
        self.title, self.total, self.done = title, total, 0
        self.live = sys.stderr.isatty()
        self.width = 0
        self.began = self.last = time.monotonic()
        if not self.live:
            note(f"{title} ...")

    def advance(self, what: str = "") -> None:
        """Count one more and show what it is."""
        self.done += 1
        now = time.monotonic()
        if not self.live and now - self.last < 5:
            return
        self.last = now
        count = f"{self.done} of {self.total}" if self.total else str(self.done)
        text = f"{self.title} ... {count} {what}"[:100]
        if self.live:
            print("\r" + text.ljust(self.width), end="", file=sys.stderr, flush=True)
            self.width = len(text)
        else:
            note(text)

    def finish(self) -> None:
        """Say how long it took."""
        text = f"{self.title} ... done in {time.monotonic() - self.began:.1f} s"
        if self.live:
            note("\r" + text.ljust(self.width))
        else:
            note(text)


@contextmanager
def progress(title: str, total: int = 0) -> Iterator[Progress]:
    """Show progress while a long step runs."""
    counter = Progress(title, total)
    if counter.live:
        print(f"{title} ...", end="", file=sys.stderr, flush=True)
        counter.width = len(title) + 4
    try:
        yield counter
    except BaseException:
        if counter.live:
            note("")
        raise
    counter.finish()
