"""A0: Seven heads of Flask in one small app.

Source: A0 lists what the day before was about: routing, construction, configuration, blueprints,
files and JSON, hooks, flashed messages. It has no program for them. Here they are one app, a notice
board. What the list spells errorheader is Flask's errorhandler.

See: pages that want to know who you are. This terminal shows each request with its status: 302
where the guard sends you to the log-in, 308 where an address leads to a better one.

Try: open /index, /old/3, /index/two, and say beforehand where you will be. Log in without a name,
and reload the page: where is the message? Start the step anew: are you still logged in?

New: nothing came before. Settings are in settings.py; blueprint, files and JSON in download.py.
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

# Routing: these lead elsewhere before any view runs, so they have none.
app.add_url_rule("/", endpoint="front", redirect_to="/index/")
app.add_url_rule("/old/<int:nid>", endpoint="old", redirect_to="/index/<nid>")


@app.route("/index/", defaults={"nid": 1})
@app.route("/index/<int:nid>")
def notice(nid: int) -> str:
    """One notice. The converter `int` takes digits alone, and gives the view a number."""
    if nid not in NOTICES:
        abort(404)
    return render_template("notice.html", nid=nid, notices=NOTICES)


@app.route("/help", endpoint="manual", strict_slashes=False)
def help_page() -> str:
    """The same with a slash at the end of the address and without."""
    return render_template("help.html")


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response:
    """The form (GET), and what was typed into it (POST). No password: that is lesson 09's."""
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
    """Let those in who are logged in, and send the others to the log-in; None goes on."""
    if session.get("name") or request.endpoint in ("login", "static"):
        return None
    return redirect(url_for("login"))


@app.after_request
def private(answer: Response) -> Response:
    """Let no browser keep a copy, which somebody else could find there."""
    answer.cache_control.no_store = True
    return answer


@app.errorhandler(404)
def missing(_: Exception) -> tuple[str, int]:
    """Show a page of our own; without the number it would go out as a 200."""
    return render_template("missing.html"), 404


if __name__ == "__main__":
    serve(app)
