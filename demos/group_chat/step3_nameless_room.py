"""B2: A room without names.

Source: B2 has the page /chat, which connects by itself to the socket /ql. Client and server send
{"msg": text}. Each message goes to all clients except its sender.

See: open the page in three tabs. Your own lines are on the right, and other people's lines are on
the left.

Try: close a tab, and chat in the others. Write socket.send("junk") in the console of a page. Then
do both with the source's server: python -m demos.group_chat.naive.nameless.

New: in step 2 the server sent and the pages received. Here the pages send, too. The set `sockets`
holds the sockets that receive a message.
"""

import json

from flask import Flask, render_template, request

from demos.group_chat.connection.serving import serve
from demos.group_chat.connection.websocket import MESSAGE_LIMIT, WebSocket
from demos.group_chat.rules.messages import SERVER, NotSaid, read

app = Flask(__name__)
sockets: set[WebSocket] = set()


@app.route("/chat")
def page() -> str:
    """The page, which explains its design."""
    return render_template("chat.html", limit=MESSAGE_LIMIT)


@app.route("/ql", websocket=True)
def room() -> str:
    """Pass on each message of this socket, until it closes."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    sockets.add(socket)
    try:
        while (data := socket.receive()) is not None:
            try:
                msg, _ = read(data)
            except NotSaid as error:
                tell({socket}, f"{SERVER}: {error}")
            else:
                tell(sockets - {socket}, msg)
    finally:
        sockets.remove(socket)
    return ""  # Flask needs a return value; nobody reads it


def tell(receivers: set[WebSocket], msg: str) -> None:
    """Send one message to all of them."""
    frame = json.dumps({"msg": msg})
    for socket in receivers:
        socket.send(frame)


if __name__ == "__main__":
    serve(app, page="chat")
