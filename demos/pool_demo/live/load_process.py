"""A1: run a load on the server in a separate process, so that viewers do not slow it down.

with LoadProcess(Load("MysqlHelp", clients=8, size=3, query=0.1)) as load:
    load.hold(1)
    for report in load.reports(): ...

Each client gets a connection, asks one query, gives the connection back, and begins again. What
happens is written to standard output, about twenty reports a second. Each report is a pickle: to
write it takes a seventh of the time that JSON takes. To read a pickle is safe here, because our own
process has written it.
"""

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Self, TypedDict

import pymysql

from demos.instruments.screen import explain, run
from demos.pool_demo.compared.ways import SELECT, WAYS
from demos.pool_demo.lending.turnstile import PoolTimeout
from demos.pool_demo.live.ways_that_note import Note, Notes, watched
from demos.pool_demo.settings import ROOT, load

PAUSE = 0.05  # seconds between two reports
PATIENCE = 0.1  # seconds until a client that got an error tries again
GOODBYE = 2.0  # seconds that clients have to end their turn


@dataclass(frozen=True)
class Load:
    """The load that a process runs.

    `way` is one of `ways.WAYS`. `clients` is their number, `size` is that of the pool, and a
    `query` takes so many seconds. `port` is the server's, if it is not the one of the settings.
    """

    way: str
    clients: int = 8
    size: int = 3
    query: float = 0.1
    port: int | None = None
    watch: bool = True


class Report(TypedDict):
    """What has happened since the report before; the clock is `time.perf_counter_ns`.

    `ready` is false until the pool is made. `turns` and `errors` are counted from the beginning.
    `failed` is a sentence that says why there is no pool, or "".
    """

    until: int
    ready: bool
    failed: str
    turns: int
    errors: dict[str, int]
    notes: list[Note]


class LoadProcess:
    """A running load. It ends with the block, or with the process that made it."""

    def __init__(self, chosen: Load) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demos.pool_demo.live.load_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._say(asdict(chosen))

    def __enter__(self) -> Self:
        """Return the load."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def reports(self) -> Iterator[Report]:
        """Yield the reports until the process ends."""
        assert self._process.stdout
        with suppress(EOFError, pickle.UnpicklingError):  # killed, it leaves half a report
            while True:
                yield pickle.load(self._process.stdout)

    def hold(self, count: int) -> None:
        """Start so many further callers. Each borrows a connection and keeps it."""
        self._say({"hold": count})

    def give_back(self) -> None:
        """Make these callers return their connections."""
        self._say({"hold": 0})

    def stop(self) -> None:
        """Ask all callers to end. The reports end after that. A second call does nothing."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def close(self) -> None:
        """End the process and its connections. Nobody may read the reports at the same time."""
        limit = threading.Timer(2 * GOODBYE, self._process.kill)
        limit.start()
        self.stop()
        for _ in self.reports():
            pass  # it could not end while nobody takes them
        self._process.wait()
        limit.cancel()

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


class Clients:
    """The callers, each a thread."""

    def __init__(self, chosen: Load) -> None:
        """Prepare the callers. They are numbered from 1: first the clients, then those who hold."""
        self.chosen = chosen
        self.notes = Notes()
        self.turns = [0] * chosen.clients
        self.errors: Counter[str] = Counter()
        self.ready = False
        self.failed = ""
        self.threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self._sql = f"select sleep({chosen.query})" if chosen.query else SELECT
        self._release = threading.Event()
        self._holders = 0

    def open(self) -> None:
        """Make the pool and start. Raises pymysql.OperationalError."""
        chosen, settings = self.chosen, load()
        if chosen.port:
            settings = replace(settings, host="127.0.0.1", port=chosen.port, unix_socket=None)
        ways = watched(self.notes) if chosen.watch else WAYS
        self.way = ways[chosen.way](settings, chosen.size)
        self.ready = True
        self.threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(1, chosen.clients + 1)
        ]
        for thread in self.threads:
            thread.start()

    def hold(self, count: int) -> None:
        """Make `count` more callers borrow and keep a connection; 0: make all of them return it."""
        if count == 0:
            self._release.set()
            self._release = threading.Event()
        for _ in range(count):
            self._holders += 1
            number = self.chosen.clients + self._holders
            arguments = (number, self._release)
            threading.Thread(target=self._holder, args=arguments, daemon=True).start()

    def close(self) -> None:
        """End: wait until each caller has ended its turn, then close the pool."""
        self.stopping.set()
        self.hold(0)
        deadline = time.monotonic() + GOODBYE
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.way.close()

    def _client(self, number: int) -> None:
        self.notes.i_am(number)
        while not self.stopping.is_set():
            try:
                self.way.query(self._sql)
                self.turns[number - 1] += 1
            except (pymysql.MySQLError, PoolTimeout) as error:
                self.errors[_named(error)] += 1
                self.stopping.wait(PATIENCE)

    def _holder(self, number: int, release: threading.Event) -> None:
        self.notes.i_am(number)
        try:
            with self.way.borrow():
                release.wait()
        except (pymysql.MySQLError, PoolTimeout) as error:
            self.errors[_named(error)] += 1


def _named(error: Exception) -> str:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else ""
    return f"{type(error).__name__} {code}".strip()


class Reporter:
    """Writes the reports."""

    def __init__(self, clients: Clients) -> None:
        """Begin."""
        self._clients = clients
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the last report."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(PAUSE)
            clients = self._clients
            report: Report = {
                # Before the notes are taken: what comes in between is in this report all the same.
                "until": time.perf_counter_ns(),
                "ready": clients.ready,
                "failed": clients.failed,
                "turns": sum(clients.turns),
                "errors": dict(clients.errors),
                "notes": clients.notes.take(),
            }
            try:
                pickle.dump(report, sys.stdout.buffer)
                sys.stdout.flush()
            except BrokenPipeError:  # who watched is gone; standard input ends too, and so do we
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


def main() -> None:
    """Run the load that the first line of standard input describes; the next ones are commands."""
    clients = Clients(Load(**json.loads(sys.stdin.readline())))
    reporter = Reporter(clients)
    try:
        clients.open()
        for line in sys.stdin:
            clients.hold(json.loads(line)["hold"])
        clients.close()
    except pymysql.MySQLError as error:
        clients.failed = explain(error) or f"The load could not start: {error.args}"
        sys.exit(1)
    finally:
        reporter.close()


if __name__ == "__main__":
    run(main)
