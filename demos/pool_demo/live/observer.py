"""A1, A4, A5: run a load, draw it, compare the picture with the server, and disturb the load.

with Observer() as observer:
    observer.start(Choice("MysqlHelp", clients=8, size=3, query=100))
    for frame in observer.frames(): ...
"""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Self

import pymysql

from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.witness import Witness
from demos.pool_demo.compared.ways import transports
from demos.pool_demo.lending.mutex import Mutex
from demos.pool_demo.live.cross_check import Look, Verdict, differences
from demos.pool_demo.live.lanes import Picture
from demos.pool_demo.live.load_choice import Choice, Refused
from demos.pool_demo.live.load_process import Load, LoadProcess, Report
from demos.pool_demo.settings import comes_back, load

FRAME = 0.1  # seconds between two frames
KEPT = 100  # frames that somebody who comes later still gets
LOOK = 0.5  # seconds between two looks at the process list
SLACK = 0.3  # seconds; see cross_check
RATE = 20  # reports that a rate is taken over: a second
AWAY = 1.0  # seconds that the server is away in a restart that is only played
BACK = 60.0  # seconds that a server may take to come back
SILENCE = 1.0  # seconds after which a viewer gets a sign of life; one that has gone is noticed

_NOTHING = "Nothing runs: press Start."


