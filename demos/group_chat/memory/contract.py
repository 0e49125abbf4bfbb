"""A10, B1: what a room and its memory know of each other: one_process.py and many_processes.py."""

from collections.abc import Iterable
from typing import Protocol

from demos.group_chat.rules.messages import Message


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


class Memory(Protocol):
    """Keeps the names and the history of a room."""

    trouble: str  # a sentence for everybody, while the room is not whole

    def start(self, listener: Listener) -> None:
        """Begin to tell the room what happens."""

    def stop(self) -> None:
        """End."""

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname for a connection; False if it is in use.

        Whoever has the holder's token is the same page on a new connection, and takes it over.
        """

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back, unless another connection has taken it over."""

    def roster(self) -> list[str]:
        """Return who is here, in the order of coming."""

    def say(self, message: Message) -> Message | None:
        """Keep the message and hand it to the room; the second time the same, do neither.

        Returns:
            What was said before under the same client id, None if this is new.

        Raises:
            NotSaid: that was something else.
        """

    def replay(self, since: str) -> tuple[list[Message], int]:
        """Return the messages after an id, and how many are lost; see `History.replay`."""

    def unconfirmed(self) -> Iterable[Message]:
        """Return what was said but is not in the history yet."""
