"""A9: Push techniques: the same messages by polling, long polling, events and WebSocket.

Source: A9 says why there is WebSocket: in HTTP the server cannot start. Frequent requests, which it
calls long polling, waste much. Here polling asks again and again; long polling asks once, and the
server answers when it has something.

See: a race: a message each second travels four ways to one page, and each way is a lane that is
drawn as it happens. Each has its requests, its bytes, counted at the server's sockets with headers
and all, and its delay.

Try: poll every 5 s, 1 s and 0.1 s: what gets better, what gets worse? Then start the step with
--every 0.1 or --every 10. For which --every is polling the best?

New: in step 1 the page spoke first. Here the server has something to say, and who waits for whom
is the difference.
"""

import json
import time
from dataclasses import asdict

import gevent
from flask import Flask, Response, jsonify, render_template, request

from demos.group_chat.meter import MeteringHandler, traffic
from demos.group_chat.serving import options, serve
from demos.group_chat.ticker import Ticker
from demos.group_chat.websocket import WebSocket

app = Flask(__name__)
ticker: Ticker


@app.route("/")
def page() -> str:
    """The page with the four lanes; each time you press Start is a run of its own."""
    return render_template("push.html")


@app.route("/poll/<run>/<int:after>")
def poll(run: str, after: int) -> Response:
    """Answer at once, mostly with nothing; `after` is the last id that the page has."""
    return jsonify(ticker.after(after))


@app.route("/long-poll/<run>/<int:after>")
def long_poll(run: str, after: int) -> Response:
    """Answer when there is something."""
    return jsonify(ticker.wait(after, seconds=25))  # proxies cut at 60


@app.route("/events/<run>/<int:after>")
def events(run: str, after: int) -> Response:
    """Answer, and never end the answer (server-sent events)."""
    stream = (f"data: {json.dumps(tick)}\n\n" for tick in ticker.follow(after))
    return Response(stream, mimetype="text/event-stream")


@app.route("/socket/<run>/<int:after>", websocket=True)
def over_websocket(run: str, after: int) -> str:
    """Push, until the page closes."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    pushing = gevent.spawn(push, socket, after)
    while socket.receive() is not None:
        pass
    pushing.kill()
    return ""


def push(socket: WebSocket, after: int) -> None:
    """Send each message as it is made."""
    for tick in ticker.follow(after):
        socket.send(json.dumps(tick))


@app.route("/counters/<run>")
def counters(run: str) -> Response:
    """What each lane of a run has cost so far; the last id, and the server's clock (ms)."""
    lanes = ("poll", "long-poll", "events", "socket")
    costs = {lane: asdict(traffic(f"/{lane}/{run}")) for lane in lanes}
    return jsonify(lanes=costs, last=ticker.last, now=time.time() * 1000)


if __name__ == "__main__":
    parser = options(app.name)
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    chosen = parser.parse_args()
    ticker = Ticker(chosen.every)
    serve(app, "", chosen, handler=MeteringHandler)
