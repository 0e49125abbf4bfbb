"""What the stage's page asks for: to run a step, to stop it, to open its clients; and what comes of it meanwhile."""

import json
import re
import secrets
from collections.abc import Iterator
from functools import partial

from flask import Blueprint, Response, abort, current_app, jsonify, request, send_file

from course.database import target
from course.ground import language
from course.stage.course_map import CourseMap
from course.stage.feed import HEARTBEAT, STREAMS, Bell, stream
from course.stage.pages import find
from course.stage.runs import CLIENTS, Run, Runs

running = Blueprint("running", __name__)
BEGUN = secrets.token_hex(4)  # a page that has seen another one is of an earlier start
FULL = "Too many pages are open at the moment. This one tries again by itself."

_open: set[Response] = set()  # streams that have not ended


def all_runs() -> Runs:
    """Return the runs of the stage that is asked."""
    runs: Runs = current_app.extensions["runs"]
    return runs


def run_of(number: int) -> Run:
    """Return a run; a number that is none, or an older run's, is an answer of 404."""
    run = all_runs().get(number)
    if run is None:
        abort(404)
    return run


@running.get("/events")
def events() -> Response:
    """Send what happens to all runs, as long as the page is there."""
    runs = all_runs()
    seen: dict[int, tuple[int, int]] = {}
    greeting: list[dict[str, object]] = [{"kind": "stage", "start": BEGUN}]
    return _stream(stream(runs.bell, greeting, lambda: runs.news(seen)))


@running.get("/wire/<int:number>")
def wire(number: int) -> Response:
    """Send what passes on a run's wire."""
    return _stream(_frames(run_of(number)))


@running.get("/wires")
def wires() -> Response:
    """Send what passes on the wires of several runs."""
    runs, numbers = all_runs(), request.args.getlist("run", type=int)
    watched = {number: run for number in numbers if (run := runs.get(number))}
    return _stream(_frames_of_all(watched, runs.wires))


@running.post("/runs")
def start() -> tuple[Response, int]:
    """Run a step."""
    asked = _asked()
    step = find(CourseMap(), _text(asked, "step"))
    is_outside = current_app.extensions["guard"].is_outside
    ancestor = request.headers.get("Origin", "") if is_outside else ""
    run = all_runs().start(step, _text(asked, "options"), _count(asked), ancestor)
    return jsonify(run.as_json()), 201


@running.post("/runs/<int:number>/stop")
def stop(number: int) -> Response:
    """Stop a run."""
    run = run_of(number)
    run.stop()
    return jsonify(run.as_json())


@running.post("/runs/<int:number>/clients")
def clients(number: int) -> Response:
    """Open so many clients in front of a run."""
    run = run_of(number)
    run.open_clients(_count(_asked()))
    return jsonify(run.as_json())


@running.get("/runs/<int:number>/plots/<int:plot>")
def plots(number: int, plot: int) -> Response:
    """Return a picture that a run has drawn."""
    found = run_of(number).plots
    if plot >= len(found) or not found[plot].is_file():
        abort(404)
    return send_file(found[plot], mimetype="image/svg+xml")


@running.post("/reset")
def reset() -> Response:
    """Seed the database again."""
    return jsonify(said=language.translated(target.run_demo("demos.pool_demo.seed").strip()))


def _frames(run: Run) -> Iterator[str]:
    """Yield what passes on a run's wire, one event at a time."""
    seen = heard = 0
    while True:
        events, seen = run.wire.since(seen)
        yield "".join(f"data: {event}\n\n" for event in events) or ": here\n\n"
        heard = run.wire.bell.wait(heard, HEARTBEAT)


def _frames_of_all(watched: dict[int, Run], bell: Bell) -> Iterator[str]:
    """Yield what passes on several wires: [number of a run, its events] for each that has some."""
    seen = dict.fromkeys(watched, 0)
    heard = -1
    while True:
        found = []
        for number, run in watched.items():
            events, seen[number] = run.wire.since(seen[number])
            if events:
                found.append([number, events])
        yield f"data: {json.dumps(found, ensure_ascii=False)}\n\n" if found else ": here\n\n"
        heard = bell.wait(heard, HEARTBEAT)


def _stream(chunks: Iterator[str]) -> Response:
    """Return a stream that is counted until it ends; or, if there are too many, why it is none."""
    if len(_open) >= STREAMS:
        full = jsonify(error=language.translated(FULL))
        full.status_code = 503
        return full
    response = Response(chunks, mimetype="text/event-stream")
    _open.add(response)
    response.call_on_close(partial(_open.discard, response))
    return response


def _asked() -> dict[str, object]:
    try:
        asked = request.get_json(silent=True)
    except RecursionError:  # brackets in brackets without end
        asked = None
    if not isinstance(asked, dict):
        abort(400)
    return asked


def _text(asked: dict[str, object], name: str) -> str:
    """Return a text that a command line can hold: no NUL, and no half of a character."""
    text = asked.get(name, "")
    if not isinstance(text, str) or re.search("[\0\ud800-\udfff]", text):
        abort(400)
    return text


def _count(asked: dict[str, object]) -> int:
    count = asked.get("clients", 0)
    if type(count) is not int or not 0 <= count <= len(CLIENTS):
        abort(400)
    return count
