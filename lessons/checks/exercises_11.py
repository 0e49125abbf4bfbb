"""Lesson 11: close codes, a process that hangs, a proxy's headers, a count for all processes."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import redis
from websockets.exceptions import WebSocketException

from course.demo import Demo, private_redis
from course.exercise import exercise, expect
from course.visitor import Visitor
from lessons.checks.running import halted, kept, running
from lessons.checks.scene import at_once, scene

TABLES = ("messages", "friendships", "logins", "userinfo")
PATIENCE = 20.0  # seconds for a close code to arrive
ENOUGH = 4.0  # seconds for an answer about a process; a second is meant, and machines are slow
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
        codes["a server that goes away"] = 1001  # RFC 6455, 7.4.1; ours says 1012
        return codes


STAY_AWAY = {
    "a nickname that is in use",
    "a nickname that is not allowed",
    "a page that has left",
}


@exercise(
    "11.1",
    hints=(
        "docs/wire-formats.md has a table of close codes. Which of them get better by waiting?",
        "Stay away after 1000, 4001, 4400, 4401 and 4409; come back after all others.",
    ),
    why="Who always comes back floods the room, and who never does is lost at each update.",
    wrong={
        "return True": "a nickname that is in use (4409)",
        "return code < 4000": "a page that has left (1000)",
        "return code == 1006": "stopped in order (1012)",
        "return code not in (1000, 1001, 4001, 4400, 4401, 4409)": "goes away (1001)",
    },
)
def check_comes_back(comes_back: Callable[[int], bool]) -> None:
    """Provoke five ends, and ask for each code that came, and for 1001."""
    codes = _seen_codes()
    for reason, code in codes.items():
        wanted = reason not in STAY_AWAY
        found = comes_back(code)
        expect(
            found is wanted,
            f"after {reason} ({code}) a page should {'come back' if wanted else 'stay away'}, your "
            f"function returned {found!r}",
        )


@exercise(
    "11.2",
    hints=(
        "What does your function do while a process takes the question and never answers?",
        "`urllib.request.urlopen(url, timeout=1)`; refused, too late and not 200 are all False: "
        "`URLError`, which `HTTPError` is too, and `TimeoutError` are all `OSError`.",
    ),
    why="A process that hangs still takes connections: without a time-out, so do you.",
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
            urllib.request.urlopen(address + "/healthz", timeout=30)
            return True
        except OSError:
            return False
        """: "that hangs",
    },
)
def check_is_well(is_well: Callable[[str], bool]) -> None:
    """Ask about a process that works, one without /healthz, one that hangs and one that is gone."""
    working, without = kept("group_chat.chat"), kept("group_chat.step1_echo")
    _ask(is_well, working.url, "works", well=True)
    _ask(is_well, without.url, "has no /healthz", well=False)
    with halted(working):
        _ask(is_well, working.url, "hangs", well=False)
    with socket.socket() as gone:  # nobody listens at its port, and nobody else can begin to
        gone.bind(("127.0.0.1", 0))
        _ask(is_well, f"http://127.0.0.1:{gone.getsockname()[1]}", "is gone", well=False)


def _ask(is_well: Callable[[str], bool], address: str, what: str, well: bool) -> None:
    """Ask for one process; one that works may be late now and then, on a busy machine."""
    says = _says(is_well, address, what)
    for _ in range(2):
        if well and says is False:
            says = _says(is_well, address, what)
    expect(says is well, f"of a process that {what} your function says {says!r}, expected {well}")


def _says(is_well: Callable[[str], bool], address: str, what: str) -> Any:  # noqa: ANN401
    """Return what the function says, and do not wait for ever."""
    found: list[Any] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            found.append(is_well(address))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(ENOUGH)
    if errors:
        raise errors[0]
    expect(
        found,
        f"for a process that {what} there is no answer after {time.monotonic() - began:.0f} s",
    )
    return found[0]


@exercise(
    "11.3",
    hints=(
        "Two headers decide. Which one names the site, as `Origin` does, and by which one does the "
        "process count attempts?",
        "Keep all headers of the visitor, also `Host`; put the address into `X-Forwarded-For`.",
    ),
    why="The process believes its proxy, so the proxy must not pass on what a visitor made up.",
    wrong={
        "return dict(headers)": "made up another address",
        'return {**headers, "X-Forwarded-For": "127.0.0.1"}': "somebody else",
        """
        return {**headers, "Host": "messenger", "X-Forwarded-For": address}
        """: "421",
        """
        return {"X-Forwarded-For": address, **headers}
        """: "made up another address",
    },
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


class Slow:
    """A client of Redis for which each command takes a moment, as over a network."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        """Speak through this client."""
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a command of the client, made slow."""

        def command(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            answer = getattr(self._client, name)(*arguments, **options)
            time.sleep(0.02)
            return answer

        return command


@exercise(
    "11.4",
    hints=(
        "Between a `get` and a `set` another process can do the same. Which one command counts and "
        "returns the count?",
        "`count = shared.incr(key)`, then `shared.expire(key, 60)`, then compare.",
    ),
    why="What several processes count together has to be counted in one step, and has to end.",
    wrong={
        """
        count = int(shared.get(f"attempts:{name}") or 0) + 1
        shared.set(f"attempts:{name}", count, ex=60)
        return count <= 5
        """: "at the same time",
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
    },
)
def check_may_try(may_try: Callable[[Any, str], bool]) -> None:
    """Let twelve processes count for one name at once, and look at what stays in Redis."""
    client = redis.Redis.from_url(private_redis().url, decode_responses=True)
    with client:
        client.flushdb()
        allowed = sum(at_once(12, lambda: may_try(Slow(client), "韩雪")))
        expect(
            allowed == 5,
            f"12 attempts at the same time for one name: expected 5 allowed, {allowed} were",
        )
        expect(
            may_try(Slow(client), "舒畅"),
            "after 12 attempts for one name, somebody else was stopped",
        )
        keys = client.keys()
        expect(keys, "nothing is counted in Redis, so another process would begin again")
        for key in keys:
            seconds = client.ttl(key)
            expect(seconds >= 0, f"the key {key!r} has no time to live: the lock-out never ends")
            expect(
                55 <= seconds <= 60,
                f"the key {key!r} lives for {seconds} s more, expected a minute",
            )
        client.flushdb()
