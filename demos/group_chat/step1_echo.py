"""A9: Echo: one socket, and what its page can know about it.

Source: A9 lists the browser's WebSocket: readyState, bufferedAmount, four events, send, close. Its
example is a script that connects to ws://localhost:9998/echo, without a server. Here the page and
the socket come from one small server.

See: each event as it happens, readyState going 0, 1, 2, 3, bufferedAmount rising and falling while
messages leave, and every text and binary message coming back.

Try: close with 3001 and a reason, and find both in the log here. Send 1 MB and look at the code.
Connect again, stop the server with Ctrl-C, and look at the code once more.

New: nothing came before. The socket is at /echo; the server's end of it is `echo` below.
"""

from flask import Flask, render_template, request

from demos.group_chat.logs import log
from demos.group_chat.serving import serve
from demos.group_chat.websocket import WebSocket

app = Flask(__name__)


@app.route("/")
def page() -> str:
    """The page that opens the socket."""
    return render_template("echo.html")


@app.route("/echo", websocket=True)
def echo() -> str:
    """Send every message back as it came, until the page closes."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    while (message := socket.receive()) is not None:
        socket.send(message)
    log("closed", code=int(socket.close_code), reason=socket.close_reason)
    return ""  # Flask wants an answer; nobody reads it


if __name__ == "__main__":
    serve(app, page="")
