"""Wakes the pages' streams when there is something new, and slows them down to what an eye can follow."""

import json
from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event

# Open at the same time, of all pages: each costs a greenlet, and what it has not sent yet.
STREAMS = 50
PAUSE = 0.04  # seconds between two messages to a page; what comes meanwhile travels together
HEARTBEAT = 1.0  # seconds after which a silent stream says so; a page that has gone is noticed soon


class Bell:
    """Rings for all who wait at the moment."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.rung = 0
        self._event = Event()

    def ring(self) -> None:
        """Wake everybody."""
        self.rung += 1
        self._event.set()
        self._event.clear()

    def wait(self, heard: int, seconds: float) -> int:
        """Wait until the bell rings for the time after `heard`; return how often it has rung."""
        if self.rung == heard:
            self._event.wait(seconds)
        return self.rung


def stream(
    bell: Bell, greeting: list[dict[str, object]], news: Callable[[], list[dict[str, object]]]
) -> Iterator[str]:
    """Yield server-sent events for one page, until it goes.

    Args:
        bell: rings when there may be news.
        greeting: what a page hears first.
        news: returns what this page has not seen yet; all in the beginning.
    """
    heard = -1
    yield f"retry: 500\ndata: {json.dumps(greeting)}\n\n"
    while True:
        heard = bell.wait(heard, HEARTBEAT)
        found = news()
        yield f"data: {json.dumps(found, ensure_ascii=False)}\n\n" if found else ": here\n\n"
        gevent.sleep(PAUSE)
