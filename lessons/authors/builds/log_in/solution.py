"""A log-in with Flask, Flask-WTF and MysqlHelp."""

import argparse
import secrets
import threading
from collections import defaultdict
from time import monotonic

import pymysql
from flask import Flask, redirect, render_template_string, request, session
from flask_wtf.csrf import CSRFProtect
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from demos.pool_demo.mysqlhelp import MysqlHelp

FORM = """<p>{{ problem }}</p><form method="post">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
<input name="username"><input name="password" type="password"><button>OK</button></form>"""
HOME = """<h1>{{ name }}</h1><form method="post" action="logout">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}"><button>Log out</button></form>"""
MINUTE, MOST = 60.0, 5  # so many wrong passwords for a name
HOW = "scrypt:32768:8:1"

app = Flask(__name__)
app.secret_key = secrets.token_bytes()
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
CSRFProtect(app)
db = MysqlHelp()
wrong: dict[str, list[float]] = defaultdict(list)  # when, by the name
lock = threading.Lock()
NOBODY = generate_password_hash(secrets.token_hex(), HOW)  # compared for who is unknown


def page(problem: str) -> str:
    """Return the form."""
    return render_template_string(FORM, problem=problem)


def fields() -> tuple[str, str]:
    """Return name and password of the form."""
    return request.form.get("username", ""), request.form.get("password", "")


@app.route("/login", methods=["GET", "POST"])
def log_in() -> str | Response | tuple[str, int]:
    """Begin a session."""
    if request.method == "GET":
        return page("")
    name, password = fields()
    with lock:
        wrong[name] = [at for at in wrong[name] if monotonic() - at < MINUTE]
        if len(wrong[name]) >= MOST:
            return page("Too many wrong passwords: wait a minute."), 429
        wrong[name].append(monotonic())  # it counts as wrong until it is right
    row = db.selectone("select id, password from userinfo where name = %s", (name,))
    kept = row["password"] if row else NOBODY
    if not check_password_hash(kept, password) or not row:
        return page("Name or password is wrong."), 401
    with lock:
        wrong[name].pop()
    token = secrets.token_hex(16)
    db.insert("insert into logins(token, user_id) values(%s, %s)", (token, row["id"]))
    session.clear()
    session["token"] = token
    return redirect("single")


@app.route("/register", methods=["GET", "POST"])
def register() -> str | Response | tuple[str, int]:
    """Make an account."""
    if request.method == "GET":
        return page("")
    name, password = fields()
    if len(password) < 8:
        return page("A password has at least 8 characters."), 422
    try:
        db.insert(
            "insert into userinfo(name, password) values(%s, %s)",
            (name, generate_password_hash(password, HOW)),
        )
    except pymysql.MySQLError:
        return page("This name cannot be used."), 422
    return redirect("login")


@app.get("/single")
def single() -> str | Response:
    """Show who is logged in."""
    name = who()
    if not name:
        return redirect("login")
    return render_template_string(HOME, name=name)


@app.post("/logout")
def log_out() -> Response:
    """End the session, wherever its cookie is."""
    token = session.pop("token", "")
    if token:
        db.update("update logins set ended_at = utc_timestamp(3) where token = %s", (token,))
    return redirect("login")


def who() -> str:
    """Return whose session this is; "" for nobody's."""
    row = db.selectone(
        "select u.name from logins l join userinfo u on u.id = l.user_id"
        " where l.token = %s and l.ended_at is null",
        (session.get("token", ""),),
    )
    return str(row["name"]) if row else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    app.run("127.0.0.1", parser.parse_args().port, threaded=True)
