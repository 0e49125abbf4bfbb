"""Lesson 11: close codes, a process that hangs, a proxy's headers, a count for all processes."""

import random
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import redis
from websockets.exceptions import WebSocketException

from course.demo import Demo, private_redis
from course.exercise import exercise, expect, not_counted
from course.messenger_client import Visitor
from lessons.authors.checks.running import halted, kept, log_in, running
from lessons.authors.checks.scene import scene

TABLES = ("messages", "friendships", "logins", "userinfo")
PATIENCE = 20.0  # seconds for a close code to arrive
QUESTIONS = 3  # of a second each, one after the other; yours has to give up before they have
LOCKED = 2.0  # seconds; no attempt takes so long, unless it waits for the other one
BROKEN = 1006  # what a browser calls a connection that ended without a close frame


def _code(demo: Demo, name: str, act: Callable[[Any], object] = lambda _: None) -> int:
    """Open a socket, do something, and return the code with which it is closed."""
    with suppress(WebSocketException), demo.ws(name, subprotocols=["room.v1"]) as page:
        page.recv(PATIENCE)  # the welcome, or the refusal
        act(page)
        while True:
            page.recv(PATIENCE)
    closed = page.protocol.close_rcvd
    return closed.code if closed else BROKEN


@cache
def _seen_codes() -> dict[str, int]:
    """Let a room close sockets for different reasons; return the codes by reason.

    No answer of a student's changes them, so a kernel looks once.
    """
    with running("group_chat.chat") as room, running("group_chat.chat") as other:
        with room.ws("韩雪", subprotocols=["room.v1"]) as first:
            first.recv(PATIENCE)
            codes = {
                "a nickname that is in use": _code(room, "韩雪"),
                "a nickname that is not allowed": _code(room, "<" * 99),
            }
        codes["a page that has left"] = _code(room, "唐嫣", lambda page: page.close(1000))
        codes["a process that was stopped in order"] = _code(room, "唐嫣", lambda _: room.stop())
        codes["a process that was killed"] = _code(other, "唐嫣", lambda _: other.kill())
        return codes


STAY_AWAY = {
    "a nickname that is in use",
    "a nickname that is not allowed",
    "a page that has left",
    "the same page came back elsewhere",
    "a log-out of its user",
}
# As docs/wire-formats.md and RFC 6455, 7.4.1, have them.
MORE_CODES = {
    "a server that goes away": 1001,
    "too much for too long": 1008,
    "a fault in the server": 1011,
    "the same page came back elsewhere": 4001,
    "a log-out of its user": 4401,
}


@exercise(
    "11.2",
    hints=(
        ("docs/wire-formats.md has a table of close codes. Which of them get better by waiting?"),
        (
            "Come back after a fault of the network or of a server. Stay away when the page "
            "itself was meant: it has left, it is refused, or it is here a second time."
        ),
        "Stay away after 1000, 4001, 4400, 4401 and 4409; come back after all others.",
    ),
    why="A page that always comes back floods the room. One that never does is lost at a restart.",
    wrong={
        "return True": "a nickname that is in use (4409)",
        "return code < 4000": "a page that has left (1000)",
        "return code == 1006": "stopped in order (1012)",
        "return code not in (1000, 1001, 4001, 4400, 4401, 4409)": "goes away (1001)",
        "return code not in (1000, 4400, 4401, 4409)": "elsewhere (4001)",
        "return code in (1001, 1006, 1012)": "too long (1008)",
        "return 1 if code not in (1000, 4001, 4400, 4401, 4409) else 0": "returned 0",
        "return False": "stopped in order (1012)",
        "return code > 1000 and code not in (4001, 4400, 4409)": "a log-out of its user (4401)",
        "return code in (1001, 1006, 1008, 1011, 1012)": "another server, with its own code (1013)",
        "return code in (1001, 1002, 1006, 1007, 1008, 1009, 1011, 1012, 1013)": "its own code (3",
    },
    also_right=(
        "return 1000 < code < 4000 and code not in (1002, 1007, 1009)",
        "stays = {1000, 1002, 1007, 1009, *range(4000, 5000)}\nreturn code not in stays",
    ),
)
def check_comes_back(comes_back: Callable[[int], bool]) -> None:
    """Provoke five ends; ask for each code that came, for more of the table, and for others."""
    with not_counted():
        codes = [*_seen_codes().items(), *MORE_CODES.items()]
    unknown = (1013, random.randrange(3000, 3500), random.randrange(3500, 4000))
    for reason, code in [*codes, *(("another server, with its own code", one) for one in unknown)]:
        wanted = reason not in STAY_AWAY
        found = comes_back(code)
        expect(
            found is wanted,
            f"after {reason} ({code}) a page should {'come back' if wanted else 'stay away'}, your "
            f"function returned {found!r}",
        )


