"""The process that owns the private server: `python -m course.database.keeper STATE_DIR PORT stay|leave`.

It starts the server, says so in one line of JSON, and ends it when nobody uses it any more. Everybody who uses the
server holds `users.lock` shared; the kernel lets go of it for those who die. The server in turn dies with the keeper.
So there is nothing to clean up after a `kill -9` of anything.
"""

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course.database import datadir, program
from course.ground import optionfile, place, tether
from course.ground.errors import CourseError, explain
from course.ground.locks import Lock

START_LIMIT = 60.0  # seconds until a server that does not answer is given up
STOP_LIMIT = 5.0  # seconds between asking it to stop and ending it
PORT_TRIES = 5
PORTS = range(20_000, 30_000)  # below those that a system gives to connections that go out
SILENCE = 3  # seconds until somebody who connects and says nothing has to go; 10 is the server's own choice
LOG_LIMIT = 4 * 2**20  # bytes of server log after which a new file is begun


class Keeper:
    """One private server in one state folder."""

    def __init__(self, state: Path, port: int = 0, stay: bool = False) -> None:
        """Prepare to serve the state folder.

        Args:
            state: the folder, `.course`.
            port: the TCP port; 0 means the last one used, or any free one.
            stay: go on when nobody uses the server.
        """
        self.state = state
        self.stay = stay
        self.asked_port = port
        self.server: subprocess.Popen[bytes] | None = None
        self.sockets: Path | None = None
        self.told_to_stop = False
        self.users = Lock(state / "users.lock")

    def run(self) -> None:
        """Start the server, report it, and stay until nobody uses it.

        Raises:
            CourseError: the server cannot be had or started.
        """
        mine = Lock(self.state / "keeper.lock")
        if not wait_until(
            mine.try_alone, STOP_LIMIT
        ):  # a short wait: somebody may be looking whether we are here
            raise CourseError(
                "another process keeps this server already: python3 -m course db status shows it."
            )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note_stop)
        set_stay(self.state, self.stay)
        try:
            self._end_orphan()
            self._record()
            title = self._start()
            self._record(ready=True)
            report({"ready": title})
            self._stay()
        finally:
            self._stop()

    def _note_stop(self, number: int, frame: object) -> None:
        self.told_to_stop = True

    def _end_orphan(self) -> None:
        """End a server that an earlier keeper left behind, and remove its socket."""
        record = read_record(self.state)
        pid, began = record.get("server_pid", 0), record.get("server_began")
        # The number may belong to another program by now: then that one has begun later.
        if pid and began and began_at(pid) == began:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if began_at(pid) == began:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                wait_until(lambda: began_at(pid) != began, STOP_LIMIT)
        if record.get("sockets"):
            shutil.rmtree(record["sockets"], ignore_errors=True)

    def _start(self) -> str:
        found = program.ensure(datadir.stamp(self.state).get("kind", ""))
        data = datadir.prepare(found, self.state)
        known = optionfile.read(self.state / "my.cnf")
        password = known.get("password") or secrets.token_urlsafe(18)
        init_file = self.state / "init.sql"
        optionfile.write_private(init_file, accounts_sql(found.kind, password))
        # A socket's path may have 107 bytes at the most; a checkout's may well have more.
        self.sockets = Path(tempfile.mkdtemp(prefix="course-", dir=place.short_temporary()))
        path = self.sockets / "mysql.sock"

        last_port = int(known.get("port") or 0)
        ports = [self.asked_port] if self.asked_port else [last_port, *[0] * PORT_TRIES]
        log_file = self.state / "server.log"
        if log_file.exists() and log_file.stat().st_size > LOG_LIMIT:
            log_file.replace(log_file.with_suffix(".log.1"))
        for port in (port or free_port() for port in ports):
            with log_file.open("ab") as log:
                begin = log.tell()
                self.server = self._launch(found, data, init_file, path, port, log.fileno())
            self._record()
            if self._wait_ready(path, port):
                break
            tail = log_file.read_bytes()[begin:].decode("utf-8", "replace")
            if "Address already in use" in tail and not self.asked_port:
                continue
            raise CourseError(
                f"{found.title} did not start: {datadir.cause(tail)}.",
                "\n".join(tail.splitlines()[-12:]),
            )
        else:
            raise CourseError(
                "no free port could be found for the server: run the same command again."
            )

        optionfile.write(
            self.state / "my.cnf",
            port=port,
            socket=str(path),
            password=password,
            database=known.get("database", optionfile.DATABASE),
        )
        return found.title

    def _launch(
        self, found: program.Program, data: Path, init_file: Path, path: Path, port: int, log: int
    ) -> subprocess.Popen[bytes]:
        command = [
            str(found.path),
            *datadir.options(found, data),
            f"--socket={path}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--pid-file={path.with_suffix('.pid')}",
            f"--tmpdir={path.parent}",
            f"--init-file={init_file}",
            "--character-set-server=utf8mb4",
            "--max-connections=400",
            # Other users of this machine can reach the port. Who is silent there has a place for so long, and a
            # program that logs in needs some milliseconds.
            f"--connect-timeout={SILENCE}",
            "--innodb-buffer-pool-size=16M",
            "--skip-log-bin",
        ]
        environment = {**os.environ, **found.environment}
        return tether.start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.state,
            env=environment,
        )

    def _wait_ready(self, path: Path, port: int) -> bool:
        """Wait until the server greets on its socket and its port, or has ended."""
        server = self.server
        assert server

        def greets_or_ended() -> bool:
            return server.poll() is not None or (greets(str(path)) and greets(("127.0.0.1", port)))

        if not wait_until(greets_or_ended, START_LIMIT):
            raise CourseError(
                f"the database server did not answer within {START_LIMIT:.0f} s: the machine may be overloaded; "
                "run the same command again."
            )
        return server.poll() is None

    def _record(self, ready: bool = False) -> None:
        pid = os.getpid()
        record: dict[str, object] = {"pid": pid, "began": began_at(pid), "ready": ready}
        if self.server:
            record |= {"server_pid": self.server.pid, "server_began": began_at(self.server.pid)}
            record |= {"sockets": str(self.sockets)}
        optionfile.write_private(self.state / "keeper.json", json.dumps(record))

    def _stay(self) -> None:
        """Wait for one of three ends: told to stop, the server died, nobody uses it."""
        assert self.server
        while not self.told_to_stop and self.server.poll() is None:
            # Whoever comes while we stop waits for this lock, and then finds no keeper and starts one.
            if not stays(self.state) and self.users.try_alone():
                return
            time.sleep(0.1)

    def _stop(self) -> None:
        if self.server and self.server.poll() is None:
            tether.end(self.server, STOP_LIMIT)
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        optionfile.write_private(
            self.state / "keeper.json", json.dumps({"told_to_stop": self.told_to_stop})
        )
        set_stay(self.state, False)


