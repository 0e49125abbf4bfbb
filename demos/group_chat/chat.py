"""A10, B2: the finished group chat: `python -m demos.group_chat.chat`.

It serves the source's two pages and sockets, /ws with /<nickname> and /chat with /ql, in one room.
"""

import sys
from functools import partial

from gevent import monkey

monkey.patch_all()  # before all else, so that no library ever stops the others (W12)

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from demos.group_chat.connection.serving import limit_addresses, options, serve
from demos.group_chat.connection.websocket import MESSAGE_LIMIT
from demos.group_chat.memory.contract import Memory
from demos.group_chat.memory.one_process import OneProcess
from demos.group_chat.room import Room
from demos.group_chat.rules import names
from demos.group_chat.rules.limits import PEOPLE, RATE
from demos.group_chat.rules.messages import RICH, SERVER, Format


def create_app(
    memory: Memory, rate: float = RATE, beat: float = 8.0, people: int = PEOPLE
) -> tuple[Flask, Room]:
    """Make the application and its room."""
    app = Flask(__name__)
    app.url_map.converters["anything"] = names.Anything

    @app.route("/")
    def home() -> BaseResponse:
        """Lead to the page; the address is relative, so it holds behind any prefix."""
        return redirect("ws")

    @app.route("/ws")
    def page() -> str:
        """The page with nicknames (A10)."""
        return render_template("many_people.html", format=Format.RICH.value, limit=MESSAGE_LIMIT)

    @app.route("/chat")
    def nameless_page() -> str:
        """The page without names (B2)."""
        return render_template("chat.html", limit=MESSAGE_LIMIT)

    @app.route("/healthz")
    def health() -> Response:
        """For whoever watches over the process."""
        return jsonify(status="ok", connections=len(room))

    @app.route("/favicon.ico")
    @app.route("/<anything:folder>/<anything:name>")
    def nothing(**_: str) -> Response:
        """What is no page, and no nickname either; any other address may be one's socket."""
        abort(404)

    @app.route("/ql", websocket=True)
    def nameless() -> str:
        """The socket without names (B2)."""
        socket = request.environ["wsgi.websocket"]
        socket.serve_later(partial(room.visit, socket, "", Format.NAMELESS))
        return ""

    @app.route("/<anything:username>", websocket=True)
    def join(username: str) -> str:
        """The socket of one nickname (A10)."""
        socket = request.environ["wsgi.websocket"]
        rich = RICH in socket.protocols
        socket.accept(RICH if rich else None)
        came_back = request.args.get("token", ""), request.args.get("since", "")
        form = Format.RICH if rich else Format.NAMED
        socket.serve_later(partial(room.visit, socket, username, form, *came_back))
        return ""

    # Nobody may be called like an address, or like the server.
    addresses = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    reserved = frozenset(names.key(word) for word in {*addresses, SERVER, "我"})
    room = Room(memory, reserved, rate, beat, people)
    return app, room


def main() -> None:
    """Serve the room until Ctrl-C."""
    parser = options("The finished group chat.")
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second and person")
    limit_addresses(parser)
    parser.add_argument("--redis", metavar="URL", help="share the room with other processes")
    chosen = parser.parse_args()
    if not chosen.rate > 0:
        parser.error("argument --rate: has to be more than 0")
    url = chosen.redis
    memory: Memory = _shared(url, chosen.heartbeat) if url else OneProcess()
    app, room = create_app(memory, chosen.rate, chosen.heartbeat / 3, chosen.people)
    serve(app, "ws", chosen, room.stop)


def _shared(url: str, heartbeat: float) -> Memory:
    import redis  # without --redis nobody needs it

    from demos.group_chat.memory.many_processes import LIFE, ManyProcesses

    try:
        return ManyProcesses(url, min(LIFE, heartbeat))
    except (redis.RedisError, ValueError) as error:
        # Not the URL itself: it may hold a password.
        sys.exit(f"No Redis can be used there ({error}): start one, or leave out --redis.")


if __name__ == "__main__":
    main()
