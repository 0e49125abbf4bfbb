"""A11, B4: the faults of the source's private chats (W4 to W14), each provoked by its clients.

A function takes the address of a server, connects a few clients, and returns the result. It
does not know whose server that is: step5b_what_breaks.py and the tests play it against the source's
code and against ours. What they share with the group chat is in group_chat/clients/faults.py.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.cookiejar import CookieJar
from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pymysql
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from demos.group_chat.clients.faults import PATIENCE, Fault, Seen, clients, is_alive, unread
from demos.pool_demo.settings import connect_args

PASSWORD = "let-me-learn"  # of the users in sql/seed.sql
ANN, BOB, EVE = "韩雪", "舒畅", "唐嫣"
STALLED = 2.0  # seconds without an answer, after which we say that the server waits
WAITING = """select count(*) from information_schema.processlist where db = database()
    and info like '%%userinfo%%' and state like 'Waiting for table metadata lock%%'"""


class Browser:
    """A browser without a screen: it keeps cookies, and sends a form with the token on its page."""

    def __init__(self, url: str) -> None:
        """Open it; `url` is the server's address without a path."""
        self.url = url
        self._jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self._jar))

    def log_in(self, name: str) -> "Browser":
        """Log in, follow to the page that it leads to, and return this browser."""
        address = f"{self.url}/login"
        with self._opener.open(address, timeout=PATIENCE) as answer:
            found = re.search(r'name="?csrf_token"?[^>]*value="([^"]+)"', answer.read().decode())
        token = found[1] if found else ""
        body = urlencode({"username": name, "password": PASSWORD, "csrf_token": token}).encode()
        self._opener.open(address, body, timeout=PATIENCE).close()
        return self

    def connect(self, origin: Origin | None = None) -> ClientConnection:
        """Open the socket of B4; it comes with the cookies, whatever page asks for it."""
        return connect(
            self.url.replace("http", "ws", 1) + "/single_ws",
            additional_headers={
                "Cookie": "; ".join(f"{one.name}={one.value}" for one in self._jar)
            },
            proxy=None,
            origin=origin,
        )


@contextmanager
def sessions(url: str, *names: str) -> Iterator[list[ClientConnection]]:
    """Log these users in and open a socket for each; close them at the end."""
    with ExitStack() as stack:
        sockets = [Browser(url).log_in(name).connect() for name in names]
        for socket in sockets:
            stack.enter_context(socket)
            is_alive(socket)
        yield sockets


def say(client: ClientConnection, msg: str, to_user: object) -> None:
    """Send a message in the format of A11."""
    client.send(json.dumps({"msg": msg, "to_user": to_user}))


def write(client: ClientConnection, msg: str, to_friend: object) -> None:
    """Send a message in the format of B4."""
    client.send(json.dumps({"msg": msg, "to_friend": to_friend}))


def hears(client: ClientConnection, msg: str, speaker: ClientConnection) -> bool:
    """Say whether a message has arrived here; others before it are read over.

    When the speaker's ping is answered, the server has done with what the speaker said before.
    """
    is_alive(speaker)
    return any(msg in str(text) for text in unread(client))


def stranger_receives(url: str) -> Seen:
    """W4: a stranger takes a nickname, and gets the messages to its owner."""
    with clients(url, "ann", "ann", "bob") as (ann, stranger, bob):
        is_alive(ann)
        taken_in = is_alive(stranger)
        say(bob, "the password is 1234", "ann")
        gets_it = taken_in and hears(stranger, "1234", bob)
    return Seen(gets_it, "the stranger reads it" if gets_it else "the stranger is refused")


def nobody_there(url: str) -> Seen:
    """W6: a message to a user who is away or has left, or to a list, disconnects its sender."""
    lost = 0
    for to_user in ("nobody", "gone", ["ann", "bob"]):
        with clients(url, "ann", "gone") as (ann, gone):
            gone.close()
            say(ann, "hello?", to_user)
            lost += 0 if is_alive(ann) else 1
    return Seen(lost > 0, f"3 such messages disconnect {lost} senders")


def second_tab(url: str) -> Seen:
    """W4: a second tab hears nothing, and when it closes, the first hears nothing more."""
    with sessions(url, ANN, ANN, BOB) as (first, second, bob):
        write(bob, "to both", [ANN])
        tabs = {"first": first, "second": second}
        hearing = [name for name, tab in tabs.items() if hears(tab, "to both", bob)]
        second.close()
        write(bob, "to the first", [ANN])
        goes_on = hears(first, "to the first", bob)
    return Seen(
        hearing != ["first", "second"] or not goes_on,
        f"{' and '.join(hearing) or 'none'} of two hear; the second closes: the first hears "
        f"{'on' if goes_on else 'nothing more'}",
    )


