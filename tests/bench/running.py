"""A benchmark as a process, and what it leaves behind; its missed targets, and its last report."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from bench.program import RESULTS
from course.ground.place import ROOT
from tests.support.processes import command_line


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
        env={
            **os.environ,
            "PYTHONUTF8": "1",
            "PYTHONFAULTHANDLER": "1",
            "BENCH_MARK": mark,
            **environment,
        },
    )


def ended(process, seconds=240):
    """Wait until a benchmark has ended; return what it has written. One that does not end fails, and says where it is."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        there = [command_line(pid) for pid in psutil.pids()]
        process.send_signal(signal.SIGABRT)  # faulthandler writes where each thread is
        try:
            said = process.communicate(timeout=20)
        except subprocess.TimeoutExpired as error:  # somebody else holds its output
            said = error.output, error.stderr
        pytest.fail(f"{process.args} does not end: {said}; there are {there}")
    finally:
        process.kill()


def processes(mark):
    """The ids of all processes that have this mark in their environment."""
    return [
        one.pid
        for one in psutil.process_iter(["environ"])
        if (one.info["environ"] or {}).get("BENCH_MARK") == mark
    ]


def has_server(mark):
    """Whether a bench with this mark has a server running."""
    lines = map(command_line, processes(mark))
    return any("--port" in line or "server.js" in line for line in lines)


def check_missed(targets, words):
    """Check that the missed targets are those with these words in their texts, in this order; return them."""
    found = [target for target in targets if target.reached is False]
    assert len(found) == len(words)
    assert all(word in target.text for word, target in zip(words, found, strict=True))
    assert all("MISSED" in str(target) for target in found)
    return found


def check_last_report(name, contenders):
    """Check that the last report of a benchmark is of a whole run, and has these contenders."""
    text = (RESULTS / f"{name}.md").read_text("utf-8")
    assert [one for one in contenders if one not in text] == []
    assert "too short to believe" not in text
    assert (RESULTS / f"{name}.svg").exists()
