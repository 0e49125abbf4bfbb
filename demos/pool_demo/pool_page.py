"""A1: the page on which you see the pool, and the addresses that its buttons call."""

import argparse
import errno
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.serving import WSGIRequestHandler, make_server

from demos.instruments import hosts
from demos.pool_demo.load_choice import LIMITS, WAYS, Choice, Refused
from demos.pool_demo.observer import Observer
from demos.pool_demo.picture import STATES
from demos.pool_demo.settings import comes_back

# A page of this machine, such as the course's stage, may show this one in a frame.
_FRAMES = "'self' http://127.0.0.1:* http://localhost:* http://*.localhost:*"
_POLICY = f"default-src 'self'; frame-ancestors {_FRAMES}; form-action 'self'; base-uri 'none'"


def create_app(observer: Observer) -> Flask:
    """Return the application for one observer."""
    app = Flask(__name__)
    app.before_request(_stay_here)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return jsonify(said=str(error), done=False)

    @app.get("/")
    def page() -> str:
        at = observer.proxy.settings.address
        return render_template(
            "pool.html",
            ways=WAYS,
            limits=LIMITS,
            states=STATES,
            choice=Choice(),
            at=at,
            ours=comes_back(),
        )

    @app.get("/frames")
    def frames() -> Response:
        """Answer without end (server-sent events)."""
        answer = Response(_events(observer), mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.post("/start")
    def start() -> Response:
        return jsonify(said=observer.start(Choice.read(_sent())))

    @app.post("/kill")
    def kill() -> Response:
        number = _sent().get("connection")
        return jsonify(said=observer.kill(number if type(number) is int else None))

    buttons: dict[str, Callable[[], str]] = {
        "stop": observer.stop,
        "restart": observer.restart,
        "leak": partial(observer.hold, 1),
        "exhaust": partial(observer.hold, None),
        "give-back": observer.give_back,
    }

    @app.post("/<name>")
    def press(name: str) -> Response:
        if name not in buttons:
            abort(404)
        return jsonify(said=buttons[name]())

    return app


def _events(observer: Observer) -> Iterator[str]:
    yield "retry: 1000\n\n"
    for frame in observer.frames():
        yield f"data: {frame}\n\n" if frame else ": nothing new\n\n"


def _sent() -> dict[str, object]:
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}


def _stay_here() -> None:
    """Refuse names that others could point to this machine, and pages of others that call here."""
    port = request.environ["SERVER_PORT"]
    if not hosts.is_known(request.host, port):
        abort(403, "Open the page at the address that the step prints.")
    forwarded = request.headers.get("X-Forwarded-Host", "")
    origin = request.origin
    if request.method == "GET" or origin is None:
        return
    if not hosts.is_ours(origin, request.host, port, forwarded):
        abort(403, "Only the page itself may press these buttons.")


def port_number(text: str) -> int:
    """Read a port from the command line. Raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


class _Quiet(WSGIRequestHandler):
    """A handler that prints no line for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def serve(app: Flask, port: int) -> None:
    """Serve on this machine only, until Ctrl-C or SIGTERM."""
    with _listening(port) as listener:
        chosen = listener.getsockname()[1]
        # Werkzeug would end the program where a port is taken; so it gets a socket that listens.
        server = make_server(
            "127.0.0.1",
            chosen,
            app,
            threaded=True,
            request_handler=_Quiet,
            fd=listener.fileno(),
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Open http://127.0.0.1:{chosen}/ (Ctrl-C stops it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass  # this is how it ends
    finally:
        server.server_close()


def _listening(port: int) -> socket.socket:
    """Listen on the port, or on a free one if it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            sys.exit(f"Port {port} cannot be used ({error.strerror}): choose another with --port.")
    print(f"Port {port} is taken, so this is another one. --port chooses one.", flush=True)
    return socket.create_server(("127.0.0.1", 0), backlog=128)
