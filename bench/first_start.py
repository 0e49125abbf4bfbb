"""How long a new user waits: from `git clone` to JupyterLab's answer, with uv and with pip.

Each round makes a clone of its own, without any cache of packages, and starts the course in it
twice: the first start fetches and installs, the second one is warm. It needs the network.
"""

import contextlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench import program
from bench.pool.report import rows
from demos.instruments.rounds import Sample
from demos.instruments.screen import conclude
from demos.pool_demo.settings import ROOT

FULL, QUICK = 5, 1  # rounds
LIMIT = 600.0  # seconds for one start
WAYS = ("uv", "pip")
RESULT = ROOT / "bench" / "results" / "first_start.md"


class StartError(Exception):
    """A start that did not come to its end; the message says what it has said last."""


def clean_environment(way: str) -> dict[str, str]:
    """Return the environment of somebody whose machine has installed nothing before."""
    ours = ("MYSQL_", "COURSE_", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    caches = {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
    return {**kept, **caches, "CI": "true", "COURSE_INSTALLER": way}


@contextlib.contextmanager
def started(folder: Path, way: str) -> Iterator[None]:
    """Start the course and have it until the block ends; it begins when JupyterLab answers."""
    command = ["python3", "-m", "course"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(way),
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process,
    ):
        try:
            assert process.stdout
            line = next((one for one in process.stdout if "token=" in one), "")
            if not line:
                errors.seek(0)
                raise StartError(f"the start in {way}'s way ended: {errors.read()[-600:]}")
            address = next(word for word in line.split() if word.startswith("http"))
            with urllib.request.urlopen(address, timeout=LIMIT) as answer:
                answer.read()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def measure(way: str) -> tuple[float, float]:
    """Return the seconds of a first start, the clone with it, and of a warm one."""
    with tempfile.TemporaryDirectory(prefix="course-first-") as home:
        folder, began = Path(home) / "course", time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        with started(folder, way):
            first = time.perf_counter() - began
        began = time.perf_counter()
        with started(folder, way):
            warm = time.perf_counter() - began
        return first, warm


def report(found: dict[str, list[tuple[float, float]]]) -> str:
    """Return the report as Markdown."""
    lines = [
        [way, *(Sample(tuple(values)) for values in zip(*pairs, strict=True))]
        for way, pairs in found.items()
    ]
    rounds = len(found[WAYS[0]])
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n\n".join(
        [
            "# From `git clone` to JupyterLab's answer",
            f"Seconds: the median of {rounds} rounds, with the lowest and the highest. Python "
            f"{platform.python_version()}, {machine}, no cache of packages, the clone from this "
            "disk, packages and server from the network as it was.",
            rows(["packages by", "first start", "warm start"], lines),
            "Measure again: `python3 -m course bench first_start`.\n",
        ]
    )


def main() -> None:
    """Measure both ways in turn, and print and write the report."""
    parser = program.options(__doc__)
    parser.add_argument("--rounds", type=int, default=FULL, help=f"default: {FULL}")
    chosen = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    try:
        for number in range(QUICK if chosen.quick else chosen.rounds):
            for way in WAYS:
                found[way].append(measure(way))
                print(f"round {number + 1}, {way}: first {found[way][-1][0]:.1f} s", flush=True)
    except (StartError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"A start failed, so nothing is reported: {error}")
    text = report(found)
    print(text)
    if not chosen.quick:
        RESULT.write_text(text, "utf-8")
    first = {way: Sample(tuple(pair[0] for pair in pairs)) for way, pairs in found.items()}
    conclude(f"a first start takes {first['pip'].over(first['uv'])} times as long with pip.")


if __name__ == "__main__":
    program.run(main)
