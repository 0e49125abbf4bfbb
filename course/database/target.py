"""Which database the course runs against: the one `MYSQL_*` names, or the private server."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from course.database import datadir, program, server
from course.ground import (
    debian,
    environment,
    language,
    locks,
    optionfile,
    packages,
    place,
    say,
    together,
)
from course.ground.errors import CourseError

NAMES = (
    "MYSQL_HOST",
    "MYSQL_PORT",
    "MYSQL_UNIX_SOCKET",
    "MYSQL_USER",
    "MYSQL_PASSWORD",
    "MYSQL_DATABASE",
)
RETRY = 3.0  # seconds until a server that did not start is tried again


def is_external() -> bool:
    """Say whether the environment points at a server that is not ours; then none is installed or started."""
    return any(os.environ.get(name) for name in NAMES)


def names_ours() -> bool:
    """Say whether the environment names this checkout's own server: this machine, and its account.

    The socket is another one after each start, and so is the port if somebody else has it then. The password stays, and
    no other server has it.
    """
    known = optionfile.read(place.state() / "my.cnf")
    said = {name: os.environ.get(name, "") for name in NAMES}
    here = said["MYSQL_HOST"] in ("", "127.0.0.1", "localhost")
    account = (said["MYSQL_USER"], said["MYSQL_PASSWORD"]) == (
        known.get("user"),
        known.get("password"),
    )
    return bool(known) and here and account


def forget_ours() -> None:
    """Take MYSQL_* that name our own server, as `db env` printed them, out of the environment.

    They say what we know, and their port and socket may be of an earlier start. A database of another name is left to whoever named it.
    """
    if names_ours() and os.environ.get("MYSQL_DATABASE") in (None, "", optionfile.DATABASE):
        for name in NAMES:
            os.environ.pop(name, None)


def unset() -> str:
    """Return the command with which a shell forgets another server."""
    return f"unset {' '.join(NAMES)}"


@dataclass
class Database:
    """A database in use."""

    where: str  # one line for the user
    lease: server.Lease | None = None  # on the private server
    farewell: str = "The database is not ours; it stays as it is."  # what became of it in the end
    trouble: str = ""  # why it did not start again, as it was said
    next_try: float = 0.0  # when it is tried again, by time.monotonic()

    @property
    def environment(self) -> dict[str, str]:
        """What a program should know that runs while we mend: the server comes back when it ends."""
        return {"COURSE_MENDS_SERVER": "1"} if self.lease else {}

    def mend(self) -> None:
        """Start the private server again if it ended; leave it alone if somebody stopped it.

        If it does not start, because the disk is full perhaps, the next call after RETRY seconds tries again: whatever
        uses the database goes on meanwhile, and has it back once there is room.
        """
        if not self.lease or self.lease.is_good() or time.monotonic() < self.next_try:
            return
        if self.lease.was_stopped():
            say.note("The database was stopped. Start it again with: python3 -m course db start")
            self.lease = None  # said once
            return
        try:
            self.lease.renew()
        except CourseError as error:
            self.next_try = time.monotonic() + RETRY
            if str(error) != self.trouble:
                self.trouble = str(error)
                say.note(f"The database server has ended and does not start: {error}")
                say.note(f"It is tried again every {RETRY:.0f} seconds.")
            return
        self.trouble = ""
        say.note(
            "The database server had ended and was started again; committed rows are all there."
        )


@contextmanager
def database(
    *lock_names: str, with_packages: Callable[[], object] = lambda: None
) -> Iterator[Database]:
    """Have a seeded database for a block, and the packages.

    Args:
        lock_names: what more of the packages, as for `environment.ensure`.
        with_packages: called as soon as they are there; the server may still be on its way.

    Raises:
        CourseError: packages or server cannot be had, or the server refuses us or is too old.
    """
    if is_external():
        _announce(*lock_names)
        environment.ensure(*lock_names)
        with_packages()
        where = check_external()
        run_demo("demos.pool_demo.seed", "--if-missing")
        yield Database(f"{where}, as MYSQL_* in the environment says")
        return

    def packages_too() -> None:
        environment.ensure(*lock_names)
        with_packages()

    lease = _lease(packages_too, *lock_names)
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


def start(port: int) -> server.Lease:
    """Set up, and start the private server to stay.

    Args:
        port: its TCP port; 0 for any free one.

    Raises:
        CourseError: packages or server cannot be had.
    """
    lease = _lease(environment.ensure, port=port, stay=True)
    try:
        seed_once()
    except BaseException:
        lease.release()
        raise
    return lease


def prepare(*lock_names: str) -> None:
    """Have the packages and a server program; nothing is started.

    Raises:
        CourseError: one of them cannot be had.
    """
    if is_external():
        _announce(*lock_names)
        environment.ensure(*lock_names)
        return
    server.make_private(place.state())
    _announce(*lock_names, with_server=True)
    with debian.apt():
        together.both(lambda: environment.ensure(*lock_names), program.ensure)


def _lease(
    packages_too: Callable[[], object], *lock_names: str, port: int = 0, stay: bool = False
) -> server.Lease:
    """Return a lease on the private server, which comes at the same time as the packages."""
    held: list[server.Lease] = []
    server.make_private(place.state())
    _announce(*lock_names, with_server=True)
    try:
        with debian.apt():  # its lists are read once for both
            together.both(
                packages_too, lambda: held.append(server.Lease(place.state(), port, stay))
            )
    except BaseException:
        for lease in held:
            lease.release()
        raise
    return held[0]


def _announce(*lock_names: str, with_server: bool = False) -> None:
    """Say what has to be fetched, and how large it is, before that begins."""
    lacking = environment.lacking(*lock_names)
    # Each by itself: an entry that ends with a place for a value would take what follows for that value.
    parts = [language.translated(f"the Python packages of {name}") for name in lacking]
    megabytes = [packages.SIZES.get(name, (0, 0)) for name in lacking]
    if lacking:
        megabytes.append(packages.UV_SIZE)
    made_by = datadir.stamp(place.state())
    if with_server and not made_by and program.will_fetch():
        parts.append(language.translated("the MariaDB server, with apt's package lists"))
        megabytes.append(program.SIZE)
    if parts:
        loaded, kept = (sum(sizes) for sizes in zip(*megabytes, strict=True))
        say.note(
            f"To be fetched, once: {'; '.join(parts)}. That is about {loaded} MB to download and {kept} MB on the disk."
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
    if is_external():
        environment.ensure()
        where = check_external()
        run_demo("demos.pool_demo.seed")
        return f"The seed is restored on {where}."
    state, kept = place.state(), ""
    server.make_private(state)
    found = program.ensure(datadir.stamp(state).get("kind", ""))
    environment.ensure()
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
        # The client would read MYSQL_HOST by itself, and a password that may be another server's.
        names = (*NAMES, "MYSQL_PWD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT", "MYSQL_GROUP_SUFFIX")
        mine = {name: value for name, value in os.environ.items() if name not in names}
        return subprocess.run(command, env={**mine, **client.environment}, check=False).returncode
