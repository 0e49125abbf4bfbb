"""B4: the page /single and its socket /single_ws, which takes the user from the session."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import NamedTuple, ParamSpec

import gevent
from flask import Blueprint, Response, jsonify, render_template, request

from demos.group_chat.connection.frames import Code
from demos.group_chat.connection.websocket import MESSAGE_LIMIT
from demos.group_chat.rules.messages import NotSaid, read_object, text_in
from demos.instruments.logs import log
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.accounts import (
    close_ended,
    first_login,
    has_ended,
    logged_in,
    required,
)
from demos.private_chat.post import NO_ID, Post, no_answer
from demos.private_chat.switchboard import AT_WORK, ENDED, Connection, Switchboard, User
from demos.private_chat.web.app import ANSWER_TIME, DATABASE_AWAY, TooSlow
from demos.private_chat.web.metering import RATE, meter

P = ParamSpec("P")
Frame = dict[str, object]  # what a page sends (docs/wire-formats.md)
RICH = "im.v1"  # the subprotocol that asks for the rich format
PAGES_OF_ONE = 50  # that one user may have open
IDS = 100  # in one frame of marks; more of them count as several frames
SLOW = 1.0  # seconds that somebody who sends too much has to wait, at most
RECIPIENTS = 20  # of one message
ID_LENGTH = 36  # characters of a client id: a UUID
PAGE = 50  # messages in one page of a conversation
LISTED = 100  # users to choose from, before there are friends
BEAT = 8.0  # seconds after which a page hears something, even if nothing happens
CHECK = 5.0  # seconds between looks for log-ins that have ended


def conversations(db: MysqlHelp, board: Switchboard, post: Post, rate: float = RATE) -> Blueprint:
    """Make the feature.

    Args:
        db: for the session.
        board: notes who is connected.
        post: hands messages over.
        rate: messages a second from one user.
    """
    meter.set_rate(rate)
    feature = Blueprint("conversations", __name__)

    @feature.get("/single")
    def page() -> str:
        """The page with the conversations."""
        user = required(db)
        features = post.features
        names = [] if features.friends else _others(db, user)
        return render_template(
            "single.html", user=user, names=names, limit=MESSAGE_LIMIT, **features._asdict()
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
        """The socket of one page; `_converse` serves it when this request has ended."""
        socket = request.environ["wsgi.websocket"]
        rich = RICH in socket.protocols
        socket.accept(RICH if rich else None)
        with _at_once():
            user = logged_in(db)
        if not user:
            socket.close(ENDED, "log in first")
            return ""
        connection = Connection(socket, user, rich, request.remote_addr or "")
        if meter.wait("join", user, connection.address):
            socket.close(Code.POLICY, "too many connections, one after the other")
            return ""
        since = _argument("since", 0)
        socket.serve_later(partial(_converse, db, board, post, connection, since))
        return ""

    gevent.spawn(_beat_forever, board)
    gevent.spawn(_check_forever, db, board, post)
    return feature


def _converse(
    db: MysqlHelp, board: Switchboard, post: Post, connection: Connection, since: int
) -> None:
    """Serve a page until its connection ends: show what it has missed, and do what it asks for.

    Args:
        db: for the log-in.
        board: notes who is connected.
        post: hands messages over.
        connection: the page.
        since: the last message that the page has seen; 0: none.
    """
    socket = connection.socket
    if board.pages(connection.user.id) >= PAGES_OF_ONE:
        socket.close(Code.POLICY, "too many open pages")
        return
    try:
        connection.hold()
        board.enter(connection)  # before the page asks who is online: it misses nobody
        if connection.rich:
            name, kept = connection.user.name, post.features.keeps
            connection.show({"type": "welcome", "name": name, "beat": BEAT, "kept": kept})
        post.connect(connection, since)
        with _at_once():
            ended = has_ended(db, connection.user.login)  # a log-out may have come between
        if ended:
            socket.close(ENDED, "this log-in has ended")
        while (data := socket.receive()) is not None:
            _hear(connection, post, data)
    except DATABASE_AWAY as error:  # the page comes back
        log("database", error=repr(error), path="/single_ws")
        socket.close(Code.INTERNAL_ERROR, "the database does not answer")
    finally:
        board.leave(connection)


@contextmanager
def _at_once() -> Iterator[None]:
    """Let the database answer in time. A socket lives long and is not timed whole, as requests are.

    Raises:
        TooSlow: it has not answered.
    """
    with gevent.Timeout(ANSWER_TIME, TooSlow):
        yield


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


def _check_forever(db: MysqlHelp, board: Switchboard, post: Post) -> None:
    """Close the sockets of log-ins that have ended, in case the word of another process was lost.

    After the tables were made anew, a name has another number: then forget the numbers, too.
    """
    first = ""
    while True:
        gevent.sleep(CHECK)
        try:
            before, first = first, first_login(db)
            if first != before:
                post.forget()
            close_ended(db, board)
        except DATABASE_AWAY as error:
            log("logins_not_checked", error=error)


def _hear(connection: Connection, post: Post, data: str | bytes) -> None:
    """Do what a page asks for, or tell it why not."""
    client_id = ""
    try:
        frame = _metered(connection, data)
        client_id = _client_id(frame)
        _kind(frame).hear(connection, post, frame, client_id)
    except NotSaid as error:
        connection.complain(NotSaid(error.code, error.reason, error.client_id or client_id))


def _hear_got(connection: Connection, post: Post, frame: Frame, client_id: str) -> None:
    post.got(connection.user, _numbers(frame["got"]))


def _hear_read(connection: Connection, post: Post, frame: Frame, client_id: str) -> None:
    (upto,) = _numbers([frame.get("upto")])
    name = text_in(frame, "read")
    with _in_time():
        _try(connection, client_id, post.read, connection.user, name, upto)


def _hear_message(connection: Connection, post: Post, frame: Frame, client_id: str) -> None:
    began = monotonic()
    msg, names = text_in(frame, "msg"), _recipients(frame)
    # Asked here, no name makes one message wait behind the next.
    if not all(map(post.knows, names)):
        with _in_time():
            names = [one for one in names if _try(connection, client_id, post.id_of, one)]
    told = partial(_stored, connection, client_id)
    for name in names:
        # A client_id names one message; to several recipients go several.
        key = client_id if "to" in frame and client_id else str(uuid.uuid4())
        connection.storing.acquire()
        post.send(connection.user, name, msg, key, began, told)
    if not (post.features.keeps_order and connection.rich):
        _wait_for_all(connection)


def _stored(connection: Connection, client_id: str, error: Exception | None) -> None:
    """Hear what became of a message of this page."""
    connection.storing.release()
    if error:
        _complain(connection, client_id, error)


def _wait_for_all(connection: Connection) -> None:
    """Wait until no message of this page is being stored."""
    for _ in range(AT_WORK):
        connection.storing.acquire()
    for _ in range(AT_WORK):
        connection.storing.release()


@contextmanager
def _in_time() -> Iterator[None]:
    """Ask the database something for a page that waits for the answer.

    Raises:
        NotSaid: it has not answered in time.
    """
    try:
        with gevent.Timeout(ANSWER_TIME):  # not TooSlow: `_try` would go on with the next name
            yield
    except gevent.Timeout:
        raise no_answer() from None


def _metered(connection: Connection, data: str | bytes) -> Frame:
    """Return a page's frame; a mark that comes too fast waits for its turn.

    Raises:
        NotSaid: it is no frame, or a message too many. That was counted as well.
    """
    problem, frame = None, {}
    try:
        frame = read_object(data)
    except NotSaid as error:
        problem = error
    kind = _kind(frame)
    what, cost = kind.counts_as, kind.cost(frame)
    wait = meter.wait(what, connection.user, connection.address, cost)
    if wait:
        gevent.sleep(min(wait, SLOW))  # the page is read slowly
        if what == "message" or meter.wait(what, connection.user, connection.address, cost):
            raise NotSaid("too_fast", "Not so fast, please.", _client_id(frame))
    if problem:
        raise problem
    return frame


def _ids_got(frame: Frame) -> int:
    ids = frame["got"]
    return 1 + (len(ids) // IDS if isinstance(ids, list) else 0)


def _copies(frame: Frame) -> int:
    names = frame.get("to_friend")
    return len(names) if isinstance(names, list) and 0 < len(names) <= RECIPIENTS else 1


class Kind(NamedTuple):
    """A kind of frame: what it counts as, and how often; and who does what it asks for."""

    counts_as: str
    cost: Callable[[Frame], int]
    hear: Callable[[Connection, Post, Frame, str], None]


# By the field that tells. A frame with none of them is a message.
KINDS = {
    "got": Kind("mark", _ids_got, _hear_got),
    "read": Kind("mark", lambda frame: 1, _hear_read),
}
MESSAGE = Kind("message", _copies, _hear_message)


def _kind(frame: Frame) -> Kind:
    return next((kind for field, kind in KINDS.items() if field in frame), MESSAGE)


def _try(
    connection: Connection, client_id: str, act: Callable[P, object], *args: P.args, **kw: P.kwargs
) -> bool:
    """Do one thing that the database may refuse; tell the page if it does.

    Returns whether it was done.
    """
    try:
        act(*args, **kw)
        return True
    except (NotSaid, *DATABASE_AWAY) as error:
        _complain(connection, client_id, error)
    return False


def _complain(connection: Connection, client_id: str, error: Exception) -> None:
    """Tell a page why something was not done; what the database says is not for its eyes."""
    if not isinstance(error, NotSaid):
        reason = "The database cannot be reached; this was not stored. Send it again."
        error = NotSaid("not_stored", reason)
    connection.complain(NotSaid(error.code, error.reason, client_id))


def _client_id(frame: Frame) -> str:
    client_id = frame.get("client_id", "")
    if not isinstance(client_id, str) or len(client_id) > ID_LENGTH or not client_id.isascii():
        raise NotSaid("no_message", f"client_id has to be up to {ID_LENGTH} ASCII characters.")
    return client_id


def _recipients(frame: Frame) -> list[str]:
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
