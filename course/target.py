"""Which database the course runs against: the one `MYSQL_*` names, or the private server."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from course import datadir, environment, locks, optionfile, place, program, say, server
from course.errors import CourseError

NAMES = (
    "MYSQL_HOST",
    "MYSQL_PORT",
    "MYSQL_UNIX_SOCKET",
    "MYSQL_USER",
    "MYSQL_PASSWORD",
    "MYSQL_DATABASE",
)


def is_external() -> bool:
    """Say whether the environment points at a server that is not ours; then none is installed or started."""
    return any(os.environ.get(name) for name in NAMES)


@dataclass
class Database:
    """A database in use."""

    where: str  # one line for the user
    lease: server.Lease | None = None  # on the private server
    farewell: str = "The database is not ours; it stays as it is."  # what became of it in the end

    @property
    def environment(self) -> dict[str, str]:
        """What a program should know that runs while we mend: the server comes back when it ends."""
        return {"COURSE_MENDS_SERVER": "1"} if self.lease else {}

    def mend(self) -> None:
        """Start the private server again if it ended; leave it alone if somebody stopped it.

        Raises:
            CourseError: it does not start any more.
        """
        if not self.lease or self.lease.is_good():
            return
        if self.lease.was_stopped():
            say.note("The database was stopped. Start it again with: python3 -m course db start")
            self.lease = None  # said once
        else:
            self.lease.renew()
            say.note(
                "The database server had ended and was started again; committed rows are all there."
            )


@contextmanager
def database() -> Iterator[Database]:
    """Have a seeded database for a block.

    Raises:
        CourseError: the server cannot be had, refuses us, or is too old.
    """
    environment.ensure()
    if is_external():
        where = check_external()
        run_demo("demos.pool_demo.seed", "--if-missing")
        yield Database(f"{where}, as MYSQL_* in the environment says")
        return
    lease = server.Lease(place.state())
    used = Database(lease.status.where, lease)
    try:
        seed_once()
        yield used
    finally:
        ended = lease.release()
        used.farewell = (
            "The database is stopped."
            if ended
            else "The database goes on: another command uses it, or db start asked it to stay."
        )


def seed_once() -> None:
    """Load the seed into the private server if that was never done completely."""
    state = place.state()
    with locks.alone(
        state / "seed.lock", "Another course command is loading the seed; waiting for it."
    ):
        if not server.has_seed(state):
            run_demo("demos.pool_demo.seed")
            datadir.write_stamp(state, seeded=True)


def check_external() -> str:
    """Return one line about the server that `MYSQL_*` names.

    Raises:
        CourseError: it cannot be reached, refuses us, or is too old.
    """
    line = run_demo("demos.pool_demo.where").strip()
    found = re.search(r"(MariaDB|MySQL) (\d+)\.(\d+)", line)
    if found:
        kind, version = found[1], (int(found[2]), int(found[3]))
        oldest = program.OLDEST[kind]
        if version < oldest:
            raise CourseError(
                f"MYSQL_* leads to {kind} {version[0]}.{version[1]} and the course needs {oldest[0]}.{oldest[1]} or "
                "newer: point it at a newer server, or unset MYSQL_* to use the course's own."
            )
    return line


def run_demo(module: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a demo's module to its end and return what it printed.

    Args:
        module: such as `demos.pool_demo.seed`.
        arguments: passed on to it.
        environment: more of it for the process.

    Raises:
        CourseError: it failed; its own sentence is passed on.
    """
    done = subprocess.run(
        [place.venv_python(), "-m", module, *arguments],
        cwd=place.ROOT,
        env={**os.environ, "PYTHONUTF8": "1", **(environment or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        *details, last = done.stderr.strip().splitlines() or [f"{module} failed."]
        raise CourseError(last, "\n".join(details[-12:]))
    return done.stdout


def reset() -> str:
    """Restore the starting state; a data directory that cannot be opened is set aside, not deleted."""
    environment.ensure()
    if is_external():
        where = check_external()
        run_demo("demos.pool_demo.seed")
        return f"The seed is restored on {where}."
    state, kept = place.state(), ""
    found = program.ensure(datadir.stamp(state).get("kind", ""))
    if not server.is_running(state) and datadir.is_foreign(found, state):
        kept = f" The old data is in {place.shown(datadir.set_aside(state))}."
    with server.Lease(state):
        run_demo("demos.pool_demo.seed")
        datadir.write_stamp(state, seeded=True)
    return f"The seed is restored.{kept}"


def shell(arguments: list[str]) -> int:
    """Run the command-line client on the database; returns its exit code.

    Raises:
        CourseError: there is no client program.
    """
    client = program.client()
    if client is None:
        raise CourseError(
            "no `mariadb` or `mysql` client is on this machine: install one (Debian, Ubuntu: apt-get install "
            "mariadb-client-core), or use Python: python3 -m course db env prints the settings."
        )
    with database():
        options = place.state() / "my.cnf"
        if is_external():
            say.note("Using the server that MYSQL_* names.")
            # In a file of our own, since others could read a password on a command line.
            options = place.state() / "external.cnf"
            optionfile.write_private(options, run_demo("demos.pool_demo.where", "--my-cnf"))
        command = [str(client.path), f"--defaults-file={options}", *arguments]
        # The client would read MYSQL_HOST by itself.
        mine = {name: value for name, value in os.environ.items() if name not in NAMES}
        return subprocess.run(command, env={**mine, **client.environment}, check=False).returncode
