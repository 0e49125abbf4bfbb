"""A chat whose views are the student's: a real WebSocket server in this process, and its guests.

def view(name, socket): ...                  # receive() and send() as in the lessons

with hall(view) as enter:
    ann, bob = enter("韩雪"), enter("舒畅")
    ann.say("...")                           # returns when the view has dealt with it
    bob.heard()
"""

import json
import logging
import socket as plain
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from queue import Queue
from typing import Any
from urllib.parse import quote, unquote

from gevent import GreenletExit
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from course.exercise import Wrong, expect

PATIENCE = 10.0  # seconds that a view may take for one message
DEAF = 20  # calls of `receive` on a closed socket, after which the view is ended
GOES_ON = "receive() returned None, and the loop went on"

View = Callable[[str, "Seat"], object]

_silent = logging.getLogger("lessons.authors.checks.hall")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Seat:
    """The server's end of a connection, with the methods that the lessons' WebSocket has."""

    def __init__(self, connection: ServerConnection, changed: threading.Condition) -> None:
        """Take over a connection; `changed` is told when the view asks or ends."""
        self._connection = connection
        self._nones = 0
        self.asked = 0  # calls of `receive`
        self.killed = False  # `receive` raises GreenletExit, as in a view that gevent kills
        self.ended = False  # the view has returned, or raised `error`
        self.error: BaseException | None = None
        self.changed = changed

    def receive(self) -> str | bytes | None:
        """Wait for the next message; None: it is closed.

        Raises:
            GreenletExit: the view was killed.
        """
        with self.changed:
            self.asked += 1
            self.changed.notify_all()
        try:
            return self._connection.recv()
        except ConnectionClosed:
            if self.killed:
                raise GreenletExit from None
            self._nones += 1
            if self._nones > DEAF:
                raise RuntimeError(GOES_ON) from None
            return None

    def send(self, message: str) -> None:
        """Send text; an error if the connection is closed, as with gevent-websocket."""
        self._connection.send(message)

    def is_open(self) -> bool:
        """Say whether neither end has closed."""
        return self._connection.protocol.state is State.OPEN

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye."""
        self._connection.close(code, reason)

    def wait_for(self, messages: int) -> None:
        """Wait until the view has dealt with so many messages, or has ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.asked > messages or self.ended, PATIENCE)

    def serve(self, view: View, name: str) -> None:
        """Run the view from beginning to end."""
        try:
            view(name, self)
        except BaseException as error:
            self.error = error
        with self.changed:
            self.ended = True
            self.changed.notify_all()


