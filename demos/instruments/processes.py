"""A9: servers of a demo, each in its own process, for one block.

with running("naive.chat", "step4_nicknames") as (theirs, ours):
    ...
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer

START_TIME = 60.0  # seconds; on a slow machine an import takes long
STOP_TIME = 10.0  # seconds


@contextmanager
def running(
    *modules: str, demo: str = "group_chat", options: Sequence[str] = ()
) -> Iterator[list[str]]:
    """Run each `python -m demos.<demo>.<module>` on a free port and yield their addresses.

    `options` are for each of them, such as ["--rate", "100"].

    Raises:
        RuntimeError: one of them ended, or did not start in time, and said no address.
    """
    processes: list[subprocess.Popen[str]] = []
    try:
        processes += [_start(f"{demo}.{module}", options) for module in modules]
        yield [_address(process) for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            _end(process)


def _start(module: str, options: Sequence[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", f"demos.{module}", "--port", "0", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    )


def _address(process: "subprocess.Popen[str]") -> str:
    """Return the address in the line that a server prints when it is ready."""
    too_late = Timer(START_TIME, process.kill)
    too_late.start()
    try:
        for line in process.stdout or ():
            if "http://" in line:
                return line[line.index("http://") :].split()[0].rpartition("/")[0]
    finally:
        too_late.cancel()
    raise RuntimeError(f"this ended before it was ready: {process.args!r}")


def _end(process: "subprocess.Popen[str]") -> None:
    with process:
        try:
            process.wait(STOP_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
