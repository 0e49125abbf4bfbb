"""The steps that run on the stage: processes, what they say, and the clients in front of them.

Everything here happens in the server's one thread, in greenlets: the kernel ends a process when the thread that
started it ends.
"""

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import gevent
from gevent.lock import RLock
from gevent.os import nb_read

from course.database.redis_server import named_or_private
from course.ground import place, tether
from course.ground.errors import CourseError
from course.ground.manifest import OPTION, Step
from course.stage import hostnames
from course.stage.feed import Bell
from course.stage.output import Lines, Output

# One person for each client: a host of its own, so that cookies and storage are its own. The names are in the seed.
CLIENTS = [
    ("hanxue", "韩雪"),
    ("shuchang", "舒畅"),
    ("tangyan", "唐嫣"),
    ("xiaotiantian", "小甜甜"),
]
SITE = "course.localhost"  # browsers lead all hosts of it to this machine
TAP = "demos.group_chat.wire_tap"
READ = 0.02  # seconds between two looks at what a process says
PIPE = 1 << 18  # bytes that a process can say meanwhile, so that it does not wait for us
FRAMES = 500  # events of the wire that a page gets when it begins to look
LEAVE = 0.3  # seconds for the page's frames to go before their server does
STEP_TIME, TAP_TIME = 10.0, 2.0  # seconds between asking to stop and ending


class Wire:
    """What the taps of a run have seen: the newest events."""

    def __init__(self, bell: Bell) -> None:
        """Begin with nothing; the bell rings at each change."""
        self.bell = bell
        self._events: deque[tuple[int, str]] = deque(maxlen=FRAMES)
        self._counters: dict[
            str, tuple[int, str]
        ] = {}  # by client; each line replaces the one before
        self._next = 0

    def add(self, line: str) -> None:
        """Keep an event, a line of JSON."""
        event = json.loads(line)
        if event["kind"] == "count":
            self._counters[event["client"]] = (self._next, line)
        else:
            self._events.append((self._next, line))
        self._next += 1

    def since(self, number: int) -> tuple[list[str], int]:
        """Return the events from a number on, and the number of the next one."""
        kept = sorted([*self._events, *self._counters.values()])
        return [line for at, line in kept if at >= number], self._next


