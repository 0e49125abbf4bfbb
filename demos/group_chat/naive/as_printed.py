"""A10: The source's routes as printed, with W1, W3. Right: `websocket=True`, ../step4_nicknames.py.

python -m demos.group_chat.naive.as_printed --port 0

Since Werkzeug 1.0 a WebSocket finds no such route. gevent-websocket has answered 101 by then: the
browser says "open", then "closed", and nothing is logged (W1). A page finds the route, and no
socket in it: a 500 (W3).
"""

from flask import Flask

from demos.group_chat.naive.chat import chat, page
from demos.group_chat.naive.serving import serve

app = Flask(__name__)
app.add_url_rule("/ws", view_func=page)
app.add_url_rule("/<username>", view_func=chat)


if __name__ == "__main__":
    serve(app, page="ws")
