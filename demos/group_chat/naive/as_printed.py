"""A10: The source's routes as printed, with W1, W3. Right: `websocket=True`, ../step4_nicknames.py.

python -m demos.group_chat.naive.as_printed --port 0

Since Werkzeug 1.0 a WebSocket request does not match such a route. But gevent-websocket has already
answered 101. So the browser reports "open", then "closed", and nothing is logged (W1). A plain
request matches the route and has no socket, so its answer is 500 (W3).
"""

from flask import Flask

from demos.group_chat.naive.chat import chat, page
from demos.group_chat.naive.serving import serve

app = Flask(__name__)
app.add_url_rule("/ws", view_func=page)
app.add_url_rule("/<username>", view_func=chat)


if __name__ == "__main__":
    serve(app, page="ws")
