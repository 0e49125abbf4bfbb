"""A0: Seven topics of Flask in one small app.

Source: A0 lists the topics of the day before: routing, construction, configuration, blueprints,
files and JSON, hooks, flashed messages. It has no program for them. Here they are one app, a notice
board. The list has the name errorheader; in Flask it is errorhandler.

See: pages that ask who you are. This terminal shows each request with its status: 302 where the
guard redirects you to the log-in, 308 where an address redirects to a shorter one.

Try: open /index, /old/3 and /index/two. Predict each time which page you will see. Log in without a
name, and reload the page: where is the message? Restart the step: are you still logged in?

New: this is the first step. Settings are in settings.py; blueprint, files and JSON in download.py.
"""

from flask import Flask, abort, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from demos.flask_recap.download import download
from demos.flask_recap.notices import NOTICES
from demos.flask_recap.serving import serve
from demos.flask_recap.settings import Settings

# Construction: where the templates are, where the files are, and at which address.
app = Flask(__name__, template_folder="pages", static_folder="assets", static_url_path="/files")
app.config.from_object(Settings)
app.register_blueprint(download)

# Routing: these redirect before any view runs, so they have no view.
app.add_url_rule("/", endpoint="front", redirect_to="/index/")
app.add_url_rule("/old/<int:nid>", endpoint="old", redirect_to="/index/<nid>")


@app.route("/index/", defaults={"nid": 1})
@app.route("/index/<int:nid>")
def notice(nid: int) -> str:
    """Show one notice. The converter `int` accepts only digits, and gives the view a number."""
    if nid not in NOTICES:
        abort(404)
    return render_template("notice.html", nid=nid, notices=NOTICES)


@app.route("/help", endpoint="manual", strict_slashes=False)
def help_page() -> str:
    """Show the same page with a slash at the end of the address and without."""
    return render_template("help.html")


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    """Show the form (GET), or log in with its data (POST). Lesson 09 adds the password."""
    if request.method == "GET":
        return render_template("login.html")
    name = request.form.get("name", "").strip()
    if not name:
        flash("Please say who you are.", "error")
        return redirect(url_for("login"))
    session["name"] = name
    flash(f"Welcome, {name}.", "info")
    return redirect(url_for("notice"))


@app.before_request
def guard() -> Response | None:
    """Redirect visitors without a log-in to the log-in page. None means: go on to the view."""
    if session.get("name") or request.endpoint in ("login", "static"):
        return None
    return redirect(url_for("login"))


@app.after_request
def private(answer: Response) -> Response:
    """Tell browsers to keep no copy, because another person could find it there."""
    answer.cache_control.no_store = True
    return answer


@app.errorhandler(404)
def missing(_: Exception) -> tuple[str, int]:
    """Show our own page, with its status."""
    return render_template("missing.html"), 404


if __name__ == "__main__":
    serve(app)
