"""A student's private chat, its users and their pages, as the goals speak to them."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection

from course.exercise import Wrong, expect
from course.messenger_client import PASSWORD, Visitor
from demos.group_chat.clients import faults
from demos.group_chat.clients.faults import is_alive
from demos.pool_demo.seed import restore
from lessons.authors.builds import passwords
from lessons.authors.builds.gate import Gate
from lessons.authors.builds.program import Program

PATIENCE = 10.0  # seconds for a frame to arrive
TABLES = ("logins", "friendships", "messages")

Frame = dict[str, Any]


class Chat(Program):
    """The student's program, with a gate on its way to the database."""

    def __init__(self, file: Path, gate: Gate) -> None:
        """Choose a free port; see `Program`."""
        super().__init__([sys.executable, file], gate.environment, may_use="demos.pool_demo")
        self.gate = gate
        self._seeded: passwords.Hashes = {}

    def check_passwords_fast(self) -> None:
        """Let users log in dozens of times without the time that a hash of the seed takes."""
        self._seeded = passwords.make_quick()

    def close(self) -> None:
        """End it; the users have their hashes again, if the database is there."""
        super().close()
        with suppress(pymysql.MySQLError):
            passwords.put_back(self._seeded)


@contextmanager
def behind_a_gate(file: Path) -> Iterator[Chat]:
    """Give a program that has not been started yet: that it starts is its first goal."""
    with Gate() as gate:
        chat = Chat(file, gate)
        try:
            yield chat
        finally:
            chat.close()


class Page:
    """A tab of one user."""

    def __init__(self, who: str, socket: ClientConnection) -> None:
        """Take over an open socket."""
        self.who, self.socket = who, socket
        self.skips = ""  # the beginning of messages that are read over
        self.came: list[str] = []  # all that was received, as text
        self._shown: set[object] = set()  # ids; what is not confirmed may come again at any time

    def say(self, to: object, msg: object, client_id: str, escaped: bool = True) -> None:
        """Send a message; `escaped` says how Chinese is written in JSON, in six bytes or three."""
        frame = {"to": to, "msg": msg, "client_id": client_id, "from": "somebody else"}
        self.send(frame, escaped)

    def got(self, *frames: Frame) -> None:
        """Confirm messages, and wait until the server has read that."""
        self.send({"got": [frame["id"] for frame in frames]})
        is_alive(self.socket)

    def send(self, frame: object, escaped: bool = True) -> None:
        """Send a frame; if the connection is closed, the next `hear` says so."""
        with suppress(ConnectionClosed):
            self.socket.send(json.dumps(frame, ensure_ascii=escaped))

    def hear(self, what: str, *kinds: str, patience: float = PATIENCE) -> Frame:
        """Return the next frame of one of these types; expect that one comes."""
        deadline, others = time.monotonic() + patience, list[str]()
        while True:
            try:
                text = self._receive(max(0.0, deadline - time.monotonic()))
                frame = json.loads(text)
            except TimeoutError:
                if others:
                    raise Wrong(
                        f"expected {what} at {self.who}, in {patience:g} s she received only "
                        f"{others[0]}, and its "
                        f"`type` is not {kinds[0]!r}"
                    ) from None
                raise Wrong(
                    f"expected {what} at {self.who}, nothing came in {patience:g} s"
                ) from None
            except ConnectionClosed as closed:
                raise Wrong(
                    f"expected {what} at {self.who}, her socket is closed ({closed})"
                ) from None
            except ValueError:
                raise Wrong(f"expected JSON at {self.who}, she received {text!r}") from None
            expect(isinstance(frame, dict), f"expected an object at {self.who}, she got {text!r}")
            if frame.get("type") not in kinds:
                others.append(text)
                continue
            if self._is_shown(frame):
                continue
            if self.skips and str(frame.get("msg")).startswith(self.skips):
                continue
            return dict(frame)

    def _receive(self, seconds: float) -> str:
        """Return what comes next; expect that it is text. Raises TimeoutError, ConnectionClosed."""
        text = self.socket.recv(seconds)
        expect(isinstance(text, str), f"expected text at {self.who}, a binary frame came: {text!r}")
        self.came.append(str(text))
        return str(text)

    def knows(self, *parts: str) -> str:
        """Return a frame that has come up to now, of whatever type, and holds one of these texts.

        Return "" if there is none.
        """
        is_alive(self.socket)
        with suppress(TimeoutError, ConnectionClosed):
            while True:
                self._receive(0)
        for text in self.came:
            with suppress(ValueError):
                text = json.dumps(json.loads(text), ensure_ascii=False)
            if any(part in text for part in parts):
                return text
        return ""

    def _is_shown(self, frame: Frame) -> bool:
        """Say whether this is a message to us that we have had; from now on we have it."""
        if frame["type"] != "message" or not self.who.startswith(str(frame.get("to"))):
            return False
        before = frame.get("id") in self._shown
        self._shown.add(frame.get("id"))
        return before

    def forget(self) -> None:
        """Drop what has come up to now, and from now on count whatever comes."""
        faults.unread(self.socket)
        self._shown.clear()

    def hears(self, sender: str, to: str, msg: str) -> Frame:
        """Expect that the next message is this one, and return its frame."""
        frame = self.hear(f"the message {msg!r} of {sender}", "message")
        found = (frame.get("from"), frame.get("to"), frame.get("msg"))
        expect(
            found == (sender, to, msg),
            f"expected (from, to, msg) {short((sender, to, msg))} at {self.who}, she received "
            f"{short(found)}",
        )
        number = frame.get("id")
        expect(
            isinstance(number, int) and not isinstance(number, bool),
            f"expected an `id` that is a number in each message, {self.who} received "
            f"{short(frame)}",
        )
        return frame

    def acknowledged(self, client_id: str) -> str:
        """Expect that the next answer acknowledges this message; return its client_id."""
        frame = self.hear(f"an answer to {client_id}", "message", "error")
        found = (frame.get("type"), frame.get("client_id"))
        expect(
            found == ("message", client_id),
            f"expected that {client_id} is acknowledged to {self.who}, she received {short(frame)}",
        )
        return client_id

    def is_told(self, client_id: str, why: str) -> None:
        """Expect that the next answer is an error for this message."""
        frame = self.hear(f"an error: {why}", "error", "message")
        found = (frame.get("type"), frame.get("client_id"))
        expect(
            found == ("error", client_id),
            f"expected an error for {client_id!r} ({why}), {self.who} received {short(frame)}",
        )
        expect(frame.get("reason"), f"expected a `reason` in the error, there is none: {frame}")


