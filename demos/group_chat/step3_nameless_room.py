"""B2: A room without names.

Source: B2 has the page /chat, which connects by itself to the socket /ql. Client and server send
{"msg": text}; what one says, everyone else receives.

See: open the page in three tabs. Your own lines are on the right, those of the others on the left.

Try: close a tab; the others go on. Write socket.send("junk") in a page's console. Then do both with
the source's server: python -m demos.group_chat.naive.nameless.

New: in step 2 the server spoke and the pages listened. Here the pages speak, and `sockets` says who
has to hear it.
"""

import json

from flask import Flask, render_template, request

from demos.group_chat.messages import SERVER, NotSaid, read
from demos.group_chat.serving import serve
from demos.group_chat.websocket import WebSocket

app = Flask(__name__)
sockets: set[WebSocket] = set()


@app.route("/chat")
def page() -> str:
    """The page, with the design explained on it."""
    return render_template("chat.html")


@app.route("/ql", websocket=True)
def room() -> str:
    """Pass on what this socket says, until it closes."""
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
    return ""  # Flask wants an answer; nobody reads it


def tell(receivers: set[WebSocket], msg: str) -> None:
    """Send one message to all of them."""
    frame = json.dumps({"msg": msg})
    for socket in receivers:
        socket.send(frame)


if __name__ == "__main__":
    serve(app, page="chat")
