"""The private server as its users see it: use it, start it to stay, stop it, ask how it is.

Whoever uses the server holds a lease on it. The first one starts a keeper (see keeper.py), the others join, and the
server ends with the last lease.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from course.database import datadir, keeper, program
from course.ground import locks, optionfile, place
from course.ground.errors import CourseError


@dataclass(frozen=True)
class Status:
    """A running private server."""

    host: str
    port: int
    socket: str
    user: str
    password: str
    database: str
    keeper_pid: int
    server_pid: int
    stays: bool

    @property
    def where(self) -> str:
        """One line for the user."""
        return f"{self.host}:{self.port}, user {self.user}, database {self.database} (private, of this checkout)"

    def as_environment(self) -> dict[str, str]:
        """Return the `MYSQL_*` settings that lead to this server."""
        return {
            "MYSQL_HOST": self.host,
            "MYSQL_PORT": str(self.port),
            "MYSQL_UNIX_SOCKET": self.socket,
            "MYSQL_USER": self.user,
            "MYSQL_PASSWORD": self.password,
            "MYSQL_DATABASE": self.database,
        }


class Lease:
    """The right to a running server until `release` or the death of this process."""

    def __init__(self, state: Path, port: int = 0, stay: bool = False) -> None:
        """Join the running server or start it.

        Args:
            state: the state folder.
            port: the TCP port for a server that is yet to start; 0 for any free one.
            stay: let the server go on after the last lease.

        Raises:
            CourseError: the server cannot be had or started.
        """
        self.state = state
        make_private(state)
        self._lock = locks.Lock(state / "users.lock")
        try:
            self.status = self._join(port, stay)
        except BaseException:
            self._lock.close()
            raise

    def _join(self, port: int = 0, stay: bool = False) -> Status:
        with locks.alone(
            self.state / "start.lock",
            "Another course command is starting the server; waiting for it.",
        ):
            self._lock.share()  # waits for a server that is just stopping
            # A keeper may be there without a server: its starter was killed, or its server was.
            if not keeper.wait_until(lambda: _is_settled(self.state), keeper.START_LIMIT):
                raise CourseError(
                    "the database server is there and does not answer: end it with python3 -m course db stop "
                    "and run the same command again."
                )
            if not is_running(self.state):
                # Here and not in the keeper, so that the user sees its progress.
                program.ensure(datadir.stamp(self.state).get("kind", ""))
                _start_keeper(self.state, port, stay)
            elif stay:
                keeper.set_stay(self.state, True)
            found = status(self.state)
        if found is None:
            raise CourseError("the server ended as soon as it was up: run the same command again.")
        return found

    def is_good(self) -> bool:
        """Say whether the server is still there."""
        return is_running(self.state)

    def was_stopped(self) -> bool:
        """Say whether somebody stopped the server, as against its death."""
        return bool(keeper.read_record(self.state).get("told_to_stop"))

    def renew(self) -> None:
        """Start the server again after its death; it keeps its port and its password."""
        self.status = self._join()

    def release(self) -> bool:
        """Give the lease back; wait for the server's end if this was the last one.

        Returns:
            Whether the server has ended.
        """
        last = self._lock.try_alone()
        self._lock.close()
        if not last or keeper.stays(self.state):
            return False
        return keeper.wait_until(lambda: not is_running(self.state), keeper.STOP_LIMIT + 2)

    def __enter__(self) -> "Lease":
        """Use the server for a block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the lease back."""
        self.release()


def is_running(state: Path) -> bool:
    """Say whether a keeper is alive for this state folder, and with it a server."""
    return state.exists() and locks.is_held_alone(state / "keeper.lock")


def _is_settled(state: Path) -> bool:
    """Say whether the server answers or there is no keeper."""
    if not is_running(state):
        return True
    found = status(state)
    return found is not None and keeper.greets(found.socket)


def status(state: Path) -> Status | None:
    """Return what is known of the running server, or None."""
    record, known = keeper.read_record(state), optionfile.read(state / "my.cnf")
    if not is_running(state) or not record.get("ready") or not known:
        return None
    return Status(
        host=known["host"],
        port=int(known["port"]),
        socket=known["socket"],
        user=known["user"],
        password=known["password"],
        database=known["database"],
        keeper_pid=record["pid"],
        server_pid=record["server_pid"],
        stays=keeper.stays(state),
    )


def stop(state: Path) -> bool:
    """Stop the server whoever uses it; say whether there was one."""
    if not is_running(state):
        return False
    record = keeper.read_record(state)
    pid = record.get("pid")
    # A keeper that has just begun has not written its own number yet; the one before may be anybody's by now.
    if pid and keeper.began_at(pid) == record.get("began"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not keeper.wait_until(lambda: not is_running(state), keeper.STOP_LIMIT + 5):
        raise CourseError(
            f"the server's keeper (process {pid}) does not stop: end it with kill -9 {pid}."
        )
    return True


def has_seed(state: Path) -> bool:
    """Say whether the seed was loaded completely since the data directory was made."""
    return bool(datadir.stamp(state).get("seeded"))


def make_private(state: Path) -> None:
    """Make the state folder, readable by its owner only.

    Raises:
        CourseError: it cannot be written; the sentence says where else it may be.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)
    except OSError as error:
        raise CourseError(
            f"{place.shown(state)} cannot be written ({error.strerror}): clone the course into a folder of your own, "
            "or name another one in COURSE_STATE_DIR."
        ) from None


def _start_keeper(state: Path, port: int, stay: bool) -> None:
    command = [
        sys.executable,
        "-m",
        "course.database.keeper",
        str(state),
        str(port),
        "stay" if stay else "leave",
    ]
    with (state / "keeper.log").open("wb") as log:
        # A session of its own: Ctrl-C in this terminal is ours to handle, and the server goes last.
        child = subprocess.Popen(
            command,
            cwd=place.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert child.stdout
    with child.stdout:
        answer = child.stdout.readline()
    if not answer:
        tail = (state / "keeper.log").read_text("utf-8", "replace")[-800:]
        raise CourseError(
            "the server's keeper died while starting: run the same command again.", tail
        )
    message = json.loads(answer)
    if "error" in message:
        raise CourseError(message["error"], message["details"])
