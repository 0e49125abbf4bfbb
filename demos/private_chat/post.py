"""B4: the post: a message goes to all pages of its recipient, who has to be online.

mailbox.py, a later step, keeps messages for those who are not.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from demos.group_chat.logs import now
from demos.group_chat.messages import NotSaid
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.database import find_user
from demos.private_chat.switchboard import Connection, Event, Switchboard, User

Pair = tuple[int, int]  # the ids of two users; where their order says nothing, the smaller first


class MayWrite(Protocol):
    """Who decides whether two users may write to each other: friends.py, once it is there."""

    def among(self, tx: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return those pairs that may, and see that they still may when the transaction ends."""

    def known(self, db: MysqlHelp, user_id: int) -> list[Pair]:
        """Return all pairs of a user and somebody who may write, or might have."""

    def blocked(self, db: MysqlHelp, asked: Iterable[Pair]) -> set[Pair]:
        """Return those of (user, other) where the user wants to hear nothing of the other."""


def not_friends() -> NotSaid:
    """Return the answer to those who may not write to each other."""
    return NotSaid("not_friends", "You can write to friends only; ask to be one.")


def pair_of(one: int, other: int) -> Pair:
    """Return two users as a pair."""
    return (one, other) if one < other else (other, one)


class Post:
    """Hands messages over, and keeps nothing."""

    keeps = False

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
        self._ids: dict[str, int] = {}  # names do not change, so each is looked up once

    def send(self, sender: User, to: str, msg: str, client_id: str) -> None:
        """Hand a message over.

        Raises:
            NotSaid: there is no such user, or not online, or no friend.
            pymysql.MySQLError, PoolTimeout: the database is away.
        """
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

    def id_of(self, name: str) -> int:
        """Return a user's id.

        Raises:
            NotSaid: there is no such user.
        """
        if name not in self._ids:
            found = find_user(self.db, name)
            if not found:
                raise NotSaid("unknown", f"There is no user {name[:32]}.")
            self._ids[name] = found["id"]
        return self._ids[name]

    def history(self, user: User, name: str, before: int, limit: int) -> list[Event]:
        """Return a page of a conversation, the oldest message first; nothing is kept here."""
        return []
