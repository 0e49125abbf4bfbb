"""A9: what a tap on the wire tells: a JSON object on each line of stdout, never more than is read.

Who looks on must not slow down who is looked at. So everything is counted, and of what there is too
much of, only a part is shown; and a reader of stdout that is slow or stands still holds nobody up.
"""

import json
import os
import sys
import time
from collections import deque

import gevent
from gevent.event import Event

from demos.group_chat.connection.frames import CLOSE

# What is shown: so many more in each TURN, and so many at once.
FRAMES = (4, 60)  # frames with data: nobody reads more
OTHERS = (10, 240)  # and of all the rest, so that a flood of text hides no close
TURN = 0.1  # seconds
WAITING = 1000  # lines that wait for a slow reader
BATCH = 0.1  # seconds in which lines gather before they are written together


class Events:
    """The lines of one tap. `gone` is set when nobody can read them any more."""

    def __init__(self, client: str) -> None:
        """Name the client that is in every line, and begin to write."""
        self.client = client
        self.gone = Event()
        self.shown = self.unshown = 0
        self._frames, self._others = FRAMES[1], OTHERS[1]  # how many may still be shown
        self._lines: deque[str] = deque()
        self._any = Event()
        gevent.spawn(self._write)
        gevent.spawn(self._allow)

    def wants(self, opcode: int) -> bool:
        """Say whether a frame of this opcode is to be shown; if not, it is counted as unshown."""
        if opcode >= CLOSE:
            return self._may_show_other()
        if not self._frames:  # asked for each frame, so there is no clock to look at
            self.unshown += 1
            return False
        self._frames -= 1
        self.shown += 1
        return True

    def show(self, kind: str, **details: object) -> None:
        """Show something that is not a frame, if there is room for it."""
        if self._may_show_other():
            self.tell(kind, **details)

    def tell(self, kind: str, **details: object) -> None:
        """Write a line that is counted already; `t` is in milliseconds since 1970."""
        line = {"kind": kind, "client": self.client, "t": round(time.time() * 1000, 2), **details}
        if len(self._lines) < 2 * WAITING:
            self._lines.append(json.dumps(line))  # all ASCII, so that nothing else ends a line
            self._any.set()

    def finish(self) -> None:
        """Write what is left, unless nobody reads it."""
        deadline = time.monotonic() + 1
        while self._lines and not self.gone.is_set() and time.monotonic() < deadline:
            gevent.sleep(BATCH)

    def _may_show_other(self) -> bool:
        if not self._others:
            self.unshown += 1
            return False
        self._others -= 1
        self.shown += 1
        return True

    def _allow(self) -> None:
        """Let more be shown as time passes, unless nobody reads what there is."""
        while True:
            gevent.sleep(TURN)
            if len(self._lines) < WAITING:
                self._frames = min(self._frames + FRAMES[0], FRAMES[1])
                self._others = min(self._others + OTHERS[0], OTHERS[1])

    def _write(self) -> None:
        """Write in a thread, so that a full pipe stops this greenlet and nothing else."""
        threads = gevent.get_hub().threadpool
        while True:
            self._any.wait()
            gevent.sleep(BATCH)
            lines = list(self._lines)
            text = "".join(f"{line}\n" for line in lines)
            if not threads.apply(_write_all, (text.encode(),)):
                self.gone.set()
                return
            for _ in lines:
                self._lines.popleft()
            if not self._lines:
                self._any.clear()


def _write_all(data: bytes) -> bool:
    """Write to stdout; return whether somebody can read it."""
    try:
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
    except OSError:
        return False
    return True
