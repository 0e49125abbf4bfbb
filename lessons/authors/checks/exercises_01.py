"""Lesson 01: routes, endpoints, a guard, a download, flashed messages; the test client asks."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import randrange
from typing import Any

from flask import Flask, flash, get_flashed_messages, request, session, url_for
from flask.testing import FlaskClient
from werkzeug.routing import BuildError

from course.exercise import exercise, expect

HELD = ("hello.txt", "more/deep.txt", "notes..txt", "more/说明.txt", "Picture.PNG", ".hidden")
Add = Callable[[Flask], object]


def new_app(name: str = "exercise") -> Flask:
    """Return an empty app. An error in a view reaches the caller, and no log."""
    app = Flask(name, static_folder=None)
    app.secret_key = "not much of a secret"
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.logger.addHandler(logging.NullHandler())
    app.logger.propagate = False
    return app


def status(client: FlaskClient, path: str, method: str = "GET") -> tuple[int, str]:
    """Return the status of an answer, and its text, or where it leads."""
    with closing(client.open(path, method=method)) as answer:  # a file that is sent is open
        return answer.status_code, answer.location or answer.get_data(as_text=True)


@exercise(
    "1.1",
    hints=(
        (
            "Lesson 01, section 2: how can one view have two routes? And what keeps out what is "
            "not a number?"
        ),
        (
            "The longer route takes an `int`. The shorter one has no number in it, so it needs "
            "a default. Both stand above the same function."
        ),
        (
            '`@app.route("/page/", defaults={"number": 1})` above '
            '`@app.route("/page/<int:number>")`, and below both `def page(number):`.'
        ),
    ),
    why="One view serves both addresses, and whatever is not a number is answered with 404.",
    wrong={
        """
        @app.route("/page/", defaults={"number": 1})
        @app.route("/page/<number>")
        def page(number):
            return f"page {number}"
        """: "expected 404 for /page/two, your app answers 200",
        """
        @app.route("/page/<int:number>")
        def page(number=1):
            return f"page {number}"
        """: "expected 200 for /page/, your app answers 404",
        """
        @app.route("/page/", defaults={"number": 1})
        @app.route("/page/<int:number>")
        def show(number):
            return f"page {number}"
        """: "no endpoint",
        """
        @app.route("/page/")
        @app.route("/page/<int:number>")
        def page(number=2):
            return f"page {number - 1}"
        """: "expected 'page",
        """
        @app.route("/page/", defaults={"number": 0})
        @app.route("/page/<int:number>")
        def page(number):
            return f"page {number}"
        """: "expected 'page 1' for /page/",
        """
        for one in (3, 7, 12, 30):
            app.add_url_rule(f"/page/{one}", f"page{one}", lambda one=one: f"page {one}")
        app.add_url_rule("/page/", "page", lambda: "page 1")
        """: "expected 200 for /page/",
        """
        @app.route("/page/", defaults={"number": 1})
        @app.route("/page/<int:number>")
        def page(number):
            return f"<p>page {number}</p>"
        """: "your app answers '<p>page",
    },
    also_right=(
        """
        def page(number=1):
            return "page %d" % number

        app.add_url_rule("/page/", "page", page)
        app.add_url_rule("/page/<int:number>", "page", page)
        """,
    ),
)
def check_pages(add_pages: Add) -> None:
    """Ask for numbers, for no number, and for what is none."""
    app = new_app()
    add_pages(app)
    client = app.test_client()
    number = randrange(100, 10_000)
    pages = {f"/page/{number}": f"page {number}", "/page/12": "page 12", "/page/": "page 1"}
    for path, wanted in pages.items():
        code, text = status(client, path)
        expect(code == 200, f"expected 200 for {path}, your app answers {code}")
        expect(text == wanted, f"expected {wanted!r} for {path}, your app answers {text!r}")
    for path in ("/page/two", "/page/-1", "/page/1.5"):
        code, _ = status(client, path)
        expect(code == 404, f"expected 404 for {path}, your app answers {code}")
    with app.test_request_context():
        try:
            built = url_for("page", number=30)
        except BuildError:
            built = "no endpoint `page`"
    expect(built == "/page/30", f"expected /page/30 from url_for, your app has {built}")


@exercise(
    "1.2",
    hints=(
        (
            "Lesson 01, section 3: from where does Flask take the endpoint? And what does a "
            "view get if its route has a converter?"
        ),
        (
            "Give the inner function the name of the view, and let it take any arguments and "
            "pass them on."
        ),
        ("`@wraps(view)` above `def inner(*args, **kwargs):`, and `return view(*args, **kwargs)`."),
    ),
    why="Each view keeps its own name, so Flask can give each of them an endpoint of its own.",
    wrong={
        """
        @wraps(view)
        def inner():
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return view()

        return inner
        """: "unexpected keyword argument 'nid'",
        """
        def inner(*args, **kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return view(*args, **kwargs)

        inner.__name__ = f"view{id(inner)}"
        return inner
        """: "expected the endpoints",
        "return view": "expected {'hello': 2, 'notice': 2} calls",
        """
        @wraps(view)
        def inner(**kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return view(**kwargs)

        return inner
        """: "takes 0 positional arguments",
        """
        @wraps(view)
        def inner(*args, **kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            view(*args, **kwargs)
            return ""

        return inner
        """: "expected 'hello' for /hello",
        """
        @wraps(view)
        def inner(*args, **kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return str(view(*args, **kwargs))

        return inner
        """: "expected 'notice 3' for /notice/3",
        """
        @wraps(view)
        def inner(*args, **kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return flask.make_response(view(*args, **kwargs)).get_data(as_text=True)

        return inner
        """: "expected 202 for /notice/3",
        """
        calls[view.__name__] = calls.get(view.__name__, 0) + 1
        return view
        """: "expected {'hello': 2, 'notice': 2} calls",
        """
        @wraps(view)
        def inner(*args, **kwargs):
            calls["views"] = calls.get("views", 0) + 1
            return view(*args, **kwargs)

        return inner
        """: "{'views': 4}",
        """
        def inner(*args, **kwargs):
            calls[view.__name__] = calls.get(view.__name__, 0) + 1
            return view(*args, **kwargs)

        return inner
        """: "two decorated views do not fit into one app",
    },
    also_right=(
        """
        name = view.__name__

        def inner(*args, **kwargs):
            calls.setdefault(name, 0)
            calls[name] += 1
            return view(*args, **kwargs)

        inner.__name__ = name
        return inner
        """,
    ),
)
def check_counted(
    counted: Callable[[Callable[..., Any], dict[str, int]], Callable[..., Any]],
) -> None:
    """Decorate and call two views; one takes an argument, and answers with a status of its own."""

    def hello() -> str:
        return "hello"

    def notice(nid: int) -> tuple[str, int]:
        return f"notice {nid}", 202

    app, calls = new_app(), dict[str, int]()
    try:
        app.add_url_rule("/hello", view_func=counted(hello, calls))
        app.add_url_rule("/notice/<int:nid>", view_func=counted(notice, calls))
    except AssertionError as error:
        expect(False, f'two decorated views do not fit into one app: "{error}"')
    names = sorted(app.view_functions)
    expect(
        names == ["hello", "notice"],
        f"expected the endpoints hello and notice, it has {names}",
    )
    client = app.test_client()
    for path, wanted_code, wanted in (("/hello", 200, "hello"), ("/notice/3", 202, "notice 3")):
        code, text = status(client, path)
        expect(text == wanted, f"expected {wanted!r} for {path}, your app answers {text!r}")
        expect(code == wanted_code, f"expected {wanted_code} for {path}, your app answers {code}")
    client.get("/hello")
    direct = app.view_functions["notice"](4)
    expect(direct == ("notice 4", 202), f"called with 4 itself, the view returns {direct!r}")
    expected = {"hello": 2, "notice": 2}
    expect(calls == expected, f"expected {expected} calls, your decorator counted {calls}")


@exercise(
    "1.4",
    hints=(
        (
            "Lesson 01, section 8: what does a `before_request` hook return if the view shall "
            "run? And which attribute of `flask.request` says which view that is?"
        ),
        (
            "There are two reasons to let somebody in: the name in the session, or the endpoint "
            "that they ask for. Compare endpoints, not addresses."
        ),
        (
            'Return `None` if `flask.session.get("name")` is there or `flask.request.endpoint` '
            'is in `("login", "static")`; otherwise the redirect, as it was.'
        ),
    ),
    why="The log-in is open at every address that it has, so nobody is redirected for ever.",
    wrong={
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.path.startswith("/login"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger asks for a file",
        """
        @app.before_request
        def guard():
            if "name" in flask.session or flask.request.path.startswith(("/login", "/files")):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger asks for what looks like it",
        """
        @app.before_request
        def guard():
            if flask.request.endpoint not in ("login", "static"):
                return flask.redirect(flask.url_for("login"))
        """: "a member asks for /secret",
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.method == "POST":
                return None
            if flask.request.endpoint in ("login", "static"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger posts to /secret",
        """
        @app.before_request
        def guard():
            path = flask.request.path
            if flask.session.get("name") or path == "/login" or path.startswith("/files/"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "expected 200 for a name posted to /enter",
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.endpoint in ("login", "static"):
                return None
            return flask.redirect("/login")
        """: "expected a redirect to /enter",
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.endpoint in ("login", "static", None):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger asks for /nothing",
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.endpoint in ("login", "static"):
                return None
            flask.abort(403)
        """: "expected 302, your guard makes it 403",
        """
        @app.before_request
        def guard():
            if flask.session or flask.request.endpoint in ("login", "static"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger with another entry in the session",
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.endpoint == "login":
                return None
            if not flask.request.path.startswith("/files/"):
                return flask.redirect(flask.url_for("login"))
        """: "a stranger asks for a file, /assets/page.css",
        """
        @app.before_request
        def guard():
            name, endpoint = flask.session.get("name"), flask.request.endpoint
            if name and endpoint == "login" and flask.request.method == "GET":
                return flask.redirect("/")
            if name or endpoint in ("login", "static"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a member asks for /login",
    },
    also_right=(
        """
        open_to_all = {"login", "static"}

        def guard():
            if flask.request.endpoint not in open_to_all and "name" not in flask.session:
                return flask.redirect(flask.url_for("login"), 303)

        app.before_request(guard)
        """,
    ),
)
def check_guard(add_guard: Add) -> None:
    """Guard two apps, of which the second has other addresses."""
    _try_guard(add_guard, "/login", "/files", "/login-history")
    _try_guard(add_guard, "/enter", "/assets", "/files/history")


def _try_guard(add_guard: Add, door: str, files: str, looks_like_it: str) -> None:
    """Ask as a stranger and as a member, with GET and POST, for what is there and what is not."""
    app = new_app()
    app.add_url_rule("/secret", "secret", lambda: "the secret", methods=["GET", "POST"])
    app.add_url_rule(looks_like_it, "history", lambda: "who came when")
    app.add_url_rule(f"{files}/<path:filename>", "static", lambda filename: filename)

    @app.route(door, methods=["GET", "POST"])
    def login() -> str:
        session.update(request.form)
        return "the log-in"

    add_guard(app)
    stranger, member, other = app.test_client(), app.test_client(), app.test_client()
    entered = member.post(door, data={"name": "韩雪"})
    expect(
        entered.status_code == 200,
        f"expected 200 for a name posted to {door}, your guard answers {entered.status_code}",
    )
    other.post(door, data={"language": "zh"})
    cases = [
        (stranger, f"a stranger asks for {door}", door, "GET", 200),
        (
            stranger,
            f"a stranger asks for a file, {files}/page.css",
            f"{files}/page.css",
            "GET",
            200,
        ),
        (stranger, "a stranger asks for /secret", "/secret", "GET", 302),
        (stranger, "a stranger posts to /secret", "/secret", "POST", 302),
        (
            stranger,
            f"a stranger asks for what looks like it, {looks_like_it}",
            looks_like_it,
            "GET",
            302,
        ),
        (stranger, "a stranger asks for /nothing", "/nothing", "GET", 302),
        (
            other,
            "a stranger with another entry in the session asks for /secret",
            "/secret",
            "GET",
            302,
        ),
        (member, "a member asks for /secret", "/secret", "GET", 200),
        (member, f"a member asks for {door}", door, "GET", 200),
        (member, "a member asks for /nothing", "/nothing", "GET", 404),
    ]
    for client, who, path, method, wanted in cases:
        code, leads = status(client, path, method)
        redirected = wanted == 302 and code in (302, 303, 307)
        expect(
            code == wanted or redirected, f"{who}: expected {wanted}, your guard makes it {code}"
        )
        if wanted == 302:
            expect(leads == door, f"{who}: expected a redirect to {door}, it leads to {leads}")


@exercise(
    "1.3",
    hints=(
        (
            "Lesson 01, section 7: `send_file` is for paths of your own. What is there for "
            "names that a visitor chooses?"
        ),
        (
            "Flask has a function that takes the folder and the name apart, and answers 404 if "
            "the name leads out of the folder. Do not search the name for dots yourself."
        ),
        "`return flask.send_from_directory(folder, name)`",
    ),
    why="A name that a visitor sends must never lead out of the folder.",
    wrong={
        """
        @app.route("/files/<path:name>")
        def files(name):
            return flask.send_file(folder / name.replace("../", ""))
        """: "....//secret.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            if ".." in name:
                flask.abort(404)
            return flask.send_file(folder / name)
        """: "expected 200 for /files/notes..txt",
        """
        @app.route("/files/<name>")
        def files(name):
            return flask.send_from_directory(folder, name)
        """: "expected 200 for /files/more/deep.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            if name.startswith("../"):
                flask.abort(404)
            return flask.send_file(folder / name)
        """: "more/../../secret.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            path = (folder / name).resolve()
            if not str(path).startswith(str(folder.resolve())):
                flask.abort(404)
            return flask.send_file(path)
        """: "/files/../files-old/secret.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            if name not in ("hello.txt", "more/deep.txt", "notes..txt"):
                flask.abort(404)
            return flask.send_file(folder / name)
        """: "expected 200 for /files/more/说明.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            return flask.send_from_directory(folder.parent, name)
        """: "expected 200 for /files/hello.txt",
        """
        @app.route("/files/<path:name>")
        def files(name):
            return flask.send_from_directory(folder, name.lower())
        """: "expected 200 for /files/Picture.PNG",
    },
    also_right=(
        """
        @app.route("/files/<path:name>")
        def files(name):
            path = (folder / name).resolve()
            if not path.is_relative_to(folder.resolve()) or not path.is_file():
                flask.abort(404)
            return flask.send_file(path)
        """,
    ),
)
def check_download(add_files: Callable[[Flask, Path], object]) -> None:
    """Ask for files of the folder, and, in several ways, for one beside it."""
    with _folder() as folder:
        app = new_app()
        add_files(app, folder)
        client = app.test_client()
        for name in HELD:
            code, text = status(client, f"/files/{name}")
            expect(code == 200, f"expected 200 for /files/{name}, your app answers {code}")
            expect(text == name, f"expected the file {name}, your app sends {text!r}")
        secret = folder.parent / "secret.txt"
        for name in (
            "../secret.txt",
            "more/../../secret.txt",
            "../files-old/secret.txt",
            "....//secret.txt",
            "%2e%2e/secret.txt",
            str(secret),
        ):
            try:
                _, text = status(client, f"/files/{name}")
            except OSError:  # what is not there: a 500 to a visitor, and no leak
                continue
            shown = name.replace(str(secret), "(the full path of the secret)")
            expect(
                "the secret" not in text,
                f"a request for /files/{shown} gets what is not in the folder: {text!r}",
            )


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder with files that hold their own names, and a secret beside it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        (folder / "more").mkdir(parents=True)
        for name in HELD:
            (folder / name).write_text(name, "utf-8")
        for name in ("secret.txt", "files-old/secret.txt"):
            secret = Path(place) / name
            secret.parent.mkdir(exist_ok=True)
            secret.write_text("the secret", "utf-8")
        yield folder


@exercise(
    "1.5",
    hints=(
        (
            "Lesson 01, section 10: the filter decides what you see, and reading takes all "
            "messages. Within one request Flask remembers what was read."
        ),
        (
            "Read all, keep the errors, and flash the others again, each in its category. Do "
            "that only once in a request: `flask.g` can remember that you have."
        ),
        (
            '`if "errors" not in flask.g:` loop over '
            "`flask.get_flashed_messages(with_categories=True)`: append an error to "
            "`flask.g.errors`, and `flask.flash(message, category)` everything else."
        ),
    ),
    why="Reading removes flashed messages. A later page still finds those of other categories.",
    wrong={
        """
        return [text for kind, text in flask.get_flashed_messages(with_categories=True)
                if kind == "error"]
        """: "expected ['Welcome', 'Three notices']",
        """
        both = flask.get_flashed_messages(with_categories=True)
        for category, message in both:
            flask.flash(message, category)
        return [message for category, message in both if category == "error"]
        """: "expected [] on a second reading",
        """
        errors = []
        for category, message in flask.get_flashed_messages(with_categories=True):
            if category == "error":
                errors.append(message)
            else:
                flask.flash(message)
        return errors
        """: "in the category info",
        """
        errors = []
        for category, message in flask.get_flashed_messages(with_categories=True):
            if category == "error":
                errors.append(message)
            else:
                flask.flash(message, category)
        return errors
        """: "called twice in one view",
        """
        return ["Who are you?"] if flask.session.pop("_flashes", None) else []
        """: "on a later page in the category info",
        """
        if "errors" not in flask.g:
            flask.g.errors = []
            for category, message in flask.get_flashed_messages(with_categories=True):
                if category == "error":
                    flask.g.errors.append(message)
                elif category == "info":
                    flask.flash(message, category)
        return flask.g.errors
        """: "in the category warning",
        """
        if "all" not in flask.g:
            flask.g.all = flask.get_flashed_messages(with_categories=True)
            for category, message in flask.g.all:
                if category != "error":
                    flask.flash(message, category)
        return [message for category, message in flask.g.all]
        """: "expected ['Who are you?'], your function returns ['Welcome'",
    },
    also_right=(
        """
        flashed = flask.session.get("_flashes", [])
        flask.session["_flashes"] = [pair for pair in flashed if pair[0] != "error"]
        return [message for category, message in flashed if category == "error"]
        """,
    ),
)
def check_flashes(read_errors: Callable[[], list[str]]) -> None:
    """Leave messages of three categories, and read them in requests of their own."""
    app = new_app()

    @app.route("/leave")
    def leave() -> str:
        for message, category in (
            ("Welcome", "info"),
            ("Who are you?", "error"),
            ("Three notices", "info"),
            ("Old password", "warning"),
        ):
            flash(message, category)
        return ""

    def twice() -> list[str]:
        errors = list(read_errors())
        read_errors()
        return errors

    app.add_url_rule("/errors", "errors", lambda: list(read_errors()))
    app.add_url_rule("/twice", "twice", twice)
    for category in ("info", "warning"):
        read = partial(get_flashed_messages, category_filter=[category])
        app.add_url_rule(f"/{category}", category, read)
    for path, how in (("/errors", ""), ("/twice", "called twice in one view: ")):
        client = app.test_client()
        client.get("/leave")
        found = client.get(path).json
        wanted = ["Who are you?"]
        expect(found == wanted, f"{how}expected {wanted}, your function returns {found}")
        again = client.get("/errors").json
        expect(again == [], f"{how}expected [] on a second reading, your function returns {again}")
        client.get("/info")  # reading one category takes all of them
        for category, kept in (
            ("info", ["Welcome", "Three notices"]),
            ("warning", ["Old password"]),
        ):
            client.get("/leave")
            client.get(path)
            found = client.get(f"/{category}").json
            expect(
                found == kept,
                f"{how}expected {kept} on a later page in the category {category}, it gets {found}",
            )
