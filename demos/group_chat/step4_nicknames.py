"""A10: Nicknames: the source's chat.py, without its faults.

Source: A10 has the page /ws, and a socket at /<username> for each nickname. A client sends
{"username": name, "msg": text}, and all clients except the sender receive the same. naive/chat.py
behaves as the source's program does. Compare it with this file.

See: open the page in three tabs with three nicknames, as the source shows it, and chat. Others can
join at any time.

Try: join with a nickname that is in use, or with `ws`. Close a tab and chat in the others. Then
stop this program, start `python -m demos.group_chat.naive.chat`, and do the same again.

New: in step 3 `sockets` was a set. Here it is a dictionary with the nickname as key. So the server
knows whether a nickname is in use, and it takes the sender's name from the socket's address.
"""

import json
from collections.abc import Callable

from flask import Flask, render_template, request

from demos.group_chat.connection.serving import serve
from demos.group_chat.connection.websocket import MESSAGE_LIMIT, WebSocket
from demos.group_chat.rules import names
from demos.group_chat.rules.bucket import Bucket
from demos.group_chat.rules.limits import BURST, RATE
from demos.group_chat.rules.messages import SERVER, NotSaid, read

RESERVED = frozenset({"ws", "static", SERVER})  # our own addresses, and the server's name
NOT_ALLOWED, IN_USE = 4400, 4409  # close codes; 4000 to 4999 are for applications

app = Flask(__name__)
sockets: dict[str, WebSocket] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("many_people.html", format="named", limit=MESSAGE_LIMIT)


@app.route("/", defaults={"username": ""}, websocket=True)
@app.route("/<username>", websocket=True)
def chat(username: str) -> str:
    """The socket of one nickname."""
    let_in(username, sockets, listen)
    return ""  # Flask needs a return value; nobody reads it


def let_in(
    username: str, sockets: dict[str, WebSocket], listen: Callable[[str, WebSocket], None]
) -> None:
    """Accept a nickname and handle its messages, or refuse it with a reason."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    if problem := names.problem(username, RESERVED):
        socket.close(NOT_ALLOWED, problem)
    elif names.key(username) in map(names.key, sockets):  # or one that looks the same
        socket.close(IN_USE, "This nickname is in use.")
    else:
        sockets[username] = socket
        try:
            listen(username, socket)
        finally:
            del sockets[username]


def listen(username: str, socket: WebSocket) -> None:
    """Send each message of this socket to all others, until it closes."""
    bucket = Bucket(RATE, BURST)
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
