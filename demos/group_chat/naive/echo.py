"""A9: An echo over gevent-websocket as it is: no limit, and lost codes. Right: ../step1_echo.py.

python -m demos.group_chat.naive.echo --port 0

This one is not the source's: its example of an echo is a page's script, without a server. It
shows the library that the source prescribes. Its close frames have no code: the first two letters
of the reason stand in its place. The code that a client sends is read and thrown away. Frames
without a mask, and of any size, are taken.
"""

from typing import Any

from flask import Flask, request

from demos.group_chat.naive.serving import serve

app = Flask(__name__)


@app.route("/echo", websocket=True)
def echo() -> str:
    """Send every message back; at "leave" close, with 1008 and "policy"."""
    socket: Any = request.environ["wsgi.websocket"]
    while (message := socket.receive()) is not None:
        if message == "leave":
            socket.close(1008, "policy")
            break
        socket.send(message)
    return ""


if __name__ == "__main__":
    serve(app, page="")
