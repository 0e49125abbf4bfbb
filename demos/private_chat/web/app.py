"""B1: make the messenger's app from features; each feature is a Flask blueprint."""

import contextlib
import os
import secrets
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import gevent
import pymysql
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    render_template,
    request,
)
from flask.json.provider import DefaultJSONProvider
from flask_limiter import Limiter
from flask_wtf.csrf import CSRFError, CSRFProtect
from limits.errors import StorageError
from pymysql.constants import ER
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests

from demos.group_chat.rules.quotas import place
from demos.instruments.logs import log
from demos.pool_demo.lending.turnstile import PoolTimeout
from demos.pool_demo.settings import ROOT
from demos.private_chat.web.shared_pages import shared_pages

ANSWER_TIME = 4.5  # seconds; whatever the database does, a page has its answer by then
REDIS_TIME = 1.0  # seconds; a Redis that takes longer is not asked how often somebody tried

SLOTS = 131_072  # of each kind there are so many counts, however many names somebody thinks up


def slot(*what: str) -> str:
    """Return the name of the count for something, such as ("address", "192.0.2.7").

    Two things may share one, by chance, and rarely; nobody without the key can tell which ones do.
    """
    return f"{what[0]}:{int.from_bytes(keyed_hash(*what)) % SLOTS}"


def keyed_hash(*what: str) -> bytes:
    """Return eight bytes that stand for something, for whoever has the secret key."""
    key, text = str(current_app.secret_key), "\0".join(what)
    return blake2b(
        text.encode(errors="surrogatepass"), key=key.encode()[:64], digest_size=8
    ).digest()


def address_slot() -> str:
    """Return the name of the count for the address that asks."""
    return slot("address", place(request.remote_addr))


# How often somebody may do a thing; accounts.py says what. Counted here while Redis is away.
limiter = Limiter(address_slot, in_memory_fallback_enabled=True)

_REASONS = {
    400: "This request cannot be read.",
    401: "Log in first.",
    404: "There is nothing at this address.",
    429: "Too many attempts. Wait a minute and try again.",
    500: "Something went wrong here. It was written down.",
    503: "Too many people want this at the moment. Try again in a few seconds.",
}
MINUTE = 60  # seconds
SOON = 5  # seconds after which it is worth to ask again what could not be answered


_OTHER_TABLES = (
    "The tables are of another version of the course: `python3 -m course db reset` makes them anew."
)


class Json(DefaultJSONProvider):
    """Flask's JSON, for which brackets in brackets without end are no JSON either."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:  # noqa: ANN401
        """Read JSON; ValueError, which Flask answers with 400, whatever is wrong with it."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


class TooSlow(Exception):
    """An answer took longer than ANSWER_TIME."""


DATABASE_AWAY = (pymysql.MySQLError, PoolTimeout, TooSlow)  # what asking the database may raise


def create_app(*features: Blueprint, limits_at: str = "memory://") -> Flask:
    """Make the application.

    Args:
        features: blueprints, such as accounts and friends.
        limits_at: where attempts are counted; a Redis URL counts for several processes.
    """
    app = Flask("demos.private_chat")  # whose templates and static files it serves
    app.json = Json(app)
    app.config.update(
        SECRET_KEY=secret_key(),
        SESSION_COOKIE_NAME="messenger",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a page may stay open for days
        WTF_CSRF_SSL_STRICT=False,  # the proxy in front of us does TLS
        MAX_CONTENT_LENGTH=64 * 1024,
        RATELIMIT_STORAGE_URI=limits_at,
        RATELIMIT_STORAGE_OPTIONS=_limits_storage(limits_at),
    )

    @app.before_request
    def start() -> None:
        if "wsgi.websocket" not in request.environ:
            start_the_clock()

    @app.teardown_request
    def stop(_: BaseException | None) -> None:
        stop_the_clock()

    CSRFProtect(app)
    limiter.init_app(app)
    for feature in (shared_pages, *features):
        app.register_blueprint(feature)

    @app.get("/healthz")
    def health() -> Response:
        """For whoever watches over the process."""
        return jsonify(status="ok")

    @app.after_request
    def keep_nothing(response: Response) -> Response:
        # After a log-out the back button shows nothing. Files bring a Cache-Control of their own.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    for error in DATABASE_AWAY:
        app.register_error_handler(error, _database_away)
    app.register_error_handler(StorageError, _counts_away)
    app.register_error_handler(HTTPException, _refused)
    return app


def start_the_clock() -> None:
    """Give a request ANSWER_TIME from now on; then it is TooSlow."""
    g.deadline = gevent.Timeout.start_new(ANSWER_TIME, TooSlow)


def stop_the_clock() -> bool:
    """Give a request all the time it takes; say whether the clock was running."""
    running = g.pop("deadline", None)
    if running:
        running.close()
    return running is not None


def _limits_storage(limits_at: str) -> dict[str, object]:
    if limits_at == "memory://":
        return {}
    from demos.private_chat.in_redis.connections import redis_pool  # without Redis nobody needs it

    return {"connection_pool": redis_pool(limits_at, REDIS_TIME), "wrap_exceptions": True}


def secret_key() -> str:
    """Return the key that signs cookies: SECRET_KEY, or one made at the first start.

    It is kept beside the private server's password, readable by you alone, and never in the
    repository.
    """
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    path = Path(os.environ.get("COURSE_STATE_DIR") or ROOT / ".course") / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written elsewhere first: another process finds no file or a whole one. The first wins.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix="secret_key.") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(file.name)
    return path.read_text("ascii")


def _database_away(error: Exception) -> Response:
    log("database", error=repr(error), path=request.path)
    if error.args and error.args[0] in (ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE):
        return _answer(_OTHER_TABLES, 503, wait=0)
    return _answer("The database does not answer at the moment. Try again soon.", 503)


def _counts_away(error: StorageError) -> Response:
    # From the first such error on, it is counted here; who asked Redis meanwhile comes again.
    log("counts", error=repr(error.storage_error), path=request.path)
    return _answer(_REASONS[503], 503)


def _refused(error: HTTPException) -> Response:
    status, wait = error.code or 500, 0
    reason = _REASONS.get(status, f"{error.name}.")
    if isinstance(error, CSRFError):
        reason = "This form is too old. Load the page again."
    if isinstance(error, TooManyRequests | ServiceUnavailable):
        wait = error.retry_after if isinstance(error.retry_after, int) else MINUTE
        if status == TooManyRequests.code and wait < MINUTE:
            reason = f"Too many requests. Try again in {wait} s."
    return _answer(reason, status, wait)


def wants_page() -> bool:
    """Say whether a browser asks for a page to show; a script that takes anything gets JSON."""
    accepts = request.accept_mimetypes
    return accepts["text/html"] > accepts["application/json"]


def _answer(reason: str, status: int, wait: int = SOON) -> Response:
    """Answer a page with a page, and a script with JSON; `wait`: seconds, 0 if it is no use."""
    is_page = wants_page()
    content = render_template("trouble.html", reason=reason) if is_page else jsonify(reason=reason)
    response = make_response(content, status)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
