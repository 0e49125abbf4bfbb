"""A9: An echo over gevent-websocket as it is: no limit, and lost codes. Right: ../step1_echo.py.

python -m demos.group_chat.naive.echo --port 0

This module is not the source's: the source's echo is the script of a page, without a server. It
shows the library that the source prescribes. Its close frames have no code: the first two letters
of the reason are in its place. It reads the code that a client sends, and drops it. It accepts
frames without a mask, and frames of any size.
"""

from typing import Any

from flask import Flask, request

from demos.group_chat.naive.serving import serve

app = Flask(__name__)


@app.route("/echo", websocket=True)
def echo() -> str:
    """Send each message back; at "leave", close with 1008 and "policy"."""
    socket: Any = request.environ["wsgi.websocket"]
    while (message := socket.receive()) is not None:
        if message == "leave":
            socket.close(1008, "policy")
            break
        socket.send(message)
    return ""


if __name__ == "__main__":
    serve(app, page="")
