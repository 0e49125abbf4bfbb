"""A server whose views do what those of the demos do not: `python -m tests.group_chat.views --port 0`."""

import gc
import weakref

import gevent
from flask import Flask, Response, abort, request

from demos.group_chat.connection import handler
from demos.group_chat.connection.serving import serve

SINGERS, SONGS = 6, 20  # greenlets that send at the same time, and messages of each
LONG = 3000  # bytes

handler.HEADER_TIME = 3.0  # seconds, so that a test need not wait for twenty

app = Flask(__name__)
last_closed = {}  # name of a connection: why it closed
crowd = set()
handled = 0  # messages of floods


@app.route("/page")
def page():
    return Response("一页\n" * 20_000, mimetype="text/plain")


@app.route("/why/<name>")
def why(name):
    """Tell why a connection closed, as the server knows it."""
    return last_closed.get(name, {})


@app.route("/echo/<name>", websocket=True)
def echo(name):
    """Send everything back; `why` answers afterwards."""
    socket = request.environ["wsgi.websocket"]
    while (message := socket.receive()) is not None:
        socket.send(message)
    last_closed[name] = {"code": int(socket.close_code), "reason": socket.close_reason}
    return ""


@app.route("/close/<int:code>/<reason>", websocket=True)
def close(code, reason):
    """Close at once."""
    request.environ["wsgi.websocket"].close(code, reason)
    return ""


@app.route("/goodbye", websocket=True)
def goodbye():
    """Close when asked to, from another greenlet than the one that receives."""
    socket = request.environ["wsgi.websocket"]
    while socket.receive() is not None:
        gevent.spawn(socket.close, 4001, "elsewhere")
    return ""


@app.route("/fault", websocket=True)
def fault():
    """Raise when a message has come."""
    request.environ["wsgi.websocket"].receive()
    raise RuntimeError("on purpose")


@app.route("/fault/later", websocket=True)
def fault_later():
    """Raise when a message has come, after the view has returned."""
    socket = request.environ["wsgi.websocket"]

    def visit():
        socket.receive()
        raise RuntimeError("on purpose")

    socket.serve_later(visit)
    return ""


@app.route("/later", websocket=True)
def later():
    """Go on when the view has returned; tell whether its request is still in memory."""
    socket = request.environ["wsgi.websocket"]
    asked = weakref.ref(request._get_current_object())

    def tell():
        while socket.receive() is not None:
            gc.collect()
            socket.send("kept" if asked() else "gone")

    socket.serve_later(tell)
    return ""


@app.route("/fault/early", websocket=True)
def early_fault():
    """Raise before the socket was used."""
    raise RuntimeError("on purpose")


@app.route("/nobody", websocket=True)
def nobody():
    """Answer with a page."""
    abort(404)


@app.route("/dialect", websocket=True)
def dialect():
    """Speak the second of the subprotocols that the client offers."""
    socket = request.environ["wsgi.websocket"]
    socket.accept(socket.protocols[1])
    socket.send(",".join(socket.protocols))
    return ""


@app.route("/impatient", websocket=True)
def impatient():
    """Wait for a message a moment at a time; say so each time, and send it back when it is here."""
    socket = request.environ["wsgi.websocket"]
    while socket.is_open:
        message = "not yet"
        with gevent.Timeout(0.01, False):
            message = socket.receive()
        if message is not None:
            socket.send(message)
    return ""


@app.route("/choir", websocket=True)
def choir():
    """Send from several greenlets at the same time: short and long messages in turn."""
    socket = request.environ["wsgi.websocket"]

    def sing(singer):
        for song in range(SONGS):
            socket.send(f"{singer} {song} ".ljust(LONG if (singer + song) % 2 else 0, "."))
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(sing, singer) for singer in range(SINGERS)])
    socket.receive()
    return ""


@app.route("/crowd", websocket=True)
def shout():
    """Send each message to everybody else who is here."""
    socket = request.environ["wsgi.websocket"]
    crowd.add(socket)
    socket.send("welcome")
    while (message := socket.receive()) is not None:
        for other in crowd - {socket}:
            other.send(message)
    crowd.discard(socket)
    return ""


@app.route("/stream", websocket=True)
def stream():
    """Send as much as the client reads, and hear nothing."""
    socket = request.environ["wsgi.websocket"]
    while socket.send(bytes(16_000)):
        socket.wait_sent()
        gevent.sleep(0)
    return ""


@app.route("/flood", websocket=True)
def flood():
    """Count messages. At its end tell how many of them were the most between two turns of others."""
    global handled
    socket = request.environ["wsgi.websocket"]
    most = 0

    def watch():
        nonlocal most
        while True:
            before = handled
            gevent.sleep(0.001)
            most = max(most, handled - before)

    watcher = gevent.spawn(watch)
    while socket.receive() != "end":
        handled += 1
    gevent.sleep(0.01)  # the others' turn
    watcher.kill()
    socket.send(f"{most} of {handled}")
    return ""


class Bare:
    """WSGI without Flask's safety net: what the view raises reaches the handler."""

    def __init__(self, wsgi_app):
        self.wsgi_app = wsgi_app

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/fault/bare":
            environ["wsgi.websocket"].receive()
            raise RuntimeError("on purpose")
        return self.wsgi_app(environ, start_response)


app.wsgi_app = Bare(app.wsgi_app)

if __name__ == "__main__":
    serve(app, page="page")
