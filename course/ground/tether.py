"""A child process that dies with its parent, however the parent dies.

Linux has this in the kernel. Elsewhere `python -m course.ground.tether PARENT SIGNAL COMMAND...`
runs the command and watches its own parent.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_LIBC = ctypes.CDLL(None)  # looked up here: a child that has just been forked must not


def start(
    command: Sequence[str | Path],
    last_signal: int = signal.SIGKILL,
    in_kernel: bool = sys.platform == "linux",
    **more: Any,  # noqa: ANN401 - whatever Popen takes
) -> subprocess.Popen[bytes]:
    """Start a command that gets `last_signal` when this process ends.

    Args:
        command: program and arguments.
        last_signal: what ends it; SIGKILL where a child may not get the time to refuse.
        in_kernel: False uses the watching process that other systems need.
        more: passed to `subprocess.Popen`.
    """
    if in_kernel:
        ask = partial(_die_with, os.getpid(), last_signal)
        return subprocess.Popen(command, preexec_fn=ask, **more)
    mine, last = str(os.getpid()), str(int(last_signal))
    watcher = [sys.executable, "-m", "course.ground.tether", mine, last, *command]
    return subprocess.Popen(watcher, **more)


def end(process: subprocess.Popen[Any], seconds: float) -> None:
    """Ask a process to end; end it if that takes longer than `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with(parent: int, last_signal: int) -> None:
    """Ask the kernel, in a child, for this signal when the parent ends."""
    _LIBC.prctl(PR_SET_PDEATHSIG, last_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)


def watch(parent: int, last_signal: int, command: Sequence[str]) -> int:
    """Run the command, pass on signals, and end it as soon as `parent` is not our parent any more."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != parent:
            child.send_signal(last_signal)
            break
        time.sleep(0.1)
    return child.wait()


if __name__ == "__main__":
    sys.exit(watch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
