"""A9: long work in turns: everybody waits for everybody in a server of greenlets.

A greenlet goes on until it waits for something. A loop over a thousand members or lines waits for
nothing, so it has to let the others have their turn, their sockets included. `gevent.sleep(0)` is
not enough: it lets other greenlets go on, but gevent looks at the sockets only after fifty such
turns. Three greenlets at work for a millisecond each delayed an answer by up to 86 ms that way, and
by up to 9 ms with the pause below, which goes by way of the event loop.

A lock of gevent is not enough either: who releases it and takes it again at once keeps everybody
else out. Here the place is handed on to the one who has waited longest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from itertools import count
from time import monotonic

import gevent
from gevent.event import Event

LENGTH = 0.0005  # seconds of work in one turn


class OneByOne:
    """The use of one thing, one after the other: by rank, and within it as they came."""

    def __init__(self) -> None:
        """Begin with nobody in line."""
        self._waiting: list[tuple[int, int, Event]] = []
        self._numbers = count()
        self._is_taken = False

    @contextmanager
    def turn(self, rank: int = 0) -> Iterator[None]:
        """Wait in line, then have the thing for a block. The smaller rank comes first."""
        if self._is_taken:
            self._wait(rank)
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self, rank: int) -> None:
        mine = rank, next(self._numbers), Event()
        heappush(self._waiting, mine)
        try:
            mine[-1].wait()
        except BaseException:  # it has taken too long
            if mine in self._waiting:
                self._waiting.remove(mine)
                heapify(self._waiting)
            else:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        if self._waiting:
            heappop(self._waiting)[-1].set()  # it stays taken
        else:
            self._is_taken = False


_line = OneByOne()


def others_first() -> None:
    """Let everybody else have a turn: whoever is ready, and whoever has got something to read.

    All who call this form a line: however many there are, one of them works at a time, and between
    two of them everybody else has a turn. Who calls again goes to the end of the line.
    """
    with _line.turn():
        _pause()


def _pause() -> None:
    """Go once by way of the event loop, which looks at the sockets.

    The timer has run out already, so the loop does not sleep. A sleep of a microsecond takes up to
    0.6 ms, and the whole line would wait for it.
    """
    hub = gevent.get_hub()
    hub.wait(hub.loop.timer(0))


class Turn:
    """The turn of one greenlet. Call `share` in each round of a loop that may be long."""

    __slots__ = ("_ends", "_is_urgent")

    def __init__(self, is_urgent: bool = False) -> None:
        """Begin now. `is_urgent`: what everybody waits for does not wait in line."""
        self._ends, self._is_urgent = monotonic() + LENGTH, is_urgent

    def share(self) -> None:
        """Let the others have theirs, if this one has had LENGTH."""
        if monotonic() > self._ends:
            if self._is_urgent:
                _pause()
            else:
                others_first()
            self._ends = monotonic() + LENGTH
