"""A1: the page on which you see the pool, and the addresses that its buttons call."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from time import monotonic
from typing import ClassVar

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.serving import WSGIRequestHandler, make_server

from demos.instruments import heads, hosts, ports
from demos.pool_demo.live.lanes import STATES
from demos.pool_demo.live.load_choice import LIMITS, WAYS, Choice, Refused
from demos.pool_demo.live.observer import Observer
from demos.pool_demo.settings import comes_back

REQUEST_TIME = 20.0  # seconds for a client to send its request
STREAMS = 20  # pages that are open at the same time: each has a thread
KERNEL_BUFFER = (
    128 * 1024
)  # bytes of an answer that the kernel may hold for a client that does not read
BODY = 64 * 1024  # bytes that a request may bring
UNREAD = 100  # connections that have sent no whole request; a real one takes a moment

# A page of this machine, such as the course's stage, may show this one in a frame.
_FRAMES = "'self' http://127.0.0.1:* http://localhost:* http://*.localhost:*"
_POLICY = f"default-src 'self'; frame-ancestors {_FRAMES}; form-action 'self'; base-uri 'none'"


def create_app(observer: Observer) -> Flask:
    """Return the application for one observer."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY
    app.before_request(_stay_here)
    viewers: set[Response] = set()  # streams that have not ended

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
        """Answer without end (server-sent events), unless too many do so already."""
        answer = Response(_events(observer), mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        viewers.add(answer)  # first, because others ask at the same time
        answer.call_on_close(partial(viewers.discard, answer))
        if len(viewers) > STREAMS:
            answer.close()
            abort(503, "Too many pages are open at the moment.")
        return answer

    @app.post("/start")
    def start() -> Response:
        return jsonify(said=observer.start(Choice.read(_sent())))

    @app.post("/kill")
    def kill() -> Response:
        number = _sent().get("connection")
        if number is not None and type(number) is not int:
            abort(400, "A connection is a number, or null for any.")
        return jsonify(said=observer.kill(number))

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
    try:
        found = request.get_json(silent=True)
    except RecursionError:  # brackets in brackets without end
        found = None
    if not isinstance(found, dict):
        abort(400, "This needs a JSON object.")
    return found


def _stay_here() -> None:
    """Refuse host names that another site could give to this machine, and pages of other sites."""
    port = request.environ["SERVER_PORT"]
    if not hosts.is_known(request.host, port):
        abort(403, "Open the page at the address that the step prints.")
    forwarded = request.headers.get("X-Forwarded-Host", "")
    origin = request.origin
    if request.method == "GET" or origin is None:
        return
    if not hosts.is_ours(origin, request.host, port, forwarded):
        abort(403, "Only the page itself may press these buttons.")


class _Handler(WSGIRequestHandler):
    """A handler that prints no lines, and disconnects a client that sends no request."""

    # Who has sent no whole request yet, and since when; the one who has taken longest first.
    unread: ClassVar[dict["_Handler", float]] = {}

    def setup(self) -> None:
        """Prepare a connection."""
        super().setup()
        # For each part of a request or an answer, such as of a stream that nobody reads.
        self.connection.settimeout(REQUEST_TIME)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)

    def handle_one_request(self) -> None:
        """Read and answer a request."""
        self.unread[self] = monotonic()
        if len(self.unread) > UNREAD:
            _hang_up(next(iter(list(self.unread))))
        file = self.rfile
        try:
            super().handle_one_request()
        finally:
            self.rfile = file
            self.unread.pop(self, None)

    def parse_request(self) -> bool:
        """Read headers and body; refuse a request that programs could read differently."""
        file = self.rfile
        try:
            heads.check_first(self.raw_requestline.decode("latin-1"))
            self.rfile = heads.Lines(file)  # type: ignore[assignment]  # the headers are read of it
            is_read = super().parse_request()
            if is_read:
                heads.check(self.headers, self.request_version)
                length = int(self.headers.get("Content-Length", 0))
                # A longer one is refused, and nobody waits for it.
                body = file.read(length) if length <= BODY else b""
                file = BytesIO(body)  # all that the application reads
        except ValueError:
            self.request_version, self.command, self.close_connection = "HTTP/1.1", "", True
            self.send_error(400)
            return False
        finally:
            self.rfile = file
            self.unread.pop(self, None)
        return is_read

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""

    def log_error(self, *_: object) -> None:
        """Print nothing about clients that disconnect or take too long."""


def _hang_up_on_the_slow() -> None:
    for handler, began in list(_Handler.unread.items()):
        if monotonic() - began > REQUEST_TIME:
            _hang_up(handler)


def _hang_up(handler: _Handler) -> None:
    handler.unread.pop(handler, None)
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def serve(app: Flask, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM; only programs on this machine can connect."""
    with ports.listen("127.0.0.1", port) as listener:
        chosen = listener.getsockname()[1]
        # Werkzeug would end the program where a port is taken; so it gets a socket that listens.
        server = make_server(
            "127.0.0.1",
            chosen,
            app,
            threaded=True,
            request_handler=_Handler,
            fd=listener.fileno(),
        )
    server.service_actions = _hang_up_on_the_slow  # type: ignore[method-assign]  # twice a second
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Open http://127.0.0.1:{chosen}/ (Ctrl-C stops it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass  # this is how it ends
    finally:
        server.server_close()
