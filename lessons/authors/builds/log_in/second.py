"""A log-in with the standard library: it keeps the sessions itself, and signs no cookie."""

import html
import secrets
import signal
import sys
import threading
import time
from contextlib import closing
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pymysql
from werkzeug.security import check_password_hash, generate_password_hash

from demos.pool_demo.settings import connect_args

HASH = "scrypt:32768:8:1"
DUMMY = generate_password_hash("nobody's", HASH)
sessions: dict[str, dict[str, str]] = {}  # by cookie: the form's token, and perhaps a name
guesses: dict[str, tuple[float, int]] = {}  # by name: when the minute began, and how many
guarded = threading.Lock()


def query(sql: str, *values: str) -> tuple[tuple[str, ...], ...]:
    """Run one statement on a connection of its own; return its rows."""
    with closing(pymysql.connect(**connect_args(autocommit=True))) as connection:
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return tuple(cursor.fetchall())


def may_guess(name: str) -> bool:
    """Count an attempt for a name; five are allowed in a minute."""
    with guarded:
        began, count = guesses.get(name, (0.0, 0))
        if time.monotonic() - began > 60:
            began, count = time.monotonic(), 0
        guesses[name] = began, count + 1
        return count < 5


class LogIn(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Show a form, or the page of who is logged in."""
        path, session = urlsplit(self.path).path, self.session()
        if path in ("/login", "/register"):
            self.form(session)
        elif path == "/single" and "name" in session:
            self.answer(200, f"<h1>{html.escape(session['name'])}</h1>", session)
        elif path == "/single":
            self.go("/login")
        else:
            self.answer(404, "There is no such page.", session)

    def do_POST(self) -> None:
        """Do what a form asks, if it has its token."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {key: values[0] for key, values in parse_qs(body).items()}
        session, path = self.session(), urlsplit(self.path).path
        if not secrets.compare_digest(form.get("csrf_token", "").encode(), session["t"].encode()):
            self.form(session, 400, "Open the form again.")
        elif path == "/logout":
            sessions.pop(session["cookie"], None)
            self.go("/login")
        elif path == "/register":
            self.register(session, form.get("username", ""), form.get("password", ""))
        else:
            self.log_in(session, form.get("username", ""), form.get("password", ""))

    def log_in(self, session: dict[str, str], name: str, password: str) -> None:
        """Compare the password; begin a new session, with a cookie of its own."""
        if not may_guess(name):
            return self.form(session, 429, "Wait a minute.")
        rows = query("select password from userinfo where name = %s", name)
        fits = check_password_hash(rows[0][0] if rows else DUMMY, password)
        if not (rows and fits):
            return self.form(session, 401, "These two do not belong together.")
        with guarded:
            guesses.pop(name, None)
        sessions.pop(session["cookie"], None)
        return self.go("/single", new_session(name=name))

    def register(self, session: dict[str, str], name: str, password: str) -> None:
        """Make an account, or say why not."""
        if len(password) < 8:
            return self.form(session, 400, "Eight characters, please.")
        kept = generate_password_hash(password, HASH)
        try:
            query("insert into userinfo(name, password) values(%s, %s)", name, kept)
        except pymysql.MySQLError:
            return self.form(session, 409, "Choose another name.")
        return self.go("/login")

    def session(self) -> dict[str, str]:
        """Return the session of the cookie, or a new one."""
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
        except CookieError:
            cookie = None
        return sessions.get(cookie.value if cookie else "") or new_session()

    def form(self, session: dict[str, str], status: int = 200, problem: str = "") -> None:
        """Answer with a form."""
        token = f'<input type="hidden" name="csrf_token" value="{session["t"]}">'
        fields = '<input name="username"><input name="password" type="password">'
        text = f'<p>{problem}</p><form method="post">{token}{fields}<button>OK</button></form>'
        self.answer(status, text, session)

    def answer(self, status: int, text: str, session: dict[str, str], **headers: str) -> None:
        """Send a page and the cookie."""
        if "name" in session:
            token = f'<input type="hidden" name="csrf_token" value="{session["t"]}">'
            text += f'<form method="post" action="/logout">{token}<button>Leave</button></form>'
        body = text.encode()
        self.send_response(status)
        kept = f"sid={session['cookie']}; Path=/; HttpOnly; SameSite=Strict"
        sent = {"Content-Type": "text/html; charset=utf-8", "Set-Cookie": kept} | headers
        for name, value in (sent | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def go(self, path: str, session: dict[str, str] | None = None) -> None:
        """Send the browser to another page of this server."""
        self.answer(303, "", session or self.session(), Location=path)


def new_session(**known: str) -> dict[str, str]:
    """Begin a session, and keep it."""
    session = {"cookie": secrets.token_hex(), "t": secrets.token_hex(), **known}
    sessions[session["cookie"]] = session
    return session


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(
        ("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), LogIn
    ).serve_forever()
