"""A9: long work in turns: everybody waits for everybody in a server of greenlets.

A greenlet goes on until it waits for something. A loop over a thousand members or lines waits for
nothing, so it has to let the others have their turn, their sockets included. `gevent.sleep(0)` is
not enough: it lets other greenlets go on, but gevent looks at the sockets only after fifty such
turns. Three greenlets at work for a millisecond each delayed an answer by 230 ms that way, and by
15 ms with the pause below, which goes by way of the event loop.
"""

from time import monotonic

import gevent

LENGTH = 0.001  # seconds of work in one turn
_SHORTEST = 1e-6  # seconds; it is not 0, so it goes by way of the event loop


def others_first() -> None:
    """Let everybody else have a turn: whoever is ready, and whoever has got something to read."""
    gevent.sleep(_SHORTEST)


class Turn:
    """The turn of one greenlet. Call `share` in each round of a loop that may be long."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        """Begin now."""
        self._ends = monotonic() + LENGTH

    def share(self) -> None:
        """Let the others have theirs, if this one has had LENGTH."""
        if monotonic() > self._ends:
            others_first()
            self._ends = monotonic() + LENGTH
