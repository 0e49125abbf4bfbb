"""People who use the messenger: a browser's cookies without the browser, and pages without a screen.

    ann, bob = newcomer(server), newcomer(server)      # users of this test's own, logged in
    befriend(ann, bob)
    page = ann.page()                                  # a socket in the rich format
    sent = page.say(bob, "你好")                       # waits until it is acknowledged
    assert bob.page().message()["id"] == sent["id"]
    assert ann.page(rich=False)                        # one that knows only the source's format

`Person` sends forms with the token of the page before, as a browser does. Each comes from an address of its own, for
servers that run with `--proxies 1`: one test's wrong passwords do not count for another's.
"""

import itertools
import json
import re
import secrets
import time
from functools import cached_property
from http.cookies import SimpleCookie
from types import SimpleNamespace
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from werkzeug.security import generate_password_hash

from demos.group_chat.rules import names
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.settings import load

PASSWORD = "let-me-learn"  # of the users in the seed, and of newcomers
PATIENCE = 20.0  # seconds; nothing here takes long, unless something is wrong
RICH = "im.v1"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = {"Accept": "application/json"}

_CHEAP = generate_password_hash(PASSWORD, "scrypt:256:8:1")  # checked in no time
_numbers = itertools.count(1)


def ask(sql, *param):
    """Run one statement on the test's database; return its rows as dicts."""
    return MysqlHelp(load()).selectall(sql, param)


def storing_waits_for_users():
    """Say whether a message cannot be stored while `userinfo` is locked: MySQL looks at both users, MariaDB at rows."""
    return "MariaDB" not in ask("select version() v")[0]["v"]


def new_name(word="Ann"):
    """Return a name that nobody has."""
    return f"{word}-{secrets.token_hex(3)}-{next(_numbers)}"


