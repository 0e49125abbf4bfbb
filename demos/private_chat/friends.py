"""B5: friends: ask, accept, decline, remove, block; and who is online."""

from collections.abc import Iterable

from flask import Blueprint, Response, jsonify, request

from demos.group_chat.logs import log
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from demos.private_chat.accounts import required
from demos.private_chat.app import limiter
from demos.private_chat.post import Pair, pair_of
from demos.private_chat.switchboard import Switchboard, User

_UNREAD = "select sender_id, count(*) n from messages where recipient_id = %s and read_at is null"


class Friendships:
    """The table `friendships`: one row for each pair, and who made the last move."""

    def __init__(self, db: MysqlHelp, board: Switchboard) -> None:
        """Tell friends who comes and goes."""
        self.db, self.board = db, board
        board.watch(self._tell_friends)

    def among(self, db: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return the pairs that are friends.

        Args:
            db: where to ask, such as a transaction that is open.
            pairs: pairs of user ids, the smaller one first.
        """
        asked = list(pairs)
        if not asked:
            return set()
        either = " or ".join(["low_id = %s and high_id = %s"] * len(asked))
        rows = db.selectall(
            f"select low_id, high_id from friendships where state = 'accepted' and ({either})",
            [user_id for pair in asked for user_id in pair],
        )
        return {(row["low_id"], row["high_id"]) for row in rows}

    def of(self, user: User) -> list[Row]:
        """Return all rows of a user: other's id and name, state, and who made the last move."""
        return self.db.selectall(
            "select u.id, u.name, f.state, f.actor_id from friendships f"
            " join userinfo u on u.id = if(f.low_id = %s, f.high_id, f.low_id)"
            " where f.low_id = %s or f.high_id = %s order by u.name",
            (user.id, user.id, user.id),
        )

    def listed(self, user: User) -> list[dict[str, object]]:
        """Return the list that the page shows (docs/wire-formats.md)."""
        rows = self.of(user)
        online = self.board.online(row["id"] for row in rows)
        unread = {
            row["sender_id"]: row["n"]
            for row in self.db.selectall(f"{_UNREAD} group by sender_id", (user.id,))
        }
        shown = []
        for row in rows:
            mine = row["actor_id"] == user.id
            state = {
                "accepted": "accepted",
                "requested": "asked" if mine else "asks",
                # Who was blocked, or declined, does not learn it from a list.
                "blocked": "blocked" if mine else "",
            }.get(row["state"], "")
            if state:
                friend = state == "accepted"
                shown.append(
                    {
                        "name": row["name"],
                        "state": state,
                        "online": friend and row["id"] in online,
                        "unread": unread.get(row["id"], 0) if friend else 0,
                    }
                )
        return shown

    def move(self, user: User, name: str, what: str) -> str:
        """Make a move: ask, accept, decline, remove, block or unblock.

        Returns:
            Why it is not possible, as a sentence; "" if it was done.
        """
        with self.db.transaction() as tx:
            other = tx.selectone("select id from userinfo where name = %s", (name,))
            if not other:
                return f"There is no user {name[:32]}."
            if other["id"] == user.id:
                return "That is you."
            low, high = pair_of(user.id, other["id"])
            # The two may move at the same time; the row of one of them makes the other wait.
            tx.selectall(
                "select id from userinfo where id in (%s, %s) order by id for update", (low, high)
            )
            row = tx.selectone(
                "select state, actor_id from friendships where low_id = %s and high_id = %s",
                (low, high),
            )
            state, problem = _after(what, row, user.id)
            if problem:
                return problem
            if state:
                tx.execute(
                    "insert into friendships(low_id, high_id, state, actor_id)"
                    " values(%s, %s, %s, %s) on duplicate key update state = values(state),"
                    " actor_id = values(actor_id), changed_at = utc_timestamp(3)",
                    (low, high, state, user.id),
                )
            else:
                tx.execute(
                    "delete from friendships where low_id = %s and high_id = %s", (low, high)
                )
        log("friends", user=user.name, move=what, other=name)
        self.board.send({"type": "friends"}, {low, high})
        return ""

    def _tell_friends(self, user: User, online: bool) -> None:
        friends = {row["id"] for row in self.of(user) if row["state"] == "accepted"}
        self.board.send({"type": "presence", "name": user.name, "online": online}, friends)


def _after(what: str, row: Row | None, me: int) -> tuple[str, str]:
    """Return the state after a move ("" for no row), and why the move is not possible, or ""."""
    state, actor = (row["state"], row["actor_id"]) if row else ("", 0)
    mine = actor == me
    if state == "blocked" and not mine:
        # Who is blocked does not learn it: a request goes nowhere, as one that is not answered.
        return state, "" if what == "ask" else "There is nothing to change."
    if what == "ask" and state == "requested" and not mine:
        return "accepted", ""  # the two requests met
    if what == "ask" and state == "blocked":
        return "", "You have blocked this user; unblock first."
    if what == "ask":
        return (
            ("requested", "") if state in ("", "declined") else (state, "You have asked already.")
        )
    possible = {
        "accept": ("accepted", state == "requested" and not mine),
        "decline": ("declined", state == "requested" and not mine),
        "remove": ("", state == "accepted" or (state == "requested" and mine)),
        "block": ("blocked", True),
        "unblock": ("", state == "blocked"),
    }
    after, may = possible[what]
    return after, "" if may else "There is nothing to change."


def friends(friendships: Friendships) -> Blueprint:
    """Make the feature: /friends, /add_friends, /friends/<move>."""
    feature = Blueprint("friends", __name__)

    @feature.get("/friends")
    def listed() -> Response:
        """The user's friends, requests and blocks, for the page to build its list."""
        return jsonify(friends=friendships.listed(required(friendships.db)))

    @feature.post("/add_friends", defaults={"move": "ask"})
    @feature.post("/friends/<any(accept, decline, remove, block, unblock):move>")
    @limiter.limit("60 per minute")
    def change(move: str) -> Response | tuple[Response, int]:
        """Make a move towards another user."""
        user = required(friendships.db)
        asked = request.get_json(silent=True)
        name = asked.get("name") if isinstance(asked, dict) else request.form.get("name")
        if not isinstance(name, str) or not name:
            return jsonify(reason="Say whose name."), 400
        problem = friendships.move(user, name, move)
        return (jsonify(reason=problem), 409) if problem else jsonify(reason="")

    return feature
