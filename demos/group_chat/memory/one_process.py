"""A10: who is here and what was said, as long as one process serves the whole room."""

from collections.abc import Iterable

from demos.group_chat.memory.contract import Listener
from demos.group_chat.memory.history import History
from demos.group_chat.memory.nicknames import Nicknames
from demos.group_chat.rules.messages import Message


class OneProcess:
    """A memory in plain dictionaries. That of many_processes.py is in Redis."""

    trouble = ""  # there is none

    def __init__(self) -> None:
        """Start with nobody here and nothing said."""
        self._history, self._names = History(), Nicknames()

    def start(self, listener: Listener) -> None:
        """Begin to tell the room what happens."""
        self._listener = self._names.listener = listener

    def stop(self) -> None:
        """End; there is nothing to close."""

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname for a connection; False if it is in use."""
        return self._names.claim(key, name, token, origin)

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back, unless another connection has taken it over."""
        self._names.release(key, origin)

    def roster(self) -> list[str]:
        """Return who is here, in the order of coming."""
        return self._names.roster()

    def say(self, message: Message) -> Message | None:
        """Keep a new message and hand it to the room; see `Memory.say`."""
        before = self._history.find(message)
        if not before:
            self._listener.deliver(self._history.say(message))
        return before

    def replay(self, since: str) -> tuple[list[Message], int]:
        """Return the messages after an id, and how many are lost."""
        return self._history.replay(since)

    def unconfirmed(self) -> Iterable[Message]:
        """Return nothing: what was said is in the history."""
        return []
