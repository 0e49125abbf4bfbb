"""One of those who write in the turmoil of the last goal."""

import itertools
import json
import threading
from contextlib import suppress

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from course.exercise import Wrong
from lessons.authors.builds.private_chat.pages import Frame, Page, people
from lessons.authors.builds.program import Program
from lessons.authors.checks.scene import ask

EACH = 12  # messages of one writer
HINDRANCES = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, Wrong)


class Writer:
    """One user who writes to two friends, whatever happens to the server, and reads what comes."""

    def __init__(self, chat: Program, place: int, name: str, friends: tuple[str, str]) -> None:
        """Write the messages down; nothing is sent yet."""
        self.chat, self.name = chat, name
        self.outbox = [
            (friend, f"m{place}-{number}")
            for number, friend in zip(range(EACH), itertools.cycle(friends), strict=False)
        ]
        self.left = list(self.outbox)
        self.acked: dict[str, int] = {}  # client_id: id
        self.screen: dict[int, Frame] = {}
        self.confirmed: set[int] = set()
        self.again: list[int] = []  # came though they had been confirmed before
        self.refused = ""  # the reason of the last error
        self.over = threading.Event()

    def run(self) -> None:
        """Come, and come again, until it is over."""
        while not self.over.is_set():
            self._remember()
            with suppress(*HINDRANCES), people(self.chat, self.name, fresh=False) as (page,):
                self._converse(page)
            self.over.wait(0.2)

    def _converse(self, page: Page) -> None:
        waiting = ""
        while not self.over.is_set():
            if self.left and not waiting:
                friend, waiting = self.left[0]
                page.say(friend, waiting, waiting)
            with suppress(TimeoutError):
                frame = json.loads(page.socket.recv(0.2))
                if frame.get("type") == "error":
                    self.refused, waiting = str(frame.get("reason")), ""
                    self.over.wait(0.5)
                if frame.get("type") != "message":
                    continue
                if frame["from"] == self.name:
                    self.acked[frame["client_id"]] = frame["id"]
                    if frame["client_id"] == waiting:
                        del self.left[0]
                        waiting = ""
                    continue
                if frame["id"] in self.confirmed:
                    self.again.append(frame["id"])
                self.screen[frame["id"]] = frame
                page.got(frame)

    def _remember(self) -> None:
        """Note which of ours are confirmed: they must not come on the next connection."""
        sql = """select m.id from messages m join userinfo u on u.id = m.recipient_id
            where u.name = %s and m.delivered_at is not null"""
        self.confirmed = {row["id"] for row in ask(sql, self.name)}
