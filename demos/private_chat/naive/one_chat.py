"""A11: The source's private chat by name, with W2, W4 to W6, W8, W9. Right: ../one_chat.py.

python -m demos.private_chat.naive.one_chat --port 0

One thing is different from the source: the route has `websocket=True`, without which it takes no
WebSocket any more (W1). It shows no page of its own: it is step 1's.
"""

import json
from typing import Any

from flask import Flask, render_template, request

from demos.group_chat.naive.serving import serve
from demos.private_chat.look import look

app = Flask(__name__, template_folder="../templates", static_folder="../static")
app.register_blueprint(look)
sockets: dict[str, Any] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("single_chat.html")


@app.route("/<username>", websocket=True)
def chat(username: str) -> str:
    """Pass on what this socket says to one other."""
    socket: Any = request.environ.get("wsgi.websocket")
    sockets[username] = socket  # W4: who comes second gets what was meant for the first
    while True:
        message = json.loads(socket.receive())
        # W6: a KeyError for who is not there, a TypeError for a list; both disconnect who speaks.
        recipient = sockets[message.get("to_user")]
        recipient.send(json.dumps({"msg": message.get("msg"), "from_user": username}))


if __name__ == "__main__":
    serve(app, page="ws")