class Run:
    """One step, from Run to Stop: its processes, their output, and its clients."""

    def __init__(
        self,
        number: int,
        step: Step,
        options: str,
        wanted: int,
        ancestor: str,
        bell: Bell,
        wires: Bell,
    ) -> None:
        """Prepare a run; `start` starts it.

        Args:
            number: tells it from other runs.
            step: what to run.
            options: for the step, as one types them.
            wanted: how many clients to open once it serves.
            ancestor: origin of the page that shows the clients.
            bell: rung at every change.
            wires: rung at everything that passes on its wire.
        """
        self.number, self.step, self.options, self.bell = number, step, options, bell
        self.wanted, self.ancestor = wanted, ancestor
        self.state = "running"  # then stopping, or not; in the end ended, failed or stopped
        self.code: int | None = None
        self.changes = 0
        self.addresses: list[str] = []
        self.plots: list[Path] = []
        self.output = Output()
        self.wire = Wire(wires)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clients: list[Client] = []
        self._needs = ExitStack()
        self._turn = RLock()  # to start a process takes a moment, in which others go on

    @property
    def runs(self) -> bool:
        """Say whether a process of it may be there."""
        return self.state in ("running", "stopping")

    def as_json(self) -> dict[str, object]:
        """Return what the page shows of it, but for its output."""
        return {
            "run": self.number,
            "step": self.step.path,
            "options": self.options,
            "state": self.state,
            "code": self.code,
            "addresses": self.addresses,
            "plots": len(self.plots),
            "clients": [client.as_json() for client in self.clients],
        }

    def start(self) -> None:
        """Start the step's processes.

        Raises:
            CourseError: the options cannot be read.
        """
        try:
            options = shlex.split(self.options)
        except ValueError as error:
            raise CourseError(
                f"these options cannot be read ({error}): close what you have quoted."
            ) from None
        with self._turn:
            try:
                self._start_processes(options)
            except BaseException:
                self._needs.close()
                raise
        gevent.spawn(self._follow)

    def _start_processes(self, options: list[str]) -> None:
        arguments = ["--port", "0"] if self.step.serves else []
        settings = self._needs.enter_context(named_or_private()) if self.step.redis else {}
        count = 1
        if self.step.redis == OPTION and settings:
            arguments += [OPTION, settings["REDIS_URL"]]
            count = 2  # one alone would have nobody to share a Redis with
        command = [sys.executable, "-m", self.step.module, *arguments, *options]
        for _ in range(count):
            self.processes.append(_start("course.stage.minder", *command, settings=settings))

    def stop(self) -> None:
        """Ask it to stop; its state says when it has."""
        with self._turn:
            if self.state != "running":
                return
            self._change("stopping")
            leaving, self.clients = self.clients, []
            gevent.spawn_later(LEAVE, self._end, leaving)

    def _end(self, leaving: list["Client"]) -> None:
        for client in leaving:
            client.close()
        for process in self.processes:
            process.terminate()

    def open_clients(self, count: int) -> None:
        """Have so many clients, as soon as the step serves."""
        with self._turn:
            self.wanted = count
            # Several processes serve the clients in turn.
            open_now = count if self.addresses and self.state == "running" else 0
            wanted = [self.addresses[number % len(self.addresses)] for number in range(open_now)]
            kept: dict[int, Client] = {}
            for number, client in enumerate(self.clients):
                if wanted[number : number + 1] == [client.address]:
                    kept[number] = client
                else:
                    client.close()
            self.clients = [
                kept.get(number) or Client(number, address, self)
                for number, address in enumerate(wanted)
            ]
        self.change()

    def change(self) -> None:
        """Tell the pages that something is not as it was."""
        self.changes += 1
        self.bell.ring()

    def _change(self, state: str) -> None:
        self.state = state
        self.change()

    def _follow(self) -> None:
        """Read what all processes say until they have ended, then settle what became of the run."""
        readers = [
            gevent.spawn(self._read, stream, name)
            for process in self.processes
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            if stream
        ]
        gevent.joinall(readers)
        codes = [process.wait() for process in self.processes]
        self.open_clients(0)
        self._needs.close()
        self.code = max(codes, key=abs)
        if self.state == "stopping":
            self._change("stopped")
        else:
            self._change("failed" if self.code else "ended")

    def _read(self, stream: IO[bytes], name: str) -> None:
        lines = Lines()
        while True:
            data = nb_read(stream.fileno(), PIPE)
            text, complete = lines.feed(data)
            self.output.add(name, text)
            if name == "stdout":
                self._look_for_addresses(complete)
            self.bell.ring()
            if not data:
                break
            gevent.sleep(READ)
        stream.close()

    def _look_for_addresses(self, lines: list[str]) -> None:
        for line in lines:
            if not line.startswith(("Open ", "Plot: ")):
                continue
            if self.state == "running" and (
                found := re.match(r"Open (http://127\.0\.0\.1:\d+/\S*)", line)
            ):
                self.addresses.append(found[1])
                self.open_clients(self.wanted)
            if found := re.match(r"Plot: (\S.*\.svg)$", line):
                self.plots.append(place.ROOT / found[1])
                self.change()