def short(found: object) -> str:
    """Return what was found in at most 200 characters."""
    text = str(found)
    return text if len(text) <= 200 else f"{text[:60]} … {text[-20:]} ({len(text)} characters)"


def log_in(chat: Program, name: str, password: str = PASSWORD) -> tuple[Visitor, int]:
    """Send the log-in form; return the visitor, and the status of the answer."""
    visitor = Visitor(chat)
    visitor.get("login")
    return visitor, visitor.post("login", username=name, password=password).status


def enter(chat: Program, name: str) -> Visitor:
    """Expect that a user can log in."""
    visitor, status = log_in(chat, name)
    expect(status in (302, 303), f"expected that {name} is let in (302), the answer is {status}")
    expect(visitor.cookies, f"expected a cookie for {name}, the answer sets none")
    return visitor


@contextmanager
def tab(visitor: Visitor, name: str) -> Iterator[Page]:
    """Open a tab of one who is logged in."""
    with visitor.ws(subprotocols=["im.v1"]) as socket:
        yield Page(name, socket)


@contextmanager
def deaf_tab(chat: Program, visitor: Visitor, name: str) -> Iterator[Page]:
    """Open a tab that reads only when it is asked what it hears, and whose line holds little."""
    line = {**faults.narrow_line(chat.url), "ping_interval": None}  # it would get no pong
    with visitor.ws(subprotocols=["im.v1"], **line) as socket, faults.hung_up(socket):
        yield Page(name, socket)


@contextmanager
def people(chat: Program, *names: str, fresh: bool = True) -> Iterator[list[Page]]:
    """Log these users in, one tab each, on tables without messages."""
    if fresh:
        restore(*TABLES)
    with ExitStack() as stack:
        pages = [stack.enter_context(tab(enter(chat, name), name)) for name in names]
        for page in pages:
            expect(is_alive(page.socket), f"expected that {page.who}'s socket stays open")
        yield pages


def is_refused(visitor: Visitor, **options: Any) -> bool:  # noqa: ANN401 - as `connect` takes them
    """Say whether the socket is refused, or closed within a moment."""
    try:
        with visitor.ws(subprotocols=["im.v1"], **options) as socket:
            while True:
                socket.recv(3.0)
    except TimeoutError:
        return False
    except (InvalidHandshake, ConnectionClosed):
        return True