def stays(state: Path) -> bool:
    """Say whether the server goes on when nobody uses it."""
    return (state / "stay").exists()


def set_stay(state: Path, stay: bool) -> None:
    """Let the running server go on when nobody uses it, or not; the next one starts without this."""
    if stay:
        (state / "stay").touch()
    else:
        (state / "stay").unlink(missing_ok=True)


def accounts_sql(kind: str, password: str) -> str:
    """Return SQL that leaves one account, ours, with this password; the server runs it before it listens."""
    lines = []
    for host in ("localhost", "127.0.0.1"):
        account = f"'{optionfile.USER}'@'{host}'"
        lines += [
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';",
            f"ALTER USER {account} IDENTIFIED BY '{password}';",
            f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;",
        ]
    lines.append("DROP USER IF EXISTS 'root'@'localhost';")
    return "\n".join(lines) + "\n"


def greets(address: str | tuple[str, int]) -> bool:
    """Say whether a MySQL server sends its greeting there; an open port alone does not mean it is ready."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(address)
            # Three bytes of length, a sequence number, then protocol version 10.
            greeting = connection.recv(5)
            return greeting[4:5] == b"\x0a"
    except OSError:
        return False


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago, and that no connection which goes out gets meanwhile.

    Raises:
        OSError: none can be had.
    """
    for port in random.sample(PORTS, 50):
        with contextlib.suppress(OSError):
            return _bound(port)
    return _bound(0)  # any that the system has


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], limit: float) -> bool:
    """Wait until the condition holds; say whether it did within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def read_record(state: Path) -> dict[str, Any]:
    """Return the keeper's note of itself: `pid`, `began`, `ready`, and `server_pid`, `server_began`, `sockets`.

    After its end it is `told_to_stop`.
    """
    return place.record(state / "keeper.json")


def report(message: dict[str, object]) -> None:
    """Send one line to whoever started us; they may be gone already."""
    with contextlib.suppress(BrokenPipeError, OSError):
        print(json.dumps(message), flush=True)


def began_at(pid: int) -> str:
    """Return when a process began; "" if there is none, or if it has ended and nobody has asked how yet.

    Number and time together name a process; the number alone is given again to others. Within one start of the
    machine, that is, hence its name as well.
    """
    if not Path("/proc/self").exists():
        done = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        state, _, began = done.stdout.strip().partition(" ")
        return "" if state.startswith("Z") else began.strip()
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        machine = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else f"{fields[18]} {machine}"  # starttime, in clock ticks


def main(arguments: list[str]) -> int:
    """Keep the server of the state folder given; report a failure as JSON."""
    state, port, stay = arguments
    try:
        Keeper(Path(state), int(port), stay == "stay").run()
    except CourseError as error:
        report({"error": str(error), "details": error.details})
        return 1
    except OSError as error:
        report(
            {"error": f"the database server could not be started: {explain(error)}", "details": ""}
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