@exercise(
    "11.3",
    hints=(
        "What does your function do while a process takes the question and never answers?",
        (
            "Give `urlopen` a `timeout`. Then there are three kinds of no: an error, an answer "
            "that is too late, and a number that is not 200."
        ),
        (
            "`urllib.request.urlopen(url, timeout=1)` in a `try`, and `return answer.status == "
            "200`. `URLError`, `HTTPError` and `TimeoutError` are all `OSError`."
        ),
    ),
    why="A process that hangs still accepts connections, so the question needs a time limit.",
    wrong={
        """
        with urllib.request.urlopen(address + "/healthz", timeout=1) as answer:
            return answer.status == 200
        """: "your code raised",
        """
        try:
            urllib.request.urlopen(address + "/healthz", timeout=1)
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        """: "has no /healthz",
        """
        try:
            with urllib.request.urlopen(address + "/healthz", timeout=30) as answer:
                return answer.status == 200
        except OSError:
            return False
        """: "still waits for its answer",
        """
        try:
            with urllib.request.urlopen(address + "/healthz", timeout=1):
                return True
        except OSError:
            return False
        """: "answers with 204",
        """
        try:
            with urllib.request.urlopen(address + "/healthz", timeout=1) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False
        except OSError:
            return True
        """: "that hangs your function says True",
        """
        try:
            with urllib.request.urlopen(address, timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False
        """: "has no /healthz",
        "return False": "that works well your function says False",
        """
        try:
            with urllib.request.urlopen(address + "/healthz", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.HTTPError, TimeoutError):
            return False
        """: "your code raised URLError",
    },
    also_right=(
        """
        request = urllib.request.Request(f"{address}/healthz")
        try:
            status = urllib.request.urlopen(request, timeout=0.9).getcode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
        else:
            return status == 200
        """,
    ),
)
def check_is_well(is_well: Callable[[str], bool]) -> None:
    """Ask about a process that works, and about some that do not, each in its own way."""
    working, without = kept("group_chat.chat"), kept("group_chat.step1_echo")
    _ask(is_well, working.url, "works well", well=True)
    _ask(is_well, without.url, "has no /healthz", well=False)
    with _answering() as address:
        _ask(is_well, f"{address}/200", "answers with 200", well=True)
        for status in (204, 404, 500, 503):
            _ask(is_well, f"{address}/{status}", f"answers with {status}", well=False)
    with halted(working):
        _ask_one_that_hangs(is_well, working.url)
    with socket.socket() as gone:  # nobody listens at its port, and nobody else can begin to
        gone.bind(("127.0.0.1", 0))
        _ask(is_well, f"http://127.0.0.1:{gone.getsockname()[1]}", "is gone", well=False)


