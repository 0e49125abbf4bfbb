"""A1, A5: a turnstile in front of a pool: callers go in one by one, in the order they came.

with Turnstile(6).enter(timeout=10):
    ...  # at most six are here

With a pool's own lock, quick callers overtake others. Here a caller that leaves gives its place to
the caller that has waited longest. So every caller gets a turn, and a time-out limits the wait. A
place belongs to an object and becomes free with it, even if Ctrl-C comes before `with`.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Self

from demos.pool_demo.lending.mutex import Mutex

_LOOK = 1.0  # seconds after which a waiting caller looks whether a place came free by itself


class PoolTimeout(TimeoutError):
    """No connection became free in time. The message says how many hold one and how many wait."""


class Place:
    """A caller's place, inside or in the queue. The end of a `with` block leaves it."""

    def __init__(self, gate: "Turnstile") -> None:
        """Begin outside."""
        self._gate = gate
        self.turn: threading.Lock | None = None  # released when it is this caller's turn

    def leave(self) -> None:
        """Give the place up; a second time does nothing."""
        self._gate.leave(self)

    def __enter__(self) -> Self:
        """Return the place."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave."""
        self.leave()


class Turnstile:
    """Lets at most `places` callers in at a time."""

    def __init__(self, places: int) -> None:
        """Begin with all places free. Raises ValueError if there are none."""
        if places < 1:
            raise ValueError(f"{places} places: at least 1 is needed, or everybody waits for ever")
        self.places = places
        self.on_wait: Callable[[], None] | None = None  # called by whoever has joined the line
        # Who is inside is not counted but known. A place that nobody holds is not there any more.
        self._inside: set[weakref.ref[Place]] = set()
        self._queue: deque[weakref.ref[Place]] = deque()
        self._mutex = Mutex()

    def enter(self, timeout: float) -> Place:
        """Return a place; wait in line for at most `timeout` seconds. Raises PoolTimeout."""
        place = Place(self)
        try:
            with self._mutex:
                self._let_in()
                if not self._queue and self._has_room():
                    self._inside.add(weakref.ref(place))
                    return place
                place.turn = threading.Lock()
                place.turn.acquire()
                self._queue.append(weakref.ref(place))
            if self.on_wait:
                self.on_wait()
            self._wait(place, place.turn, timeout)
            place.turn = None
        except BaseException:  # a time-out, Ctrl-C, or a killed greenlet
            self.leave(place)
            raise
        return place

    def leave(self, place: Place) -> None:
        """Give a place back: to the first in the queue, or to the next caller."""
        self._inside.discard(weakref.ref(place))
        with self._mutex:
            if place.turn is not None and (one := weakref.ref(place)) in self._queue:
                self._queue.remove(one)
            self._let_in()

    def counts(self) -> tuple[int, int]:
        """Return how many callers hold a place, and how many wait."""
        with self._mutex:
            self._forget_the_gone()
            return len(self._inside), sum(one() is not None for one in self._queue)

    def forget(self) -> None:
        """In a forked child: let nobody be here. The threads that are, only the parent has."""
        self._mutex = Mutex()
        self._inside.clear()
        self._queue.clear()

    def _wait(self, place: Place, turn: threading.Lock, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not turn.acquire(timeout=max(0.0, min(end - time.monotonic(), _LOOK))):
            with self._mutex:
                self._let_in()
                if weakref.ref(place) in self._inside:
                    return
            if time.monotonic() >= end:
                held, waiting = self.counts()
                raise PoolTimeout(
                    f"no connection came free within {timeout:g} s: {held} callers hold one and "
                    f"{waiting} wait; hold them for a shorter time, or allow more connections"
                )

    def _let_in(self) -> None:
        """Let in the first callers in the queue while there are free places.

        Ctrl-C may stop this at any line: the next call finishes the work.
        """
        while self._queue:
            first = self._queue[0]
            place = first()
            if place is not None and first not in self._inside:
                if not self._has_room():
                    return
                self._inside.add(first)
            self._queue.popleft()
            if place is not None and place.turn is not None and place.turn.locked():
                place.turn.release()

    def _has_room(self) -> bool:
        if len(self._inside) >= self.places:
            self._forget_the_gone()
        return len(self._inside) < self.places

    def _forget_the_gone(self) -> None:
        for one in list(self._inside):
            if one() is None:
                self._inside.discard(one)
