"""B3: stop a stranger who guesses passwords, and still let the user log in.

Wrong passwords are counted in four ways. A stranger's wrong password counts for the name, for the
stranger's address, and for both together. A browser in which this user has logged in before has a
count of its own. So the guesses of strangers do not keep this browser out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex

from flask import current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from limits import RateLimitItem, parse
from limits.errors import StorageError
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from demos.group_chat.rules.quotas import place
from demos.instruments.logs import log
from demos.private_chat.web.app import address_slot, keyed_hash, limiter, slot
from demos.private_chat.web.hashing import Line, Rank

# Wrong passwords: of one browser for a name that it knows; of strangers for a name from one
# address, for a name from all addresses, and from one address for all names. While one stranger
# guesses from one address, a user elsewhere may still mistype the password.
KNOWN, PAIR = parse("5 per minute"), parse("4 per minute")
NAME, ADDRESS = parse("8 per minute"), parse("20 per minute")

COOKIE = "known_browser"
LIFE = timedelta(days=180)  # since the last log-in
NAMES = 10  # users whom a browser knows, such as a classroom's; those who came last


class WrongPassword(Exception):
    """There is no such user, or this is not the password; it does not say which."""


@dataclass(frozen=True)
class Browser:
    """A browser in which somebody has logged in: a random name, and marks of its users' names."""

    token: str
    users: tuple[str, ...]

    def knows(self, name: str) -> bool:
        """Say whether this user has logged in here."""
        return _mark(name) in self.users


@contextmanager
def attempt(name: str) -> Iterator[None]:
    """Count an attempt to log in: while it is made, and for a minute if the password is wrong.

    Counted before the password is checked, or a hundred at once would all be the first. Nothing in
    the block waits for the database or for other people: the minute might end meanwhile, and what
    is given back then would be one guess more in the next one.

    Raises:
        TooManyRequests: there have been too many wrong ones.
        StorageError: Redis does not answer.
    """
    counts, taken, wrong = limiter.limiter, [], False
    try:
        for limit, count in _limits(name):
            taken.append((limit, count))
            if not counts.hit(limit, count):
                log("login_refused", name=name, peer=request.remote_addr)
                raise TooManyRequests
        yield
    except WrongPassword:
        log("login_failed", name=name, peer=request.remote_addr)
        wrong = True
        raise
    except StorageError:
        # Counted here from now on. Those behind in the line must not wait for Redis one by one.
        limiter._storage_dead = True
        taken.clear()
        raise
    finally:
        for limit, count in taken if not wrong else ():
            counts.hit(limit, count, cost=-1)


def _limits(name: str) -> list[tuple[RateLimitItem, str]]:
    """Return the limits that a try counts for; the first full one refuses it."""
    browser, address = this_browser(), place(request.remote_addr)
    if browser and browser.knows(name):
        return [(KNOWN, slot("browser", browser.token, name))]
    return [
        (ADDRESS, slot("guesser", address)),
        (PAIR, slot("pair", address, name)),
        (NAME, slot("name", name)),
    ]


def remember(response: Response, name: str) -> None:
    """Let the browser know, for a long time, that this user has logged in there."""
    browser = this_browser() or Browser(token_hex(16), ())
    mark = _mark(name)
    users = [*(one for one in browser.users if one != mark), mark][-NAMES:]
    response.set_cookie(
        COOKIE,
        _signer().dumps([browser.token, *users]),
        max_age=LIFE,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def is_known() -> bool:
    """Say whether the user whom the form names has logged in with this browser before."""
    browser = this_browser()
    return browser is not None and browser.knows(request.form.get("username", ""))


def sender_slot() -> str:
    """Return the name of the count for forms: a known user's are not counted with strangers'."""
    return slot("known", request.form["username"]) if is_known() else address_slot()


def line() -> Line:
    """Return who waits for whom: those who are known do not wait for strangers."""
    return Rank.KNOWN if is_known() else Rank.LOG_IN, place(request.remote_addr)


def this_browser() -> Browser | None:
    """Return the browser that asks, if somebody has logged in there; nobody else can sign that."""
    try:
        token, *users = _signer().loads(
            request.cookies.get(COOKIE, ""), max_age=int(LIFE.total_seconds())
        )
    except BadData:
        return None
    return Browser(token, tuple(users))


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=COOKIE)


def _mark(name: str) -> str:
    """Return what stands for a name in the cookie: whoever reads it learns no names."""
    return keyed_hash("user", name).hex()
