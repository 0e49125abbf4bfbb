"""A private chat that asks before it writes."""

from gevent import monkey

monkey.patch_all()

import argparse
import json
import os
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import gevent
import pymysql
from flask import Flask, redirect, request, session
from gevent.lock import RLock
from gevent.pywsgi import WSGIServer
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

from demos.pool_demo.settings import connect_args

app = Flask(__name__)
app.secret_key = os.urandom(16)
Row = dict[str, Any]


class Refused(Exception):
    """What was sent is not said; the sentence says why."""


class Page:
    """An open socket; while something waits for it, a greenlet sends that."""

    def __init__(self, socket: Any) -> None:  # noqa: ANN401 - gevent-websocket has no types
        """Take over an open socket."""
        self.socket, self.turn = socket, RLock()
        self.waiting: deque[Row] = deque()
        self.sender: gevent.Greenlet[[], None] | None = None

    def send(self, frame: Row) -> None:
        """Let one frame wait for its turn; nobody waits for the page."""
        self.waiting.append(frame)
        self.go_on()

    def go_on(self) -> None:
        """Begin to send, unless that is being done."""
        if not self.sender:
            self.sender = gevent.spawn(self._send_all)

    def _send_all(self) -> None:
        """Send what waits; a page that has gone hears nothing."""
        with self.turn:
            try:
                while self.waiting:
                    self.socket.send(json.dumps(self.waiting.popleft(), ensure_ascii=False))
            except (WebSocketError, OSError):
                self.waiting.clear()


pages: dict[str, list[Page]] = {}


def database(sql: str, *param: object) -> list[Row]:
    """Run one statement on a connection of its own, commit, and return its rows."""
    with (
        pymysql.connect(**connect_args()) as connection,
        connection.cursor(pymysql.cursors.DictCursor) as cursor,
    ):
        cursor.execute(sql, param)
        rows = list(cursor.fetchall())
        connection.commit()
    return rows


@app.route("/login", methods=["GET", "POST"])
def login() -> Response | str | tuple[str, int]:
    """Show the form, and let in whoever has the password."""
    page = "<form method=post><input name=username><input name=password><button>ok</button></form>"
    if request.method == "GET":
        return page
    found = database(
        "select name, password from userinfo where name = %s", request.form["username"]
    )
    if not found or not check_password_hash(found[0]["password"], request.form["password"]):
        return page, 401
    session["name"] = found[0]["name"]
    return redirect("/login", 303)


@app.route("/single_ws", websocket=True)
def serve_one() -> str:
    """Send what waits, then listen."""
    me, origin = session.get("name"), request.headers.get("Origin")
    if not me or (origin is not None and urlsplit(origin).netloc != request.host):
        return ""
    page = Page(request.environ["wsgi.websocket"])
    try:
        with page.turn:  # what comes meanwhile waits for its turn
            pages.setdefault(me, []).append(page)
            kept = database(f"{MESSAGE} where r.name = %s and delivered_at is null order by id", me)
            page.waiting.extendleft({"type": "message", **row} for row in reversed(kept))
        page.go_on()
        while (text := page.socket.receive()) is not None:
            listen(me, page, text)
    except WebSocketError:
        pass
    finally:
        pages[me].remove(page)
        if page.sender:
            page.sender.kill()
    return ""


MESSAGE = """select m.id, s.name as `from`, r.name as `to`, body as msg, client_id from messages m
    join userinfo s on s.id = sender_id join userinfo r on r.id = recipient_id"""


def listen(me: str, page: Page, text: object) -> None:
    """Do what one frame asks for."""
    try:
        frame = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        frame = None
    try:
        if not isinstance(frame, dict):
            raise Refused("this is no object")
        if isinstance(frame.get("got"), list):
            confirm(me, frame["got"])
        else:
            say(me, page, frame)
    except (Refused, pymysql.Error) as error:
        name = frame.get("client_id") if isinstance(frame, dict) else None
        page.send({"type": "error", "reason": str(error) or "an error", "client_id": name})


def confirm(me: str, numbers: list[object]) -> None:
    """Note what has arrived."""
    for number in numbers:
        if isinstance(number, int):
            database(
                "update messages m join userinfo r on r.id = recipient_id"
                " set delivered_at = utc_timestamp(3) where m.id = %s and r.name = %s",
                number,
                me,
            )


def say(me: str, page: Page, frame: Row) -> None:
    """Store one message, and tell both."""
    to, msg, client_id = (text(frame.get(key), most) for key, most in LIMITS.items())
    friends = database(
        "select a.id as mine, b.id as hers, b.name from userinfo a join userinfo b on b.name = %s"
        " join friendships on low_id = least(a.id, b.id) and high_id = greatest(a.id, b.id)"
        " where a.name = %s and state = 'accepted'",
        to,
        me,
    )
    if not friends:
        raise Refused("she is not your friend")
    (both,) = friends
    if not stored(me, client_id):
        try:
            database(
                "insert into messages(sender_id, recipient_id, client_id, body)"
                " values(%s, %s, %s, %s)",
                both["mine"],
                both["hers"],
                client_id,
                msg,
            )
        except pymysql.IntegrityError as error:
            if not stored(me, client_id):
                raise Refused("it cannot be stored") from error
        else:
            (row,) = stored(me, client_id)
            for one in [*pages.get(both["name"], ()), *pages.get(me, ())]:
                one.send({"type": "message", **row})
            return
    (row,) = stored(me, client_id)
    if (row["to"], row["msg"]) != (both["name"], msg):
        raise Refused("you have said something else with this client_id")
    page.send({"type": "message", **row})


def stored(me: str, client_id: str) -> list[Row]:
    """Return the message that a user has sent with this client_id, if there is one."""
    return database(f"{MESSAGE} where s.name = %s and client_id = %s", me, client_id)


LIMITS = {"to": 32, "msg": 4000, "client_id": 36}


def text(found: object, most: int) -> str:
    """Return a text that has a character at least, and not too many."""
    if not isinstance(found, str) or not found or len(found) > most:
        raise Refused(f"send a text of 1 to {most} characters")
    if any("\ud800" <= one <= "\udfff" for one in found):
        raise Refused("this is half a character")
    return found


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
WSGIServer(
    ("127.0.0.1", parser.parse_args().port), app, handler_class=WebSocketHandler
).serve_forever()
