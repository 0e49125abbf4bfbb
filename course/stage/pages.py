"""The stage's pages, and what they read: the map, the steps, their code."""

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
)
from werkzeug.wrappers import Response as WerkzeugResponse

from course.ground import language
from course.ground.manifest import Step
from course.stage import listing, reader
from course.stage.course_map import CourseMap, notes
from course.stage.guard import Guard
from course.stage.runs import CLIENTS

pages = Blueprint("pages", __name__)


@pages.get("/")
def page() -> WerkzeugResponse | str:
    """Show the stage."""
    guard: Guard = current_app.extensions["guard"]
    if request.args.keys() & {"key", "lang"}:  # which need not be seen on a projector
        answer = redirect(".")
        if "key" in request.args:
            answer.set_cookie(guard.cookie, guard.key, httponly=True, samesite="Lax")
        reader.remember(answer, request.args.get("lang", ""))
        return answer
    return render_template(
        "stage.html",
        token=guard.token,
        home="" if guard.is_outside else guard.home,
        clients=[name for _, name in CLIENTS],
    )


@pages.get("/notes")
def notes_window() -> str:
    """Show what the instructor has in a window of its own."""
    return render_template("notes.html")


@pages.get("/map")
def course_map() -> Response:
    """Return all steps."""
    return jsonify(CourseMap().as_json())


@pages.get("/steps/<path:path>")
def step(path: str) -> Response:
    """Return all that the page shows of a step."""
    course_map = CourseMap()
    found, before = find(course_map, path), course_map.before(path)
    of_demo = [one for one in course_map.order if one.startswith(f"{found.demo}/")]
    where = (
        f"step {of_demo.index(path) + 1} of {len(of_demo)} of {found.demo}"
        if path in of_demo
        else f"the source's own, faults included, of {found.demo}"
    )
    return jsonify(
        step=path,
        title=found.title,
        sections=found.sections,
        place=language.translated(where),
        before=before,
        wrong=course_map.wrong_ways(path),
        says=listing.paragraphs(path),
        serves=found.serves,
        clients=found.clients,
        files=listing.files(path, before),
        notes=[notes(lesson, found) for lesson in course_map.lessons_of(found)],
    )


@pages.get("/code/<path:path>")
def code(path: str) -> Response:
    """Return the lines of a file."""
    if not listing.is_shown(path):
        abort(404)
    return jsonify(listing.lines(path))


def find(course_map: CourseMap, path: str) -> Step:
    """Return a step; a path that the map does not know is an answer of 404."""
    try:
        return course_map.find(path)
    except KeyError:
        abort(404)
