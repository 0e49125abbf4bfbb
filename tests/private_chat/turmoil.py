"""Users write to each other while servers, database and connections are killed. Is a message lost, or shown twice?

    seen = asyncio.run(turmoil(doors, writers, plan))
    assert not seen.lost and not seen.doubled and not seen.disordered

`python -m tests.private_chat.turmoil` plays it in full: 10,000 messages between 20 users, while the server's process
is killed 10 times and the database twice. `--processes 3` does it with three processes and Redis.
"""

import argparse
import asyncio
import collections
import itertools
import json
import os
import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from course.database import redis_server
from tests.private_chat.own_database import OwnDatabase, lasting_port
from tests.private_chat.people import RICH, ask, befriend, newcomer
from tests.support.servers import Servers

PACE = 1 / 16  # seconds between two messages of one page; the server allows 20 frames a second
REPORT = 0.3  # seconds between two reports of what has arrived
PATIENCE = 200.0  # seconds until what has not arrived counts as lost
ANSWERED = 20.0  # seconds; who has no answer by then tries another connection
BREAKS = 60  # messages after which a page loses its connection
HINDRANCES = (
    OSError,
    TimeoutError,
    WebSocketException,
    InvalidHandshake,
    asyncio.IncompleteReadError,
)


class Door:
    """One server process, that can be killed and comes back at the same address."""

    def __init__(self, start, *options):
        self._start, self._options, self._port = start, options, lasting_port()
        self.server = start("step6_several_processes", *options, port=self._port)

    @property
    def url(self):
        return self.server.url

    def kill_and_restart(self):
        self.server.kill()
        self.server = self._start("step6_several_processes", *self._options, port=self._port)
        assert self.server.url.endswith(f":{self._port}")


class Writer:
    """A page without a screen: it sends, reports, and comes back as single.js does."""

    def __init__(self, person, friends, count, seed):
        self.person, self.outbox = person, collections.deque()
        for number, friend in zip(range(count), itertools.cycle(friends), strict=False):
            self.outbox.append(
                {"to": friend.name, "msg": str(number), "client_id": f"{seed}-{number}"}
            )
        self.acked = {}  # client_id: id
        self.screen = {}  # id: frame, of messages from others
        self.since = 0
        self.connections = 0
        self._chance = random.Random(seed)
        self._arrived = set()
        self._answered = asyncio.Event()
        self._refused = False
        self._is_over = False

    async def run(self, doors):
        """Stay connected until `end`."""
        for door in itertools.cycle(doors[self.connections :] + doors[: self.connections]):
            if self._is_over:
                return
            try:
                await self._converse(door)
            except* HINDRANCES:
                pass
            await asyncio.sleep(self._chance.uniform(0.05, 0.3))

    def end(self):
        """Come back no more; a cancellation alone may be lost in the connection that breaks at the same moment."""
        self._is_over = True

    async def _converse(self, door):
        address = f"{door.url}/single_ws".replace("http", "ws", 1) + (
            f"?since={self.since}" if self.since else ""
        )
        cookie = {"Cookie": self.person.cookie}
        async with (
            connect(
                address, additional_headers=cookie, subprotocols=[RICH], proxy=None, close_timeout=1
            ) as socket,
            asyncio.TaskGroup() as together,
        ):
            self.connections += 1
            together.create_task(self._hear(socket))
            together.create_task(self._speak(socket))
            together.create_task(self._report(socket))
            together.create_task(self._break_off(socket))

    async def _hear(self, socket):
        while True:
            # wait_for of Python 3.11 forgets that it was cancelled if a frame comes at that moment.
            async with asyncio.timeout(20):
                frame = json.loads(await socket.recv())
            if frame["type"] == "message":
                self._take(frame)
            elif frame["type"] == "error":
                assert frame["code"] in ("not_stored", "too_fast"), frame
                self._refused = True
                self._answered.set()

    def _take(self, frame):
        self.since = max(self.since, frame["id"])
        if frame["from"] == self.person.name:
            self.acked[frame["client_id"]] = frame["id"]
            if self.outbox and self.outbox[0]["client_id"] == frame["client_id"]:
                self.outbox.popleft()
                self._answered.set()
            return
        self.screen[frame["id"]] = frame
        self._arrived.add(frame["id"])

    async def _speak(self, socket):
        while self.outbox:
            self._answered.clear()
            self._refused = False
            await socket.send(json.dumps(self.outbox[0]))
            async with asyncio.timeout(ANSWERED):
                await self._answered.wait()
            await asyncio.sleep(1.0 if self._refused else PACE)

    async def _report(self, socket):
        while True:
            await asyncio.sleep(REPORT)
            if self._arrived:
                got = list(self._arrived)[:1000]
                await socket.send(json.dumps({"got": got}))
                self._arrived.difference_update(got)

    async def _break_off(self, socket):
        """Lose the connection without a word, in the middle of something."""
        await asyncio.sleep(PACE * self._chance.randint(1, 2 * BREAKS))
        socket.transport.abort()


@dataclass
class Seen:
    """What became of the messages, by what the recipients' screens show."""

    sent: int = 0
    shown: int = 0
    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    disordered: list = field(default_factory=list)
    false: list = field(default_factory=list)  # acknowledged and not stored under this id
    connections: int = 0
    seconds: float = 0.0


