"""The terminal's part of `exercises watch`: it looks for notebooks that were saved, and tells what a try of them found.

Standard library only: the command line imports it before anything is installed.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from course.database import target
from course.ground import language, place, say, tether
from course.ground.errors import CourseError
from course.ground.stopping import StopSignals
from course.notebooks import exercises, next_up, progress

LOOK = 0.5  # seconds between two looks at the notebooks
START_LIMIT = 60.0  # seconds for a trial to say its first word; on a busy machine it takes some
PRINTED = 1000  # characters of what the student's code prints; the last ones are shown
KEYS = "h and Enter: a hint.  n and Enter: what comes next.  Ctrl-C: end."
RIGHT = "right"

Contents = dict[str, list[str]]  # of a notebook: the student's cells, by the number of the exercise


def run() -> int:
    """Check exercises whenever a notebook of `lessons/mine/` is saved, until Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        CourseError: this is no terminal, or packages or database cannot be had.
    """
    if not sys.stdin.isatty():
        raise CourseError(
            "exercises watch reads what you type, so it has to run in a terminal, such as "
            "JupyterLab's (menu File, New, Terminal)."
        )
    with target.database() as database:
        for sentence in exercises.hand_out():
            say.line(sentence)
        stop = StopSignals()
        watch = Watch(stop, database)
        with contextlib.suppress(EOFError):  # Ctrl-D
            watch.go_on()
    say.line("\nThe watch has ended; what you have solved is kept.")
    return 0


class Watch:
    """What is known of the student's notebooks, and what to do about a change."""

    def __init__(self, stop: StopSignals, database: target.Database) -> None:
        """Take note of how the notebooks are now.

        Args:
            stop: when it has a signal, everything ends.
            database: of the trials; started again when it has ended.
        """
        self.stop = stop
        self.database = database
        self.times = {path: _time_of(path) for path in _notebooks()}
        self.known = {path: _contents(path) or {} for path in self.times}
        self.judged: set[tuple[str, str]] = (
            set()
        )  # number and cells of what need not be judged again
        self.current = ""  # the number that a hint is for

    def go_on(self) -> None:
        """Watch until a signal comes.

        Raises:
            EOFError: the terminal has nothing more to say.
        """
        say.line(
            f"Watching {place.shown(exercises.folder('mine'))}: save a notebook, and what you changed is checked."
        )
        say.line(KEYS)
        self.say_next()
        while not self.stop.asked():
            if select.select([sys.stdin], [], [], LOOK)[0]:
                self.obey(os.read(sys.stdin.fileno(), 1024).decode("utf-8", "replace"))
            self.database.mend()
            for path in _notebooks():
                if _time_of(path) != self.times.get(path):
                    self.look_at(path)

    def obey(self, typed: str) -> None:
        """Do what was typed, line by line.

        Raises:
            EOFError: it was Ctrl-D.
        """
        if not typed:
            raise EOFError
        for key in typed.lower().split("\n")[:-1]:
            if key.strip() == "h":
                self.say_hint()
            elif key.strip() == "n":
                self.say_next()
            else:
                say.line(KEYS)

    def say_next(self, after: str = "") -> None:
        """Say which exercise comes next; see `next_up.first_unsolved`."""
        entries, sentence = progress.load()
        for line in [*([sentence] if sentence else []), "", *next_up.sentences(entries, after)]:
            say.line(line)
        task = next_up.first_unsolved(entries, after)
        self.current = task.number if task else ""

    def say_hint(self) -> None:
        """Print the next hint for the exercise at hand."""
        if not self.current:
            say.line("All exercises are solved.")
            return
        done = subprocess.run(
            [place.venv_python(), "-m", "course.practice.trial", "--hint", self.current],
            cwd=place.ROOT,
            env=_environment(self.database),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        say.line(f"\n{self.current}: {(done.stdout or done.stderr).strip()}")

    def look_at(self, path: Path) -> None:
        """Check what was changed in a notebook that was saved; if nothing was, its next unsolved exercise."""
        when, contents = _time_of(path), _contents(path)
        if contents is None:  # half a file: it is still being written
            return
        before = self.known.get(path, {})
        self.times[path], self.known[path] = when, contents
        changed = [number for number in contents if contents[number] != before.get(number, [])]
        entries, _ = progress.load()
        open_ones = [n for n in contents if not entries.get(n, progress.NOTHING)["right"]]
        for number in changed or open_ones[:1]:
            state = (number, json.dumps(contents[number]))
            if state not in self.judged and not self.stop.asked():
                self.judged.add(state)
                self.judge(path, number)

    def judge(self, path: Path, number: str) -> None:
        """Try one exercise and say what was found."""
        self.current = number
        say.line("\n" + language.translated(f"Checking {number} ..."))
        with Trial(path, number, _environment(self.database)) as trial:
            verdict = trial.verdict(self.stop, self.database.mend)
        if self.stop.asked():
            return
        for line in trial.printed.splitlines():
            say.line(f"  | {line}")
        say.line(verdict["said"])
        if verdict.get("more"):
            say.line(verdict["more"])
        if verdict["outcome"] == RIGHT:
            self.say_next(after=number)
        else:
            say.line(KEYS)


class Trial:
    """A process that tries one exercise; all that it has started ends with the block."""

    def __init__(self, path: Path, number: str, settings: dict[str, str]) -> None:
        """Start it.

        Args:
            path: the student's notebook.
            number: such as `3.2`.
            settings: its environment.
        """
        self.number = number
        self.process = tether.start(
            [place.venv_python(), "-m", "course.practice.trial", str(path), number],
            cwd=place.ROOT,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a group of its own, to end it with; and Ctrl-C is for us
        )
        assert self.process.stdout and self.process.stderr
        self._said: SimpleQueue[bytes] = SimpleQueue()
        self._tail = b""
        self._readers = [
            threading.Thread(target=self._report, args=[self.process.stdout], daemon=True),
            threading.Thread(target=self._print, args=[self.process.stderr], daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Trial":
        """Return the trial itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:  # what had its output open has ended too
            reader.join(LOOK)

    @property
    def printed(self) -> str:
        """The end of what the student's code has printed."""
        text = self._tail.decode("utf-8", "replace")
        return text if len(text) < PRINTED else f"... {text[-PRINTED:]}"

    def verdict(
        self, stop: StopSignals, meanwhile: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Wait for the verdict; return one of our own if it takes too long, ends without one, or a signal comes.

        Args:
            stop: has the signals.
            meanwhile: called a few times a second.
        """
        limit, deadline = START_LIMIT, time.monotonic() + START_LIMIT
        while not stop.asked():
            try:
                line = self._said.get(timeout=0.1)
            except Empty:
                meanwhile()
                if time.monotonic() > deadline:
                    return self._failed(
                        f"not done after {limit:g} s, so something in it goes on for ever"
                    )
                continue
            if not line:
                return self._failed(f"your code ended its Python ({_ending(self.process.wait())})")
            said: dict[str, Any] = json.loads(line)
            if "said" in said:
                return said
            limit = said["limit"]
            deadline = time.monotonic() + limit
        return self._failed("stopped")

    def _failed(self, why: str) -> dict[str, Any]:
        return {"outcome": "wrong", "said": f"{self.number} wrong: {why}."}

    def _report(self, lines: IO[bytes]) -> None:
        for line in lines:
            self._said.put(line)
        self._said.put(b"")

    def _print(self, output: IO[bytes]) -> None:
        while some := os.read(output.fileno(), 65536):
            self._tail = (self._tail + some)[-4 * PRINTED :]  # a character has up to four bytes


def _ending(code: int) -> str:
    """Return how a process ended, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _environment(database: target.Database) -> dict[str, str]:
    ours = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "MPLBACKEND": "agg"}
    return {**os.environ, **database.environment, **ours}


def _notebooks() -> Iterator[Path]:
    """Yield the student's notebooks that have exercises; not new versions that lie beside them."""
    for book in exercises.books():
        path = exercises.folder("mine") / book.name
        if path.exists():
            yield path


def _time_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone at this moment
        return 0


def _contents(path: Path) -> Contents | None:
    """Return the student's cells of each exercise; None if the file is no notebook now."""
    try:
        notebook = exercises.read(path)
        book = exercises.folder("exercises") / path.name
        return {
            number: exercises.cells_for(notebook, number)[1] for number in exercises.numbers(book)
        }
    except (CourseError, OSError):
        return None