class Guest:
    """A client."""

    def __init__(self, name: str, client: ClientConnection, seat: Seat) -> None:
        """Take a seat."""
        self.name, self._client, self._seat = name, client, seat
        self._wait(lambda: seat.asked > 0, "does not listen to a new connection")

    def say(self, text: str) -> None:
        """Send a text, and wait until the view has dealt with it.

        Raises:
            Wrong: it takes too long.
        """
        asked = self._seat.asked
        with suppress(ConnectionClosed):
            self._client.send(text)
        self._wait(lambda: self._seat.asked > asked, "does not come back for the next message")

    def heard(self) -> list[str]:
        """Return the texts that have come and were not read yet."""
        found = []
        with suppress(TimeoutError, ConnectionClosed):
            self._client.ping(ack_on_close=True).wait(PATIENCE)
        with suppress(TimeoutError, ConnectionClosed):
            while True:
                found.append(str(self._client.recv(0)))
        return found

    def frames(self) -> list[Any]:
        """Return the same as what the JSON in them says.

        Raises:
            Wrong: one is not JSON.
        """
        texts = self.heard()
        try:
            return [json.loads(text) for text in texts]
        except ValueError:
            raise Wrong(f"expected JSON, {self.name} received {texts}") from None

    def stays(self, when: str) -> None:
        """Expect that the view still serves this guest.

        Raises:
            Wrong: it does not; the sentence says when, and with which error.
        """
        error = self._seat.error
        said = f"{self.name} was disconnected {when}"
        if error:
            said = f"{self.name} was disconnected {when} by {type(error).__name__}: {error}"
        expect(not self._seat.ended, said.rstrip("."))

    def closed_with(self) -> int | None:
        """Return the close code that the server has sent; None while it is open."""
        self.heard()
        if self._seat.ended:  # then the server closes what the view has left open
            with suppress(TimeoutError, ConnectionClosed):
                while True:
                    self._client.recv(PATIENCE)
        return self._client.protocol.close_rcvd.code if self._client.protocol.close_rcvd else None

    def reason(self) -> str:
        """Return the reason that came with the close code; "" if there was none."""
        received = self._client.protocol.close_rcvd
        return received.reason if received else ""

    def was_listened_to(self) -> bool:
        """Say whether the view has waited for a message of this guest."""
        return self._seat.asked > 0

    def error(self) -> BaseException | None:
        """Return the error with which the view has ended."""
        return self._seat.error

    def has_gone(self) -> bool:
        """Say whether the view has ended for this guest."""
        return self._seat.ended

    def leave(self) -> None:
        """Close the tab, and wait until the view has ended.

        Raises:
            Wrong: it does not end, or with an error.
        """
        self._client.close()
        self._end("has closed her tab")

    def vanish(self) -> None:
        """Break the connection without a word, as a crash does; wait until the view has ended.

        Raises:
            Wrong: it does not end, or with an error.
        """
        self._client.socket.shutdown(plain.SHUT_RDWR)
        self._end("has lost her connection")

    def kill(self) -> None:
        """Let the view end as gevent's `kill` ends it, by an error that is no `Exception`.

        Raises:
            Wrong: it does not end, or with another error.
        """
        self._seat.killed = True
        self._client.socket.shutdown(plain.SHUT_RDWR)
        what = "has been killed by gevent, which raises GreenletExit in the view"
        self._end(what, allowed=GreenletExit)

    def _end(self, what: str, allowed: type[BaseException] | tuple[()] = ()) -> None:
        self._wait(lambda: False, f"does not end when she {what}")
        error = self._seat.error
        kind, why = type(error).__name__, str(error).rstrip(".")
        expect(
            not error or isinstance(error, allowed),
            f"{self.name} {what}, and your code raised {kind}: {why}"
            if why
            else f"{self.name} {what}, and your code raised {kind}",
        )

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        seat = self._seat
        with seat.changed:
            done = seat.changed.wait_for(lambda: condition() or seat.ended, PATIENCE)
        expect(done, f"your code for {self.name} {otherwise}")


@contextmanager
def served(view: View) -> Iterator[tuple[str, "Queue[Seat]"]]:
    """Serve a view on a free port; gives the address, and the seats in the order of their coming.

    When the block ends, a view that goes on regardless is left behind.
    """
    taken: Queue[Seat] = Queue()
    changed = threading.Condition()  # a view has asked or ended, or the hall closes
    closed = False

    def handle(connection: ServerConnection) -> None:
        assert connection.request
        seat = Seat(connection, changed)
        taken.put(seat)
        # A thread of our own: the server waits for its threads, and Python at its end as well.
        name = unquote(connection.request.path[1:])
        threading.Thread(target=seat.serve, args=(view, name), daemon=True).start()
        with changed:
            changed.wait_for(lambda: seat.ended or closed)

    with serve(handle, "127.0.0.1", 0, logger=_silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", taken
        finally:
            with changed:
                closed = True
                changed.notify_all()


@contextmanager
def hall(view: View) -> Iterator[Callable[[str], Guest]]:
    """Serve a view; gives `enter(name)`, which connects a guest, for as long as the block."""
    with served(view) as (address, taken), ExitStack() as stack:

        def enter(name: str) -> Guest:
            url = f"{address.replace('http', 'ws', 1)}/{quote(name)}"
            client = connect(url, proxy=None, max_queue=None, open_timeout=PATIENCE)
            stack.enter_context(client)
            return Guest(name, client, taken.get(timeout=PATIENCE))

        yield enter
