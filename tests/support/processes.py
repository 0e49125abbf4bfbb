"""Which processes there are, and which of them still run."""

import contextlib
import os
import signal

import psutil

from tests.support.waiting import eventually


def alive(pid: int) -> bool:
    """Say whether a process runs (one that has ended but was not collected yet does not)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def descendants(ancestor: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [one.pid for one in psutil.Process(ancestor).children(recursive=True)]
    return []


def command_line(pid: int) -> str:
    """Return with what a process was started; "" if it is not there."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


def halt(pid: int) -> None:
    """Stop a process until SIGCONT. Each of its threads stops a moment after the signal; this waits for all."""
    os.kill(pid, signal.SIGSTOP)
    threads = [thread.id for thread in psutil.Process(pid).threads()]
    assert eventually(
        lambda: all(psutil.Process(one).status() == psutil.STATUS_STOPPED for one in threads)
    )
