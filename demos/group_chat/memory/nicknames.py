"""A10: who has which nickname."""

from time import time
from typing import NamedTuple

from demos.group_chat.memory.contract import Listener


class Holder(NamedTuple):
    """Who has a nickname, on which connection (`origin`), since when; the token proves it."""

    name: str
    token: str
    origin: str
    since: float


class Nicknames:
    """The nicknames of this process, and the roster; what changes in it, the listener hears."""

    listener: Listener

    def __init__(self) -> None:
        """Start with nobody here."""
        self.holders: dict[str, Holder] = {}  # by key
        self._roster: dict[str, None] = {}  # names in the order of coming

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname; see `Memory.claim`."""
        before = self.holders.get(key)
        if before and before.token != token:
            return False
        self.holders[key] = Holder(name, token, origin, time())
        if before:
            self.listener.dismiss(before.origin, moved=True)
            if before.name != name:  # another spelling of it
                self.went(before.name)
        self.came(name)
        return True

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back; see `Memory.release`."""
        if self.has(key, origin):
            self.went(self.holders.pop(key).name)

    def has(self, key: str, origin: str) -> bool:
        """Say whether a connection has a nickname."""
        return key in self.holders and self.holders[key].origin == origin

    def roster(self) -> list[str]:
        """Return who is here."""
        return list(self._roster)

    def came(self, name: str) -> None:
        """Note that somebody is here, maybe in another process."""
        if name not in self._roster:
            self._roster[name] = None
            self.listener.presence()

    def went(self, name: str) -> None:
        """Note that somebody is here no more."""
        if name in self._roster:
            del self._roster[name]
            self.listener.presence()
