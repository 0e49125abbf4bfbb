"""A9, A10, B2: the faults of the source's chat (W1 to W11), each provoked by its clients.

A function takes the address of a server, such as "http://127.0.0.1:5000", connects a few clients,
and returns the result. It does not know whose server that is: step4b_what_breaks.py and the
tests play it against the source's code and against ours. W6, W12 and W14 are of the private chat.
"""

import http.client
import json
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

# A connection that breaks off is what we look for here; the library would print it as an error.
logging.getLogger("websockets").addHandler(logging.NullHandler())

JUNK = ["{}", "no JSON", "[1, 2]", "7", ""]
BIG = 64 * 1024  # characters; ours takes messages of 16 KB
FLOOD = 60  # messages at once
BURST = 28  # messages at once that ours takes; together they are more than a connection holds
STALLED = 0.5  # seconds without an answer, after which we say that the server waits
PATIENCE = 20.0  # seconds; no answer takes so long, unless there will be none


@dataclass(frozen=True)
class Seen:
    """The result: whether the fault showed itself, and a sentence for the table."""

    broken: bool
    what: str


@contextmanager
def clients(
    url: str, *paths: str, origin: Origin | None = None
) -> Iterator[list[ClientConnection]]:
    """Connect one WebSocket for each path, in this order; close them at the end."""
    address = url.replace("http", "ws", 1)
    with ExitStack() as stack:
        connected = [
            stack.enter_context(
                connect(f"{address}/{path}", proxy=None, max_queue=None, origin=origin)
            )
            for path in paths
        ]
        for client in connected:
            with suppress(OSError):  # the server has closed it already
                client.socket.settimeout(PATIENCE)  # or a server that reads nothing holds us up
        yield connected


def say(client: ClientConnection, msg: object, username: str = "") -> None:
    """Send a message in the format of A10; B2 reads the `msg` of it."""
    client.send(json.dumps({"username": username, "msg": msg}))


def is_alive(client: ClientConnection) -> bool:
    """Ping. When the answer is here, so is all that the server sent before it."""
    try:
        answered = client.ping(ack_on_close=True).wait(PATIENCE)
    except ConnectionClosed:
        return False
    return answered and client.close_code is None


def unread(client: ClientConnection) -> list[str | bytes]:
    """Return what this client has been sent and has not read yet."""
    is_alive(client)
    frames = []
    try:
        while True:
            frames.append(client.recv(timeout=0))
    except (TimeoutError, ConnectionClosed):
        return frames


def heard(client: ClientConnection) -> list[dict[str, object]]:
    """Return the same, decoded."""
    return [json.loads(frame) for frame in unread(client)]


def route_without_websocket(url: str) -> Seen:
    """W1: a route without `websocket=True` opens a socket and closes it again."""
    with clients(url, "ann") as (ann,):
        stays = is_alive(ann)
    return Seen(not stays, "stays open" if stays else "opens, closes, and nothing is logged")


def tab_leaves(url: str) -> Seen:
    """W2: after a tab has left, the next sender is disconnected."""
    with clients(url, "ann", "bob", "eve") as (ann, bob, eve):
        ann.close()
        say(bob, "who hears me?")
        lost = 0 if is_alive(bob) else 1
        heard_bob = len(heard(eve))
        say(eve, "and me?")
        lost += 0 if is_alive(eve) else 1
    return Seen(
        lost > 0 or not heard_bob,
        f"{lost} of 2 senders disconnected, {heard_bob} of 1 messages heard",
    )


def plain_request(url: str) -> Seen:
    """W3: a browser asks for a nickname's address as for a page, or for favicon.ico."""
    answers = []
    for path in ("/ann", "/favicon.ico"):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
        connection.request("GET", path)
        answers.append(connection.getresponse().status)
        connection.close()
    return Seen(max(answers) >= 500, f"/ann and /favicon.ico: {answers[0]} and {answers[1]}")


def same_nickname(url: str) -> Seen:
    """W4: a second client of the same name replaces the first, which receives nothing more."""
    with clients(url, "ann", "ann", "bob") as (first, second, bob):
        second_is = "in" if is_alive(second) else f"refused ({second.close_code})"
        say(bob, "hello, ann")
        is_alive(bob)
        hears = bool(heard(first))
    return Seen(
        not hears,
        f"the second is {second_is}, the first {'hears' if hears else 'hears nothing more'}",
    )


def junk(url: str) -> Seen:
    """W5: a wrong message disconnects its sender, or reaches everybody."""
    lost, passed_on = 0, 0
    with clients(url, "eve") as (eve,):
        for number, message in enumerate(JUNK):
            with clients(url, f"ann{number}") as (ann,):
                ann.send(message)
                lost += 0 if is_alive(ann) else 1
                passed_on += len(heard(eve))
    return Seen(
        lost + passed_on > 0,
        f"of {len(JUNK)} kinds, {lost} disconnect their sender, {passed_on} reach others",
    )


def borrowed_name(url: str) -> Seen:
    """W7: the message says who its sender is."""
    with clients(url, "eve", "ann") as (eve, ann):
        say(ann, "send me money", username="bob")
        is_alive(ann)
        names = [frame["username"] for frame in heard(eve)]
    return Seen(names != ["ann"], f"what ann said comes from {names[0] if names else 'nobody'}")


def foreign_page(url: str) -> Seen:
    """W8: a page of any site may connect."""
    try:
        with clients(url, "ann", origin=Origin("https://elsewhere.example")):
            return Seen(True, "a page of elsewhere.example connects")
    except InvalidStatus as refused:
        return Seen(False, f"a page of elsewhere.example gets {refused.response.status_code}")


