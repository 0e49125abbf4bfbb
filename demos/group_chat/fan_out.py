"""A10: one says something, and many hear it: encoded once, in order, and in turns.

One greenlet writes to all members. It shares its time with those who come in, speak or look at a
page. What is said meanwhile gathers, and goes out together.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import gevent
from gevent.event import Event

from demos.group_chat.bucket import Bucket
from demos.group_chat.messages import Format, Message, ack_frame, message_frame
from demos.group_chat.turns import Turn
from demos.group_chat.websocket import WebSocket

PART = 64 * 1024  # bytes that one member is sent at a time, if no message is longer
WAITING = 1024 * 1024  # characters that wait for their turn; who brings more waits as well


@dataclass(eq=False, slots=True)
class Member:
    """One connection in the room; `origin` names it, in all processes."""

    socket: WebSocket
    name: str
    form: Format
    origin: str
    person: Bucket  # what this person may say, on whatever connection
    neighbours: Bucket  # what all behind the same address may say, this one included
    strikes: int = 0


Members = Mapping[Format, Mapping[str, Member]]  # by format and origin
_Here = list[tuple[Format, list[Member]]]


class FanOut:
    """Sends messages and other news to the members of a room."""

    def __init__(self, members: Members) -> None:
        """Begin to work.

        Args:
            members: who is in the room; the room keeps this up to date.
        """
        self._members = members
        self._gathered: list[Message] = []
        self._jobs: deque[tuple[list[Message] | Mapping[Format, bytes], _Here]] = deque()
        self._there_is_work, self._there_is_room = Event(), Event()
        self._waiting = 0
        self._worker = gevent.spawn(self._work)

    def stop(self) -> None:
        """End; what waits is not sent any more."""
        self._worker.kill()

    def pass_on(self, message: Message) -> None:
        """Send a message to everybody; its author gets an acknowledgement in its place.

        Waits while too much is under way, so that nobody speaks faster than the others are told.
        """
        self._gathered.append(message)
        self._waiting += len(message.msg)
        self._there_is_work.set()
        while self._waiting > WAITING:
            self._there_is_room.clear()
            self._there_is_room.wait()

    def tell(self, frames: Mapping[Format, bytes]) -> None:
        """Send a frame to all members whose format is in `frames`, after all that was said."""
        self.seal()
        self._jobs.append((frames, self._here()))
        self._there_is_work.set()

    def tell_one(self, member: Member, frame: bytes) -> None:
        """Send a frame to one member, after all that was said and told before."""
        self.seal()
        self._jobs.append(({member.form: frame}, [(member.form, [member])]))
        self._there_is_work.set()

    def seal(self) -> None:
        """Settle who hears what was said up to now: whoever is in the room at this moment."""
        if self._gathered:
            self._jobs.append((self._gathered, self._here()))
            self._gathered = []

    def _here(self) -> _Here:
        return [(form, list(members.values())) for form, members in self._members.items()]

    def _work(self) -> None:
        while True:
            self._there_is_work.wait()
            self._there_is_work.clear()
            turn = Turn(is_urgent=True)
            self.seal()
            while self._jobs:
                job, here = self._jobs.popleft()
                if isinstance(job, Mapping):
                    _tell(job, here, turn)
                else:
                    _pass_on(job, here, turn)
                    self._waiting -= sum(len(message.msg) for message in job)
                    self._there_is_room.set()
                self.seal()


def _tell(frames: Mapping[Format, bytes], here: _Here, turn: Turn) -> None:
    for form, members in here:
        if form in frames:
            for member in members:
                member.socket.send_frame(frames[form])
                turn.share()


def _pass_on(messages: list[Message], here: _Here, turn: Turn) -> None:
    for part in in_parts(messages):
        authors = {message.origin for message in part}
        for form, members in here:
            if not members:
                continue
            everything = b"".join(message_frame(message, form) for message in part)
            for member in members:
                if member.origin not in authors:
                    member.socket.send_frame(everything)
                elif own := _as_author(part, member):
                    member.socket.send_frame(own)
                turn.share()


def _as_author(messages: list[Message], member: Member) -> bytes:
    """Return the messages for a member who has said some of them: those are acknowledged."""
    return b"".join(
        ack_frame(message, member.form)
        if message.origin == member.origin
        else message_frame(message, member.form)
        for message in messages
    )


def in_parts(messages: Iterable[Message], size: int = PART) -> Iterator[list[Message]]:
    """Cut messages into parts of at most `size` bytes of rich frames, or of one message each."""
    part: list[Message] = []
    so_far = 0
    for message in messages:
        length = len(message_frame(message, Format.RICH))
        if part and so_far + length > size:
            yield part
            part, so_far = [], 0
        part.append(message)
        so_far += length
    if part:
        yield part
