"""A1, A5: a turnstile in front of a pool: callers go in one by one, in the order they came.

A pool's own lock lets the quick ones overtake. Here the place of a caller who leaves goes straight
to the one who has waited longest, so nobody starves, and nobody waits longer than a time-out.
"""

import threading
from collections import deque


class PoolTimeout(TimeoutError):
    """No connection came free in time; the message says how many hold one and how many wait."""


class Turnstile:
    """Lets at most `places` callers in at a time."""

    def __init__(self, places: int) -> None:
        """Begin with all places free. Raises ValueError if there are none."""
        if places < 1:
            raise ValueError(f"{places} places: at least 1 is needed, or everybody waits for ever")
        self.places = places
        self._free = places
        self._queue: deque[threading.Lock] = deque()
        self._mutex = threading.Lock()

    def enter(self, timeout: float) -> None:
        """Take a place; wait for one in line for at most `timeout` seconds. Raises PoolTimeout."""
        with self._mutex:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()  # whoever leaves releases it, and that is our turn
            self._queue.append(turn)
        try:
            came = turn.acquire(timeout=timeout)
        except BaseException:  # Ctrl-C, or a killed greenlet: go, and let nobody wait for us
            if not self._step_out(turn):
                self.leave()
            raise
        if not came and self._step_out(turn):
            held, waiting = self.counts()
            raise PoolTimeout(
                f"no connection came free within {timeout:g} s: {held} callers hold one and "
                f"{waiting + 1} wait; hold them for a shorter time, or allow more connections"
            )

    def leave(self) -> None:
        """Give the place back: to the first in line, or to whoever comes next."""
        with self._mutex:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1

    def counts(self) -> tuple[int, int]:
        """Return how many callers hold a place, and how many wait."""
        with self._mutex:
            return self.places - self._free, len(self._queue)

    def _step_out(self, turn: threading.Lock) -> bool:
        """Leave the line; False if the turn has come in the meantime."""
        with self._mutex:
            if turn in self._queue:
                self._queue.remove(turn)
                return True
            return False
