"""A benchmark as a process, and what it leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

from course.place import ROOT


def bench(name, folder, mark, **environment):
    """Start `python -m bench.<name> --quick`; the report goes to `folder`.

    `mark` is in the environment of all processes it starts; `environment` adds to it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}", "--quick", "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "BENCH_MARK": mark, **environment},
    )


def ended(process, seconds=240):
    """Wait until a benchmark has ended; return what it has written. One that does not end is killed."""
    try:
        return process.communicate(timeout=seconds)
    finally:
        process.kill()


def processes(mark):
    """The ids of all processes that have this mark in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return found


def has_server(mark):
    """Whether a bench with this mark has a server running."""
    for one in processes(mark):
        try:
            command = Path(f"/proc/{one}/cmdline").read_bytes()
        except OSError:
            continue
        if b"--port" in command or b"server.js" in command:
            return True
    return False
