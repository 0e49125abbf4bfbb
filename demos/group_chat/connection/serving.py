"""A10: how a chat is served: gevent's WSGIServer, our handler, a heartbeat, an orderly end.

The source's server is two lines, `WSGIServer(("0.0.0.0", 5000), app, handler_class=…)` and
`serve_forever()`. They are in `serve`, with 127.0.0.1 unless --host says otherwise; the rest is
what a server needs that runs for days.
"""

import argparse
import gc
import signal
import socket
from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

import gevent
from flask import Flask, request
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from werkzeug.routing.exceptions import WebsocketMismatch
from werkzeug.wrappers import Response

from demos.group_chat.connection import frames
from demos.group_chat.connection.frames import Code
from demos.group_chat.connection.handler import WebSocketHandler
from demos.group_chat.connection.headers import protect
from demos.group_chat.connection.turns import Turn
from demos.group_chat.connection.websocket import WebSocket
from demos.group_chat.rules.limits import PEOPLE, Gate
from demos.instruments import hosts, ports
from demos.instruments.logs import log
from demos.instruments.open_files import open_many_files

PORT = 5000  # the source's
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEARTBEAT = 25.0  # seconds after which a client that answers nothing is gone; proxies cut at 60
STOP_TIME = 5.0  # seconds for everybody to say goodbye
_PING = frames.encode(frames.PING, b"")


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every chat has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: be seen from outside")
    parser.add_argument(
        "--port", type=ports.port_number, default=PORT, help="5000; 0: any free one"
    )
    parser.add_argument("--heartbeat", type=_seconds, default=HEARTBEAT, metavar="SECONDS")
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="our own address behind a proxy, or a site whose pages may connect as well,"
        " such as https://chat.example.org",
    )
    return parser


def limit_addresses(parser: argparse.ArgumentParser) -> None:
    """Add the options of a chat that limits how much comes from one address."""
    parser.add_argument(
        "--people", type=_count, default=PEOPLE, help=f"that share one address: {PEOPLE}"
    )
    parser.add_argument(
        "--proxies",
        type=int,
        choices=range(10),
        default=0,
        metavar="N",
        help="so many proxies of ours stand in front; they say where a request comes from",
    )


def serve(
    app: Flask,
    page: str,
    chosen: argparse.Namespace | None = None,
    at_end: Callable[[], None] = lambda: None,
    handler: type[WebSocketHandler] = WebSocketHandler,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: what to serve. Its socket routes have `websocket=True`.
        page: path of the page to open, such as "ws".
        chosen: options already parsed; read from the command line otherwise.
        at_end: called when nobody is connected any more.
        handler: another handler, such as one that counts bytes.
    """
    chosen = chosen or options(app.name).parse_args()
    app.register_error_handler(WebsocketMismatch, _not_a_page)
    protect(app)
    connections: set[WebSocket] = set()
    settings: dict[str, object] = {
        "origins": frozenset(chosen.origin),
        "hosts": _hosts(chosen),
        "connections": connections,
        "slow": {},
        "proxies": getattr(chosen, "proxies", 0),
        "gate": Gate(chosen.people) if "people" in chosen else None,
    }
    handler = type("Handler", (handler,), settings)
    open_many_files()
    listener = ports.listen(chosen.host, chosen.port, _bound, "--host and --port")
    server = WSGIServer(listener, app, handler_class=handler, log=None)

    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, ended.set)
    # What is here now stays. Python would go through all of it each time that it looks for garbage,
    # and for the 45 ms that this takes nobody has a turn.
    gc.collect()
    gc.freeze()
    server.start()
    host, port = listener.getsockname()[:2]
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"Open http://{at}/{page} (Ctrl-C stops it)", flush=True)
    heart = gevent.spawn(_keep_alive, connections, chosen.heartbeat)
    ended.wait()
    heart.kill()
    handler.is_stopping = True
    _say_goodbye(server, connections)
    at_end()


def _hosts(chosen: argparse.Namespace) -> frozenset[str]:
    """Return the names by which we may be asked for."""
    if chosen.host not in LOOPBACK:  # in a network we cannot know all the names that we have
        return frozenset({hosts.ANY})
    return frozenset(urlsplit(origin).hostname or "" for origin in chosen.origin)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("a count is a number from 1 to 1000000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("a time is a number of seconds from 0.1 to 3600")
    return seconds


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener: socket.socket = WSGIServer.get_listener(address, backlog=1024, family=family)
    return listener


def _keep_alive(connections: set[WebSocket], limit: float) -> None:
    """Ping everybody three times in `limit` seconds; cut off who has been silent for two thirds."""
    while True:
        gevent.sleep(limit / 3)
        turn = Turn()
        for connection in list(connections):
            turn.share()
            if not connection.accepted:
                continue
            silent = monotonic() - connection.heard
            if silent > limit * 2 / 3:
                log("no_heartbeat", peer=connection.peer, seconds=round(silent))
                connection.abort()
            else:
                connection.send_frame(_PING)


def _say_goodbye(server: WSGIServer, connections: set[WebSocket]) -> None:
    """Accept no new connections, and close the open ones with 1012."""
    log("stopping", connections=len(connections))
    server.close()
    for connection in list(connections):
        connection.close(Code.SERVICE_RESTART, "the server restarts")
    deadline = monotonic() + STOP_TIME
    while connections and monotonic() < deadline:
        gevent.sleep(0.02)
    server.stop(timeout=1)  # plain HTTP answers that are not finished
    log("stopped")


def _not_a_page(_: WebsocketMismatch) -> Response:
    """Answer a page's request to a socket's address, or the reverse, in one sentence (W1, W3)."""
    if "wsgi.websocket" in request.environ:
        return Response("This address is a page, not a WebSocket.\n", 400, mimetype="text/plain")
    return Response(
        "This address is a WebSocket: connect to it with ws:// or wss://.\n",
        426,
        {"Upgrade": "websocket", "Connection": "Upgrade"},
        mimetype="text/plain",
    )
