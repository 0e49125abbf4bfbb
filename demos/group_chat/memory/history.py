"""A10: what was said, with ids, so that a page that comes back misses nothing."""

import secrets
from collections import deque
from dataclasses import replace

from demos.group_chat.rules.messages import Format, Message, id_is_taken, message_json
from demos.instruments.logs import now

NEWCOMER = 50  # messages that a newcomer is shown
KEPT = 1000  # messages that somebody who comes back can catch up with
KEPT_BYTES = 1024 * 1024  # and of how many bytes in the rich format


class History:
    """The last messages: KEPT, or fewer if they are long.

    An id is `epoch-number`: which run of the room, and which message.
    """

    def __init__(self, epoch: str = "") -> None:
        """Start an empty history; ids of an earlier epoch are not taken for its own."""
        self.epoch = epoch or secrets.token_hex(4)
        self.newest = 0  # number of the last message
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._by_client_id: dict[tuple[str, str], Message] = {}

    def say(self, message: Message) -> Message:
        """Give the message the next id and the time, keep it, and return it."""
        said = replace(message, id=f"{self.epoch}-{self.newest + 1}", time=now())
        self.keep(said)
        return said

    def keep(self, message: Message) -> None:
        """Keep a message that has an id; forget the oldest ones when there are too many."""
        self.newest = self._number(message.id)
        self._messages.append(message)
        self._bytes += len(message_json(message, Format.RICH))
        self._by_client_id[message.username, message.client_id] = message
        while len(self._messages) > KEPT or self._bytes > KEPT_BYTES:
            old = self._messages.popleft()
            self._bytes -= len(message_json(old, Format.RICH))
            self._by_client_id.pop((old.username, old.client_id), None)

    def find(self, message: Message) -> Message | None:
        """Return the same message as it was said before, None if it is new.

        Raises:
            NotSaid: its author has said something else under its client id.
        """
        if not message.client_id:
            return None
        before = self._by_client_id.get((message.username, message.client_id))
        if before and before.msg != message.msg:
            raise id_is_taken(message.client_id)
        return before

    def replay(self, since: str) -> tuple[list[Message], int]:
        """Return what came after the id `since`, and how many of those are no longer kept.

        Without `since`: the last NEWCOMER messages. With an id of another epoch: all of this one.
        """
        if not since:
            return list(self._messages)[-NEWCOMER:], 0
        seen = self._number(since)
        if seen < 0:
            return list(self._messages), 0
        missing = max(0, self.newest - seen)
        messages = list(self._messages)[-missing:] if missing else []
        return messages, missing - len(messages)

    def is_behind(self, id: str) -> bool:
        """Say whether the id is one of this epoch's that has not been kept yet."""
        return self._number(id) > self.newest

    def _number(self, id: str) -> int:
        """Return the number in an id of ours, -1 for any other text."""
        epoch, _, number = id.rpartition("-")
        is_ours = epoch == self.epoch and number.isdecimal() and len(number) < 20
        return int(number) if is_ours else -1
