"""`python3 -m course stage`: one page that shows every step and runs it, on the course's database.

Standard library only: the command line imports it before anything is installed. The page is served by
`course.stage`, a process of the environment's Python.
"""

import os
import signal
import subprocess
import sys
import threading
import webbrowser
from pathlib import Path

from course.database import target
from course.ground import place, say, tether
from course.ground.errors import CourseError
from course.ground.stopping import StopSignals

START_LIMIT = 60.0  # seconds for the server to say its address
STOP_LIMIT = 20.0  # seconds for the steps that run to say goodbye
LOOK = 0.5  # seconds between two looks at the server and the database


def run(port: int = 0) -> int:
    """Show the stage until Ctrl-C, SIGTERM or SIGHUP; then stop everything it started, in order.

    Args:
        port: the page's port; 0 means the usual one, or a free one if that is taken.

    Raises:
        CourseError: something cannot be had or started.
    """
    with target.database() as database:
        log = place.state() / "stage.log"
        server = _start(port, log, database.environment)
        try:
            address = _address(server, log)
            # From here on a signal means: stop in order. Until here Ctrl-C interrupts whatever is going on.
            stop = StopSignals()
            say.line(f"The stage is open: {address}")
            say.line(f"  Database   {database.where}")
            say.line("Ctrl-C stops everything.")
            if sys.stdout.isatty() and "CI" not in os.environ:
                webbrowser.open(address)
            while not stop.asked(LOOK) and server.poll() is None:
                database.mend()
            if not stop.asked():
                raise CourseError(
                    "the stage ended by itself: the end of its log is below.", _tail(log)
                )
        finally:
            _stop(server)
        say.note("\nThe stage is closed.")
    say.note(database.farewell)
    return 0


def _start(port: int, log: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as errors:
        return tether.start(
            [place.venv_python(), "-m", "course.stage", str(port)],
            last_signal=signal.SIGTERM,  # it ends its steps then
            cwd=place.ROOT,
            env={**os.environ, "PYTHONUTF8": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in this terminal is for us
        )


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the server says when it is ready; one that says nothing for long is ended."""
    assert server.stdout
    limit = threading.Timer(START_LIMIT, server.kill)
    limit.start()
    try:
        said = server.stdout.readline().decode()
    finally:
        limit.cancel()
    if not said.startswith("Open "):
        server.wait(STOP_LIMIT)
        sentence, *details = _tail(log).splitlines()[::-1] or ["the stage did not start."]
        raise CourseError(sentence, "\n".join(details[::-1]))
    return said.removeprefix("Open ").strip()


def _stop(server: subprocess.Popen[bytes]) -> None:
    tether.end(server, STOP_LIMIT)
    if server.stdout:
        server.stdout.close()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-12:])
