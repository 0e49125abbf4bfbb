"""The command line: `python3 -m course [VERB] ...`."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path

from course import (
    benches,
    checks,
    debian,
    doctor,
    environment,
    exercises,
    lab,
    lessons,
    place,
    say,
    server,
    stage,
    steps,
    surroundings,
    target,
)
from course.errors import CourseError, explain


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code; a failure is one sentence, never a traceback."""
    say.prepare()
    surroundings.tidy()
    target.forget_ours()
    # Whoever ends us or hangs up means what Ctrl-C means; `nohup` goes on meaning that nobody hangs up.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        # What follows `test` and `db shell` is for another program, which knows its own options.
        for verb, run in (("test", checks.run), ("db shell", target.shell)):
            words = verb.split()
            if arguments[: len(words)] == words and arguments[len(words) :][:1] not in (
                ["-h"],
                ["--help"],
            ):
                return run(arguments[len(words) :])
        return _dispatch(_parser().parse_args(arguments))
    except CourseError as error:
        say.failure(error)
        return 1
    except BrokenPipeError:  # whoever reads what we say has enough of it, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        say.failure(CourseError(explain(error)))
        return 1
    except KeyboardInterrupt:
        say.note("\nStopped.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m course", description=__doc__, epilog="Without a verb it runs the course."
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        help="JupyterLab's port (8888, or a free one if that is taken)",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    verbs.add_parser("setup", help="set up only: packages, server, seed").add_argument(
        "--test", action="store_true", help="also what the tests need"
    )
    verbs.add_parser(
        "test",
        help="run the suite; --all adds what takes longest; other arguments go to pytest",
        add_help=True,
    )
    step = verbs.add_parser("step", help="list the steps, or run one")
    step.add_argument("name", nargs="?", help="such as pool_demo/step2")
    step.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the step")
    verbs.add_parser("stage", help="one page that shows every step and runs it").add_argument(
        "--port", type=_port, default=0, help="its port (8700, or a free one if that is taken)"
    )
    bench = verbs.add_parser("bench", help="list the benchmarks, or run one")
    bench.add_argument("name", nargs="?", help="such as pool")
    bench.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the benchmark")
    practice = verbs.add_parser("exercises", help="say how far you are, and hand out what is new")
    practice.add_argument(
        "action",
        nargs="?",
        choices=["generate"],
        help="for authors: write lessons/exercises/ from lessons/solutions/",
    )
    _add_lessons(
        verbs.add_parser("lessons", help="list the lessons, run them anew, or make copies")
    )
    verbs.add_parser("doctor", help="say what is here, what is missing and what mends it")

    database = verbs.add_parser("db", help="the private database server").add_subparsers(
        dest="action", metavar="ACTION", required=True
    )
    start = database.add_parser("start", help="start it and let it run until `db stop`")
    start.add_argument("--port", type=_port, default=0, help="its TCP port (a free one)")
    database.add_parser("stop", help="stop it, whoever uses it")
    database.add_parser("status", help="say where it is; exit code 1 if it is not running")
    database.add_parser("reset", help="restore the seed")
    database.add_parser("shell", help="an SQL shell on it; arguments go to the client")
    database.add_parser("env", help="print its MYSQL_* settings as shell exports")
    return parser


def _add_lessons(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    run = actions.add_parser("run", help="execute lessons on the seed and keep their outputs")
    clean = actions.add_parser("clean", help="copies without outputs, for class")
    run.add_argument(
        lessons.MEASURE,
        action="store_true",
        help="keep the new figures also where only they differ; else such cells stay as they are",
    )
    for action in (run, clean):
        action.add_argument("names", nargs="*", metavar="NAME", help="such as 03; default: all")
    site = actions.add_parser("html", help="all lessons as pages that need no network")
    slides = actions.add_parser("slides", help="one lesson as slides that need no network")
    slides.add_argument("name", metavar="NAME", help="such as 03")
    figures = actions.add_parser("figures", help="make the lessons' pictures anew, with a browser")
    for action, folder in (
        (clean, lessons.CLEAN),
        (site, lessons.SITE),
        (slides, lessons.SLIDES),
        (figures, lessons.FIGURES),
    ):
        where = folder.relative_to(place.ROOT)
        action.add_argument("--out", type=Path, metavar="DIR", help=f"where to; default: {where}/")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(
            f"a port is a number from 1 to 65535, and this is {text!r}"
        )
    return int(text)


def _dispatch(chosen: argparse.Namespace) -> int:
    if chosen.verb is None:
        return lab.run(chosen.port)
    if chosen.verb == "setup":
        return _setup(chosen.test)
    if chosen.verb == "step":
        if chosen.name:
            return steps.run(chosen.name, chosen.arguments)
        steps.show()
        return 0
    if chosen.verb == "stage":
        return stage.run(chosen.port)
    if chosen.verb == "bench":
        if chosen.name:
            return benches.run(chosen.name, chosen.arguments)
        benches.show()
        return 0
    if chosen.verb == "lessons":
        return lessons.dispatch(chosen)
    if chosen.verb == "exercises":
        return exercises.run(chosen.action)
    if chosen.verb == "doctor":
        return doctor.run()
    return {"start": _start, "stop": _stop, "status": _status, "reset": _reset, "env": _env}[
        chosen.action
    ](chosen)


def _setup(with_tests: bool) -> int:
    locks = [environment.TEST] if with_tests else []
    with debian.apt(), target.database(*locks) as database:
        if with_tests:
            checks.ensure_tools()
        say.line(f"Set up: {database.where}. Run the course with: python3 -m course")
    return 0


def _start(chosen: argparse.Namespace) -> int:
    _refuse_external()
    before = server.status(place.state())
    if before and chosen.port not in (0, before.port):
        raise CourseError(
            f"the server is running on port {before.port}: stop it with python3 -m course db stop, then start it on "
            f"{chosen.port}."
        )
    lease = target.start(chosen.port)
    lease.release()
    say.line(f"{lease.status.where}. Stop it with: python3 -m course db stop")
    return 0


def _stop(chosen: argparse.Namespace) -> int:
    _refuse_external()
    say.line("Stopped." if server.stop(place.state()) else "It was not running.")
    return 0


def _status(chosen: argparse.Namespace) -> int:
    if target.is_external():
        environment.ensure()
        say.line(f"{target.check_external()}, as MYSQL_* in the environment says.")
        return 0
    status = server.status(place.state())
    if status is None:
        say.line("Not running. Start it with: python3 -m course db start")
        return 1
    say.line(f"Running at {status.where}, process {status.server_pid}, socket {status.socket}.")
    say.line(
        "It runs until `db stop`."
        if status.stays
        else "It ends with the last course command that uses it."
    )
    return 0


def _reset(chosen: argparse.Namespace) -> int:
    say.line(target.reset())
    return 0


def _env(chosen: argparse.Namespace) -> int:
    _refuse_external()
    status = server.status(place.state())
    if status is None:
        raise CourseError(
            "the private server is not running: start it with python3 -m course db start."
        )
    for name, value in status.as_environment().items():
        say.line(f"export {name}={shlex.quote(value)}")
    return 0


def _refuse_external() -> None:
    if target.is_external() and not target.names_ours():
        raise CourseError(
            "MYSQL_* in the environment names a server that is not ours to start or stop; to use the course's own: "
            f"{target.unset()}"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
