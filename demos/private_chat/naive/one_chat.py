"""A11: The source's private chat by name, with W2, W4 to W6, W8, W9. Right: ../one_chat.py.

python -m demos.private_chat.naive.one_chat --port 0

It shows no page of its own: it is step 1's.
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


@app.route("/<username>", websocket=True)  # the source has it without (W1)
def chat(username: str) -> str:
    """Pass on what this socket says to one other."""
    socket: Any = request.environ.get("wsgi.websocket")  # W8
    if socket:
        sockets[username] = socket  # W4: who comes second gets what was meant for the first
    while True:
        message = json.loads(socket.receive())  # W2, W5, W9
        # W6: `get` says None for who is not there, and None has no `send`: an AttributeError. Of a
        # list it is a TypeError. Who has left is still there, as a dead socket (W2). Each of these
        # disconnects who speaks.
        recipient: Any = sockets.get(message.get("to_user"))
        recipient.send(json.dumps({"msg": message.get("msg"), "from_user": username}))


if __name__ == "__main__":
    serve(app, page="ws")
