"""Signals that ask a command to stop in order, instead of ending it where it is."""

import contextlib
import signal
from queue import Empty, SimpleQueue


class StopSignals:
    """Takes note of SIGINT, SIGTERM and SIGHUP from now on."""

    def __init__(self) -> None:
        """Set the handlers."""
        # Not an Event: `set` in a handler waits for ever for the lock that an interrupted `wait` holds.
        self._received: SimpleQueue[int] = SimpleQueue()
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._received.put(number))

    def asked(self, seconds: float = 0.0) -> bool:
        """Say whether a signal has come; wait for one for so many seconds."""
        if not self._asked:
            with contextlib.suppress(Empty):
                self._received.get(timeout=seconds)
                self._asked = True
        return self._asked