async def turmoil(doors, writers, disasters):
    """Let everybody write, and the disasters happen one after the other, evenly over the messages."""
    began, total = time.monotonic(), sum(len(writer.outbox) for writer in writers)
    expected = {
        (writer.person.name, frame["client_id"]): frame
        for writer in writers
        for frame in writer.outbox
    }
    turns = [doors[n % len(doors) :] + doors[: n % len(doors)] for n in range(len(writers))]
    running = [
        asyncio.create_task(writer.run(turn)) for writer, turn in zip(writers, turns, strict=True)
    ]

    def acked():
        return sum(len(writer.acked) for writer in writers)

    def all_is_there():
        return acked() == total and sum(len(writer.screen) for writer in writers) >= total

    async def until(condition):
        while not condition():
            broken = [task for task in running if task.done()]
            assert not broken, [task.exception() for task in broken]
            assert time.monotonic() < began + PATIENCE, f"{acked()} of {total} acknowledged"
            await asyncio.sleep(0.05)

    try:
        step = total // (len(disasters) + 1)
        for number, disaster in enumerate(disasters, 1):
            await until(lambda mark=number * step: acked() >= mark)
            await asyncio.to_thread(disaster)
        await until(lambda: acked() == total)
        # What is late may still come; what is doubled as well.
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not all_is_there():
            await asyncio.sleep(0.1)
        await asyncio.sleep(2.5)
    finally:
        await end(writers, running)
    seen = judge(writers, expected)
    seen.seconds = time.monotonic() - began
    return seen


async def end(writers, running):
    """End the tasks in which writers run, also if a cancellation is swallowed."""
    for writer, task in zip(writers, running, strict=True):
        writer.end()
        task.cancel()
    _, pending = await asyncio.wait(running, timeout=60)
    assert not pending, f"{len(pending)} writers do not end"


def judge(writers, expected):
    """Compare the screens with what was sent."""
    seen = Seen(sent=len(expected), connections=sum(writer.connections for writer in writers))
    screens = {writer.person.name: writer.screen for writer in writers}
    times = collections.Counter()
    for name, screen in screens.items():
        seen.shown += len(screen)
        last = {}
        for _, frame in sorted(screen.items()):
            key = frame["from"], frame["client_id"]
            times[key] += 1
            assert expected[key]["msg"] == frame["msg"], frame
            assert expected[key]["to"] == frame["to"] == name, frame
            if int(frame["msg"]) <= last.get(frame["from"], -1):
                seen.disordered.append(key)
            last[frame["from"]] = int(frame["msg"])
    seen.lost = [key for key in expected if not times[key]]
    seen.doubled = [key for key, number in times.items() if number > 1]
    stored = {
        (row["name"], row["client_id"]): row["id"]
        for row in ask(
            "select m.id, u.name, m.client_id from messages m join userinfo u on u.id = m.sender_id"
        )
    }
    for writer in writers:
        for client_id, number in writer.acked.items():
            if stored.get((writer.person.name, client_id)) != number:
                seen.false.append((writer.person.name, client_id))
    return seen


def writers_of(door, users, messages):
    """Make users who are all friends, and share the messages among them."""
    people = [newcomer(door.server) for _ in range(users)]
    for number, person in enumerate(people):
        befriend(person, *people[number + 1 :])
    return [
        Writer(person, people[n + 1 :] + people[:n], messages // users, n)
        for n, person in enumerate(people)
    ]


def disasters_of(doors, database, servers, databases):
    """Return what happens: so many kills of servers in turn, and so many of the database, spread among them."""
    turn = itertools.cycle(doors)

    def kill_server():
        next(turn).kill_and_restart()

    def kill_database():
        database.kill()
        time.sleep(1)  # people write to a messenger without a database
        database.start()

    plan = [kill_server] * servers
    for number in range(databases):
        plan.insert((number + 1) * (servers + 1) // (databases + 1) + number, kill_database)
    return plan


def main():
    """Play it in full, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--database-kills", type=int, default=2)
    chosen = parser.parse_args()
    os.environ["SECRET_KEY"] = "the tests' own"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(OwnDatabase(folder))
        options = []
        if chosen.processes > 1:
            options = ["--redis", stack.enter_context(redis_server.running()).url]
        (folder / "logs").mkdir()
        servers = Servers(folder / "logs", "private_chat")
        stack.callback(servers.end)
        doors = [Door(servers.start, *options) for _ in range(chosen.processes)]
        writers = writers_of(doors[0], chosen.users, chosen.messages)
        plan = disasters_of(doors, database, chosen.kills, chosen.database_kills)
        seen = asyncio.run(turmoil(doors, writers, plan))
    print(
        f"{seen.sent} messages, {seen.shown} shown, {len(seen.lost)} lost, {len(seen.doubled)} doubled, "
        f"{len(seen.disordered)} out of order, {len(seen.false)} acknowledged and not stored; "
        f"{seen.connections} connections, {seen.seconds:.0f} s"
    )
    return bool(seen.lost or seen.doubled or seen.disordered or seen.false)


if __name__ == "__main__":
    raise SystemExit(main())
