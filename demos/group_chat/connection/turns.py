"""A9: long work in turns: everybody waits for everybody in a server of greenlets.

A greenlet goes on until it waits for something. A loop over a thousand members or lines waits for
nothing, so it has to let the others have their turn, their sockets included. `gevent.sleep(0)` is
not enough: it lets other greenlets go on, but gevent looks at the sockets only after fifty such
turns. Three greenlets at work for a millisecond each delayed an answer by 230 ms that way, and by
15 ms with the pause below, which goes by way of the event loop.
"""

from time import monotonic

import gevent
from gevent.lock import Semaphore

LENGTH = 0.0005  # seconds of work in one turn
_SHORTEST = 1e-6  # seconds; it is not 0, so it goes by way of the event loop
_in_line = Semaphore(1)


def others_first() -> None:
    """Let everybody else have a turn: whoever is ready, and whoever has got something to read.

    All who call this form a line: however many there are, one of them works at a time, and between
    two of them everybody else has a turn.
    """
    with _in_line:
        gevent.sleep(_SHORTEST)


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
                gevent.sleep(_SHORTEST)
            else:
                others_first()
            self._ends = monotonic() + LENGTH