class Person:
    """Somebody at a browser of their own: cookies, and the last page's token.

    `cookies` is {name: value}, `token` the CSRF token of the last page that had one.
    """

    def __init__(self, server, name="", password=PASSWORD):
        self.server, self.name, self.password = server, name, password
        self.cookies, self.token = {}, ""
        self.address = f"10.{'.'.join(map(str, next(_numbers).to_bytes(3, 'big')))}"

    def get(self, path, **headers):
        """Ask for a page; `headers` as in `Server.get`."""
        return self._request("GET", path, None, {**BROWSER, **headers})

    def fetch(self, path, content=None, **headers):
        """Ask as a script does: GET, or POST of JSON with the token; returns status, headers, body and `json`."""
        if content is None:
            return self._request("GET", path, None, {**SCRIPT, **headers})
        more = {"Content-Type": "application/json", "X-CSRFToken": self.token}
        return self._request("POST", path, json.dumps(content), {**SCRIPT, **more, **headers})

    def send_json(self, path, text):
        """POST this text as JSON, whatever it is, with the token."""
        more = {"Content-Type": "application/json", "X-CSRFToken": self.token}
        return self._request("POST", path, text, {**SCRIPT, **more})

    def post(self, path, headers=None, **fields):
        """Send a form with the last page's token; `csrf_token=None` leaves it out."""
        fields = {"csrf_token": self.token, **fields}
        body = urlencode({name: value for name, value in fields.items() if value is not None})
        more = {"Content-Type": "application/x-www-form-urlencoded", **BROWSER, **(headers or {})}
        return self._request("POST", path, body, more)

    def try_to_log_in(self, name=None, password=None, **headers):
        """Look at the form and send it; return the answer."""
        self.get("/login")
        name = self.name if name is None else name
        password = self.password if password is None else password
        return self.post("/login", headers, username=name, password=password)

    def log_in(self):
        """Log in; then take the token of the page that it leads to. Returns this person.

        Behind a proxy from an address of its own: on a quick machine a file's wrong guesses fill the limit of one.
        """
        octets = (str(number) for number in secrets.token_bytes(3))
        answer = self.try_to_log_in(**{"X-Forwarded-For": ".".join(["10", *octets])})
        assert (answer.status, answer.headers["Location"]) == (302, "single"), answer
        assert self.get("/single").status == 200
        return self

    def log_out(self):
        """Press the button."""
        answer = self.post("/logout")
        assert (answer.status, answer.headers["Location"]) == (302, "login"), answer

    def register(self, **fields):
        """Look at the form and send it; return the answer."""
        self.get("/register")
        return self.post(
            "/register", **{"username": self.name, "password": self.password, **fields}
        )

    def page(self, rich=True, since="", **options):
        """Open the socket of one page and read its welcome."""
        page = Page(self, rich, since, **options)
        if rich:
            page.welcome = page.next("welcome")
        else:
            assert page.socket.ping().wait(PATIENCE)
        return page

    def move(self, what, other):
        """Make a move towards another user; return the status."""
        path = "/add_friends" if what == "ask" else f"/friends/{what}"
        return self.fetch(path, {"name": getattr(other, "name", other)}).status

    def friends(self):
        """Return the list that the page fetches, by name."""
        answer = self.fetch("/friends")
        assert answer.status == 200, answer
        return {friend["name"]: friend for friend in answer.json["friends"]}

    @cached_property
    def id(self):
        """This user's row in `userinfo`."""
        return ask("select id from userinfo where name = %s", self.name)[0]["id"]

    @property
    def cookie(self):
        """The header that carries the cookies."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def twin(self):
        """Somebody who has copied all cookies of this browser."""
        other = Person(self.server, self.name, self.password)
        other.cookies, other.token = dict(self.cookies), self.token
        return other

    def _request(self, method, path, body, headers):
        headers = {"X-Forwarded-For": self.address, **headers}
        headers |= {"Cookie": self.cookie} if self.cookies else {}
        answer = self.server.get(path, method, body, **headers)
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or not morsel.value:
                    del self.cookies[name]
        found = re.search(r'name="?csrf[_-]token"?[^>]*?(?:value|content)="([^"]+)"', answer.body)
        self.token = found[1] if found else self.token
        is_json = answer.headers.get_content_type() == "application/json"
        content = json.loads(answer.body) if is_json else None
        return SimpleNamespace(**vars(answer), json=content)


class Page:
    """One socket of somebody who is logged in. `frames` is all that came."""

    def __init__(self, person, rich=True, since="", **options):
        headers = {"X-Forwarded-For": person.address}
        headers |= {"Cookie": person.cookie} if person.cookies else {}
        path = f"single_ws?since={since}" if since else "single_ws"
        protocols = {"subprotocols": [RICH]} if rich else {}
        self.person, self.frames, self.welcome, self._had = person, [], {}, set()
        self.socket = person.server.ws(path, additional_headers=headers, **protocols, **options)

    def next(self, *types, seconds=PATIENCE):
        """Return the next frame of these types; others are read over. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            frame = json.loads(self.socket.recv(max(0, deadline - time.monotonic())))
            self.frames.append(frame)
            if frame["type"] in types:
                return frame

    def message(self, **options):
        """Return the next message that this page has not had yet: one it has not confirmed can come again."""
        while True:
            frame = self.next("message", **options)
            if frame["id"] is None or frame["id"] not in self._had:
                self._had.add(frame["id"])
                return frame

    def text(self):
        """Return the next text of the source's format."""
        return self.socket.recv(PATIENCE)

    def send(self, frame):
        """Send a frame: an object, or text and bytes as they are."""
        self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def say(self, to, msg, client_id=""):
        """Write to a user and return what the server makes of it: a message, or an error."""
        client_id = client_id or f"c{next(_numbers)}"
        self.send({"to": getattr(to, "name", to), "msg": msg, "client_id": client_id})
        while (frame := self.next("message", "error")).get("client_id") != client_id:
            pass
        return frame

    def is_open(self):
        """Say whether the server still answers here."""
        try:
            answered = self.socket.ping(ack_on_close=True).wait(PATIENCE)
        except ConnectionClosed:
            return False
        return answered and self.socket.state is State.OPEN

    def heard(self):
        """Return what came until now, by type, without waiting for more than the answer to a ping."""
        assert self.is_open()
        while True:
            try:
                self.frames.append(json.loads(self.socket.recv(timeout=0)))
            except TimeoutError:
                return [frame["type"] for frame in self.frames]

    def ended(self):
        """Read to the end; return the close code and the reason. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                self.socket.recv(max(0, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    def close(self):
        """Leave."""
        self.socket.close()


def newcomer(server, name="", word="Ann"):
    """Make a user, and log in."""
    return enrolled(server, name, word).log_in()


def enrolled(server, name="", word="Ann"):
    """Make a user, whose password takes no time to check."""
    person = Person(server, name or new_name(word))
    ask(
        "insert into userinfo(name, name_key, password) values(%s, %s, %s)",
        person.name,
        names.key(person.name),
        _CHEAP,
    )
    return person


def befriend(one, *others):
    """Make friends."""
    for other in others:
        low, high = sorted([one.id, other.id])
        ask(
            "insert into friendships(low_id, high_id, state, actor_id)"
            " values(%s, %s, 'accepted', %s)",
            low,
            high,
            low,
        )


def stranger(server):
    """Somebody who has a browser, and is nobody yet."""
    return Person(server, new_name("nobody"))
