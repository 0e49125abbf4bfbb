"""A10: who is here and what was said, as long as one process serves the whole room."""

from collections.abc import Iterable
from time import time
from typing import NamedTuple, Protocol

from demos.group_chat.history import History
from demos.group_chat.messages import Message


class Listener(Protocol):
    """The room, as those see it who keep its names and history."""

    def deliver(self, message: Message) -> None:
        """Hand a message to everybody, and to its author as an acknowledgement."""

    def presence(self) -> None:
        """Tell everybody, in a moment, that the roster has changed."""

    def dismiss(self, origin: str, moved: bool) -> None:
        """End a connection that has lost its nickname; `moved`: to the same page's next one."""

    def acknowledge(self, message: Message) -> None:
        """Tell the author of a message that had to wait that it has its id now."""

    def status(self) -> None:
        """Tell everybody that `trouble` has begun or ended."""


class Holder(NamedTuple):
    """Who has a nickname, on which connection (`origin`), since when; the token proves it."""

    name: str
    token: str
    origin: str
    since: float


class OneProcess:
    """Names and history in plain dictionaries. many_processes.py keeps them in Redis instead."""

    trouble = ""  # a sentence for everybody, while the room is not whole

    def __init__(self) -> None:
        """Start with nobody here and nothing said."""
        self._history = History()
        self._holders: dict[str, Holder] = {}

    def start(self, listener: Listener) -> None:
        """Begin to tell the room what happens."""
        self._listener = listener

    def stop(self) -> None:
        """End; there is nothing to close."""

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname for a connection; False if it is in use.

        Whoever has the holder's token is the same page on a new connection, and takes it over.
        """
        holder = self._holders.get(key)
        if holder and holder.token != token:
            return False
        self._holders[key] = Holder(name, token, origin, time())
        if holder:
            self._listener.dismiss(holder.origin, moved=True)
            self._gone(holder.name)
        self._here(name)
        return True

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back, unless another connection has taken it over."""
        holder = self._holders.get(key)
        if holder and holder.origin == origin:
            del self._holders[key]
            self._gone(holder.name)

    def roster(self) -> list[str]:
        """Return who is here, in the order of coming."""
        return [holder.name for holder in self._holders.values()]

    def say(self, message: Message) -> Message | None:
        """Keep the message and hand it to the room; the second time the same, do neither.

        Returns:
            What was said before under the same client id, None if this is new.

        Raises:
            NotSaid: that was something else.
        """
        before = self._history.find(message)
        if not before:
            self._listener.deliver(self._history.say(message))
        return before

    def replay(self, since: str) -> tuple[list[Message], int]:
        """Return the messages after an id, and how many are lost; see `History.replay`."""
        return self._history.replay(since)

    def unconfirmed(self) -> Iterable[Message]:
        """Return what was said but is not in the history yet; here that is nothing."""
        return []

    def _here(self, name: str) -> None:
        self._listener.presence()

    def _gone(self, name: str) -> None:
        self._listener.presence()
