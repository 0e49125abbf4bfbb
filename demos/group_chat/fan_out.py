"""A10: send each message to all members: encoded once, in order, and in turns.

One greenlet writes to all members. It gives other greenlets time between its writes, so that other
clients can join, send, or load a page. It collects the messages that arrive meanwhile, and sends
them together.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic

import gevent
from gevent.event import Event

from demos.group_chat.connection.frames import encode_text
from demos.group_chat.connection.turns import Turn
from demos.group_chat.connection.websocket import WebSocket, send_to_all
from demos.group_chat.rules.bucket import Bucket
from demos.group_chat.rules.messages import Format, Message, ack_json, message_json

PART = 64 * 1024  # bytes that one member is sent at a time, if no message is longer
WAITING = 1024 * 1024  # characters that wait for their turn; who brings more waits as well
PAUSE = 0.5  # of the time that the last writing took: so long more messages are gathered
LEAST_PAUSE = 0.001  # seconds; the event loop knows no shorter time


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

    def tell(self, words: Mapping[Format, bytes]) -> None:
        """Send JSON to all members whose format is in `words`, after all that was said."""
        self.seal()
        frames = {form: encode_text(json) for form, json in words.items()}
        self._jobs.append((frames, self._here()))
        self._there_is_work.set()

    def tell_one(self, member: Member, json: bytes) -> None:
        """Send JSON to one member, after all that was said and told before."""
        self.seal()
        self._jobs.append(({member.form: encode_text(json)}, [(member.form, [member])]))
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
                began = monotonic()
                self._do(*self._jobs.popleft(), turn)
                self._pause(monotonic() - began)
                self.seal()

    def _do(self, job: list[Message] | Mapping[Format, bytes], here: _Here, turn: Turn) -> None:
        if isinstance(job, Mapping):
            _tell(job, here, turn)
        else:
            _pass_on(job, here, turn)
            self._waiting -= sum(len(message.msg) for message in job)
            self._there_is_room.set()

    def _pause(self, took: float) -> None:
        """Gather a little longer, if messages came during a writing that took so many seconds.

        To write to a thousand members takes as long for eight messages as for one. So whoever comes
        faster than that is written together. A message that finds nothing under way never waits.
        """
        if self._gathered and took * PAUSE > LEAST_PAUSE:
            gevent.sleep(took * PAUSE)


def _tell(frames: Mapping[Format, bytes], here: _Here, turn: Turn) -> None:
    for form, members in here:
        if form in frames:
            send_to_all([member.socket for member in members], frames[form], turn)


def _pass_on(messages: list[Message], here: _Here, turn: Turn) -> None:
    for part in in_parts(messages):
        authors = {message.origin for message in part}
        for form, members in here:
            if not members:
                continue
            frames = [encode_text(message_json(message, form)) for message in part]  # once for all
            others = [member.socket for member in members if member.origin not in authors]
            send_to_all(others, b"".join(frames), turn)
            for member in members:
                if member.origin in authors and (own := _as_author(part, frames, member)):
                    member.socket.send_frame(own)


def _as_author(messages: list[Message], frames: list[bytes], member: Member) -> bytes:
    """Return the frames for a member who has said some of the messages: those are acknowledged."""
    return b"".join(
        encode_text(ack_json(message, member.form)) if message.origin == member.origin else frame
        for message, frame in zip(messages, frames, strict=True)
    )


def in_parts(messages: Iterable[Message], size: int = PART) -> Iterator[list[Message]]:
    """Cut messages into parts of at most `size` bytes of rich JSON, or of one message each."""
    part: list[Message] = []
    so_far = 0
    for message in messages:
        length = len(message_json(message, Format.RICH))
        if part and so_far + length > size:
            yield part
            part, so_far = [], 0
        part.append(message)
        so_far += length
    if part:
        yield part
