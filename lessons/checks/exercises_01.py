"""Lesson 01: routes, endpoints, a guard, a download, flashed messages; the test client asks."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from flask import Flask, flash, get_flashed_messages, request, session, url_for
from flask.testing import FlaskClient
from werkzeug.routing import BuildError

from course.exercise import exercise, expect

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
        "Lesson 01, section 2: one view can have two routes. Which of the two has `defaults`?",
        '`@app.route("/page/", defaults={"number": 1})` above `@app.route("/page/<int:number>")`, '
        "and below both `def page(number):`.",
    ),
    why="The converter keeps out what is no number; `defaults` gives the shorter address a value.",
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
        """: "expected 'page 12'",
    },
)
def check_pages(add_pages: Add) -> None:
    """Ask for numbers, for no number, and for what is none."""
    app = new_app()
    add_pages(app)
    client = app.test_client()
    for path, wanted in {"/page/12": "page 12", "/page/7": "page 7", "/page/": "page 1"}.items():
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
        "Lesson 01, section 3: how does what the decorator returns get the name of the view? And "
        "what does a view get that has a converter in its route?",
        "`@wraps(view)` above `def inner(*args, **kwargs):`, and `return view(*args, **kwargs)`.",
    ),
    why="Flask takes the endpoint from the function's name, and wraps gives it that of the view.",
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
        "return view": "expected {'hello': 2, 'notice': 1} calls",
    },
)
def check_counted(
    counted: Callable[[Callable[..., str], dict[str, int]], Callable[..., str]],
) -> None:
    """Decorate two views, of which one takes an argument, and call them."""

    def hello() -> str:
        return "hello"

    def notice(nid: int) -> str:
        return f"notice {nid}"

    app, calls = new_app(), dict[str, int]()
    try:
        app.add_url_rule("/hello", view_func=counted(hello, calls))
        app.add_url_rule("/notice/<int:nid>", view_func=counted(notice, calls))
    except AssertionError as error:
        expect(False, f"two decorated views do not fit into one app: {error}")
    names = sorted(app.view_functions)
    expect(
        names == ["hello", "notice"],
        f"expected the endpoints hello and notice, it has {names}",
    )
    client = app.test_client()
    for path, wanted in {"/hello": "hello", "/notice/3": "notice 3"}.items():
        text = status(client, path)[1]
        expect(text == wanted, f"expected {wanted!r} for {path}, your app answers {text!r}")
    client.get("/hello")
    expected = {"hello": 2, "notice": 1}
    expect(calls == expected, f"expected {expected} calls, your decorator counted {calls}")


