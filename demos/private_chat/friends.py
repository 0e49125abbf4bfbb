"""B5: friends: ask, accept, decline, remove, block, and see who is online."""

from collections.abc import Iterable
from functools import partial

from flask import Blueprint, Response, jsonify, request, session

from demos.group_chat.rules import names
from demos.instruments.logs import log
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from demos.private_chat.accounts import required
from demos.private_chat.post import Pair, pair_of
from demos.private_chat.switchboard import MUTED, Switchboard, User
from demos.private_chat.web.app import DATABASE_AWAY, limiter
from demos.private_chat.web.database import find_user, whole
from demos.private_chat.web.metering import meter

_CANNOT_ASK = {
    "accepted": "You are friends already.",
    "asked": "You have asked already.",
    "blocked": "You have blocked this user; unblock first.",
}
_ACCEPTED, _LOCK = "state = 'accepted'", "lock in share mode"
_UNREAD = """select sender_id, count(*) n, max(id) last from messages
    where recipient_id = %s and read_at is null group by sender_id"""


class NotPossible(Exception):
    """A move that a user cannot make; the message is a sentence for the page."""


class Friendships:
    """The table `friendships`: one row for each pair, with all that is between the two."""

    def __init__(self, db: MysqlHelp, board: Switchboard) -> None:
        """Tell friends who comes and goes."""
        self.db, self.board = db, board
        board.watch(self._tell_friends)

    def among(self, tx: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return the pairs that are friends; until the transaction ends, no move changes that.

        Without the lock it would see the friendships as they were when it began: a message could
        be stored after its recipient was told that its sender is blocked.

        Args:
            tx: the transaction that acts upon the answer.
            pairs: pairs of user ids, the smaller one first.
        """
        asked = set(pairs)
        (found,) = _rows(tx, asked, "count(*) n", _ACCEPTED, _LOCK) or [{"n": 0}]
        if found["n"] == len(asked):  # as nearly always, and a number is quicker to read than rows
            return asked
        rows = _rows(tx, asked, "low_id, high_id", _ACCEPTED, _LOCK)
        return {(row["low_id"], row["high_id"]) for row in rows}

    def known(self, db: MysqlHelp, user_id: int) -> list[Pair]:
        """Return all pairs of a user and somebody who is, was or wants to be a friend."""
        rows = db.selectall(
            "select low_id, high_id from friendships where low_id = %s or high_id = %s",
            (user_id, user_id),
        )
        return [(row["low_id"], row["high_id"]) for row in rows]

    def blocked(self, db: MysqlHelp, asked: Iterable[Pair]) -> set[Pair]:
        """Return those of (user, other) where the user has blocked the other."""
        pairs = set(asked)
        columns, blocks = "low_id, high_id, low_blocks, high_blocks", "(low_blocks or high_blocks)"
        rows = _rows(db, {pair_of(*pair) for pair in pairs}, columns, blocks)
        both = [(row, row["low_id"], row["high_id"]) for row in rows]
        found = {(low, high) for row, low, high in both if row["low_blocks"]}
        return pairs & (found | {(high, low) for row, low, high in both if row["high_blocks"]})

    def of(self, user: User) -> list[Row]:
        """Return all rows of a user: other's id and name, and what `_shown` asks for."""
        return self.db.selectall(
            "select u.id, u.name, f.state, f.actor_id, f.low_id, f.low_blocks, f.high_blocks"
            " from friendships f join userinfo u on u.id = if(f.low_id = %s, f.high_id, f.low_id)"
            " where f.low_id = %s or f.high_id = %s order by u.name",
            (user.id, user.id, user.id),
        )

    def listed(self, user: User) -> list[dict[str, object]]:
        """Return the list that the page shows (docs/wire-formats.md)."""
        rows = self.of(user)
        online = self.board.online(row["id"] for row in rows)
        unread = {
            row["sender_id"]: (row["n"], row["last"])
            for row in self.db.selectall(_UNREAD, (user.id,))
        }
        shown = []
        for row in rows:
            state = _shown(row, user.id)
            if state:
                friend = state == "accepted"
                number, last = unread.get(row["id"], (0, 0)) if friend else (0, 0)
                shown.append(
                    {
                        "name": row["name"],
                        "state": state,
                        "online": friend and row["id"] in online,
                        "unread": number,
                        "last": last,
                    }
                )
        return shown

    def move(self, user: User, name: str, what: str) -> None:
        """Make a move: ask, accept, decline, remove, block or unblock.

        Raises:
            NotPossible: it is not possible; the sentence says why.
        """
        other = find_user(self.db, name)
        if not other:
            raise NotPossible(f"There is no user {name[: names.LENGTH]}.")
        if other["id"] == user.id:
            raise NotPossible("That is you.")
        pair = pair_of(user.id, other["id"])
        row, after = whole(partial(self._change, user, pair, what))
        if what in ("block", "unblock"):
            self.board.mute(user.id, name, MUTED if what == "block" else 0.0)
        log("friends", user=user.name, move=what, other=name)
        # Who sees nothing new hears nothing either, or a block would show.
        changed = {one for one in pair if _shown(row, one) != _shown(after, one)}
        self.board.send({"type": "friends"}, changed)

    def _change(self, user: User, pair: Pair, what: str) -> tuple[Row, Row]:
        """Make a move in the table; return the row before and after it."""
        with self.db.transaction() as tx:
            # The two may move at the same time. Whoever writes the row first makes the other wait.
            tx.execute(
                "insert into friendships(low_id, high_id, state, actor_id)"
                " values(%s, %s, 'none', %s) on duplicate key update low_id = low_id",
                (*pair, user.id),
            )
            row = tx.selectone(
                "select low_id, high_id, state, actor_id, low_blocks, high_blocks"
                " from friendships where low_id = %s and high_id = %s for update",
                pair,
            )
            assert row
            after = _after(what, row, user.id)
            tx.execute(
                "update friendships set state = %(state)s, actor_id = %(actor_id)s,"
                " low_blocks = %(low_blocks)s, high_blocks = %(high_blocks)s,"
                " changed_at = utc_timestamp(3)"
                " where low_id = %(low_id)s and high_id = %(high_id)s",
                after,
            )
        return row, after

    def _tell_friends(self, user: User, online: bool) -> None:
        try:
            friends = {row["id"] for row in self.of(user) if row["state"] == "accepted"}
        except DATABASE_AWAY as error:
            log("presence_not_told", user=user.name, error=error)
            return
        if online and not self.board.is_online(user.id):
            return  # gone again, while the database was slow
        self.board.send({"type": "presence", "name": user.name, "online": online}, friends)


def _rows(
    db: MysqlHelp, pairs: Iterable[Pair], columns: str, where: str, lock: str = ""
) -> list[Row]:
    """Return columns of the rows of pairs for which a condition holds; no rows for no pairs."""
    asked = list(pairs)
    if not asked:
        return []
    either = " or ".join(["low_id = %s and high_id = %s"] * len(asked))
    return db.selectall(
        f"select {columns} from friendships force index (primary)"
        f" where {where} and ({either}) {lock}",
        [user_id for pair in asked for user_id in pair],
    )


def _shown(row: Row, me: int) -> str:
    """Return the state that one of the two sees (docs/wire-formats.md), or ""."""
    if _blocks(row, me):
        return "blocked"
    if row["state"] == "requested":
        return "asked" if row["actor_id"] == me else "asks"
    # The list does not tell a user who was declined or blocked.
    return "accepted" if row["state"] == "accepted" else ""


def _after(what: str, row: Row, me: int) -> Row:
    """Return the row after a move.

    Raises:
        NotPossible: the move is not possible.
    """
    shown = _shown(row, me)
    if what == "ask" and shown in _CANNOT_ASK:
        raise NotPossible(_CANNOT_ASK[shown])
    possible = {
        # The answer to a request may be another request, when the two cross.
        "ask": "accepted" if shown == "asks" else "requested",
        "accept": "accepted" if shown == "asks" else "",
        "decline": "declined" if shown == "asks" else "",
        "remove": "none" if shown in ("accepted", "asked") else "",
        "block": "none" if shown != "blocked" else "",
        "unblock": row["state"] if shown == "blocked" else "",
    }
    if not possible[what]:
        raise NotPossible("There is nothing to change.")
    after = row | {"state": possible[what], "actor_id": me}
    if what in ("block", "unblock"):
        after["low_blocks" if row["low_id"] == me else "high_blocks"] = what == "block"
    if what == "unblock":
        after["actor_id"] = row["actor_id"]  # a request that came meanwhile is still the other's
    return after


def _blocks(row: Row, me: int) -> bool:
    return bool(row["low_blocks"] if row["low_id"] == me else row["high_blocks"])


def friends(friendships: Friendships) -> Blueprint:
    """Make the feature: /friends, /add_friends, /friends/<move>."""
    feature = Blueprint("friends", __name__)

    @feature.get("/friends")
    def listed() -> Response:
        """The user's friends, requests and blocks, for the page to build its list."""
        user = required(friendships.db)
        meter.count("friends", user)
        return jsonify(friends=friendships.listed(user))

    @feature.post("/add_friends", defaults={"move": "ask"})
    @feature.post("/friends/<any(accept, decline, remove, block, unblock):move>")
    @limiter.limit("60 per minute", key_func=lambda: f"user:{session.get('user_id')}")
    def change(move: str) -> Response | tuple[Response, int]:
        """Make a move towards another user."""
        user = required(friendships.db)
        asked = request.get_json(silent=True)
        name = asked.get("name") if isinstance(asked, dict) else request.form.get("name")
        if not isinstance(name, str) or not name:
            return jsonify(reason="Say whose name."), 400
        try:
            friendships.move(user, name, move)
        except NotPossible as error:
            return jsonify(reason=str(error)), 409
        return jsonify(reason="")

    return feature
