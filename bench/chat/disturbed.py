"""What visitors who disturb cost the others of the group chat: `python -m bench.chat.disturbed`.

People chat at a steady pace, and the time of each line to each listener is taken: undisturbed, and
while another process does one of the things in DISTURBANCES. The report goes to
bench/results/disturbed.md, or to another folder with --out.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench import program
from bench.chat.load import wire
from bench.pool.report import Target, opening, rows, two
from demos.group_chat.rules.messages import RICH
from demos.instruments.processes import running
from demos.instruments.rounds import Sample, interleave, samples
from demos.pool_demo.settings import ROOT

PEOPLE = 20
PACE = 2.0  # lines a second that each of them says
HISTORY, LONG = 1000, 15_000  # lines that are there before, and letters in each
PATIENCE = 30.0  # seconds for whatever has to come
MOST = 1.5  # times the undisturbed p99
FULL_ROOM, USUAL_ROOM = "nobody disturbs", "nobody disturbs a room with its usual limits"
ELSEWHERE = "127.0.0.2"  # where those who disturb come from


@dataclass(frozen=True)
class Depth:
    """How much to measure: rounds, and seconds of each."""

    rounds: int
    seconds: float


FULL, QUICK = Depth(5, 5.0), Depth(1, 0.5)


@dataclass(frozen=True)
class Delays:
    """Milliseconds from saying to hearing: not exceeded by half, and by 99 % of all deliveries."""

    p50: float
    p99: float


# The people.


class Person:
    """Says lines that hold the time, and takes the time of those that come."""

    def __init__(self, connection: ClientConnection, name: str, began: float) -> None:
        """Take over a connection in the room; what was said before `began` does not count."""
        self.connection, self.name, self.began = connection, name, began
        self.delays: list[float] = []

    async def listen(self) -> None:
        """Take the time of each line that a person says."""
        async for data in self.connection:
            frame = json.loads(data)
            if frame["type"] == "message" and frame["msg"].startswith("at "):
                said = float(frame["msg"][3:])
                if said > self.began:
                    self.delays.append(time.perf_counter() - said)

    async def talk(self, until: float) -> None:
        """Say lines at a steady pace until then."""
        number = 0
        while (now := time.perf_counter()) < until:
            number += 1
            line = {"msg": f"at {now!r}", "client_id": f"{self.name}.{now!r}"}
            await self.connection.send(json.dumps(line))
            await asyncio.sleep(1 / PACE)


@asynccontextmanager
async def member(url: str, name: str, since: str = "") -> AsyncIterator[ClientConnection]:
    """Be in the room for a block."""
    address = f"{url.replace('http', 'ws', 1)}/{name}?since={since}"
    async with connect(
        address, subprotocols=[Subprotocol(RICH)], proxy=None, max_queue=None, ping_interval=None
    ) as connection:
        async with asyncio.timeout(PATIENCE):
            await connection.recv()
        yield connection


async def chat(url: str, seconds: float, since: str) -> Delays:
    """Let people chat, who have seen all up to `since`, and return how long their lines took."""
    async with contextlib.AsyncExitStack() as stack:
        people, began = [], time.perf_counter()
        for number in range(PEOPLE):
            name = f"person{number}"
            joined = await stack.enter_async_context(member(url, name, since))
            people.append(Person(joined, name, began))
        listening = [asyncio.create_task(person.listen()) for person in people]
        until = time.perf_counter() + seconds
        await asyncio.gather(*(person.talk(until) for person in people))
        await asyncio.sleep(0.5)  # the last lines are on their way
        for task in listening:
            task.cancel()
    delays = sorted(delay for person in people for delay in person.delays)
    if not delays:
        raise RuntimeError("nobody hears anything")
    return Delays(delays[len(delays) // 2] * 1000, delays[len(delays) * 99 // 100] * 1000)


async def fill(url: str) -> str:
    """Say as many long lines as the room keeps, and return the last one's id."""
    async with member(url, "writer") as connection:
        for _ in range(HISTORY):
            line = {"msg": "字" * (LONG // 3), "client_id": secrets.token_hex(8)}
            await connection.send(json.dumps(line, ensure_ascii=False))
            while (frame := json.loads(await connection.recv()))["type"] != "ack":
                pass
    return str(frame["id"])


# Those who disturb, in a process of their own.


async def open_raw(url: str, path: str, window: int = 0) -> socket.socket:
    """Open a WebSocket on a plain socket; what comes is not looked at."""
    parts = urlsplit(url)
    plain = socket.socket()
    plain.bind((ELSEWHERE, 0))
    if window:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, (parts.hostname, parts.port))
    await loop.sock_sendall(plain, wire.request(parts.netloc, f"/{path}", RICH))
    return plain


async def take_all(plain: socket.socket, silence: float) -> None:
    """Take what comes, until the end or so many seconds of silence."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(silence):
                if not await loop.sock_recv(plain, 1 << 20):
                    break


async def come_back(url: str, number: int) -> None:
    """Come in as a page that has missed all, take what it gets, and do it again."""
    while True:
        with contextlib.suppress(OSError), await open_raw(url, f"back{number}?since=x") as plain:
            await take_all(plain, 0.05)
        await asyncio.sleep(0.01)


async def read_slowly(url: str, number: int) -> None:
    """Come in as a page that has missed all, and read a little at a time."""
    loop = asyncio.get_running_loop()
    while True:
        path = f"slow{number}?since=x"
        with contextlib.suppress(OSError), await open_raw(url, path, 4096) as plain:
            while await loop.sock_recv(plain, 4096):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.01)


async def ping(url: str, number: int) -> None:
    """Send pings as fast as they are taken; whoever is thrown out comes again."""
    loop = asyncio.get_running_loop()
    flood = wire.frame(wire.PING, b"") * 2000
    while True:
        with contextlib.suppress(OSError), await open_raw(url, f"ping{number}") as plain:
            while True:
                await loop.sock_sendall(plain, flood)
                with contextlib.suppress(BlockingIOError):
                    if not plain.recv(1 << 20):
                        break
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)


async def talk_and_leave(url: str, number: int) -> None:
    """Say as much as is allowed at once, leave, and come again, under another name each time."""
    loop = asyncio.get_running_loop()
    line = wire.frame(wire.TEXT, b'{"msg":"washed away"}')
    turn = 0
    while True:
        turn += 1
        path = f"talk{number}-{turn}"
        with contextlib.suppress(OSError), await open_raw(url, path) as plain:
            await loop.sock_sendall(plain, line * 30)
            await asyncio.sleep(0.05)
            await loop.sock_sendall(plain, wire.frame(wire.BYE, b""))
            await take_all(plain, 0.2)


@dataclass(frozen=True)
class Disturbance:
    """What somebody does, how many do it at the same time, and in which room."""

    act: Callable[[str, int], Awaitable[None]]
    count: int
    room: str = FULL_ROOM


DISTURBANCES = {
    "1 page comes back again and again, and has missed all": Disturbance(come_back, 1),
    "5 pages do": Disturbance(come_back, 5),
    "50 pages do, and read slowly": Disturbance(read_slowly, 50),
    "5 connections flood with pings": Disturbance(ping, 5),
    "5 say 30 lines, leave and come again": Disturbance(talk_and_leave, 5, USUAL_ROOM),
}


async def disturb(url: str, which: str) -> None:
    """Disturb until this process is ended."""
    chosen = DISTURBANCES[which]
    await asyncio.gather(*(chosen.act(url, number) for number in range(chosen.count)))


@contextmanager
def disturbed(url: str, which: str) -> Iterator[None]:
    """Have somebody disturb for a block."""
    if which not in DISTURBANCES:
        yield
        return
    command = [sys.executable, "-m", "bench.chat.disturbed", "--disturb", which, "--url", url]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        time.sleep(1.0)  # it takes its time to start
        yield
    finally:
        process.kill()
        process.wait()
        time.sleep(1.0)  # the room notices that they have gone


def room_of(which: str) -> str:
    """Return the room in which it happens, by what it is like there when nobody disturbs."""
    return DISTURBANCES[which].room if which in DISTURBANCES else which


def trial(rooms: Mapping[str, str], which: str, depth: Depth) -> Delays:
    """Take the times while one thing disturbs."""
    url = rooms[room_of(which)]
    # What the people say takes the place of long lines.
    since = asyncio.run(fill(url)) if room_of(which) == FULL_ROOM else ""
    with disturbed(url, which):
        return asyncio.run(chat(url, depth.seconds, since))


def measure(depth: Depth) -> dict[str, list[Delays]]:
    """Let all disturbances take turns."""
    with (
        running("chat", options=["--rate", "100000"]) as (full,),
        running("chat") as (usual,),
    ):
        rooms = {FULL_ROOM: full, USUAL_ROOM: usual}
        trials = {which: partial(trial, rooms, which, depth) for which in (*rooms, *DISTURBANCES)}
        return interleave("Disturbing", trials, depth.rounds)


def targets(found: Mapping[str, list[Delays]]) -> list[Target]:
    """Compare the times with those that nobody disturbs."""
    p99 = samples(found, lambda one: one.p99)
    ratios = {which: p99[which].over(p99[room_of(which)]) for which in DISTURBANCES}
    return [
        Target(
            f"{which}: p99 of the others at most {MOST:g} x",
            f"{two(ratio)} x",
            ratio.median <= MOST,
        )
        for which, ratio in ratios.items()
    ]


def markdown(found: Mapping[str, list[Delays]], busy: float, quick: bool) -> str:
    """Return the report."""
    p50, p99 = samples(found, lambda one: one.p50), samples(found, lambda one: one.p99)

    def line(which: str) -> list[str | Sample]:
        return [which, p50[which], p99[which], two(p99[which].over(p99[room_of(which)]))]

    return (
        "\n\n".join(
            [
                *opening(
                    "# What visitors who disturb cost the others", "disturbed", targets(found)
                ),
                f"## {PEOPLE} people, each says {PACE:g} lines a second",
                rows(
                    ["who disturbs", "p50 ms", "p99 ms", "p99, times the undisturbed"],
                    [line(which) for which in found],
                ),
                f"Before, {HISTORY:,} lines of {LONG:,} bytes were said, in a room that limits"
                " connections but not lines; the last kind meets all the usual limits. Those who"
                " disturb are a process of their own on the same machine, so they take processor"
                " time from the server and from those who measure as well.",
                f"Python {platform.python_version()}. {platform.system()}, {os.cpu_count()} cores."
                f" Load before the run: {busy:.1f} (0 is an idle machine, {os.cpu_count()} a busy"
                " one)." + (" A quick run: too short to believe." if quick else ""),
            ]
        )
        + "\n"
    )


def main() -> None:
    """Measure, write the report, and print the targets."""
    parser = program.reporting(__doc__)
    parser.add_argument("--disturb", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.disturb:
        os.nice(10)  # they would have processors of their own
        asyncio.run(disturb(chosen.url, chosen.disturb))
        return
    busy, began = os.getloadavg()[0], time.monotonic()
    found = measure(QUICK if chosen.quick else FULL)
    text = markdown(found, busy, chosen.quick)
    program.keep(chosen.out / "disturbed.md", text, targets(found))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    program.run(main)
