"""B2: The source's room without names, with W5, W8, W9, W11. Right: ../step3_nameless_room.py.

python -m demos.group_chat.naive.nameless --port 0

It shows no page of its own: it is step 3's. As printed, part B's program does not start: the
docstring of its view for /friends has no end, so all that follows is text (W11). A tab that leaves
is forgotten here by the first error, so W2 is not this room's.
"""

import json
from typing import Any

from flask import Flask, render_template, request

from demos.group_chat.naive.serving import serve

app = Flask(__name__, template_folder="../templates", static_folder="../static")
sockets: list[Any] = []


@app.route("/chat")
def page() -> str:
    """The page of the chat."""
    return render_template("chat.html")


@app.route("/ql", websocket=True)  # the source has it without (W1)
def room() -> str:
    """Pass on what this socket says, and forget it at the first error of whatever kind (W11)."""
    socket: Any = request.environ.get("wsgi.websocket", "")  # W8
    sockets.append(socket)
    while True:
        try:
            message = json.loads(socket.receive())  # W5, W9
            for other in sockets:
                if other is not socket:
                    other.send(json.dumps({"msg": message.get("msg")}))
        except:  # noqa: E722
            # W11: the loop goes on. It hears no more, and may still speak: a deaf zombie. At the
            # second error `remove` finds nothing, and raises.
            sockets.remove(socket)


if __name__ == "__main__":
    serve(app, page="chat")
