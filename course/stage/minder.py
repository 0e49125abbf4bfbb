"""The process between the stage and a step: `python -m course.stage.minder COMMAND...`.

A step may start processes of its own. This one runs the step, and leaves none of them behind, however the step, the
stage or this process ends: asked to stop (SIGTERM, also sent by the kernel when the stage dies), it asks the step,
gives it a moment, and then ends whatever is left.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from course.ground import tether

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PATIENCE = 7  # seconds that a step may take to say goodbye


def main(command: list[str]) -> int:
    """Run a command until it ends; return its exit code, 128 and the number if a signal ended it."""
    if sys.platform == "linux":
        # What the step leaves behind becomes our child, whatever session it has moved to.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    asked = False
    step = None

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True
        if step:
            _send(step.pid, signal.SIGTERM)
            signal.alarm(PATIENCE)

    signal.signal(signal.SIGTERM, ask)  # before there is anything that could be left behind
    step = tether.start(command, last_signal=signal.SIGTERM, start_new_session=True)
    if asked:
        ask()
    signal.signal(signal.SIGALRM, lambda *_: _end_all(step.pid))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the stage's business
    while True:
        pid, status = os.wait()  # also takes note of orphans that have ended
        if pid == step.pid:
            break
    _end_all(step.pid)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_all(leader: int) -> None:
    """End the step's process group, and all that is below us; again, until nobody is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    while offspring := _offspring(os.getpid()):
        for pid in offspring:
            _send(pid, signal.SIGKILL)
        time.sleep(0.01)


def _offspring(ancestor: int) -> list[int]:
    """Return the living processes below one, by Linux's list of processes; elsewhere none are found."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, parent = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(folder.name))
    found = list(children.get(ancestor, []))
    for pid in found:  # grows while we read it
        found += children.get(pid, [])
    return found


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
