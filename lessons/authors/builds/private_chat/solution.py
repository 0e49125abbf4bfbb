"""A private chat: store first, then send to all tabs of both."""

from gevent import monkey

monkey.patch_all()

import argparse
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent
import pymysql
from flask import Flask, redirect, request, session
from gevent.pywsgi import WSGIServer
from gevent.queue import Queue
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler
from pymysql.constants import ER
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

from demos.pool_demo.mysqlhelp import MysqlHelp

FORM = """<form method="post"><input name="username"><input name="password" type="password">
<button>Log in</button></form>"""

app = Flask(__name__)
app.secret_key = secrets.token_bytes()
db = MysqlHelp()


@dataclass(frozen=True)
class User:
    """Somebody with an account."""

    id: int
    name: str


class Taken(Exception):
    """Another message of this sender has the client_id."""


class Tab:
    """An open socket, with a greenlet that sends what waits for it."""

    def __init__(self, socket: Any) -> None:  # noqa: ANN401 - gevent-websocket has no types
        """Start to send."""
        self.socket = socket
        self.queue: Queue[str] = Queue()
        self.held: list[dict[str, Any]] | None = []  # what comes before `release`
        self.writer = gevent.spawn(self.write)

    def write(self) -> None:
        """Send until the connection breaks."""
        try:
            while True:
                self.socket.send(self.queue.get())
        except (WebSocketError, OSError):
            return

    def tell(self, **frame: object) -> None:
        """Let a frame wait for its turn."""
        if self.held is None:
            self.queue.put(json.dumps(frame))
        else:
            self.held.append(frame)

    def release(self, kept: list[dict[str, Any]]) -> None:
        """Send the messages that were kept, and then what has come meanwhile."""
        held, self.held = self.held or [], None
        for row in kept:
            self.tell(type="message", **row)
        known = {row["id"] for row in kept}
        for frame in held:
            if frame.get("id") not in known:
                self.tell(**frame)


tabs: dict[int, set[Tab]] = {}  # by the user's id


@app.get("/login")
def form() -> str:
    """Show the form."""
    return FORM


@app.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Begin a session."""
    name, password = (request.form.get(field, "") for field in ("username", "password"))
    found = db.selectone("select id, name, password from userinfo where name = %s", (name,))
    if not found or not check_password_hash(found["password"], password):
        return FORM, 401
    session.clear()
    session.update(id=found["id"], name=found["name"])
    return redirect("login")


@app.route("/single_ws", websocket=True)
def single() -> str:
    """Serve one tab."""
    origin = request.headers.get("Origin")
    if "id" not in session or (origin and urlsplit(origin).netloc != request.host):
        return ""
    me, mine = User(session["id"], session["name"]), Tab(request.environ["wsgi.websocket"])
    tabs.setdefault(me.id, set()).add(mine)
    try:
        mine.release(kept_for(me))
        while (data := mine.socket.receive()) is not None:
            hear(me, mine, data)
    except WebSocketError:
        pass  # the connection broke in the middle of a frame
    finally:
        mine.writer.kill()
        tabs[me.id].discard(mine)
    return ""


def hear(me: User, mine: Tab, data: object) -> None:
    """Do what a frame asks for, or say why not."""
    frame = None
    if isinstance(data, str):
        with suppress(ValueError, RecursionError):
            frame = json.loads(data)
    if not isinstance(frame, dict):
        mine.tell(type="error", reason="Send a JSON object.")
    elif "got" in frame:
        confirm(me, frame["got"])
    else:
        say(me, mine, frame)


def say(sender: User, mine: Tab, frame: dict[str, Any]) -> None:
    """Store a message and send it to both."""
    to, msg, client_id = (frame.get(key) for key in ("to", "msg", "client_id"))
    texts = is_text(to, 32) and is_text(msg, 4000) and is_text(client_id, 36)
    friend = friend_of(sender, to) if texts else None
    if not friend:
        mine.tell(type="error", reason="Write to a friend, in text.", client_id=client_id)
        return
    try:
        number, is_new = store(sender, friend, msg, client_id)
    except Taken:
        mine.tell(type="error", reason="Choose another client_id.", client_id=client_id)
        return
    except pymysql.Error:
        mine.tell(type="error", reason="The database is away.", client_id=client_id)
        return
    content = {"id": number, "from": sender.name, "to": friend.name, "msg": msg}
    for user in (sender, friend) if is_new else (sender,):
        for tab in list(tabs.get(user.id, ())):
            tab.tell(type="message", **content, client_id=client_id)


def is_text(text: object, longest: int) -> bool:
    """Say whether this is a text that the table has room for."""
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        return False
    with suppress(UnicodeEncodeError):  # half a character
        return bool(text.encode())
    return False


def friend_of(user: User, name: object) -> User | None:
    """Return the friend of that name."""
    row = db.selectone(
        "select u.id, u.name from userinfo u join friendships f"
        " on f.low_id = least(u.id, %s) and f.high_id = greatest(u.id, %s)"
        " where u.name = %s and u.id <> %s and f.state = 'accepted'",
        (user.id, user.id, name, user.id),
    )
    return User(**row) if row else None


def store(sender: User, friend: User, msg: object, client_id: object) -> tuple[int, bool]:
    """Return the id of the row, and whether it is new. It is committed.

    Raises:
        Taken: this client_id belongs to another message.
    """
    try:
        number = db.insert(
            "insert into messages(sender_id, recipient_id, client_id, body) values(%s, %s, %s, %s)",
            (sender.id, friend.id, client_id, msg),
        )
        return int(number), True
    except pymysql.IntegrityError as error:
        if error.args[0] != ER.DUP_ENTRY:
            raise
    row = db.selectone(
        "select id, recipient_id, body from messages where sender_id = %s and client_id = %s",
        (sender.id, client_id),
    )
    assert row
    if (row["recipient_id"], row["body"]) != (friend.id, msg):
        raise Taken
    return int(row["id"]), False


def kept_for(user: User) -> list[dict[str, Any]]:
    """Return what was sent to a user and not confirmed."""
    return db.selectall(
        "select m.id, s.name as `from`, %s as `to`, m.body as msg, m.client_id"
        " from messages m join userinfo s on s.id = m.sender_id"
        " where m.recipient_id = %s and m.delivered_at is null order by m.id",
        (user.name, user.id),
    )


def confirm(user: User, ids: object) -> None:
    """Note that these messages have arrived."""
    for number in ids if isinstance(ids, list) else ():
        if isinstance(number, int):
            db.update(
                "update messages set delivered_at = utc_timestamp(3) where id = %s"
                " and recipient_id = %s and delivered_at is null",
                (number, user.id),
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    WSGIServer(("127.0.0.1", port), app, handler_class=WebSocketHandler, log=None).serve_forever()
