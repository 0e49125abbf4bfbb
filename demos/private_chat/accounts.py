"""B3, B7: register, log in, log out."""

import secrets
from datetime import timedelta

import pymysql
from flask import Blueprint, abort, flash, redirect, render_template, request, session
from flask_wtf import FlaskForm
from pymysql.constants import ER
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from demos.group_chat.rules import names
from demos.group_chat.rules.messages import SERVER
from demos.group_chat.rules.quotas import place
from demos.instruments.logs import log
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.private_chat.switchboard import Switchboard, User
from demos.private_chat.web.app import limiter, wants_page
from demos.private_chat.web.database import find_user
from demos.private_chat.web.guessing import WrongPassword, attempt, line, remember, sender_slot
from demos.private_chat.web.hashing import Rank, fits, hashed, in_turn

# A log-in lasts so long, wherever its cookie is. The browser forgets the cookie when it is closed.
LIFE = timedelta(days=30)
_HOLDS = f"ended_at is null and began_at > utc_timestamp(3) - interval {LIFE.days} day"
RESERVED = frozenset({names.key(SERVER), names.key("我")})


class Credentials(FlaskForm):  # type: ignore[misc]  # it ships no types
    """Name and password, with the CSRF token that FlaskForm adds."""

    username = StringField("昵称 Name", [InputRequired("Enter a name."), Length(max=names.LENGTH)])
    password = PasswordField("密码 Password", [InputRequired("Enter a password."), Length(max=128)])


class Registration(Credentials):
    """The same, with what a new account has to have."""

    def validate_username(self, field: StringField) -> None:
        """Refuse names that cannot be told apart from the server's, or from a sentence of B4."""
        if problem := names.problem(field.data, RESERVED):
            raise ValidationError(problem)
        if ":" in names.key(field.data):
            raise ValidationError("A name cannot have a colon.")  # 来自韩雪:你好

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
    @limiter.limit("60 per minute", methods=["POST"])  # a class behind one address
    def register() -> str | Response | tuple[str, int]:
        """Make an account, then go on to the log-in."""
        form = Registration(request.form)
        if not form.validate_on_submit():
            return _page("register.html", form)
        name = form.username.data
        with in_turn((Rank.REGISTER, place(request.remote_addr))):
            kept = hashed(form.password.data)
        try:
            # Two unique keys decide who was first: the name, and what names that look alike share.
            db.insert(
                "insert into userinfo(name, name_key, password) values(%s, %s, %s)",
                (name, names.key(name), kept),
            )
        except pymysql.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            form.username.errors = ["This name is taken, or looks like one that is."]
            return _page("register.html", form)
        log("register", name=name)
        flash("Your account is there: log in.")
        return redirect("login")

    @feature.route("/login", methods=["GET", "POST"])
    @limiter.limit("300 per minute", key_func=sender_slot, methods=["POST"])
    def login() -> str | Response | tuple[str, int]:
        """Begin a session if name and password are right."""
        form = Credentials(request.form)
        if not form.validate_on_submit():
            return _page("login.html", form)
        try:
            user = _check(db, form.username.data, form.password.data)
        except WrongPassword:
            form.password.errors = ["The name or the password is wrong."]
            return _page("login.html", form, 401)
        # A new session: the old one ends, and what somebody planted in it is gone.
        end_session()
        session.update(is_login=True, user_name=user.name, user_id=user.id, login=user.login)
        log("login", name=user.name, peer=request.remote_addr)
        response = redirect("single")
        remember(response, user.name)
        return response

    @feature.post("/logout")
    def logout() -> Response:
        """End this session, in every place it was copied to, and its open sockets."""
        end_session()
        return redirect("login")

    def end_session() -> None:
        user = who()
        if user:
            try:
                db.update(
                    "update logins set ended_at = utc_timestamp(3) where token = %s", (user.login,)
                )
            finally:
                board.close_login(user.login)
        session.clear()  # not before: who hears that the database is away, can log out again

    return feature


def _check(db: MysqlHelp, name: str, password: str) -> User:
    """Return the user, with a new row in `logins`.

    Raises:
        WrongPassword: name or password are wrong.
        TooManyRequests: there have been too many wrong ones.
    """
    found = find_user(db, name)
    # Counted in its turn only. A class that logs in at once is not taken for somebody who guesses.
    with in_turn(line()), attempt(name):
        if not fits(password, found["password"] if found else None) or not found:
            raise WrongPassword
    # No number: after a reset of the tables numbers come again, and old cookies with them.
    token = secrets.token_hex(16)
    db.insert("insert into logins(token, user_id) values(%s, %s)", (token, found["id"]))
    return User(found["id"], found["name"], token)


def who() -> User | None:
    """Return the user in the cookie; its signature shows that this server wrote it."""
    if not session.get("is_login"):
        return None
    return User(session["user_id"], session["user_name"], session["login"])


def logged_in(db: MysqlHelp) -> User | None:
    """Return the user who is logged in; None if the log-in has ended or is older than LIFE."""
    user = who()
    if user and db.selectone(
        f"select id from logins where token = %s and user_id = %s and {_HOLDS}",
        (str(user.login), user.id),
    ):
        return user
    return None


def has_ended(db: MysqlHelp, login: str) -> bool:
    """Say whether a log-in has ended or is older than LIFE; this needs no request.

    Raises:
        pymysql.MySQLError, PoolTimeout: the database is away.
    """
    return not db.selectone(f"select id from logins where token = %s and {_HOLDS}", (login,))


def close_ended(db: MysqlHelp, board: Switchboard) -> None:
    """Close sockets of log-ins that have ended, or are of tables that are no more.

    Word from another process may have been lost, and nobody says that the tables were made anew.

    Raises:
        pymysql.MySQLError, PoolTimeout: the database is away.
    """
    logins = board.logins_here()
    if logins:
        holding = f"from logins where token in ({', '.join(['%s'] * len(logins))}) and {_HOLDS}"
        (count,) = db.selectall(f"select count(*) n {holding}", list(logins))
        if count["n"] < len(logins):
            rows = db.selectall(f"select token {holding}", list(logins))
            for login in logins - {row["token"] for row in rows}:
                board.close_login(login)


def first_login(db: MysqlHelp) -> str:
    """Return the token of the first log-in: when it is another one, the tables are others.

    Raises:
        pymysql.MySQLError, PoolTimeout: the database is away.
    """
    found = db.selectone("select token from logins order by id limit 1")
    return found["token"] if found else ""


def required(db: MysqlHelp) -> User:
    """Return who is logged in. Anybody else is sent to the log-in page, a script gets a 401."""
    user = logged_in(db)
    if user:
        return user
    if wants_page() and request.method == "GET":
        abort(redirect("login"))
    abort(401)


def _page(
    template: str, form: FlaskForm, status: int | None = None
) -> str | Response | tuple[str, int]:
    if status is None:
        status = 422 if form.errors else 200
    return render_template(template, form=form), status
