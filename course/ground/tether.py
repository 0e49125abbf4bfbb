"""A child process that dies with its parent, however the parent dies.

Linux has this in the kernel. Elsewhere this file is run first: `tether.py PIPE SIGNAL COMMAND...` leaves a watcher behind
and becomes the command, which so has the process number that its parent knows. The other end of the pipe is the parent's
alone, and the kernel closes it when the parent ends.
"""

import ctypes
import functools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h

GLANCE = 0.2  # seconds between two looks of the watcher whether the command is still there

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
        in_kernel: False uses the watcher that other systems need.
        more: passed to `subprocess.Popen`.
    """
    if in_kernel:
        return _start_in_kernel(command, last_signal, **more)
    # By its file: the folder in which the command works may have no way to the course's modules.
    pipe = _pipe()
    watched = [sys.executable, "-I", __file__, str(pipe), str(int(last_signal)), *command]
    return subprocess.Popen(watched, pass_fds=(pipe, *more.pop("pass_fds", ())), **more)


def _start_in_kernel(
    command: Sequence[str | Path],
    last_signal: int,
    **more: Any,  # noqa: ANN401 - as above
) -> subprocess.Popen[bytes]:
    # Python drops what a signal's handler raises while a process forks: Ctrl-C has to wait.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        ask = partial(_die_with, os.getpid(), last_signal, usual)
        process = subprocess.Popen(command, preexec_fn=ask, **more)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        raise
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)
    except BaseException:  # what waited: nobody would know of the process
        process.kill()
        process.wait()
        raise
    return process


def end(process: subprocess.Popen[Any], seconds: float) -> bool:
    """Ask a process to end; end it if that takes longer than `seconds`, and return False."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _die_with(parent: int, last_signal: int, usual: Iterable[int]) -> None:
    """Ask the kernel, in a child, for this signal when the parent ends; block only the `usual` ones."""
    _LIBC.prctl(PR_SET_PDEATHSIG, last_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, usual)


@functools.cache
def _pipe() -> int:
    """Return the end of a pipe that reads as closed as soon as this process has ended."""
    reading, _ = os.pipe()  # nobody who is started inherits the other end
    return reading


def become(pipe: int, last_signal: int, command: list[str]) -> NoReturn:
    """Leave a watcher behind, and become the command."""
    mine = os.getpid()
    if os.fork() == 0:
        os.setsid()  # Ctrl-C in a terminal is not for the watcher
        if os.fork() == 0:
            _watch(pipe, mine, last_signal)
        os._exit(0)
    os.wait()
    os.close(pipe)
    os.execvp(command[0], command)


def _watch(pipe: int, pid: int, last_signal: int) -> NoReturn:
    """Send the signal when the parent has ended; end with the command."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # whoever reads what the command says waits for all who hold its output
        os.dup2(nowhere, number)
    try:
        while not select.select([pipe], [], [], GLANCE)[0]:
            os.kill(pid, 0)
        os.kill(pid, last_signal)
    finally:
        os._exit(0)


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