class Run:
    """One load under observation, from its start to its end."""

    def __init__(self, choice: Choice, number: int, port: int) -> None:
        """Start the load; it connects to the server on this port."""
        self.choice, self.number = choice, number
        self.mutex = Mutex()
        self.picture = Picture(time.perf_counter_ns())
        self.verdict = Verdict()
        self.report: Report | None = None
        self.notes = 0
        self._looks: deque[Look] = deque()
        self._history: deque[tuple[int, int, int]] = deque(maxlen=RATE)  # when, turns, notes
        self._load = LoadProcess(
            Load(choice.way, choice.clients, choice.size, choice.query / 1000, port)
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_over(self) -> bool:
        """True if the load has ended."""
        return not self._reader.is_alive()

    def hold(self, count: int) -> None:
        """Make so many more callers borrow and keep; 0: return all of them. Raises Refused."""
        try:
            self._load.hold(count)
        except (OSError, ValueError) as error:
            raise Refused(_NOTHING) from error

    def look(self, look: Look) -> None:
        """Read the process list; it is compared when the picture has reached this moment."""
        with self.mutex:
            self._looks.append(look)

    def close(self) -> None:
        """End it."""
        self._load.stop()
        self._reader.join(5)
        self._load.close()

    def frame(self) -> dict[str, Any]:
        """Return the values that a page shows, and the columns since the last call."""
        with self.mutex:
            picture, report, verdict = self.picture, self.report, self.verdict
            p50, p99 = picture.waits.percentiles(picture.until, (50, 99))
            turns, notes = self._rates()
            return {
                "run": self.number,
                "choice": asdict(self.choice),
                "until": picture.until,
                "running": not self.is_over,
                "ready": bool(report and report["ready"]),
                "failed": report["failed"] if report else "",
                "columns": picture.take(),
                "labels": list(picture.labels),
                "now": picture.now(),
                "shares": picture.shares(),
                "waiting": picture.waiting(),
                "longest": picture.longest_wait() / 1e6,
                "counts": picture.counts,
                "errors": report["errors"] if report else {},
                "turns": report["turns"] if report else 0,
                "turns_a_second": turns,
                "notes": self.notes,
                "notes_a_ms": notes / 1000,
                "p50": p50 and p50 / 1e6,
                "p99": p99 and p99 / 1e6,
                "check": asdict(verdict),
            }

    def _read(self) -> None:
        for report in self._load.reports():
            with self.mutex:
                self.report = report
                self.notes += len(report["notes"])
                self.picture.fold(report["notes"], report["until"])
                self._history.append((report["until"], report["turns"], self.notes))
                self._judge()

    def _rates(self) -> tuple[float, float]:
        """Return turns and notes a second."""
        if len(self._history) < 2:
            return 0.0, 0.0
        (began, turns, notes), (now, all_turns, all_notes) = self._history[0], self._history[-1]
        seconds = (now - began) / 1e9
        return (all_turns - turns) / seconds, (all_notes - notes) / seconds

    def _judge(self) -> None:
        """Compare the looks whose moment the picture has reached."""
        slack = int((SLACK + 4 * self.choice.latency / 1000) * 1e9)
        while self._looks and self.picture.until >= self._looks[0].ended + slack:
            look = self._looks.popleft()
            self.verdict = self.verdict.after(look, differences(look, self.picture, slack))


class Observer:
    """One load at a time, for any number of viewers."""

    def __init__(self) -> None:
        """Find the server. Raises pymysql.OperationalError if there is none."""
        settings = load()
        with Witness():
            pass  # somebody answers
        self.proxy = DelayProxy(transports(settings).get("TCP", settings))
        self.run: Run | None = None
        self._runs = 0
        self._control = threading.Lock()  # one button at a time
        self._ended = threading.Event()
        self._frames: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._news = threading.Condition()
        for work in (self._film, self._look):
            threading.Thread(target=work, daemon=True).start()

    def __enter__(self) -> Self:
        """Return the observer."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End everything that was started."""
        self._ended.set()
        self.stop()
        self.proxy.close()

    # -- what a viewer sees ------------------------------------------------------------------------

    def frames(self) -> Iterator[str]:
        """Yield frames as JSON: those of the last seconds, then each new one; "" if none comes."""
        last = 0
        while not self._ended.is_set():
            new = self._wait_for(last)
            for number, text in new:
                last = number
                yield text
            if not new:
                yield ""

    def _wait_for(self, last: int) -> list[tuple[int, str]]:
        """Return the frames after the one with that number, as soon as there is one."""
        with self._news:
            self._news.wait_for(lambda: self._newest() > last, SILENCE)
            return [(number, text) for number, text in self._frames if number > last]

    def _newest(self) -> int:
        return self._frames[-1][0] if self._frames else 0

    def _film(self) -> None:
        number, was_over = 0, True
        while not self._ended.wait(FRAME):
            run = self.run
            if run is None or (run.is_over and was_over):
                continue
            was_over = run.is_over  # the last frame says that it is over
            number += 1
            text = json.dumps(run.frame(), separators=(",", ":"))
            with self._news:
                self._frames.append((number, text))
                self._news.notify_all()

    # -- what a viewer may do ----------------------------------------------------------------------

    def start(self, choice: Choice) -> str:
        """Start a load. If one is running, end it first. Return a sentence."""
        with self._control:
            self._end()
            self.proxy.come_back()
            self.proxy.set_round_trip(choice.latency / 1000)
            self._runs += 1
            self.run = Run(choice, self._runs, self.proxy.settings.port)
        return f"{choice.way} runs."

    def stop(self) -> str:
        """End the load. Return a sentence."""
        with self._control:
            self._end()
        return "Stopped."

    def hold(self, count: int | None) -> str:
        """Make so many callers borrow and keep; None: the size of the pool. Return a sentence."""
        run = self._running()
        count = run.choice.size if count is None else count
        run.hold(count)
        if count == 1:
            return "One more caller asks for a connection, and will not give it back."
        return f"{count} more callers ask for a connection each, and will not give it back."

    def give_back(self) -> str:
        """Return all these connections. Return a sentence."""
        self._running().hold(0)
        return "All given back."

    def kill(self, number: int | None) -> str:
        """Kill a connection of the load, or any (None), as an administrator does.

        Return a sentence. Raises Refused if there is no such connection.
        """
        run = self._running()
        with run.mutex:
            numbers = list(run.picture.lanes)
        if number is None and numbers:
            number = random.choice(numbers)
        if number not in numbers:
            raise Refused(f"The load has no connection {number}." if number else "None is open.")
        if not _kill([number]):
            raise Refused(f"The server has no connection {number} any more.")
        return f"The server has ended connection {number}."

    def restart(self) -> str:
        """Restart the server; if it is not ours, simulate a restart. Return a sentence.

        Raises Refused if the server is already stopped.
        """
        run = self._running()
        wait: Callable[[], object]
        with self._control:
            if comes_back():
                _shut_down()
                self.proxy.go_away()
                wait = self._wait_until_back
                said = "The server has shut down and is started again: "
                said += "until then it refuses everybody."
            else:
                self.proxy.go_away()
                with run.mutex:
                    numbers = list(run.picture.lanes)
                _kill(numbers)  # what they were doing, the server would go on with
                wait = partial(self._ended.wait, AWAY)
                said = f"All connections are ended, and for {AWAY:g} s new ones are refused."
            threading.Thread(target=self._come_back, args=(wait,), daemon=True).start()
        return said

    def _come_back(self, wait: Callable[[], object]) -> None:
        wait()
        with suppress(RuntimeError):  # everything has ended meanwhile
            self.proxy.come_back()

    def _wait_until_back(self) -> None:
        """Wait until the server accepts connections again, for at most a minute."""
        deadline = time.monotonic() + BACK
        while time.monotonic() < deadline and not self._ended.wait(0.1):
            with suppress(pymysql.OperationalError), Witness():
                return

    def _running(self) -> Run:
        if self.run is None or self.run.is_over:
            raise Refused(_NOTHING)
        return self.run

    def _end(self) -> None:
        if self.run is not None:
            self.run.close()

    # -- what the server says ----------------------------------------------------------------------

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                with Witness(before_too=True) as witness:
                    while not self._ended.wait(LOOK):
                        self._look_once(witness)
            except (pymysql.MySQLError, RuntimeError) as error:
                if run := self.run:
                    with run.mutex:
                        run.verdict = replace(run.verdict, problem=str(error))
                self._ended.wait(LOOK)

    def _look_once(self, witness: Witness) -> None:
        run = self.run
        if run is None or run.is_over:
            return
        began = time.perf_counter_ns()
        seen = witness.seen()
        ended = time.perf_counter_ns()
        # A port is ours if the proxy has it; through a unix socket nobody can tell.
        ports = self.proxy.ports()
        ours = [one for one in seen if ports is None or one.port in ports]
        run.look(Look(began, ended, ours, len(seen) - len(ours)))


def _shut_down() -> None:
    """Tell the server to end. Raises Refused if it has ended already."""
    try:
        with Witness() as witness:
            witness.shut_down()
    except pymysql.OperationalError as error:
        raise Refused("The server is away already.") from error


def _kill(numbers: list[int]) -> int:
    """Kill connections at the server; return how many were still there."""
    found = 0
    with Witness() as witness:
        for number in numbers:
            with suppress(pymysql.MySQLError):  # it has ended by itself
                witness.kill(number)
                found += 1
    return found
