"""A10: The source's group chat, with W2, W4, W5, W7 to W10, W13. Right: ../step4_nicknames.py.

W3: a plain request has no socket, and `receive` fails. W4: a socket replaces an earlier one of the
same name. W7: the message says who its sender is. W8: a page of any site may connect. W10: the loop
fails if somebody joins meanwhile. The comments below explain W2, W5 and W9. W13 is in the page.

python -m demos.group_chat.naive.chat --port 0
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


@app.route("/<username>", websocket=True)  # as_printed.py has it without, as the source (W1)
def chat(username: str) -> str:
    """Send each message to all others; only an error ends the loop (W2)."""
    socket: Any = request.environ.get("wsgi.websocket")  # W8
    if socket:  # W3
        sockets[username] = socket  # W4
    while True:
        message = json.loads(socket.receive())  # W2: None. W5, W9: any text of any size
        frame = {"username": message.get("username"), "msg": message.get("msg")}  # W7
        for other in sockets.values():  # W10
            if other is not socket:
                other.send(json.dumps(frame))  # W2: an error here disconnects the sender


if __name__ == "__main__":
    serve(app, page="ws")
