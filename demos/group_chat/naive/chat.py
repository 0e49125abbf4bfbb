"""A10: The source's group chat, with W2, W4, W5, W7 to W10, W13. Right: ../step4_nicknames.py.

python -m demos.group_chat.naive.chat --port 0

One thing is different from the source: the route has `websocket=True`, without which it takes no
WebSocket any more (W1, as_printed.py).
"""

import json
from typing import Any

from flask import Flask, render_template, request

from demos.group_chat.naive.serving import serve

app = Flask(__name__)
sockets: dict[str, Any] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("many_people.html")


@app.route("/<username>", websocket=True)
def chat(username: str) -> str:
    """Pass on what this socket says; for ever, since nothing ends the loop but an error (W2)."""
    socket: Any = request.environ.get("wsgi.websocket")  # W8: from a page of whatever site
    sockets[username] = socket  # W4: whoever had this name hears no more
    while True:
        message = json.loads(socket.receive())  # W2, W5, W9: None, junk, 100 MB
        for other in sockets.values():  # W10: somebody may join meanwhile
            if other is not socket:
                frame = {"username": message.get("username"), "msg": message.get("msg")}  # W7
                other.send(json.dumps(frame))  # W2: an error here disconnects who speaks


if __name__ == "__main__":
    serve(app, page="ws")
