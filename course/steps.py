"""The steps: every `demos/*/step*.py`, found by looking, described by their own docstrings."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from course import place, redis_server, say, target, tether, tools
from course.errors import CourseError


@dataclass(frozen=True)
class Step:
    """One step of one demo."""

    demo: str  # such as "pool_demo"
    name: str  # such as "step2_borrow_and_return"
    title: str  # the first line of its docstring, such as "A5: Borrow, query, give back."

    @property
    def path(self) -> str:
        """The name a user types."""
        return f"{self.demo}/{self.name}"

    @property
    def module(self) -> str:
        """The name Python runs."""
        return f"demos.{self.path}".replace("/", ".")


def every() -> list[Step]:
    """Return all steps, demo by demo, in order."""
    files = sorted(place.ROOT.glob("demos/*/step*.py"))
    return [Step(file.parent.name, file.stem, title_of(file)) for file in files]


def find(words: str) -> Step:
    """Return the one step that the words name: such as `pool_demo/step2` or `step2_borrow`.

    The source's own programs are found by their whole name only, such as `group_chat/naive/chat`.

    Raises:
        CourseError: no step or several have that name.
    """
    name = words.removesuffix(".py").removeprefix("demos/").removeprefix("demos.").replace(".", "/")
    steps = every()
    exact = [step for step in [*steps, *naive()] if name in (step.path, step.name)]
    # `pool_demo/step2` means step2_..., not step2b_...
    stage = [step for step in steps if _stage(step, name)]
    found = exact or stage or [step for step in steps if name in step.path]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CourseError(f"no step is called {words}: python3 -m course step lists them.")
    raise CourseError(
        f"{words} could mean several steps: name one of {', '.join(step.path for step in found)}."
    )


def show() -> None:
    """Print all steps with their titles."""
    demo = ""
    for step in every():
        if step.demo != demo:
            demo = step.demo
            say.line(f"{demo}/")
        say.line(f"  {step.name:<32} {step.title}")
    say.line("Run one with: python3 -m course step pool_demo/step2")


def run(words: str, arguments: list[str]) -> int:
    """Run one step on the course's database and return its exit code."""
    return run_module(find(words).module, arguments)


def run_module(module: str, arguments: list[str]) -> int:
    """Run a module of demos or bench as a process on the course's database; return its exit code.

    Raises:
        CourseError: the database or Redis cannot be had.
    """
    with target.database() as database, redis_for(module) as settings:
        # Where the terminal lacks Chinese letters the module shows escapes.
        environment = {
            "PYTHONIOENCODING": ":backslashreplace",
            **os.environ,
            **settings,
            **database.environment,
        }
        command = [str(place.venv_python()), "-m", module, *arguments]
        # Elsewhere the process that ties them would pass on a Ctrl-C that the terminal has sent to both already.
        tied = partial(tether.start, last_signal=signal.SIGTERM)
        start = tied if sys.platform == "linux" else subprocess.Popen
        with start(command, cwd=place.ROOT, env=environment) as process:
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:  # as with nohup
                    signal.signal(number, lambda *_: process.terminate())
            while True:
                try:
                    return process.wait(0.5)
                except subprocess.TimeoutExpired:
                    database.mend()
                except KeyboardInterrupt:  # Ctrl-C reaches it too; it ends, and then so do we
                    continue


@contextmanager
def redis_for(module: str) -> Iterator[dict[str, str]]:
    """Have the settings of a Redis for a module that reads REDIS_URL; none for others."""
    file = place.ROOT / f"{module.replace('.', '/')}.py"
    if "REDIS_URL" in file.read_text("utf-8"):
        with redis() as settings:
            yield settings
    else:
        yield {}


@contextmanager
def redis() -> Iterator[dict[str, str]]:
    """Have the settings of the Redis that REDIS_URL names, or of a private one; none if there is none to be had."""
    if url := os.environ.get("REDIS_URL"):
        yield {"REDIS_URL": url}
        return
    try:
        tools.ensure("redis-server")
    except CourseError as error:
        say.note(f"Going on without Redis: {error}")  # the module knows what it can do without
        yield {}
        return
    with redis_server.running() as server:
        yield {"REDIS_URL": server.url}


def naive() -> list[Step]:
    """Return the programs among the source's code, faults included."""
    files = sorted(place.ROOT.glob("demos/*/naive/*.py"))
    programs = [file for file in files if "__main__" in file.read_text("utf-8")]
    return [Step(file.parts[-3], f"naive/{file.stem}", title_of(file)) for file in programs]


def _stage(step: Step, name: str) -> bool:
    demo, _, stage = name.rpartition("/")
    return step.name.partition("_")[0] == stage and demo in ("", step.demo)


def title_of(file: Path) -> str:
    """Return the first line of a module's docstring, without importing it."""
    return _title(file.read_text("utf-8"))


@cache
def _title(source: str) -> str:
    docstring = ast.get_docstring(ast.parse(source)) or ""
    return docstring.partition("\n")[0]
