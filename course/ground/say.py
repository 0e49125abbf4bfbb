"""What the user sees: sentences, and progress on long steps."""

import os
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from course.ground import language
from course.ground.errors import CourseError, explain

_board = threading.RLock()  # what goes on at the same time writes one thing after the other
_live: list["Progress"] = []  # the counters that share the terminal's last line
_drawn = 0  # characters of them


def prepare() -> None:
    """Let a terminal that lacks a character show its escape instead of stopping the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def padded(text: str, width: int) -> str:
    """Return a text with blanks after it, so that it is as wide as this: a Chinese character is as wide as two letters."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return text + " " * (width - len(text) - wide)


def line(text: str) -> None:
    """Print one line of result."""
    print(language.translated(text), flush=True)


def note(text: str) -> None:
    """Print one line about what is going on; it goes to standard error, so that results stay clean."""
    with _board:
        _wipe()
        print(language.translated(text), file=sys.stderr, flush=True)
        _draw()


def failure(error: CourseError) -> None:
    """Print a failure: one sentence, then its details."""
    print(f"course: {language.translated(str(error))}", file=sys.stderr)
    if error.details:
        print(error.details.rstrip(), file=sys.stderr)


def ending(work: Callable[[], int]) -> int:
    """Do the work of a command and return its exit code; a failure is one sentence, never a traceback."""
    try:
        return work()
    except CourseError as error:
        failure(error)
        return 1
    except BrokenPipeError:  # whoever reads what we say has enough of it, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        failure(CourseError(explain(error)))
        return 1
    except KeyboardInterrupt:
        with suppress(OSError):
            note("\nStopped.")
        return 130


class Progress:
    """A counter; those of a terminal share one line, elsewhere each prints a line now and then."""

    def __init__(self, title: str, total: int = 0) -> None:
        """Start counting to `total` (0: unknown)."""
        self.title, self.total, self.done = language.translated(title), total, 0
        self.text = f"{self.title} ..."
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.began = self.last = time.monotonic()
        if self.live:
            with _board:
                _live.append(self)
                _draw()
        else:
            note(self.text)

    def advance(self, what: str = "") -> None:
        """Count one more and show what it is."""
        self.done += 1
        now = time.monotonic()
        if not self.live and now - self.last < 5:
            return
        self.last = now
        count = str(self.done)
        if self.total:
            count = language.translated(f"{self.done} of {self.total}", 2)
        self.text = f"{self.title} ... {count} {language.translated(what)}"[:100]
        if self.live:
            with _board:
                _draw()
        else:
            note(self.text)

    def end(self, text: str) -> None:
        """Leave the last line; the text stays."""
        with _board:
            if self.live:
                _wipe()
                _live.remove(self)
            note(text)


@contextmanager
def progress(title: str, total: int = 0) -> Iterator[Progress]:
    """Show progress while a long step runs."""
    counter = Progress(title, total)
    try:
        yield counter
    except BaseException:
        if counter.live:
            counter.end(counter.text)
        raise
    counter.end(f"{counter.title} ... done in {time.monotonic() - counter.began:.1f} s")


def _wipe() -> None:
    global _drawn
    if _drawn:
        print("\r" + " " * _drawn + "\r", end="", file=sys.stderr, flush=True)
        _drawn = 0


def _draw() -> None:
    global _drawn
    if _live:
        _wipe()
        room = shutil.get_terminal_size().columns - 1
        text = "   ".join(counter.text for counter in _live)[:room]
        print(text, end="", file=sys.stderr, flush=True)
        _drawn = len(text)
