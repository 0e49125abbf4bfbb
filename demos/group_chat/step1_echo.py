"""A9: Echo: one socket, and what its page can know about it.

Source: A9 lists the browser's WebSocket: readyState, bufferedAmount, four events, send, close. Its
example is a script that connects to ws://localhost:9998/echo, without a server. Here one small
server has both the page and the socket.

See: the page shows each event. readyState goes 0, 1, 2, 3. bufferedAmount rises when you send, and
falls while the bytes leave. Each text and each binary message comes back.

Try: close with the code 3001 and a reason, and find both in the log of this program. Send 1 MB and
look at the code. Connect again, stop the server with Ctrl-C, and look at the code again.

New: this is the first step. The socket is at /echo, and `echo` below is the server's side of it.
"""

from flask import Flask, render_template, request

from demos.group_chat.connection.serving import serve
from demos.group_chat.connection.websocket import MESSAGE_LIMIT, WebSocket
from demos.instruments.logs import log

app = Flask(__name__)


@app.route("/")
def page() -> str:
    """The page that opens the socket."""
    return render_template("echo.html", limit=MESSAGE_LIMIT)


@app.route("/echo", websocket=True)
def echo() -> str:
    """Send each message back until the page closes."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    while (message := socket.receive()) is not None:
        socket.send(message)
    log("closed", code=int(socket.close_code), reason=socket.close_reason)
    return ""  # Flask needs a return value; nobody reads it


if __name__ == "__main__":
    serve(app, page="")
