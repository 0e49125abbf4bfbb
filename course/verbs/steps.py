"""`python3 -m course step`: list the steps, find one by its name, and run it on the course's database."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial

from course.database import target
from course.database.redis_server import named_or_private
from course.ground import language, manifest, place, say, tether
from course.ground.errors import CourseError


def find(words: str) -> manifest.Step:
    """Return the one step that the words name: such as `pool_demo/step2` or `step2_borrow`.

    The source's own programs are found by their whole name only, such as `group_chat/naive/chat`.

    Raises:
        CourseError: no step or several have that name.
    """
    name = words.removesuffix(".py").removeprefix("demos/").removeprefix("demos.").replace(".", "/")
    steps, programs = manifest.read().steps, manifest.read().programs
    exact = [step for step in [*steps, *programs] if name in (step.path, step.name)]
    # `pool_demo/step2` means step2_..., not step2b_...
    stage = [step for step in steps if name in (step.stage, f"{step.demo}/{step.stage}")]
    found = exact or stage or [step for step in steps if name in step.path]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CourseError(f"no step is called {words}: python3 -m course step lists them.")
    raise CourseError(
        f"{words} could mean several steps: name one of {', '.join(step.path for step in found)}."
    )


def show() -> int:
    """Print all steps with their titles; return the exit code."""
    demo = ""
    for step in manifest.read().steps:
        if step.demo != demo:
            demo = step.demo
            say.line(f"{demo}/")
        title = f"{language.colon()}{language.translated(step.title)}"
        say.line(f"  {step.name:<32} {', '.join(step.sections)}{title}")
    say.line("Run one with: python3 -m course step pool_demo/step2")
    return 0


def run(words: str, arguments: list[str]) -> int:
    """Run one step on the course's database, and with a Redis if it uses one; return its exit code."""
    step = find(words)
    return run_module(step.module, arguments, step.redis)


def run_module(module: str, arguments: list[str], told_by: str = "") -> int:
    """Run a module of demos or bench as a process on the course's database; return its exit code.

    `told_by` is how it is told of a Redis, as in the manifest; "" means that it uses none.

    Raises:
        CourseError: the database cannot be had.
    """
    wanted = told_by and told_by not in arguments
    with target.database() as database, ExitStack() as needs:
        settings = needs.enter_context(named_or_private()) if wanted else {}
        if told_by == manifest.OPTION and settings:
            arguments = [manifest.OPTION, settings["REDIS_URL"], *arguments]
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
