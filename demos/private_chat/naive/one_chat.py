"""A11: The source's private chat by name, with W2, W4 to W6, W8, W9. Right: ../one_chat.py.

python -m demos.private_chat.naive.one_chat --port 0

Its page is the one of step 1.
"""

import json
from typing import Any

from flask import Flask, render_template, request

from demos.group_chat.naive.serving import serve
from demos.private_chat.web.shared_pages import shared_pages

app = Flask(__name__, template_folder="../templates", static_folder="../static")
app.register_blueprint(shared_pages)
sockets: dict[str, Any] = {}  # nickname → its socket


@app.route("/ws")
def page() -> str:
    """The page of the chat."""
    return render_template("single_chat.html")


@app.route("/<username>", websocket=True)  # the source has it without (W1)
def chat(username: str) -> str:
    """Send each message of this socket to one other user."""
    socket: Any = request.environ.get("wsgi.websocket")  # W8: a page of any site may connect
    if socket:
        sockets[username] = socket  # W4: it replaces an earlier socket of this name
    while True:
        message = json.loads(socket.receive())  # W2, W5, W9: None, or any text of any size
        # W6: for a user who is not here, `get` returns None, and None has no `send`: an
        # AttributeError. For a list it is a TypeError. The socket of a user who has left is still
        # in the dictionary, but closed (W2). Each of these errors disconnects the sender.
        recipient: Any = sockets.get(message.get("to_user"))
        recipient.send(json.dumps({"msg": message.get("msg"), "from_user": username}))


if __name__ == "__main__":
    serve(app, page="ws")
