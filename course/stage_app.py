"""The stage's web application: one page, what it reads and what it asks for. It serves this machine alone."""

import json
import secrets
import signal
import socket
import sys
from collections.abc import Iterator

import gevent
from flask import Flask, Response, abort, jsonify, redirect, render_template, request, send_file
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from werkzeug.wrappers import Response as WerkzeugResponse

from course import optionfile, place, stage_code, stage_names, steps, target
from course.errors import CourseError
from course.stage_feed import Bell, stream
from course.stage_map import CourseMap, notes, words
from course.stage_runs import CLIENTS, SITE, Run, Runs

HOST, USUAL_PORT = "127.0.0.1", 8700
TITLE = "stage"  # the page's host below SITE


class Refused(Exception):
    """A request that the stage does not answer; the words say why."""


def create_app(port: int) -> tuple[Flask, Runs]:
    """Make the application and its runs.

    Args:
        port: on which it will be served.
    """
    app = Flask(
        __name__,
        template_folder="stage_page",
        static_folder="stage_page",
        static_url_path="/static",
    )
    key, cookie = _key(), f"stage-{port}"  # cookies of one host know no ports
    home = f"{TITLE}.{SITE}:{port}"
    hosts = {home, f"{HOST}:{port}", f"localhost:{port}"}
    token, begun = secrets.token_urlsafe(24), secrets.token_hex(4)
    is_outside = bool(stage_names.outside(port))
    shown = stage_names.outside(port).replace(stage_names.ANY, "") or f"http://{home}"
    runs = Runs(f"http://{home}", f"{shown}/?key={key}")

    def is_key(given: str | None) -> bool:
        return secrets.compare_digest((given or "").encode(), key.encode())

    @app.before_request
    def guard() -> None:
        """Let in only who has the key, and our own pages; a name that a stranger's DNS leads here is none of ours."""
        if request.host not in hosts and not stage_names.is_known(request.host, port):
            raise Refused(
                f"This is the stage at http://{home}/, and {request.host} is not its name."
            )
        comes_in = request.endpoint == "page" and is_key(request.args.get("key"))
        if not comes_in and not is_key(request.cookies.get(cookie)):
            raise Refused(
                "Open the address that the stage has printed in the terminal: it has the key."
            )
        origin = request.headers.get("Origin")
        forwarded = request.headers.get("X-Forwarded-Host", "")
        if origin is not None and not stage_names.is_ours(origin, request.host, forwarded, port):
            raise Refused("Pages of other origins cannot use the stage.")
        if (
            request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
            and request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            raise Refused("Pages of other origins cannot use the stage.")
        if request.method not in ("GET", "HEAD") and not secrets.compare_digest(
            request.headers.get("X-Stage-Token", "").encode(), token.encode()
        ):
            raise Refused("This page is of an earlier start of the stage: load it again.")

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            f"frame-src http://*.{SITE}:* {stage_names.frames(port)}"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        if "text/html" in request.headers.get("Accept", ""):  # somebody reads it
            return Response(f"{error}\n", mimetype="text/plain"), 403
        return jsonify(error=str(error)), 403

    @app.errorhandler(CourseError)
    def failed(error: CourseError) -> tuple[Response, int]:
        return jsonify(error=str(error), details=error.details), 409

    @app.get("/")
    def page() -> WerkzeugResponse | str:
        if "key" in request.args:  # which needs not be seen on a projector
            answer = redirect(".")
            answer.set_cookie(cookie, key, httponly=True, samesite="Lax")
            return answer
        return render_template(
            "stage.html",
            token=token,
            home="" if is_outside else home,
            clients=[name for _, name in CLIENTS],
        )

    @app.get("/notes")
    def notes_window() -> str:
        return render_template("notes.html")

    @app.get("/map")
    def course_map() -> Response:
        return jsonify(CourseMap().as_json())

    @app.get("/steps/<path:path>")
    def step(path: str) -> Response:
        return jsonify(_step(path))

    @app.get("/code/<path:path>")
    def code(path: str) -> Response:
        if not stage_code.is_shown(path):
            abort(404)
        return jsonify(stage_code.lines(path))

    @app.get("/events")
    def events() -> Response:
        seen: dict[int, tuple[int, int]] = {}
        greeting: list[dict[str, object]] = [{"kind": "stage", "start": begun}]
        return _stream(stream(runs.bell, greeting, lambda: runs.news(seen)))

    @app.get("/wire/<int:number>")
    def wire(number: int) -> Response:
        return _stream(_frames(_run(number)))

    @app.get("/wires")
    def wires() -> Response:
        numbers = request.args.getlist("run", type=int)
        watched = {number: run for number in numbers if (run := runs.get(number))}
        return _stream(_frames_of_all(watched, runs.wires))

    @app.post("/runs")
    def start() -> tuple[Response, int]:
        asked = _asked()
        step = _find(CourseMap(), str(asked.get("step")))
        ancestor = request.headers.get("Origin", "") if is_outside else ""
        run = runs.start(step, str(asked.get("options", "")), _count(asked), ancestor)
        return jsonify(run.as_json()), 201

    @app.post("/runs/<int:number>/stop")
    def stop(number: int) -> Response:
        run = _run(number)
        run.stop()
        return jsonify(run.as_json())

    @app.post("/runs/<int:number>/clients")
    def clients(number: int) -> Response:
        run = _run(number)
        run.open_clients(_count(_asked()))
        return jsonify(run.as_json())

    @app.get("/runs/<int:number>/plots/<int:plot>")
    def plots(number: int, plot: int) -> Response:
        found = _run(number).plots
        if plot >= len(found) or not found[plot].is_file():
            abort(404)
        return send_file(found[plot], mimetype="image/png")

    @app.post("/reset")
    def reset() -> Response:
        return jsonify(said=target.run_demo("demos.pool_demo.seed").strip())

    def _run(number: int) -> Run:
        run = runs.get(number)
        if run is None:
            abort(404)
        return run

    return app, runs


def _key() -> str:
    """Return what lets a browser in: other users of this machine can reach the port, and cannot read this file."""
    # The same at each start, so that a page may stay open meanwhile.
    file = place.state() / "stage.key"
    if not file.exists():
        optionfile.write_private(file, secrets.token_urlsafe(16))
    return file.read_text("utf-8")


def _step(path: str) -> dict[str, object]:
    """Return all that the page shows of a step."""
    course_map = CourseMap()
    step, before = _find(course_map, path), course_map.before(path)
    of_demo = [one for one in course_map.order if one.startswith(f"{step.demo}/")]
    where = (
        f"step {of_demo.index(path) + 1} of {len(of_demo)} of {step.demo}"
        if path in of_demo
        else ""
    )
    return {
        "step": path,
        "title": words(step)[1],
        "sections": [section.id for section in course_map.sections_of(path)],
        "place": where or f"the source's own, faults included, of {step.demo}",
        "before": before,
        "wrong": course_map.wrong_ways(path),
        "says": stage_code.paragraphs(path),
        "serves": stage_code.takes_port(path),
        "clients": stage_code.clients(path),
        "files": stage_code.files(path, before),
        "notes": [notes(lesson, step) for lesson in course_map.lessons_of(path)],
    }


def _find(course_map: CourseMap, path: str) -> steps.Step:
    try:
        return course_map.find(path)
    except KeyError:
        abort(404)


def _frames(run: Run) -> Iterator[str]:
    """Yield what passes on a run's wire, one event at a time."""
    seen = heard = 0
    while True:
        events, seen = run.wire.since(seen)
        yield "".join(f"data: {event}\n\n" for event in events) or ": here\n\n"
        heard = run.wire.bell.wait(heard, 10)


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
        heard = bell.wait(heard, 10)


def _stream(chunks: Iterator[str]) -> Response:
    return Response(chunks, mimetype="text/event-stream")


def _asked() -> dict[str, object]:
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        abort(400)
    return asked


def _count(asked: dict[str, object]) -> int:
    count = asked.get("clients", 0)
    if not isinstance(count, int) or not 0 <= count <= len(CLIENTS):
        abort(400)
    return count


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
    server = WSGIServer(listener, app, log=None)
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
