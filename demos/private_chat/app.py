"""B1: the messenger is put together from features; each is a Flask blueprint."""

import os
import secrets
from pathlib import Path

import pymysql
from flask import Blueprint, Flask, Response, jsonify, render_template, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException, TooManyRequests

from demos.group_chat.logs import log
from demos.pool_demo.settings import ROOT
from demos.pool_demo.turnstile import PoolTimeout

# How often somebody may do a thing; accounts.py says what.
limiter = Limiter(get_remote_address)


def create_app(*features: Blueprint, https: bool = False, limits_at: str = "memory://") -> Flask:
    """Make the application.

    Args:
        features: blueprints, such as accounts and friends.
        https: send the cookie over TLS only.
        limits_at: where attempts are counted; a Redis URL counts for several processes.
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secret_key(),
        SESSION_COOKIE_NAME="messenger",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        WTF_CSRF_TIME_LIMIT=None,  # a page may stay open for days
        WTF_CSRF_SSL_STRICT=False,  # the proxy in front of us does TLS
        MAX_CONTENT_LENGTH=64 * 1024,
        RATELIMIT_STORAGE_URI=limits_at,
    )
    CSRFProtect(app)
    limiter.init_app(app)
    for feature in features:
        app.register_blueprint(feature)

    @app.get("/healthz")
    def health() -> Response:
        """For whoever watches over the process."""
        return jsonify(status="ok")

    app.register_error_handler(pymysql.MySQLError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)
    app.register_error_handler(CSRFError, _refused)
    app.register_error_handler(TooManyRequests, _refused)
    return app


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
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text("ascii")


def _database_away(error: Exception) -> tuple[str | Response, int]:
    log("database", error=error, path=request.path)
    return _answer("The database cannot be reached. Nothing was changed; try again soon.", 503)


def _refused(error: HTTPException) -> tuple[str | Response, int]:
    reasons = {
        400: "This form is too old. Load the page again.",
        429: "Too many attempts. Wait a minute and try again.",
    }
    return _answer(reasons[error.code or 400], error.code or 400)


def _answer(reason: str, status: int) -> tuple[str | Response, int]:
    """Answer a page with a page, and a script with JSON."""
    if request.accept_mimetypes.accept_html and not request.is_json:
        return render_template("trouble.html", reason=reason), status
    return jsonify(reason=reason), status