@exercise(
    "1.3",
    hints=(
        "Lesson 01, section 9: what does a `before_request` hook return if the view shall run? And "
        "which attribute of `flask.request` says which view that is?",
        'Return None if `flask.session.get("name")` is there or `flask.request.endpoint` is '
        '"login" or "static"; otherwise the redirect.',
    ),
    why="The guard asks for the endpoint: a view has one name, whatever its addresses are.",
    wrong={
        """
        @app.before_request
        def guard():
            if flask.session.get("name") or flask.request.path.startswith("/login"):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "the file /files/page.css",
        """
        @app.before_request
        def guard():
            if "name" in flask.session or flask.request.path.startswith(("/login", "/files")):
                return None
            return flask.redirect(flask.url_for("login"))
        """: "a stranger asks for /login-history",
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
    },
)
def check_guard(add_guard: Add) -> None:
    """Ask as a stranger and as a member, with GET and POST, for what is there and what is not."""
    app = new_app()
    app.add_url_rule("/secret", "secret", lambda: "the secret", methods=["GET", "POST"])
    app.add_url_rule("/login-history", "history", lambda: "who came when")
    app.add_url_rule("/files/<path:filename>", "static", lambda filename: "a file")

    @app.route("/login", methods=["GET", "POST"])
    def login() -> str:
        session.update(request.form)
        return "the log-in"

    add_guard(app)
    stranger, member = app.test_client(), app.test_client()
    entered = member.post("/login", data={"name": "韩雪"})
    expect(
        entered.status_code == 200,
        f"expected 200 for a name posted to /login, your guard answers {entered.status_code}",
    )
    cases = [
        (stranger, "a stranger asks for /login", "/login", "GET", 200),
        (stranger, "a stranger asks for the file /files/page.css", "/files/page.css", "GET", 200),
        (stranger, "a stranger asks for /secret", "/secret", "GET", 302),
        (stranger, "a stranger posts to /secret", "/secret", "POST", 302),
        (stranger, "a stranger asks for /login-history", "/login-history", "GET", 302),
        (member, "a member asks for /secret", "/secret", "GET", 200),
        (member, "a member asks for /nothing", "/nothing", "GET", 404),
    ]
    for client, who, path, method, wanted in cases:
        code, leads = status(client, path, method)
        expect(code == wanted, f"{who}: expected {wanted}, your guard makes it {code}")
        if wanted == 302:
            expect(leads == "/login", f"{who}: expected a redirect to /login, it leads to {leads}")


@exercise(
    "1.4",
    hints=(
        "Lesson 01, section 8: `send_file` is for paths of yours. What is for a visitor's names?",
        "`return flask.send_from_directory(folder, name)`",
    ),
    why="send_from_directory works out where a name leads before it opens anything.",
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
    },
)
def check_download(add_files: Callable[[Flask, Path], object]) -> None:
    """Ask for files of the folder, and, in several ways, for one beside it."""
    with _folder() as folder:
        app = new_app()
        add_files(app, folder)
        client = app.test_client()
        for name in ("hello.txt", "more/deep.txt", "notes..txt"):
            code, text = status(client, f"/files/{name}")
            expect(code == 200, f"expected 200 for /files/{name}, your app answers {code}")
            expect(text == name, f"expected the file {name}, your app sends {text!r}")
        secret = folder.parent / "secret.txt"
        for name in (
            "../secret.txt",
            "more/../../secret.txt",
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
                "the secret" not in text, f"/files/{shown} gets what is not in the folder: {text!r}"
            )


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder with files that hold their own names, and a secret beside it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        (folder / "more").mkdir(parents=True)
        for name in ("hello.txt", "more/deep.txt", "notes..txt"):
            (folder / name).write_text(name, "utf-8")
        (Path(place) / "secret.txt").write_text("the secret", "utf-8")
        yield folder


@exercise(
    "1.5",
    hints=(
        "Lesson 01, section 12: the filter decides what you see; reading takes all. So read all.",
        "Loop over `flask.get_flashed_messages(with_categories=True)`: keep the text of an error, "
        "and `flask.flash(message, category)` everything else again.",
    ),
    why="What was read is gone, so whoever reads too much has to put it back.",
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
    },
)
def check_flashes(read_errors: Callable[[], list[str]]) -> None:
    """Leave messages of two categories, and read them in requests of their own."""
    app = new_app()

    @app.route("/leave")
    def leave() -> str:
        for message, category in (
            ("Welcome", "info"),
            ("Who are you?", "error"),
            ("Three notices", "info"),
        ):
            flash(message, category)
        return ""

    app.add_url_rule("/errors", "errors", lambda: list(read_errors()))
    infos = partial(get_flashed_messages, category_filter=["info"])
    app.add_url_rule("/infos", "infos", infos)
    client = app.test_client()
    client.get("/leave")
    found = client.get("/errors").json
    expect(found == ["Who are you?"], f"expected ['Who are you?'], your function returns {found}")
    again = client.get("/errors").json
    expect(again == [], f"expected [] on a second reading, your function returns {again}")
    kept = client.get("/infos").json
    wanted = ["Welcome", "Three notices"]
    expect(
        kept == wanted, f"expected {wanted} on a later page in the category info, it gets {kept}"
    )
