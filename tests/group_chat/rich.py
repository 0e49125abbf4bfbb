"""Visitors of the finished room, as the tests need them: a rich page without a browser, and what is around it.

    first, second = Page.join(door, "韩雪"), Page.join(door, "Bob")
    said = first.say("你好")                  # waits for the acknowledgement
    assert second.message()["id"] == said["id"]

`Page` speaks the rich format of docs/wire-formats.md; a plain client of the source's formats is `door.ws(name)`.
"""

import asyncio
import itertools
import json
import secrets
import time
from contextlib import asynccontextmanager
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

RICH = "room.v1"
PATIENCE = 20.0  # seconds; nothing here takes long, unless something is wrong

_numbers = itertools.count(1)
_mark = secrets.token_hex(3)


def fresh(word="guest"):
    """Return a nickname that nobody had before."""
    return f"{word}-{_mark}-{next(_numbers)}"


class Page:
    """A rich client: what it has heard, who it believes is here, and how to come back.

    `frames` is all that came, `roster` the names of the welcome with the changes since, `since` and `token` are what a
    page sends when it comes back.
    """

    def __init__(self, door, name, *, token="", since="", **options):
        """Join through a server (of tests/support/servers.py); the handshake succeeds, whatever the room then says."""
        self.name, self.token, self.since = name, token, since
        self.frames, self.roster = [], set()
        self.socket = door.ws(address(name, token, since), subprotocols=[RICH], **options)
        self.welcome, self.replay = None, []

    @classmethod
    def join(cls, door, name, **options):
        """Join, and read the welcome with what was said before."""
        page = cls(door, name, **options)
        page.welcome = page.next("welcome")
        page.replay = [page.next("message") for _ in range(page.welcome["replay"])]
        return page

    def again(self, door, **options):
        """Come back on a new connection, as a page does: with its token, and the last id that it has seen."""
        return Page.join(door, self.name, token=self.token, since=self.since, **options)

    def next(self, *types, seconds=PATIENCE):
        """Return the next frame of these types, or of any; others are read over.

        Raises:
            TimeoutError: none came in time.
            websockets.exceptions.ConnectionClosed: the connection is closed.
        """
        deadline = time.monotonic() + seconds
        while True:
            frame = json.loads(self.socket.recv(max(0, deadline - time.monotonic())))
            self._note(frame)
            if not types or frame["type"] in types:
                return frame

    def message(self, **options):
        """Return the next message."""
        return self.next("message", **options)

    def messages(self, count):
        """Return the texts of the next messages."""
        return [self.message()["msg"] for _ in range(count)]

    def send(self, msg, client_id=""):
        """Say something and return its client id; nobody waits for the answer."""
        client_id = client_id or f"c{next(_numbers)}"
        frame = {"msg": msg, "client_id": client_id}
        self.socket.send(json.dumps(frame, ensure_ascii=False))
        return client_id

    def say(self, msg, client_id=""):
        """Say something and return its acknowledgement."""
        client_id = self.send(msg, client_id)
        ack = self.next("ack")
        assert ack["client_id"] == client_id
        return ack

    def sees(self, *present, gone=(), seconds=PATIENCE):
        """Wait until these names are here and those are not; returns whether it is so."""
        deadline = time.monotonic() + seconds
        while not self.roster.issuperset(present) or not self.roster.isdisjoint(gone):
            try:
                self.next("presence", seconds=max(0, deadline - time.monotonic()))
            except TimeoutError:
                return False
        return True

    def ended(self, seconds=PATIENCE):
        """Read to the end and return the close code and the reason, as the client saw them."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self._note(json.loads(self.socket.recv(max(0, deadline - time.monotonic()))))
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    def close(self):
        """Leave."""
        self.socket.close()

    def _note(self, frame):
        self.frames.append(frame)
        if frame["type"] == "welcome":
            self.name, self.token, self.roster = frame["name"], frame["token"], {*frame["roster"]}
        elif frame["type"] == "presence":
            self.roster = self.roster - {*frame["left"]} | {*frame["joined"]}
        elif frame["type"] == "message" and frame["id"]:
            self.since = frame["id"]


def address(name, token="", since=""):
    """Return the path of a nickname's socket, encoded as the page does it."""
    return f"{quote(name, safe='')}?token={quote(token, safe='')}&since={quote(since, safe='')}"


def refusal(door, name, **options):
    """Try to join; return the close code and the reason with which the room refuses."""
    page = Page(door, name, **options)
    try:
        page.next()
    except ConnectionClosed as closed:
        return closed.rcvd.code, closed.rcvd.reason
    raise AssertionError(f"{name!r} was let in")


def log_fields(line):
    """Return the fields of a line of the server's log; ValueError if it is none (logs.py)."""
    time_of_day, _, rest = line.partition(" ")
    fields = {"time": time_of_day}
    decoder = json.JSONDecoder()
    while rest:
        name, sign, rest = rest.partition("=")
        if not sign or not name.isidentifier():
            raise ValueError(line)
        if rest.startswith('"'):
            fields[name], end = decoder.raw_decode(rest)
        else:
            end = len(rest.split(" ")[0])
            fields[name] = rest[:end]
        if rest[end : end + 1] not in ("", " "):
            raise ValueError(line)
        rest = rest[end + 1 :]
    if "event" not in fields:
        raise ValueError(line)
    return fields


@asynccontextmanager
async def crowd(doors, names, *, at_once=100):
    """Let many rich clients in, through the doors in turn; gives their connections, in the names' order."""
    gate = asyncio.Semaphore(at_once)

    async def come(door, name):
        async with gate:
            url = f"{door.url}/{address(name)}".replace("http", "ws", 1)
            # Without a limit on what waits to be read, or who does not read answers no ping either.
            options = {"max_queue": None, "open_timeout": 60, "ping_interval": None}
            return await connect(url, subprotocols=[RICH], proxy=None, **options)

    async with asyncio.timeout(60):
        clients = await asyncio.gather(*map(come, itertools.cycle(doors), names))
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients), return_exceptions=True)
