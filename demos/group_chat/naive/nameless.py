"""B2: The source's room without names, with W5, W8, W9, W11. Right: ../step3_nameless_room.py.

python -m demos.group_chat.naive.nameless --port 0

Its page is the one of step 3. Part B's program, as printed, does not start: the docstring of its
view for /friends has no closing quotes, so the rest of the file is text (W11). When a tab leaves,
the first error removes its socket, so this room does not have W2.
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
    """Send each message to all others; at any error, remove this socket and go on (W11)."""
    socket: Any = request.environ.get("wsgi.websocket", "")  # W8: a page of any site may connect
    sockets.append(socket)
    while True:
        try:
            message = json.loads(socket.receive())  # W5, W9: any text, of any size
            for other in sockets:
                if other is not socket:
                    other.send(json.dumps({"msg": message.get("msg")}))
        except:  # noqa: E722
            # W11: the loop goes on. This client can still send, but receives nothing: a zombie. At
            # its second error, the list does not contain the socket, and `remove` raises an error.
            sockets.remove(socket)


if __name__ == "__main__":
    serve(app, page="chat")
