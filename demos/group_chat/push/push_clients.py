"""A9: clients of step 2: four ways to the same messages, and what each of them costs."""

import json
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from statistics import median
from threading import Event
from urllib.parse import urlsplit

from websockets.sync.client import connect

from demos.group_chat.push.ticker import Tick

ANSWER_LIMIT = 30.0  # seconds; the server answers a long poll after 25 at the latest

# What a way gets, each time it gets something or asks for it; it begins after the id named last.
Batches = Generator[list[Tick], None, None]
Way = Callable[[str, str, int], Batches]


def poll(url: str, run: str, after: int, pause: float, lane: str = "poll") -> Batches:
    """Ask, take what is there, pause, ask again."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_LIMIT)) as connection:
        while True:
            connection.request("GET", f"/{lane}/{run}/{after}")
            ticks: list[Tick] = json.load(connection.getresponse())
            after = ticks[-1]["id"] if ticks else after
            yield ticks
            time.sleep(pause)


def long_poll(url: str, run: str, after: int) -> Batches:
    """Ask, and wait until the server has something; then ask again at once."""
    yield from poll(url, run, after, pause=0, lane="long-poll")


def events(url: str, run: str, after: int) -> Batches:
    """Ask once, and read the answer, which does not end."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_LIMIT)) as connection:
        connection.request("GET", f"/events/{run}/{after}")
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"data:"):
                yield [json.loads(line[5:])]


def over_websocket(url: str, run: str, after: int) -> Batches:
    """Shake hands once, and receive."""
    address = f"{url}/socket/{run}/{after}".replace("http", "ws", 1)
    with connect(address, proxy=None) as socket:
        for message in socket:
            yield [json.loads(message)]


PAUSES = {"slow polling": 1.0, "polling": 0.1, "quick polling": 0.02}  # seconds

# Each way with the name of its lane, under which the server counts it.
WAYS: dict[str, tuple[str, Way]] = {
    **{name: ("poll", partial(poll, pause=pause)) for name, pause in PAUSES.items()},
    "long polling": ("long-poll", long_poll),
    "server-sent events": ("events", events),
    "WebSocket": ("socket", over_websocket),
}


@dataclass
class Heard:
    """The messages that came: their ids, how old each was (ms); `turns`: in how many batches."""

    ids: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    turns: int = 0


def listen(batches: Batches, enough: Callable[[Heard], bool]) -> Heard:
    """Note what comes until it is enough; that is asked after each batch."""
    heard = Heard()
    with closing(batches):
        for ticks in batches:
            now = time.time() * 1000
            heard.turns += 1
            heard.ids += [tick["id"] for tick in ticks]
            heard.delays += [now - tick["made"] for tick in ticks]
            if enough(heard):
                break
    return heard


@dataclass(frozen=True)
class Cost:
    """What one way has cost: `each` is bytes for each message, `delay` the median in ms."""

    messages: int
    requests: int
    each: float
    delay: float


def measure(url: str, seconds: float) -> dict[str, Cost]:
    """Follow all ways at the same time for so many seconds, on a server of step 2."""
    over = Event()
    after = counters(url, "none")["last"]
    with ThreadPoolExecutor(len(WAYS)) as threads:
        listening = {
            name: threads.submit(listen, way(url, run_of(name), after), lambda _: over.is_set())
            for name, (_, way) in WAYS.items()
        }
        try:
            over.wait(seconds)
        finally:
            over.set()  # also after Ctrl-C, or the clients would go on
    found = {}
    for name, listener in listening.items():
        heard = listener.result()
        cost = counters(url, run_of(name))["lanes"][WAYS[name][0]]
        size = (cost["sent"] + cost["received"]) / len(heard.ids)
        found[name] = Cost(len(heard.ids), cost["requests"], size, median(heard.delays))
    return found


def run_of(name: str) -> str:
    """Return the part of the address that tells one way's requests from the others'."""
    return name.replace(" ", "-")


def counters(url: str, run: str) -> dict:  # type: ignore[type-arg]  # JSON
    """Ask the server what a run has cost so far."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_LIMIT)) as connection:
        connection.request("GET", f"/counters/{run}")
        return json.load(connection.getresponse())  # type: ignore[no-any-return]
