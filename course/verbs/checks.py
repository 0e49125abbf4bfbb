"""`python3 -m course test`: style, types and the whole test suite."""

import os
import subprocess

from course.database import target
from course.ground import environment, place, say, together, tools

FOLDERS = ["course", "demos", "tests", "bench", "lessons/authors/checks", "lessons/authors/builds"]
TYPED = ["course", "demos", "bench", "lessons/authors/checks", "lessons/authors/builds"]


def run(arguments: list[str]) -> int:
    """Run ruff, mypy and pytest; returns 0 if all passed, else the last failure's exit code.

    Args:
        arguments: passed on to pytest.

    Raises:
        CourseError: what the tests need cannot be had.
    """
    target.prepare(environment.TEST)
    if target.is_external():
        say.note(f"Testing against {target.check_external()}, as MYSQL_* in the environment says.")
    ensure_tools()
    folders = [name for name in FOLDERS if list((place.ROOT / name).rglob("*.py"))]
    # The types are looked at beside the tests: while those are collected, a core has nothing to do.
    mypy = ["mypy", "--strict", *TYPED]
    with together.saying(_in_place(mypy), _environment(), place.ROOT) as types:
        results = [
            _run_tool(["ruff", "check", *folders]),
            _run_tool(["ruff", "format", "--check", "--quiet", *folders]),
            _run_tool(["pytest", *_workers(arguments), *arguments]),
        ]
        said, _ = types.communicate()
        say.note(" ".join(mypy))
        print(said, end="", flush=True)
        results.append(types.returncode)
    return next((result for result in reversed(results) if result), 0)


def ensure_tools() -> None:
    """Fetch the programs that the tests drive; where one cannot be had, a laptop goes on.

    Raises:
        CourseError: this is CI, and one cannot be had.
    """
    failures = tools.ensure_all(tools.RECIPES)
    failures.pop("fonts", None)  # without it, the system's own are shown
    for error in failures.values():
        if os.environ.get("CI"):
            raise error
        say.note(f"The tests that need it will be skipped: {error}\n{error.details}".rstrip())


def _workers(arguments: list[str]) -> list[str]:
    # A debugger needs the terminal for itself.
    if any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in arguments):
        return []
    # Most of a test's time it waits for servers: more workers than there are cores. A file stays on one worker, so that
    # its servers start once, and files begin in the order of tests/conftest.py: the longest ones first.
    workers = str(min(6, 1 + 2 * (os.cpu_count() or 1)))
    return ["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]


def _run_tool(command: list[str]) -> int:
    say.note(" ".join(command))
    return subprocess.run(
        _in_place(command), cwd=place.ROOT, env=_environment(), check=False
    ).returncode


def _in_place(command: list[str]) -> list[str]:
    return [str(place.venv_python()), "-m", *command]


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(place.venv() / "bin"), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}
