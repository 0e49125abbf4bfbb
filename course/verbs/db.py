"""`python3 -m course db`: start, stop and see the private server, and put its data back. `db shell` is target.py's."""

import argparse
import shlex
from collections.abc import Callable

from course.database import server, target
from course.ground import environment, language, place, say
from course.ground.errors import CourseError


def add_actions(parser: argparse.ArgumentParser, port: Callable[[str], int]) -> None:
    """Declare what `course db` can be asked for; `port` reads a port's number."""
    database = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    start = database.add_parser("start", help="start it and let it run until `db stop`")
    start.add_argument("--port", type=port, default=0, help="its TCP port (a free one)")
    database.add_parser("stop", help="stop it, whoever uses it")
    database.add_parser("status", help="say where it is; exit code 1 if it is not running")
    database.add_parser("reset", help="restore the seed")
    database.add_parser("shell", help="an SQL shell on it; arguments go to the client")
    database.add_parser("env", help="print its MYSQL_* settings as shell exports")


def run(chosen: argparse.Namespace) -> int:
    """Run what the command line asks for; return the exit code.

    Raises:
        CourseError: it cannot be done; the sentence says why.
    """
    return {"start": _start, "stop": _stop, "status": _status, "reset": _reset, "env": _env}[
        chosen.action
    ](chosen)


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
    stopped = language.translated("Stopped.")
    say.line(stopped if server.stop(place.state()) else "It was not running.")
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
            "the course's database server is not running: start it with python3 -m course db start."
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
