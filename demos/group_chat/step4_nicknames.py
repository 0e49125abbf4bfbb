"""A10: Nicknames: the source's chat.py, made correct.

Source: A10 has the page /ws, and a socket at /<username> for each nickname. A client sends
{"username": name, "msg": text}; everyone except the sender receives the same.
naive/chat.py does what it does: read that beside this.

See: open the page in three tabs with three nicknames, as the source shows it, and chat. More can
join at any time.

Try: a nickname that is in use, or `ws`. Close a tab and go on in the others. Then stop this, start
`python -m demos.group_chat.naive.chat` in its place, and do the same there.

New: in step 3 `sockets` was a set. Here it is a dictionary, so a nickname can be in use, and a
socket's address says who speaks.
"""

import json
from collections.abc import Callable

from flask import Flask, render_template, request

from demos.group_chat import names
from demos.group_chat.bucket import Bucket
from demos.group_chat.messages import SERVER, NotSaid, read
from demos.group_chat.serving import serve
from demos.group_chat.websocket import WebSocket

RESERVED = frozenset({"ws", "static", SERVER})  # our own addresses, and the server's name
NOT_ALLOWED, IN_USE = 4400, 4409  # close codes; 4000 to 4999 are for applications

app = Flask(__name__)
sockets: dict[str, WebSocket] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("many_people.html", format="named")


@app.route("/", defaults={"username": ""}, websocket=True)
@app.route("/<username>", websocket=True)
def chat(username: str) -> str:
    """The socket of one nickname."""
    let_in(username, sockets, listen)
    return ""  # Flask wants an answer; nobody reads it


def let_in(
    username: str, sockets: dict[str, WebSocket], listen: Callable[[str, WebSocket], None]
) -> None:
    """Let a nickname in, and listen to it; or refuse it with a reason."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    if problem := names.problem(username, RESERVED):
        socket.close(NOT_ALLOWED, problem)
    elif username in sockets:
        socket.close(IN_USE, "This nickname is in use.")
    else:
        sockets[username] = socket
        try:
            listen(username, socket)
        finally:
            del sockets[username]


def listen(username: str, socket: WebSocket) -> None:
    """Pass on what this socket says, until it closes."""
    bucket = Bucket(rate=10, burst=30)  # messages a second, and at once
    while (data := socket.receive()) is not None:
        try:
            msg, _ = read(data)
            if bucket.wait():
                raise NotSaid("too_fast", "That was too fast; send it again.")
        except NotSaid as error:
            tell([socket], SERVER, str(error))
        else:
            tell([other for other in sockets.values() if other is not socket], username, msg)


def tell(receivers: list[WebSocket], username: str, msg: str) -> None:
    """Send one message to all of them."""
    frame = json.dumps({"username": username, "msg": msg})
    for socket in receivers:
        socket.send(frame)


if __name__ == "__main__":
    serve(app, page="ws")
