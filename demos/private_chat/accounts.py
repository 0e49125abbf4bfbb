"""B3, B7: register, log in, log out."""

import pymysql
from flask import (
    Blueprint,
    abort,
    redirect,
    render_template,
    request,
    session,
)
from flask_wtf import FlaskForm
from gevent.threadpool import ThreadPool
from pymysql.constants import ER
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from demos.group_chat import names
from demos.group_chat.logs import log
from demos.group_chat.messages import SERVER
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.app import limiter
from demos.private_chat.switchboard import Switchboard, User

HASH = "scrypt:32768:8:1"  # takes about 32 MB and a twentieth of a second, on purpose
RESERVED = frozenset({names.key(SERVER), names.key("我")})
_WRONG = "The name or the password is wrong."
# What an unknown user's password is compared with, so that the answer takes as long.
_NOBODY = generate_password_hash("nobody has this password", HASH)

# Hashing takes long; on threads of its own it stops nobody's messages.
_hashers = ThreadPool(1)


class Credentials(FlaskForm):  # type: ignore[misc]  # it ships no types
    """Name and password, with the CSRF token that FlaskForm adds."""

    username = StringField("昵称 Name", [InputRequired("Enter a name."), Length(max=names.LENGTH)])
    password = PasswordField("密码 Password", [InputRequired("Enter a password."), Length(max=128)])


class Registration(Credentials):
    """The same, with what a new account has to have."""

    def validate_username(self, field: StringField) -> None:
        """Refuse names that cannot be told apart from others, or from the server's."""
        if problem := names.problem(field.data, RESERVED):
            raise ValidationError(problem)

    def validate_password(self, field: PasswordField) -> None:
        """Ask for eight characters; length is what makes a password hard to guess."""
        if len(field.data) < 8:
            raise ValidationError("A password has at least 8 characters.")


def accounts(db: MysqlHelp, board: Switchboard) -> Blueprint:
    """Make the feature: /register, /login, /logout.

    Args:
        db: holds `userinfo` and `logins`.
        board: closes the open sockets of a log-in that ends.
    """
    feature = Blueprint("accounts", __name__)

    @feature.route("/register", methods=["GET", "POST"])
    @limiter.limit("10 per minute", methods=["POST"])
    def register() -> str | Response | tuple[str, int]:
        """Make an account, then go on to the log-in."""
        form = Registration()
        if not form.validate_on_submit():
            return _page("register.html", form)
        hashed = _hashers.apply(generate_password_hash, (form.password.data, HASH))
        try:
            db.insert(
                "insert into userinfo(name, password) values(%s, %s)", (form.username.data, hashed)
            )
        except pymysql.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            form.username.errors = ["This name is taken."]
            return _page("register.html", form)
        log("register", name=form.username.data)
        return redirect("login")

    @feature.route("/login", methods=["GET", "POST"])
    @limiter.limit("20 per minute", methods=["POST"], deduct_when=_has_failed)
    @limiter.limit(
        "5 per minute", methods=["POST"], key_func=_name_in_form, deduct_when=_has_failed
    )
    def login() -> str | Response | tuple[str, int]:
        """Begin a session if name and password are right."""
        form = Credentials()
        if not form.validate_on_submit():
            return _page("login.html", form)
        found = db.selectone(
            "select id, name, password from userinfo where name = %s", (form.username.data,)
        )
        hashed = found["password"] if found else _NOBODY
        if not _hashers.apply(check_password_hash, (hashed, form.password.data)) or not found:
            form.password.errors = [_WRONG]
            log("login_failed", name=form.username.data, peer=request.remote_addr)
            return _page("login.html", form, 401)
        number = db.insert("insert into logins(user_id) values(%s)", (found["id"],))
        # A new session: what somebody planted in the old one is gone.
        session.clear()
        session.update(is_login=True, user_name=found["name"], user_id=found["id"], login=number)
        log("login", name=found["name"], peer=request.remote_addr)
        return redirect("single")

    @feature.post("/logout")
    def logout() -> Response:
        """End this session, in every place it was copied to, and its open sockets."""
        user = who()
        if user:
            db.update("update logins set ended_at = utc_timestamp(3) where id = %s", (user.login,))
            board.close_login(user.login)
        session.clear()
        return redirect("login")

    return feature


def who() -> User | None:
    """Return whom the cookie names; it is signed, so nobody else can have written it."""
    if not session.get("is_login"):
        return None
    return User(session["user_id"], session["user_name"], session["login"])


def logged_in(db: MysqlHelp) -> User | None:
    """Return who is logged in; None for a cookie whose session has ended."""
    user = who()
    if user and db.selectone(
        "select id from logins where id = %s and user_id = %s and ended_at is null",
        (user.login, user.id),
    ):
        return user
    return None


def required(db: MysqlHelp) -> User:
    """Return who is logged in. Anybody else is sent to the log-in page, a script gets a 401."""
    user = logged_in(db)
    if user:
        return user
    if request.accept_mimetypes.accept_html and request.method == "GET":
        abort(redirect("login"))
    abort(401)


def _page(
    template: str, form: FlaskForm, status: int | None = None
) -> str | Response | tuple[str, int]:
    if status is None:
        status = 422 if form.errors else 200
    return render_template(template, form=form), status


def _has_failed(response: Response) -> bool:
    return response.status_code != 302


def _name_in_form() -> str:
    return "name:" + request.form.get("username", "")[:100]
