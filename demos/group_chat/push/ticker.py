"""A9: one source of messages, for whatever way they travel."""

import random
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import TypedDict

import gevent
from gevent.event import Event

KEPT = 1000  # messages that a slow reader can still ask for


class Tick(TypedDict):
    """One message. Ids count up from 1; `made` is when, in milliseconds since 1970."""

    id: int
    made: float
    text: str


class Ticker:
    """Makes a message now and then. A reader has a cursor: the id of the last one it has."""

    def __init__(self, every: float) -> None:
        """Start to make a message every so many seconds, on average."""
        self.last = 0  # id of the newest message
        self._every = every
        self._kept: deque[Tick] = deque(maxlen=KEPT)
        self._made = Event()  # a new one for each message
        gevent.spawn(self._run)

    def after(self, cursor: int) -> list[Tick]:
        """Return the messages after the cursor, oldest first."""
        return [tick for tick in self._kept if tick["id"] > cursor]

    def wait(self, cursor: int, seconds: float | None = None) -> list[Tick]:
        """Wait for a message after the cursor, at most so long; return what there is then."""
        if self.last <= cursor:
            self._made.wait(seconds)
        return self.after(cursor)

    def follow(self, cursor: int) -> Iterator[Tick]:
        """Yield the messages after the cursor, and then each as it is made, without end."""
        while True:
            for tick in self.wait(cursor):
                cursor = tick["id"]
                yield tick

    def _run(self) -> None:
        for number in count(1):
            # Irregular, or a reader that asks as often as we speak would always ask too late alike.
            gevent.sleep(self._every * random.uniform(0.5, 1.5))
            tick = Tick(id=number, made=time.time() * 1000, text=f"message {number}")
            self._kept.append(tick)
            self.last = number
            made, self._made = self._made, Event()
            made.set()
