"""A9: Push techniques: the same messages by polling, long polling, events and WebSocket.

Source: A9 says why WebSocket exists: in HTTP the server cannot send first. Frequent requests, which
it calls long polling, cost much. Here polling asks again and again. Long polling asks once, and the
server answers when it has a message.

See: the server makes a message each second. It goes to one page in four ways, and the page draws a
lane for each way. For each, the page shows the requests, the delay, and the bytes that the server
counts at its sockets, including headers.

Try: poll every 5 s, 1 s and 0.1 s. What gets better, and what gets worse? Then start the step with
--every 0.1 or --every 10. For which --every is polling the best?

New: in step 1 the page sent first. Here the server has messages to send. The four ways differ in
who waits for whom.
"""

import json
import time
from dataclasses import asdict

import gevent
from flask import Flask, Response, jsonify, render_template, request

from demos.group_chat.connection.serving import options, serve
from demos.group_chat.connection.websocket import WebSocket
from demos.group_chat.push.meter import MeteringHandler, traffic
from demos.group_chat.push.ticker import Ticker

app = Flask(__name__)
ticker: Ticker


@app.route("/")
def page() -> str:
    """The page with the four lanes; each press of Start begins a new run."""
    return render_template("push.html")


@app.route("/poll/<run>/<int:after>")
def poll(run: str, after: int) -> Response:
    """Answer at once, mostly without a message; `after` is the last id that the page has."""
    return jsonify(ticker.after(after))


@app.route("/long-poll/<run>/<int:after>")
def long_poll(run: str, after: int) -> Response:
    """Answer when there is a message."""
    return jsonify(ticker.wait(after, seconds=25))  # proxies cut at 60


@app.route("/events/<run>/<int:after>")
def events(run: str, after: int) -> Response:
    """Begin an answer that does not end (server-sent events)."""
    stream = (f"data: {json.dumps(tick)}\n\n" for tick in ticker.follow(after))
    return Response(stream, mimetype="text/event-stream")


@app.route("/socket/<run>/<int:after>", websocket=True)
def over_websocket(run: str, after: int) -> str:
    """Send messages until the page closes."""
    socket: WebSocket = request.environ["wsgi.websocket"]
    pushing = gevent.spawn(push, socket, after)
    while socket.receive() is not None:
        pass
    pushing.kill()
    return ""


def push(socket: WebSocket, after: int) -> None:
    """Send each message at once."""
    for tick in ticker.follow(after):
        socket.send(json.dumps(tick))


@app.route("/counters/<run>")
def counters(run: str) -> Response:
    """Return the cost of each lane so far, the last id, and the server's clock (ms)."""
    lanes = ("poll", "long-poll", "events", "socket")
    costs = {lane: asdict(traffic(f"/{lane}/{run}")) for lane in lanes}
    return jsonify(lanes=costs, last=ticker.last, now=time.time() * 1000)


if __name__ == "__main__":
    parser = options(app.name)
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    chosen = parser.parse_args()
    ticker = Ticker(chosen.every)
    serve(app, "", chosen, handler=MeteringHandler)
