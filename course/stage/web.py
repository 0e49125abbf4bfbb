"""The stage's web application, put together, and its server. It serves this machine alone."""

import signal
import socket
import sys

import gevent
from flask import Flask, Response, jsonify
from gevent.event import Event
from gevent.pywsgi import WSGIServer

from course.ground import language
from course.ground.errors import CourseError
from course.stage import reader
from course.stage.guard import HOST, Guard
from course.stage.handler import BODY, Handler
from course.stage.pages import pages
from course.stage.running import running
from course.stage.runs import Runs

USUAL_PORT = 8700


def create_app(port: int) -> tuple[Flask, Runs]:
    """Make the application and its runs.

    Args:
        port: on which it will be served.
    """
    app = Flask(
        __name__,
        template_folder="page",
        static_folder="page",
        static_url_path="/static",
    )
    app.config["MAX_CONTENT_LENGTH"] = BODY
    guard = Guard(port)
    reader.install(app)
    guard.protect(app)
    runs = Runs(f"http://{guard.home}", guard.address)
    app.extensions |= {"guard": guard, "runs": runs}
    app.register_blueprint(pages)
    app.register_blueprint(running)
    app.register_error_handler(CourseError, failed)
    return app, runs


def failed(error: CourseError) -> tuple[Response, int]:
    """Say what kept us from doing what was asked for."""
    return jsonify(error=language.translated(str(error)), details=error.details), 409


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port or USUAL_PORT), backlog=128)
    except OSError:
        if port:
            raise
        return socket.create_server((HOST, 0), backlog=128)


def serve(port: int) -> int:
    """Serve until SIGTERM or SIGINT, then end all that runs; return the exit code.

    Args:
        port: where to serve; 0 means the usual one, or a free one if that is taken.
    """
    try:
        listener = _listen(port)
    except OSError as error:
        print(
            f"port {port} cannot be used ({error.strerror}): name another one with --port.",
            file=sys.stderr,
        )
        return 1
    app, runs = create_app(listener.getsockname()[1])
    server = WSGIServer(listener, app, handler_class=Handler, log=None)
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, ended.set)
    server.start()
    print(f"Open {runs.address}", flush=True)
    ended.wait()
    server.close()
    runs.stop_all()
    server.stop(timeout=0)
    return 0