class _Status(BaseHTTPRequestHandler):
    """Answers /503/healthz with 503, and so on."""

    def do_GET(self) -> None:
        """Answer."""
        number, _, rest = self.path.removeprefix("/").partition("/")
        self.send_response(int(number) if rest == "healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _answering() -> Iterator[str]:
    """Run a server that answers with the number in the path; give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _ask(is_well: Callable[[str], bool], address: str, what: str, well: bool) -> None:
    """Ask for one process; one that works may be late now and then, on a busy machine."""
    says = is_well(address)
    for _ in range(2):
        if well and says is False:
            says = is_well(address)
    expect(says is well, f"of a process that {what} your function says {says!r}, expected {well}")


def _ask_one_that_hangs(is_well: Callable[[str], bool], address: str) -> None:
    """Ask for a process that hangs, and let it wait less than a few questions that give up."""
    found: list[Any] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            found.append(is_well(address))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    asked = 0
    while thread.is_alive() and asked < QUESTIONS:
        with suppress(OSError):
            urllib.request.urlopen(f"{address}/healthz", timeout=1)
        asked += 1
    if errors:
        raise errors[0]
    expect(
        found,
        f"{QUESTIONS} questions to a process that hangs, each with a second to wait, have given up "
        "one after the other, and your function still waits for its answer",
    )
    expect(
        found[0] is False,
        f"of a process that hangs your function says {found[0]!r}, expected False",
    )


@exercise(
    "11.4",
    hints=(
        (
            "Two headers decide. Which one names the site, as `Origin` does? By which one does "
            "the process count attempts?"
        ),
        (
            "Copy all headers of the visitor, also `Host`. Then put the address into the header "
            "in which a proxy says for whom it asks."
        ),
        (
            '`{**headers, "X-Forwarded-For": address}`: what stands last in a dict wins over '
            "what the visitor wrote."
        ),
    ),
    why="The process believes its proxy, so a proxy must not pass on what a visitor made up.",
    wrong={
        "return dict(headers)": "made up another address",
        'return {**headers, "X-Forwarded-For": "127.0.0.1"}': "somebody else",
        """
        return {**headers, "Host": "messenger", "X-Forwarded-For": address}
        """: "421",
        """
        return {"X-Forwarded-For": address, **headers}
        """: "made up another address",
        """
        passed = {name: headers[name] for name in ("Host", "Origin")}
        return {**passed, "X-Forwarded-For": address}
        """: "the cookie has to pass",
        """
        kept = ("Host", "Origin", "Cookie")
        passed = {name: value for name, value in headers.items() if name in kept}
        return {**passed, "X-Forwarded-For": address}
        """: "Accept-Language should stay",
        'return {**headers, "X-Real-IP": address}': "was not stopped",
    },
    also_right=(
        """
        passed = dict(headers)
        before = passed.get("X-Forwarded-For")
        passed["X-Forwarded-For"] = f"{before}, {address}" if before else address
        return passed
        """,
    ),
)
def check_pass_on(pass_on: Callable[[Mapping[str, str], str], Mapping[str, str]]) -> None:
    """Stand between visitors and a messenger that trusts one proxy, with the student's headers."""
    site = {"Host": "chat.example.org", "Origin": "https://chat.example.org"}
    step = "private_chat.step6_several_processes"
    with scene(*TABLES), running(step, "--proxies", "1", "--origin", site["Origin"]) as demo:
        handshake = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        passed = {**pass_on({**site, "X-Forwarded-For": "made up"}, "203.0.113.7"), **handshake}
        status = demo.get("/single_ws", **passed).status
        expect(status == 101, f"expected 101 for a socket of the site's own page, it got {status}")
        _expect_logged_in(pass_on, demo, site)

        eve = Visitor(demo)
        eve.get("register")
        for attempt in range(61):
            made_up = {**site, "X-Forwarded-For": f"198.51.100.{attempt}"}
            answer = eve.post("register", headers=dict(pass_on(made_up, "203.0.113.7")))
        expect(
            answer.status == 429,
            "one visitor, who made up another address each time, sent 61 forms within a minute and "
            f"was not stopped: the last answer was {answer.status}, expected 429",
        )
        answer = eve.post("register", headers=dict(pass_on(site, "203.0.113.8")))
        expect(
            answer.status != 429,
            "one visitor sent too many forms, and somebody else was stopped too",
        )


def _expect_logged_in(
    pass_on: Callable[[Mapping[str, str], str], Mapping[str, str]],
    demo: Demo,
    site: Mapping[str, str],
) -> None:
    """Expect that the cookie of somebody who is logged in passes, and a header of any name."""
    for user in ("韩雪", "舒畅"):
        cookies = log_in(demo, user).cookies
        sent = {
            **site,
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "Accept-Language": "zh-CN",
        }
        passed = dict(pass_on(sent, "203.0.113.7"))
        status = demo.get("/single", **passed).status
        expect(
            status == 200,
            f"{user} is logged in, and her page is answered {status} through your proxy, expected "
            "200: the cookie has to pass",
        )
        changed = [name for name, value in sent.items() if passed.get(name) != value]
        expect(not changed, f"{', '.join(changed)} should stay as the visitor sent it")


class Crowded:
    """A client of Redis: right after its first command another process makes an attempt."""

    def __init__(self, client: Any, attempt: Callable[[], bool]) -> None:  # noqa: ANN401
        """Speak through this client; `attempt` is that of the other process."""
        self._client, self._attempt = client, attempt
        self._first = True
        self.allowed = 0  # of the attempts of the other process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a command of the client, behind the first use of which somebody else comes."""

        def command(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            answer = getattr(self._client, name)(*arguments, **options)
            if self._first:
                self._first = False
                self._let_the_other_try()
            return answer

        return command

    def _let_the_other_try(self) -> None:
        """Let the other process make its whole attempt. Raises its error."""
        found: list[bool] = []
        errors: list[BaseException] = []

        def other() -> None:
            try:
                found.append(self._attempt())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        thread.join(LOCKED)
        if errors:
            raise errors[0]
        expect(
            found,
            "the attempt of another process waits for yours: is there a lock? A lock of Python "
            "works in one process only, and the other would not have waited",
        )
        self.allowed += found[0] is True


@exercise(
    "11.1",
    hints=(
        (
            "Between a `get` and a `set` another process can do the same, and one attempt is "
            "lost. Which one command counts and returns the count?"
        ),
        (
            "`incr` counts in one step. Then let the key end a minute from now, at each "
            "attempt. A lock of this process does not stop the other one."
        ),
        (
            "`count = shared.incr(key)`, then `shared.expire(key, 60)`, then `return count <= "
            "5`. The name belongs into the key."
        ),
    ),
    why="When processes count together, each count has to be one step, and has to end some day.",
    wrong={
        """
        count = int(shared.get(f"attempts:{name}") or 0) + 1
        shared.set(f"attempts:{name}", count, ex=60)
        return count <= 5
        """: "two at a time meet",
        """
        return shared.incr(f"attempts:{name}") <= 5
        """: "never ends",
        """
        key = f"attempts:{name}"
        count = shared.incr(key)
        shared.expire(key, 3600)
        return count <= 5
        """: "3600",
        """
        count = shared.incr("attempts")
        shared.expire("attempts", 60)
        return count <= 5
        """: "somebody else",
        """
        import threading
        lock = globals().setdefault("LOCK", threading.Lock())
        with lock:
            count = int(shared.get(f"attempts:{name}") or 0) + 1
            shared.set(f"attempts:{name}", count, ex=60)
        return count <= 5
        """: "A lock of Python",
        """
        counts = globals().setdefault("COUNTS", {})
        counts[name] = counts.get(name, 0) + 1
        return counts[name] <= 5
        """: "nothing is counted in Redis",
        """
        counts = globals().setdefault("COUNTS_TOO", {})
        count = counts[name] = counts.get(name, 0) + 1
        shared.set(f"attempts:{name}", count, ex=60)
        return count <= 5
        """: "outside of Redis",
        """
        key = f"attempts:{name}"
        count = shared.incr(key)
        if count == 1:
            shared.expire(key, 60)
        return count <= 5
        """: "lives for 30 s more",
        """
        key = f"attempts:{name}"
        count = shared.incr(key)
        shared.expire(key, 60)
        return count <= 6
        """: "expected 5 allowed, 6 were",
        """
        key = f"attempts:{name[0]}"
        count = shared.incr(key)
        shared.expire(key, 60)
        return count <= 5
        """: "somebody else was stopped",
        """
        key = f"attempts:{name}"
        count = shared.incr(key)
        shared.expire(key, 60)
        return max(0, 6 - count)
        """: "expected True or False",
    },
    also_right=(
        """
        key = "log-in " + name
        shared.set(key, 0, nx=True)
        so_far = int(shared.incr(key))
        shared.expire(key, 60)
        return not so_far > 5
        """,
    ),
)
def check_may_try(may_try: Callable[[Any, str], bool]) -> None:
    """Let two processes count in turns, look at what stays in Redis, and let a minute go by."""
    client = redis.Redis.from_url(_redis_url(), decode_responses=True)
    with client:
        client.flushdb()
        _expect_five(may_try, client, "韩雪")
        for name in ("舒畅", "韩"):
            expect(
                may_try(client, name), "after 12 attempts for one name, somebody else was stopped"
            )
        keys = client.keys()
        expect(keys, "nothing is counted in Redis, so another process would begin again")
        for key in keys:
            expect(
                client.ttl(key) >= 0,
                f"the key {key!r} has no time to live: the lock-out never ends",
            )
            client.expire(key, 30)  # as if half a minute had gone by
        for name in ("韩雪", "韩", "舒畅"):
            may_try(client, name)
        for key in client.scan_iter():
            seconds = client.ttl(key)
            expect(
                55 <= seconds <= 60,
                f"right after an attempt the key {key!r} lives for {seconds} s more, expected a "
                "minute",
            )
        client.flushdb()  # as if a minute had gone by
        expect(
            may_try(client, "韩雪") is True,
            "all keys have ended, and the first attempt after that is refused: something is "
            "counted outside of Redis",
        )
        client.flushdb()


def _redis_url() -> str:
    with not_counted():
        return private_redis().url


def _expect_five(may_try: Callable[[Any, str], bool], client: Any, name: str) -> None:  # noqa: ANN401
    """Make twelve attempts, of which every second comes in the middle of the one before."""
    allowed = 0
    for _ in range(6):
        crowded = Crowded(client, lambda: may_try(client, name))
        found = may_try(crowded, name)
        expect(isinstance(found, bool), f"expected True or False, your function returned {found!r}")
        allowed += found + crowded.allowed
    expect(
        allowed == 5,
        "12 attempts for one name, of which two at a time meet: expected 5 allowed, "
        f"{allowed} were",
    )
    expect(
        may_try(client, name) is False, "after 12 attempts within a minute another one is allowed"
    )
