"""B4: the page /single and its socket /single_ws, known by the session and not by the address."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

import gevent
import pymysql
from flask import Blueprint, Response, jsonify, render_template, request

from demos.group_chat.frames import Code
from demos.group_chat.logs import log
from demos.group_chat.messages import NotSaid, read_object, text_in
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.turnstile import PoolTimeout
from demos.private_chat.accounts import close_ended, logged_in, required
from demos.private_chat.metering import RATE, meter
from demos.private_chat.post import Post
from demos.private_chat.switchboard import ENDED, Connection, Switchboard, User

P = ParamSpec("P")
RICH = "im.v1"  # the subprotocol that asks for the rich format
PAGES_OF_ONE = 50  # that one user may have open
IDS = 100  # in one frame of marks; more of them count as several frames
SLOW = 1.0  # seconds that somebody who sends too much has to wait, at most
RECIPIENTS = 20  # of one message
ID_LENGTH = 36  # characters of a client id: a UUID
PAGE = 50  # messages in one page of a conversation
LISTED = 100  # users to choose from, before there are friends
NO_ID = 1 << 62  # greater than the id of any message
BEAT = 8.0  # seconds after which a page hears something, even if nothing happens
CHECK = 5.0  # seconds between looks for log-ins that have ended


def single(db: MysqlHelp, board: Switchboard, post: Post, rate: float = RATE) -> Blueprint:
    """Make the feature.

    Args:
        db: for the session.
        board: notes who is connected.
        post: hands messages over.
        rate: messages a second from one user.
    """
    meter.set_rate(rate)
    feature = Blueprint("single", __name__)

    @feature.get("/single")
    def page() -> str:
        """The page with the conversations."""
        user = required(db)
        # Until there are friends, anybody can write to anybody: then the page lists them.
        friends = post.may_write is not None
        names = [] if friends else _others(db, user)
        return render_template(
            "single.html", user=user, keeps=post.keeps, friends=friends, names=names
        )

    @feature.get("/history")
    def history() -> Response | tuple[Response, int]:
        """One page of a conversation, as JSON (docs/wire-formats.md)."""
        user = required(db)
        meter.count("history", user)
        before = _argument("before", NO_ID)
        limit = max(1, min(_argument("limit", PAGE), PAGE))
        try:
            found = post.history(user, request.args.get("friend", ""), before, limit + 1)
        except NotSaid as error:
            return jsonify(reason=error.reason), 404
        return jsonify(messages=found[-limit:], more=len(found) > limit)

    @feature.route("/single_ws", websocket=True)
    def converse() -> str:
        """The socket of one page."""
        socket = request.environ["wsgi.websocket"]
        rich = RICH in socket.protocols
        socket.accept(RICH if rich else None)
        user = logged_in(db)
        if not user:
            socket.close(ENDED, "log in first")
            return ""
        connection = Connection(socket, user, rich, request.remote_addr or "")
        if meter.wait("join", user, connection.address):
            socket.close(Code.POLICY, "too many connections, one after the other")
            return ""
        if board.pages(user.id) >= PAGES_OF_ONE:
            socket.close(Code.POLICY, "too many open pages")
            return ""
        try:
            connection.hold()
            board.enter(connection)  # before the page asks who is online: it misses nobody
            if rich:
                connection.show(
                    {"type": "welcome", "name": user.name, "beat": BEAT, "kept": post.keeps}
                )
            post.connect(connection, _argument("since", 0))
            if not logged_in(db):  # a log-out may have come between
                socket.close(ENDED, "this log-in has ended")
            while (data := socket.receive()) is not None:
                _hear(connection, post, data)
        finally:
            board.leave(connection)
        return ""

    gevent.spawn(_beat_forever, board)
    gevent.spawn(_check_forever, db, board)
    return feature


def _argument(name: str, default: int) -> int:
    """Return a number of the address that the database can take; the default if it is none."""
    return max(0, min(request.args.get(name, default, int), NO_ID))


def _others(db: MysqlHelp, user: User) -> list[str]:
    rows = db.selectall(
        "select name from userinfo where id <> %s order by id limit %s", (user.id, LISTED)
    )
    return [row["name"] for row in rows]


def _beat_forever(board: Switchboard) -> None:
    while True:
        gevent.sleep(BEAT)
        board.tell_all_here({"type": "beat"})


def _check_forever(db: MysqlHelp, board: Switchboard) -> None:
    """See that nobody stays who has logged out, whatever became of the process that heard it."""
    while True:
        gevent.sleep(CHECK)
        try:
            close_ended(db, board)
        except (pymysql.MySQLError, PoolTimeout) as error:
            log("logins_not_checked", error=error)


def _hear(connection: Connection, post: Post, data: str | bytes) -> None:
    """Do what a page asks for, or tell it why not."""
    client_id = ""
    try:
        frame = _metered(connection, data)
        client_id = _client_id(frame)
        if "got" in frame:
            post.got(connection.user, _numbers(frame["got"]))
        elif "read" in frame:
            (upto,) = _numbers([frame.get("upto")])
            _try(connection, client_id, post.read, connection.user, text_in(frame, "read"), upto)
        else:
            msg, names = text_in(frame, "msg"), _recipients(frame)
            # A client_id names one message; to several recipients go several.
            keys = [client_id if "to" in frame and client_id else str(uuid.uuid4()) for _ in names]
            for name, key in zip(names, keys, strict=True):
                # Greenlets run in this order. Asked here, no name makes one wait behind the next.
                if _try(connection, client_id, post.id_of, name):
                    say = partial(post.send, connection.user, name, msg, key)
                    connection.letters.spawn(_try, connection, client_id, say)
            # Only the mailbox keeps the order of what comes to it at the same time.
            if not (post.keeps and connection.rich):
                connection.letters.join()
    except NotSaid as error:
        connection.complain(NotSaid(error.code, error.reason, error.client_id or client_id))


def _metered(connection: Connection, data: str | bytes) -> dict[str, object]:
    """Return a page's frame; a mark that comes too fast waits for its turn.

    Raises:
        NotSaid: it is no frame, or a message too many. That was counted as well.
    """
    problem, frame = None, {}
    try:
        frame = read_object(data)
    except NotSaid as error:
        problem = error
    what, cost = _cost(frame)
    wait = meter.wait(what, connection.user, connection.address, cost)
    if wait:
        gevent.sleep(min(wait, SLOW))  # the page is read slowly
        if what == "message" or meter.wait(what, connection.user, connection.address, cost):
            raise NotSaid("too_fast", "Not so fast, please.", _client_id(frame))
    if problem:
        raise problem
    return frame


def _cost(frame: dict[str, object]) -> tuple[str, int]:
    """Return what a frame counts as, and how often: once for each recipient, or for IDS marks."""
    if "got" in frame or "read" in frame:
        ids = frame.get("got")
        return "mark", 1 + (len(ids) // IDS if isinstance(ids, list) else 0)
    names = frame.get("to_friend")
    several = isinstance(names, list) and 0 < len(names) <= RECIPIENTS
    return "message", len(names) if several and isinstance(names, list) else 1


def _try(
    connection: Connection, client_id: str, act: Callable[P, object], *args: P.args, **kw: P.kwargs
) -> bool:
    """Do one thing that the database may refuse; tell the page if it does.

    Returns whether it was done.
    """
    try:
        act(*args, **kw)
        return True
    except NotSaid as error:
        connection.complain(NotSaid(error.code, error.reason, client_id))
    except (pymysql.MySQLError, PoolTimeout):
        reason = "The database cannot be reached; this was not stored. Send it again."
        connection.complain(NotSaid("not_stored", reason, client_id))
    return False


def _client_id(frame: dict[str, object]) -> str:
    client_id = frame.get("client_id", "")
    if not isinstance(client_id, str) or len(client_id) > ID_LENGTH or not client_id.isascii():
        raise NotSaid("no_message", f"client_id has to be a text of up to {ID_LENGTH} characters.")
    return client_id


def _recipients(frame: dict[str, object]) -> list[str]:
    """Return the names in `to`, or in the source's `to_friend`, each once."""
    found = frame.get("to_friend") if "to" not in frame else [frame["to"]]
    if not isinstance(found, list) or not 0 < len(found) <= RECIPIENTS:
        raise NotSaid("no_message", f"to_friend has to be a list of 1 to {RECIPIENTS} names.")
    return list(dict.fromkeys(text_in({"name": name}, "name") for name in found))


def _numbers(found: object) -> list[int]:
    if (
        not isinstance(found, list)
        or len(found) > 1000
        or not all(type(number) is int and 0 < number < NO_ID for number in found)
    ):
        raise NotSaid("no_message", "Message ids have to be numbers.")
    return found
