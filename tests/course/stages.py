"""A stage for tests: the real command on a copy of the course, with three steps more than the course has.

The copy shares nothing with the checkout but the packages, so a test may add a step while others read the real ones.
"""

import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

from course.database import keeper
from course.ground import place
from tests.support.processes import alive, command_line, descendants

from .conftest import Course, copy_of, read_until

PARTS = [
    "course",
    "demos",
    "lessons",
    "sql",
    "course.toml",
    "README.md",
    "pyproject.toml",
    *(file.name for file in place.ROOT.glob("*.lock")),
]

CRASHES = '''"""A5: A step that crashes.

Source: none.

See: a traceback, again at each start.

Try: run it again.

New: the error.
"""

print("before the error", flush=True)
raise ZeroDivisionError("on purpose")
'''

LEAVES = '''"""A5: A step that leaves children behind, in sessions of their own, which do not stop when asked.

Source: none.

See: the numbers of two processes.

Try: stop it; then with --stubborn.

New: the children.
"""

import signal
import subprocess
import sys
import time

if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
children = [subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True) for _ in range(2)]
print("children", *(child.pid for child in children), flush=True)
time.sleep(600)
'''

FLOODS = '''"""A5: A step that says more than anybody can read.

Source: none.

See: a hundred thousand lines.

Try: nothing.

New: the lines.
"""

for number in range(100_000):
    print(f"line {number} of very many, 韩雪")
'''

MORE = {"step99_crashes": CRASHES, "step99b_leaves_children": LEAVES, "step99c_floods": FLOODS}


class Stage:
    """A running `python3 -m course stage`."""

    def __init__(self, folder: Path, prepared: Path, environment: dict[str, str]) -> None:
        """Copy the course and what was prepared into the folder, and open the stage there."""
        self.root = folder / "course of today"
        for part in PARTS:
            source = place.ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns(
                    "__pycache__", "mine", "clean", ".ipynb_checkpoints"
                )
                shutil.copytree(source, self.root / part, ignore=ignored)
            else:
                shutil.copy(source, self.root / part)
        with (self.root / "course.toml").open("a", encoding="utf-8") as listed:
            for name, source in MORE.items():
                file = f"demos/pool_demo/{name}.py"
                (self.root / file).write_text(source, "utf-8")
                listed.write(f'\n[[step]]\nfile = "{file}"\nsections = ["A5"]\n')
        state = copy_of(prepared, folder / ".course")
        self.environment = {
            **environment,
            "COURSE_STATE_DIR": str(state),
            "COURSE_VENV": str(place.venv()),
        }
        self.course = Course(state, self.environment)
        self.process = subprocess.Popen(
            self.course.command("stage", "--port", str(keeper.free_port())),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.said = opened(self.process)
        found = re.search(r"(http://(stage\.course\.localhost:(\d+))/)\?key=(\S+)", self.said)
        assert found, self.said
        self.url, self.host, self.port, self.key = found[1], found[2], int(found[3]), found[4]

    @property
    def cookie(self) -> dict[str, str]:
        """What a browser gets by the address with the key."""
        return {"name": f"stage-{self.port}", "value": self.key, "url": self.url}

    @property
    def pids(self) -> list[int]:
        """All processes below the command, and those of its database."""
        status = self.course.status
        servers = [status.keeper_pid, status.server_pid] if status else []
        return [self.process.pid, *descendants(self.process.pid), *servers]

    def below(self, name: str) -> list[int]:
        """The processes whose command line names a module."""
        return [pid for pid in descendants(self.process.pid) if name in command_line(pid)]

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Send a request as a tool would; the body makes it a POST, in JSON unless it is bytes.

        `_` in a header's name stands for `-`.
        """
        if not isinstance(body, bytes | None):
            body = json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            headers={
                "Host": self.host,
                "Cookie": f"{self.cookie['name']}={self.key}",
                **{key.replace("_", "-"): value for key, value in headers.items()},
            },
            data=body,
        )
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def close(self) -> str:
        """Stop it as Ctrl-C does; return what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return "".join(self.process.communicate(timeout=60))
        finally:
            self.process.kill()


def opened(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """Wait until a stage is open and return what it said; one that is silent for so long is ended, and fails."""
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    try:
        return read_until(process, "Ctrl-C")
    finally:
        limit.cancel()


def left(pids: list[int]) -> list[str]:
    """Those of the processes that still run."""
    return [command_line(pid) for pid in pids if alive(pid)]
