"""A group chat with gevent: one greenlet receives for each member, another one sends."""

import argparse
import json
from contextlib import suppress
from socket import SHUT_RDWR
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import gevent
from flask import Flask, request
from gevent.lock import Semaphore
from gevent.pywsgi import WSGIServer
from gevent.queue import Full, Queue
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

SERVER = "服务器"
LONGEST = 16 * 1024  # bytes of a message
BEHIND = 100  # lines that may wait for one member
RATE, BURST = 10, 30  # lines a second, and at once

app = Flask(__name__)


class Bucket:
    """Holds tokens; each line takes one."""

    def __init__(self) -> None:
        """Begin full."""
        self.tokens, self.at = float(BURST), monotonic()

    def take(self) -> bool:
        """Take a token if there is one."""
        now = monotonic()
        self.tokens = min(BURST, self.tokens + (now - self.at) * RATE)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Member:
    """A socket, and what waits to be sent to it."""

    def __init__(self, socket: Any) -> None:  # noqa: ANN401 - gevent-websocket has no types
        """Start to send."""
        lock, write = Semaphore(), socket.raw_write

        def in_turn(data: bytes) -> None:
            with lock:
                write(data)

        socket.raw_write = in_turn
        self.socket = socket
        self.line = socket.stream.handler.socket  # of TCP
        self.queue: Queue[str] = Queue(BEHIND)
        self.writer = gevent.spawn(self.write)

    def write(self) -> None:
        """Send what comes into the queue, until the connection breaks."""
        try:
            while True:
                self.socket.send(self.queue.get())
        except (WebSocketError, OSError):
            return

    def tell(self, username: str, msg: str) -> None:
        """Send one line to this member."""
        put(self, json.dumps({"username": username, "msg": msg}))


members: dict[str, Member] = {}


def put(other: Member, frame: str) -> None:
    """Let a frame wait for its turn; put out who is too far behind."""
    try:
        other.queue.put_nowait(frame)
    except Full:
        with suppress(OSError):  # it has broken already
            other.line.shutdown(SHUT_RDWR)  # a close frame would have to wait, too


def refuse(socket: Any, code: int, reason: str) -> None:  # noqa: ANN401 - see Member
    """Close with a code and a reason."""
    socket.send_frame(code.to_bytes(2, "big") + reason.encode(), socket.OPCODE_CLOSE)


def text_in(data: object) -> str:
    """Return the message in what a client sent. Raises ValueError: there is none."""
    if not isinstance(data, str):
        raise ValueError("Send text.")
    if len(data.encode()) > LONGEST:
        raise ValueError("That was too long.")
    message = json.loads(data)
    if not isinstance(message, dict) or not isinstance(message.get("msg"), str):
        raise ValueError("Send an object with a text in msg.")
    return str(message["msg"])


@app.route("/<name>", websocket=True)
def chat(name: str) -> str:
    """Let one member in, and listen."""
    socket = request.environ["wsgi.websocket"]
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        return ""
    if name == SERVER:
        refuse(socket, 4400, "This is the server's name.")
        return ""
    if name in members:
        refuse(socket, 4409, "This name is taken.")
        return ""
    speaker = members[name] = Member(socket)
    try:
        listen(name, speaker)
    except WebSocketError:
        pass  # the connection broke in the middle of a message
    finally:
        speaker.writer.kill()
        del members[name]
    return ""


def listen(name: str, speaker: Member) -> None:
    """Pass on what one member says."""
    bucket = Bucket()
    while (data := speaker.socket.receive()) is not None:
        try:
            msg = text_in(data)
        except (ValueError, RecursionError) as error:
            speaker.tell(SERVER, str(error))
            continue
        if not bucket.take():
            speaker.tell(SERVER, "Too fast: this was not said.")
            continue
        frame = json.dumps({"username": name, "msg": msg})
        for other in list(members.values()):
            if other is not speaker:
                put(other, frame)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    WSGIServer(("127.0.0.1", port), app, handler_class=WebSocketHandler, log=None).serve_forever()
