"""A10: who is here and what was said, as long as one process serves the whole room."""

from typing import Protocol

from demos.group_chat.history import History
from demos.group_chat.messages import Message


class Listener(Protocol):
    """The room, as those see it who keep its names and history."""

    def deliver(self, message: Message) -> None:
        """Hand a message to everybody, and to its author as an acknowledgement."""

    def presence(self, joined: str = "", left: str = "") -> None:
        """Tell everybody that somebody came or went."""

    def dismiss(self, origin: str) -> None:
        """End a connection whose nickname another one has taken over."""

    def acknowledge(self, message: Message) -> None:
        """Tell the author of a message that had to wait that it has its id now."""

    def status(self) -> None:
        """Tell everybody that `trouble` has begun or ended."""


class OneProcess:
    """Names and history in plain dictionaries. many_processes.py keeps them in Redis instead."""

    trouble = ""  # a sentence for everybody, while the room is not whole

    def __init__(self) -> None:
        """Start with nobody here and nothing said."""
        self._history = History()
        self._holders: dict[str, tuple[str, str, str]] = {}  # key: name, token, origin

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
        if holder and holder[1] != token:
            return False
        self._holders[key] = name, token, origin
        if holder:
            self._listener.dismiss(holder[2])
        else:
            self._here(name)
        return True

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back, unless another connection has taken it over."""
        holder = self._holders.get(key)
        if holder and holder[2] == origin:
            del self._holders[key]
            self._gone(holder[0])

    def roster(self) -> list[str]:
        """Return who is here, in the order of coming."""
        return [name for name, _, _ in self._holders.values()]

    def say(self, message: Message) -> Message | None:
        """Keep the message and hand it to the room; the second time the same, do neither.

        Returns:
            What was said before under the same client id, None if this is new.
        """
        before = self._history.find(message.username, message.client_id)
        if not before:
            self._listener.deliver(self._history.say(message))
        return before

    def replay(self, since: str) -> tuple[list[Message], int]:
        """Return the messages after an id, and how many are lost; see `History.replay`."""
        return self._history.replay(since)

    def _here(self, name: str) -> None:
        self._listener.presence(joined=name)

    def _gone(self, name: str) -> None:
        self._listener.presence(left=name)