class Client:
    """One person in front of a step: a wire tap between the page's frame and the step."""

    def __init__(self, number: int, address: str, run: Run) -> None:
        """Start the tap; `url` is there as soon as it serves."""
        self.host, self.name = CLIENTS[number]
        self.address, self.run, self.url = address, run, ""
        server, _, self.page = address.removeprefix("http://").partition("/")
        self.process = _start(
            TAP,
            *("--to", f"http://{server}", "--client", self.name, "--frame-ancestors", run.ancestor),
        )
        gevent.spawn(self._read)
        gevent.spawn(self._read_errors)

    def as_json(self) -> dict[str, object]:
        """Return what the page shows of it."""
        return {"name": self.name, "host": f"{self.host}.{SITE}", "url": self.url}

    def close(self) -> None:
        """End the tap."""
        gevent.spawn(tether.end, self.process, TAP_TIME)

    def _read(self) -> None:
        """Take the tap's address, then pass on its events."""
        lines, stream = Lines(), self.process.stdout
        assert stream
        while data := nb_read(stream.fileno(), PIPE):
            for line in lines.feed(data)[1]:
                if line.startswith("{"):
                    self.run.wire.add(line)
                elif found := re.match(r"Open http://127\.0\.0\.1:(\d+)/", line):
                    port = int(found[1])
                    self.url = f"http://{self.host}.{SITE}:{port}/{self.page}"
                    if hostnames.outside(port):
                        self.url = hostnames.client(port, self.page)
                    self.run.change()
            self.run.wire.bell.ring()
            gevent.sleep(READ)
        stream.close()

    def _read_errors(self) -> None:
        stream, lines = self.process.stderr, Lines()
        assert stream
        while data := nb_read(stream.fileno(), PIPE):
            self.run.output.add("stderr", lines.feed(data)[0])
            self.run.bell.ring()
        stream.close()


class Runs:
    """All runs of the stage; of each step the newest one."""

    def __init__(self, ancestor: str, address: str) -> None:
        """Begin with none.

        Args:
            ancestor: origin of the page that shows the clients.
            address: where that page is opened.
        """
        self.ancestor, self.address = ancestor, address
        self.bell, self.wires = Bell(), Bell()
        self.by_step: dict[str, Run] = {}
        self._number = 0

    def start(self, step: Step, options: str, clients: int, ancestor: str = "") -> Run:
        """Run a step; `ancestor` is the origin of the page that shows its clients, if it is not the usual one.

        Raises:
            CourseError: it runs already, or cannot be started.
        """
        former = self.by_step.get(step.path)
        if former and former.runs:
            raise CourseError(f"{step.path} runs already: stop it first.")
        self._number += 1
        ancestor = ancestor or self.ancestor
        run = Run(self._number, step, options, clients, ancestor, self.bell, self.wires)
        self.by_step[step.path] = run  # from now on nobody else starts it
        try:
            run.start()
        except BaseException:
            del self.by_step[step.path]
            raise
        run.change()
        return run

    def get(self, number: int) -> Run | None:
        """Return the run of that number, if a newer one has not taken its place."""
        return next((run for run in self.by_step.values() if run.number == number), None)

    def news(self, seen: dict[int, tuple[int, int]]) -> list[dict[str, object]]:
        """Return what a page has not seen of all runs, and note in `seen` that it has."""
        found: list[dict[str, object]] = []
        for run in self.by_step.values():
            changes, position = seen.get(run.number, (-1, 0))
            if run.changes != changes:
                found.append({"kind": "run", **run.as_json()})
            pieces, lost = run.output.since(position)
            if pieces:
                texts = [[piece.stream, piece.text] for piece in pieces]
                found.append({"kind": "output", "run": run.number, "pieces": texts, "lost": lost})
            seen[run.number] = (run.changes, run.output.next)
        return found

    def stop_all(self) -> None:
        """Stop everything, and wait until it has."""
        active = [run for run in self.by_step.values() if run.runs]
        processes = [process for run in active for process in run.processes]
        taps = [client.process for run in active for client in run.clients]
        gevent.joinall(
            [gevent.spawn(tether.end, process, STEP_TIME) for process in processes]
            + [gevent.spawn(tether.end, process, TAP_TIME) for process in taps]
        )


def _start(
    module: str, *arguments: str, settings: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    # No colours and no waiting for a full buffer: what is said is shown at once.
    colours = ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
    mine = {name: value for name, value in os.environ.items() if name not in colours}
    process = tether.start(
        [sys.executable, "-m", module, *arguments],
        last_signal=signal.SIGTERM,
        cwd=place.ROOT,
        env={**mine, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **(settings or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    # gevent's Popen takes no notice of `pipesize`, and a user may have so many large pipes and no more.
    if sys.platform == "linux":
        for stream in (process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                fcntl.fcntl(stream or -1, fcntl.F_SETPIPE_SZ, PIPE)
    return process