def text_for_a_list(url: str) -> Seen:
    """W6: after a recipient that is a text and not a list, the sender receives nothing more."""
    with sessions(url, ANN, BOB) as (ann, bob):
        write(ann, "hello", BOB)
        is_alive(ann)
        write(bob, "do you hear me?", [ANN])
        heard = hears(ann, "do you hear me?", bob)
    return Seen(not heard, f"then the sender receives {'messages' if heard else 'nothing more'}")


def foreign_page(url: str) -> Seen:
    """W8: a page of another site opens a socket, and the browser adds the cookie."""
    victim = Browser(url).log_in(ANN)
    try:
        with victim.connect(Origin("https://elsewhere.example")):
            return Seen(True, "it sends as the user")
    except InvalidStatus as refused:
        return Seen(False, f"it gets {refused.response.status_code}")


def deaf_zombie(url: str) -> Seen:
    """W11: after one error, a user can send but receives nothing; the next error disconnects."""
    with sessions(url, ANN, BOB) as (ann, bob):
        ann.send("no JSON")
        is_alive(ann)
        write(ann, "do you hear me?", [BOB])
        speaks = hears(bob, "do you hear me?", ann)
        write(bob, "yes", [ANN])
        heard = hears(ann, "yes", bob)
        ann.send("no JSON")
        stays = is_alive(ann)
    return Seen(
        not heard or not stays,
        f"it {'can' if speaks else 'cannot'} send, "
        f"receives {'messages' if heard else 'nothing more'}, "
        f"and {'stays' if stays else 'is gone at the next'}",
    )


def locked_table(url: str) -> Seen:
    """W12: while one user waits for the database, all others wait, too."""
    with (
        sessions(url, ANN, BOB) as (ann, bob),
        pymysql.connect(**connect_args(autocommit=True)) as keeper,
        keeper.cursor() as lock,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        write(ann, "before", [BOB])
        hears(bob, "before", ann)
        lock.execute("set session lock_wait_timeout = %s", (int(PATIENCE),))
        lock.execute("lock tables userinfo write")
        log_in = elsewhere.submit(Browser(url).log_in, EVE)
        wait_for_a_waiting_query()
        write(ann, "meanwhile", [BOB])
        heard = ann.ping().wait(STALLED) and hears(bob, "meanwhile", ann)
        lock.execute("unlock tables")
        with suppress(HTTPError):  # ours tells who has waited for long to come again
            log_in.result(PATIENCE)
    return Seen(not heard, "messages go on" if heard else "messages wait as well")


def wait_for_a_waiting_query() -> None:
    """Return when a query of userinfo waits for the lock of that table, or after PATIENCE."""
    deadline = monotonic() + PATIENCE
    with pymysql.connect(**connect_args(autocommit=True)) as watcher, watcher.cursor() as cursor:
        while monotonic() < deadline:
            cursor.execute(WAITING)
            (count,) = cursor.fetchone() or (0,)
            if count:
                return
            sleep(0.01)


def no_session(url: str) -> Seen:
    """W14: a client that has not logged in can still send."""
    with sessions(url, BOB) as (bob,), Browser(url).connect() as nobody:
        let_in = is_alive(nobody)
        if let_in:
            write(nobody, "guess who", [BOB])
        heard = let_in and hears(bob, "来自None:guess who", nobody)
    return Seen(heard, "it comes from None" if heard else f"is refused ({nobody.close_code})")


_BY_NAME = ("naive.one_chat", "step1_by_name")
_BY_SESSION = ("naive.single_chat", "step3_messages")
FAULTS = [
    Fault("W4", *_BY_NAME, stranger_receives),
    Fault("W6", *_BY_NAME, nobody_there),
    Fault("W4", *_BY_SESSION, second_tab),
    Fault("W6", *_BY_SESSION, text_for_a_list),
    Fault("W8", *_BY_SESSION, foreign_page),
    Fault("W11", *_BY_SESSION, deaf_zombie),
    Fault("W12", *_BY_SESSION, locked_table),
    Fault("W14", *_BY_SESSION, no_session),
]
