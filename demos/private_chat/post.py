"""B4: the post sends a message to all pages of its recipient, who must be online.

mailbox.py, of a later step, stores messages for users who are offline.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from demos.group_chat.rules import names
from demos.group_chat.rules.messages import NotSaid
from demos.instruments.logs import now
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.switchboard import Connection, Event, Switchboard, User
from demos.private_chat.web.app import DATABASE_AWAY
from demos.private_chat.web.database import find_user

NO_ID = 1 << 62  # greater than the id of any message
Told = Callable[[Exception | None], None]  # hears what became of a message
Pair = tuple[int, int]  # the ids of two users; where their order says nothing, the smaller first


class MayWrite(Protocol):
    """Who decides whether two users may write to each other: friends.py, once it is there."""

    def among(self, tx: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return those pairs that may, and see that they still may when the transaction ends."""

    def known(self, db: MysqlHelp, user_id: int) -> list[Pair]:
        """Return all pairs of a user and somebody who may write, or might have."""

    def blocked(self, db: MysqlHelp, asked: Iterable[Pair]) -> set[Pair]:
        """Return those of (user, other) where the user wants to hear nothing of the other."""


class Features(NamedTuple):
    """What pages can count on; each kind of post says it of itself."""

    friends: bool  # only friends can write to each other; else the page lists all users
    keeps: bool = False  # messages are kept, and have ids
    keeps_order: bool = False  # that of one page, also of messages that come at the same time
    longest: int = 0  # characters in one message; 0: no limit of its own


def not_friends() -> NotSaid:
    """Return the answer to those who may not write to each other."""
    return NotSaid("not_friends", "You can write to friends only; ask to be one.")


def no_answer() -> NotSaid:
    """Return the answer to those whose message is not stored in time."""
    return NotSaid("not_stored", "The database does not answer; send it again.")


def pair_of(one: int, other: int) -> Pair:
    """Return two users as a pair."""
    return (one, other) if one < other else (other, one)


class Post:
    """Hands messages over, and keeps nothing."""

    def __init__(
        self, db: MysqlHelp, board: Switchboard, may_write: MayWrite | None = None
    ) -> None:
        """Make the post.

        Args:
            db: holds `userinfo`.
            board: reaches those who are online.
            may_write: decides who may write to whom; without it, anybody to anybody.
        """
        self.db, self.board, self.may_write = db, board, may_write
        self.features = Features(friends=may_write is not None)
        self._ids: dict[str, int] = {}  # names do not change, so each is looked up once

    def send(
        self, sender: User, to: str, msg: str, client_id: str, began: float, told: Told
    ) -> None:
        """Hand a message over.

        Args:
            sender: who writes.
            to: the recipient's name.
            msg: the text.
            client_id: the sender's name for it.
            began: when it was read (time.monotonic()).
            told: is called once: with None, or with the reason why it was not handed over. That is
                a NotSaid (no such user, or not online, or no friend), or one of DATABASE_AWAY.
        """
        try:
            self._hand_over(sender, to, msg, client_id)
        except (NotSaid, *DATABASE_AWAY) as error:
            told(error)
        else:
            told(None)

    def _hand_over(self, sender: User, to: str, msg: str, client_id: str) -> None:
        recipient_id = self.id_of(to)
        event = {
            "type": "message",
            "id": None,
            "time": now(),
            "from": sender.name,
            "to": to,
            "msg": msg,
            "client_id": client_id,
            "delivered": True,
            "read": False,
        }
        with self._allowed(pair_of(sender.id, recipient_id)):
            if not self.board.is_online(recipient_id):
                raise NotSaid("not_online", f"{to} is not online.")
            self.board.send(event, {sender.id, recipient_id})

    @contextmanager
    def _allowed(self, pair: Pair) -> Iterator[None]:
        """See that two users may write to each other until the end of a block.

        Raises:
            NotSaid: they may not.
        """
        if not self.may_write:
            yield
            return
        with self.db.transaction() as tx:
            if not self.may_write.among(tx, [pair]):
                raise not_friends()
            yield

    def connect(self, connection: Connection, since: int) -> None:
        """Let a new page hear what has waited since it entered; nothing older is kept."""
        connection.release()

    def got(self, user: User, ids: list[int]) -> None:
        """Note that messages have reached a page; the post does not keep them, so it does not."""

    def read(self, user: User, name: str, upto: int) -> None:
        """Note that a conversation was seen; the same."""

    def stop(self) -> None:
        """End; there is nothing to finish."""

    def forget(self) -> None:
        """Look names up again: the tables have been made anew, and all have other numbers."""
        self._ids.clear()

    def knows(self, name: str) -> bool:
        """Say whether `id_of` need not ask the database."""
        return name in self._ids

    def id_of(self, name: str) -> int:
        """Return a user's id.

        Raises:
            NotSaid: there is no such user.
        """
        if name not in self._ids:
            found = find_user(self.db, name)
            if not found:
                raise NotSaid("unknown", f"There is no user {name[: names.LENGTH]}.")
            self._ids[name] = found["id"]
        return self._ids[name]

    def history(self, user: User, name: str, before: int, limit: int) -> list[Event]:
        """Return a page of a conversation, the oldest message first; nothing is kept here."""
        return []