def too_big(url: str) -> Seen:
    """W9: no limit on size."""
    with clients(url, "eve", "ann") as (eve, ann):
        say(ann, "x" * BIG)
        is_alive(ann)
        passed = bool(heard(eve))
        code = ann.close_code
    return Seen(passed, "64 KB are passed on" if passed else f"64 KB are refused with {code}")


def flood(url: str) -> Seen:
    """W9: no limit on rate."""
    with clients(url, "eve", "ann") as (eve, ann):
        for number in range(FLOOD):
            say(ann, str(number))
        is_alive(ann)
        count = len(heard(eve))
    return Seen(count == FLOOD, f"of {FLOOD} messages at once, {count} are passed on")


def join_meanwhile(url: str) -> Seen:
    """W10: somebody joins while a send waits for a client that reads slowly."""
    with ExitStack() as stack:
        slow = stack.enter_context(slow_reader(url, "slow"))
        (ann,) = stack.enter_context(clients(url, "ann"))
        waiting = False
        for _ in range(BURST):
            say(ann, "x" * 15_000)
            waiting = waiting or not ann.ping().wait(STALLED)
        stack.enter_context(clients(url, "newcomer"))
        with suppress(ConnectionClosed):
            answered, patient_until = ann.ping(ack_on_close=True), monotonic() + PATIENCE
            while not answered.is_set() and monotonic() < patient_until:
                with suppress(TimeoutError):
                    slow.recv(timeout=0.05)  # now it reads
        alive = is_alive(ann)
    return Seen(
        not alive,
        f"the sender {'waits for the slow client' if waiting else 'does not wait'}, and then "
        f"{'stays' if alive else 'is disconnected'}",
    )


def deaf_zombie(url: str) -> Seen:
    """W11: after one error, a client of the nameless room can send but receives nothing."""
    with clients(url, "ql", "ql") as (ann, bob):
        ann.send("no JSON")
        is_alive(ann)
        heard(ann)  # what the server says to that
        say(bob, "hello")
        is_alive(bob)
        hears = bool(heard(ann))
        say(ann, "hello")
        speaks = is_alive(ann) and bool(heard(bob))
    return Seen(
        not hears,
        f"after one error it {'can' if speaks else 'cannot'} send, and receives "
        f"{'messages' if hears else 'nothing more'}",
    )


@contextmanager
def slow_reader(url: str, path: str) -> Iterator[ClientConnection]:
    """Connect a client whose end of the line holds very little: it reads when `recv` is called."""
    address = f"{url.replace('http', 'ws', 1)}/{path}"
    with connect(address, proxy=None, **narrow_line(url)) as client, hung_up(client):
        yield client


def narrow_line(url: str) -> dict[str, Any]:
    """Connect to a server by TCP; return options of `connect` for a client that may stop reading.

    Its end of the line holds very little, and the library reads one message ahead.
    """
    parts = urlsplit(url)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    plain.connect((parts.hostname, parts.port))
    return {"sock": plain, "max_queue": 1, "compression": None}


@contextmanager
def hung_up(client: ClientConnection) -> Iterator[None]:
    """Break the connection at the end of the block: so much is unread that a goodbye takes long."""
    try:
        yield
    finally:
        with suppress(OSError):
            client.socket.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Fault:
    """One erratum: the source's module that has it, our step that has not, and how to see it."""

    erratum: str
    naive: str
    right: str
    provoke: Callable[[str], Seen]

    @property
    def title(self) -> str:
        """The fault in a few words."""
        words = (self.provoke.__doc__ or "").partition(": ")[2]
        return words.rstrip(".")


def show(faults: Sequence[Fault], provoke: Callable[[Fault], tuple[Seen, Seen]]) -> None:
    """Print a row for each fault as soon as it was caused, and at the end how many there were.

    Args:
        faults: what to cause.
        provoke: causes a fault at the source's server, and then at ours.
    """
    # Imported here, because the lessons that use these clients do not need it.
    from rich import box
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    width = None if sys.stdout.isatty() else 120
    grid = Table("", "what", "the source's code", "ours", box=box.SIMPLE_HEAD, show_edge=False)
    pairs: list[tuple[Seen, Seen]] = []
    with Live(grid, console=Console(highlight=False, markup=False, width=width)):
        for fault in faults:
            pairs.append(provoke(fault))
            theirs, ours = pairs[-1]
            grid.add_row(fault.erratum, fault.title, theirs.what, ours.what)
    print(
        f"\nConclusion: of {len(faults)} faults, the source's code has "
        f"{sum(theirs.broken for theirs, _ in pairs)}, "
        f"ours {sum(ours.broken for _, ours in pairs)}."
    )


_CHAT = ("naive.chat", "step4_nicknames")
FAULTS = [
    Fault("W1", "naive.as_printed", "step4_nicknames", route_without_websocket),
    Fault("W2", *_CHAT, tab_leaves),
    Fault("W3", "naive.as_printed", "step4_nicknames", plain_request),
    Fault("W4", *_CHAT, same_nickname),
    Fault("W5", *_CHAT, junk),
    Fault("W7", *_CHAT, borrowed_name),
    Fault("W8", *_CHAT, foreign_page),
    Fault("W9", *_CHAT, too_big),
    Fault("W9", *_CHAT, flood),
    Fault("W10", *_CHAT, join_meanwhile),
    Fault("W11", "naive.nameless", "step3_nameless_room", deaf_zombie),
]
