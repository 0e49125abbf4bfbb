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

from demos.group_chat.bucket import Bucket

FRAMES = (60.0, 120.0)  # frames with data that are shown: a second, and at once
OTHERS = (60.0, 240.0)  # and of all the rest, so that a flood of text hides no close
WAITING = 1000  # lines that wait for a slow reader
BATCH = 0.03  # seconds in which lines gather before they are written together


class Events:
    """The lines of one tap. `gone` is set when nobody can read them any more."""

    def __init__(self, client: str) -> None:
        """Name the client that is in every line, and begin to write."""
        self.client = client
        self.gone = Event()
        self.shown = self.unshown = 0
        self._frames, self._others = Bucket(*FRAMES), Bucket(*OTHERS)
        self._lines: deque[str] = deque()
        self._any = Event()
        self._writer = gevent.spawn(self._write)

    def wants(self, opcode: int) -> bool:
        """Say whether a frame of this opcode is to be shown; if not, it is counted as unshown."""
        return self._room(self._others if opcode >= 8 else self._frames)

    def show(self, kind: str, **details: object) -> None:
        """Show something that is not a frame, if there is room for it."""
        if self._room(self._others):
            self.tell(kind, **details)

    def tell(self, kind: str, **details: object) -> None:
        """Write a line, whatever was written before; `t` is in milliseconds since 1970."""
        line = {"kind": kind, "client": self.client, "t": round(time.time() * 1000, 2), **details}
        self._lines.append(json.dumps(line, ensure_ascii=False))
        self._any.set()

    def finish(self) -> None:
        """Write what is left, unless nobody reads it."""
        deadline = time.monotonic() + 1
        while self._lines and not self.gone.is_set() and time.monotonic() < deadline:
            gevent.sleep(BATCH)

    def _room(self, bucket: Bucket) -> bool:
        if len(self._lines) < WAITING and not bucket.wait():
            self.shown += 1
            return True
        self.unshown += 1
        return False

    def _write(self) -> None:
        """Write in a thread, so that a full pipe stops this greenlet and nothing else."""
        threads = gevent.get_hub().threadpool
        while True:
            self._any.wait()
            gevent.sleep(BATCH)
            lines = list(self._lines)
            text = "".join(f"{line}\n" for line in lines)
            try:
                threads.apply(_write_all, (text.encode("utf-8", "replace"),))
            except OSError:
                self.gone.set()
                return
            for _ in lines:
                self._lines.popleft()
            if not self._lines:
                self._any.clear()


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]
