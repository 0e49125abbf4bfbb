"""Lesson 07: who hears it, who is still here, who has the name, and what was missed."""

import inspect
import json
import re
import signal
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import unquote

from gevent import GreenletExit
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection

from course.demo import open_ws
from course.exercise import Wrong, exercise, expect, not_counted
from demos.group_chat.clients import faults
from demos.group_chat.clients.faults import clients, heard, is_alive
from demos.group_chat.clients.faults import say as say_to
from lessons.authors.builds.program import Program, serving, until
from lessons.authors.checks.hall import Guest, Seat, hall, served
from lessons.authors.checks.pages import Pong, Watched, WatchedDemo
from lessons.authors.checks.running import running

Sockets = dict[str, Seat]
PATIENCE = 20.0  # seconds for an answer of the room
TABS = 20  # that come and leave again, twice
OF_A_LIBRARY = 5  # objects that it may keep of each for a while; a socket has many more
FORGOTTEN = 2.0  # seconds until what is kept of them is kept for good


def say(guest: Guest, msg: object, claimed: str = "") -> None:
    """Speak in the format of A10; `claimed` is the name in the frame."""
    guest.say(json.dumps({"username": claimed or guest.name, "msg": msg}))


def expect_heard(guest: Guest, *lines: tuple[str, object]) -> None:
    """Expect these lines (who, what) at a guest since the last look."""
    wanted = [{"username": name, "msg": msg} for name, msg in lines]
    found = guest.frames()
    expect(found == wanted, f"expected {wanted} at {guest.name}, she received {found}")


@exercise(
    "7.2",
    hints=(
        "Two names are there: one in the text, one in `username`. Which one can be a lie?",
        (
            "Read `msg` from the text, and make the frame anew with `json.dumps`. Send it to "
            "each entry of `sockets` but one. Which one is left out?"
        ),
        (
            "`for name, other in list(sockets.items()):`, `if name != username:`, and "
            '`other.send(json.dumps({"username": username, "msg": ...}))`.'
        ),
    ),
    why="Everybody sees the name that the server knows, whatever name the text claims.",
    wrong={
        """
        for other in list(sockets.values()):
            other.send(json.dumps({"username": username, "msg": json.loads(text)["msg"]}))
        """: "expected [] at 韩雪",
        """
        for name, other in list(sockets.items()):
            if name != username:
                other.send(text)
        """: "'username': '舒畅'",
        """
        msg = json.loads(text)["msg"]
        for name, other in list(sockets.items()):
            if name != username:
                other.send(f"{username}: {msg}")
        """: "expected JSON, 舒畅 received",
        """
        msg = json.loads(text)["msg"]
        for name, other in list(sockets.items()):
            if name != username:
                other.send(json.dumps({"username": username, "msg": msg}))
                return
        """: "at 唐嫣, she received []",
        """
        frame = json.loads(text)
        for name, other in list(sockets.items()):
            if name != frame["username"]:
                other.send(json.dumps({"username": username, "msg": frame["msg"]}))
        """: "at 舒畅, she received []",
        """
        claimed = json.loads(text)["username"]
        for name, other in list(sockets.items()):
            if name != username:
                other.send(text.replace(claimed, username))
        """: "at 舒畅, she received",
        """
        frame = {"username": username, "msg": json.loads(text)["msg"]}
        for name, other in list(sockets.items()):
            if name != "韩雪":
                other.send(json.dumps(frame))
        """: "at 韩雪, she received []",
        """
        frame = {"username": username, "msg": json.loads(text)["msg"].strip()}
        for name, other in list(sockets.items()):
            if name != username:
                other.send(json.dumps(frame))
        """: "'msg': ' 好",
        """
        frame = {**json.loads(text), "username": username, "from": username}
        for name, other in list(sockets.items()):
            if name != username:
                other.send(json.dumps(frame))
        """: "'from': '韩雪'",
        """
        heard = {**json.loads(text), "username": username}
        for name, other in list(sockets.items()):
            if name != username:
                other.send(json.dumps(heard))
        """: "'colour': 'red'",
        """
        frame = {"username": username, "msg": str(json.loads(text)["msg"])}
        for name, other in list(sockets.items()):
            if name != username:
                other.send(json.dumps(frame))
        """: "'msg': 7}",
    },
    also_right=(
        """
        heard = {"msg": json.loads(text)["msg"], "username": username}
        mine = sockets[username]
        for other in tuple(sockets.values()):
            if other is not mine:
                other.send(json.dumps(heard, ensure_ascii=False))
        """,
    ),
)
def check_pass_on(pass_on: Callable[[str, str, Sockets], object]) -> None:
    """Let three chat; one of them claims another's name, and one sends a key too many."""
    sockets: Sockets = {}

    def view(name: str, socket: Seat) -> None:
        sockets[name] = socket
        try:
            while (text := socket.receive()) is not None:
                pass_on(str(text), name, sockets)
        finally:
            del sockets[name]

    with hall(view) as enter:
        one, two, three = enter("韩雪"), enter("舒畅"), enter("唐嫣")
        say(one, "我是舒畅", claimed="舒畅")
        one.stays("after she had spoken")
        expect_heard(two, ("韩雪", "我是舒畅"))
        expect_heard(three, ("韩雪", "我是舒畅"))
        expect_heard(one)
        for speaker, line, claimed in ((three, '"好"', ""), (two, " 好\n", "唐嫣")):
            say(speaker, line, claimed)
            speaker.stays("after she had spoken")
            for guest in (one, two, three):
                expect_heard(guest, *([] if guest is speaker else [(speaker.name, line)]))
        one.say(json.dumps({"username": "韩雪", "msg": "再见", "colour": "red"}))
        one.stays("after she had sent a third key")
        expect_heard(two, ("韩雪", "再见"))
        say(one, 7)
        one.stays("after she had sent a number")
        expect_heard(two, ("韩雪", 7))


@exercise(
    "7.1",
    hints=(
        (
            "What does `receive()` return at the end? And what has to happen to `sockets` then, "
            "also if the view ends by an error?"
        ),
        (
            "`None` ends the loop. A `finally` around the loop forgets the socket. And if one "
            "`send` fails, all the others still have to hear it."
        ),
        (
            "`while (text := socket.receive()) is not None:` inside a `try`, `del "
            "sockets[username]` in its `finally`, and a second `try` with `except Exception` "
            "around `other.send(frame)` alone."
        ),
    ),
    why="When one client goes, its socket is removed, and the others can still talk.",
    wrong={
        """
        sockets[username] = socket
        while (text := socket.receive()) is not None:
            frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
            for other in list(sockets.values()):
                if other is not socket:
                    other.send(frame)
        """: "韩雪 has left, and `sockets` still holds her",
        """
        sockets[username] = socket
        while (text := socket.receive()) is not None:
            frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
            for other in list(sockets.values()):
                try:
                    if other is not socket:
                        other.send(frame)
                except Exception:
                    pass
        """: "韩雪 has left, and `sockets` still holds her",
        """
        sockets[username] = socket
        while True:
            try:
                text = socket.receive()
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    if other is not socket:
                        other.send(frame)
            except TypeError:
                sockets.pop(username, None)
        """: "the loop went on",
        """
        sockets[username] = socket
        try:
            while True:
                text = socket.receive()
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    if other is not socket:
                        other.send(frame)
        finally:
            del sockets[username]
        """: "韩雪 has closed her tab, and your code raised TypeError",
        """
        sockets[username] = socket
        while (text := socket.receive()) is not None:
            frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
            for other in list(sockets.values()):
                try:
                    if other is not socket:
                        other.send(frame)
                except Exception:
                    pass
        del sockets[username]
        """: "has sent a text that is not JSON",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    try:
                        if other is not socket:
                            other.send(frame)
                    except Exception:
                        pass
        except Exception:
            pass
        del sockets[username]
        """: "gevent has killed your function for 杨颖, and `sockets` still holds her",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    if other is not socket:
                        other.send(frame)
        finally:
            del sockets[username]
        """: "舒畅 was disconnected when she spoke while a tab was closing",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                try:
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(frame)
                except Exception:
                    pass
        finally:
            del sockets[username]
        """: "expected [{'username': '舒畅', 'msg': '听得到吗'}] at 唐嫣",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for name, other in list(sockets.items()):
                    try:
                        other.send(frame)
                    except Exception:
                        sockets.pop(name, None)
        finally:
            sockets.pop(username, None)
        """: "expected [] at 韩雪",
        """
        sockets[username] = socket
        while (text := socket.receive()) is not None:
            frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
            for name, other in list(sockets.items()):
                try:
                    if other is not socket:
                        other.send(frame)
                except Exception:
                    sockets.pop(name, None)
        """: "韩雪 has left, and `sockets` still holds her",
        "while socket.receive() is not None:\n    pass": "expected [{'username': '韩雪'",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                for other in list(sockets.values()):
                    try:
                        if other is not socket:
                            other.send(json.dumps(json.loads(text)))
                    except OSError:
                        pass
        finally:
            del sockets[username]
        """: "expected [{'username': '舒畅', 'msg': '谁在'}] at 唐嫣",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in sockets.values():
                    try:
                        if other is not socket:
                            other.send(frame)
                    except Exception:
                        pass
        finally:
            del sockets[username]
        """: "while somebody came in by RuntimeError",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    try:
                        if other is not socket:
                            other.send(frame)
                    except:
                        pass
        finally:
            del sockets[username]
        """: "and it goes on",
        """
        sockets[username] = socket
        try:
            while (text := socket.receive()) is not None:
                try:
                    msg = json.loads(text)["msg"]
                except (ValueError, TypeError, KeyError):
                    msg = text
                for other in list(sockets.values()):
                    try:
                        if other is not socket:
                            other.send(json.dumps({"username": username, "msg": msg}))
                    except Exception:
                        pass
        finally:
            del sockets[username]
        """: "expected [] at 舒畅",
    },
    also_right=(
        """
        def tell(other, frame):
            try:
                other.send(frame)
            except Exception:
                pass

        sockets[username] = socket
        try:
            while True:
                text = socket.receive()
                if text is None:
                    break
                try:
                    msg = json.loads(text)["msg"]
                except (ValueError, TypeError, KeyError):
                    continue
                for name in list(sockets):
                    if name != username:
                        tell(sockets[name], json.dumps({"username": username, "msg": msg}))
        finally:
            sockets.pop(username, None)
        """,
    ),
)
def check_closed_tab(chat: Callable[[str, Seat, Sockets], object]) -> None:
    """Let guests leave in all ways that there are, and the others talk meanwhile."""
    sockets: Sockets = {}
    with hall(lambda name, socket: chat(name, socket, sockets)) as enter:
        one, two, three, four, five = map(enter, ("韩雪", "舒畅", "唐嫣", "小甜甜", "赵丽颖"))
        say(one, "再见")
        for other in (two, three, four, five):
            expect_heard(other, ("韩雪", "再见"))
        expect_heard(one)
        one.leave()
        expect("韩雪" not in sockets, "韩雪 has left, and `sockets` still holds her")
        say(two, "谁在", claimed="唐嫣")
        two.stays("when she spoke after a tab had closed")
        expect_heard(three, ("舒畅", "谁在"))
        expect_heard(four, ("舒畅", "谁在"))
        four.vanish()
        expect(
            "小甜甜" not in sockets, "小甜甜 has lost her connection, and `sockets` still holds her"
        )
        say(three, "我在")
        three.stays("when she spoke after a connection had broken")
        expect_heard(two, ("唐嫣", "我在"))
        five.say("no JSON")
        gone = five.has_gone()
        expect(
            not gone or "赵丽颖" not in sockets,
            "赵丽颖 has sent a text that is not JSON. Your function has ended for her, and "
            "`sockets` still holds her",
        )
        two.stays("when somebody sent a text that is not JSON")
        expect_heard(two)
        killed = enter("杨颖")
        killed.kill()
        expect(
            "杨颖" not in sockets,
            "gevent has killed your function for 杨颖, and `sockets` still holds her",
        )
        _speak_while_one_closes(two, three, sockets)
        _speak_while_one_comes(two, three, sockets)
        _kill_while_sending(two, sockets)


def _speak_while_one_closes(speaker: Guest, other: Guest, sockets: Sockets) -> None:
    """Let one speak while a tab is closing: its view has not noticed yet, and `send` fails."""
    others = dict(sockets)
    sockets.clear()  # the one that closes comes first
    sockets["小甜甜"] = closing = Closing()
    sockets.update(others)
    say(speaker, "听得到吗")
    speaker.stays("when she spoke while a tab was closing")
    expect_heard(other, (speaker.name, "听得到吗"))
    if sockets.get("小甜甜") is closing:
        del sockets["小甜甜"]


def _speak_while_one_comes(speaker: Guest, other: Guest, sockets: Sockets) -> None:
    """Let somebody come in while `send` waits."""
    others = dict(sockets)
    sockets.clear()
    sockets["小甜甜"] = Busy(lambda: sockets.update({"赵丽颖": Closing()}))
    sockets.update(others)
    say(speaker, "欢迎")
    speaker.stays("when she spoke while somebody came in")
    expect_heard(other, (speaker.name, "欢迎"))
    for name in ("小甜甜", "赵丽颖"):
        sockets.pop(name, None)


def _kill_while_sending(speaker: Guest, sockets: Sockets) -> None:
    """Let gevent kill the function while it sends."""
    sockets["小甜甜"] = Busy(_be_killed)
    say(speaker, "还在吗")
    del sockets["小甜甜"]
    expect(
        speaker.has_gone(),
        f"gevent has killed your function for {speaker.name} while it was sending: expected that "
        "it ends, and it goes on",
    )
    expect(
        speaker.name not in sockets,
        f"gevent has killed your function for {speaker.name} while it was sending, and `sockets` "
        "still holds her",
    )


def _be_killed() -> None:
    raise GreenletExit


class Closing(Seat):
    """A socket that has just closed."""

    def __init__(self) -> None:
        """Take no seat."""

    def send(self, message: str) -> None:
        """Raise, as a closed socket does."""
        raise ConnectionError("the socket is closed")

    def receive(self) -> None:
        """Say that it is closed."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Do nothing: it is closed."""


class Busy(Closing):
    """A socket whose `send` waits; meanwhile something happens."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        """`meanwhile` is called while it waits."""
        self._meanwhile = meanwhile

    def send(self, message: str) -> None:
        """Wait."""
        self._meanwhile()


@exercise(
    "7.3",
    hints=(
        "Which question do you have to ask before you enter a socket into `sockets`?",
        (
            "If the name is in `sockets`: close the new socket and return. Mind the `finally`: "
            "when somebody is refused, it must not delete the entry of the first one."
        ),
        (
            '`if username in sockets:`, `socket.close(4409, "This nickname is in use.")` and '
            "`return`: three lines that come before the entry and before the `try`."
        ),
    ),
    why="The first one keeps the name. The second one is refused, and is told why.",
    wrong={
        """
        if username in sockets:
            sockets[username].close(4409, "somebody else has come")
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "expected that the second 韩雪 is closed with 4409, she is still connected",
        """
        try:
            if username in sockets:
                socket.close(4409, "This nickname is in use.")
                return
            sockets[username] = socket
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "after a second one was refused, the first 韩雪 received []",
        """
        if username in sockets:
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "she is closed with 1000",
        """
        if username in sockets:
            socket.close(4409)
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "without a reason",
        """
        if username == "韩雪" and username in sockets:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            sockets.pop(username, None)
        """: "expected that the second 舒畅 is closed with 4409",
        """
        if username in sockets:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        listen(username, socket, sockets)
        del sockets[username]
        """: "after your function had ended with an error for the first one",
        """
        if username in sockets:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        except Exception:
            pass
        del sockets[username]
        """: "after gevent had killed your function for the first one",
        """
        if username in sockets:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        listen(username, socket, sockets)
        """: "she came after the first one had left",
        """
        if sockets:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "舒畅 was disconnected when she came in",
        """
        if username in sockets:
            sockets[username].send(json.dumps({"username": "服务器", "msg": "somebody came"}))
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "after a second one was refused, the first 韩雪 received",
        """
        if username in sockets:
            socket.close(4409, "This nickname is in use.")
            raise ValueError("in use")
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "your function raised ValueError for the second 韩雪",
        """
        if username in sockets:
            socket.close(4409, "This nickname is in use.")
            listen(username, socket, sockets)
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "nobody listens to the second 韩雪",
        """
        if username.lower() in [name.lower() for name in sockets]:
            socket.close(4409, "This nickname is in use.")
            return
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "ann was disconnected when she came in beside Ann",
    },
    also_right=(
        """
        if sockets.setdefault(username, socket) is not socket:
            socket.close(4409, f"{username} is here already, choose another name")
        else:
            try:
                listen(username, socket, sockets)
            finally:
                sockets.pop(username)
        """,
    ),
)
def check_name_in_use(let_in: Callable[[str, Seat, Sockets], object]) -> None:
    """For two names: let a second one come, and a third one when the first has left."""
    sockets: Sockets = {}
    with hall(lambda name, socket: let_in(name, socket, sockets)) as enter:
        first, bob = enter("韩雪"), enter("舒畅")
        first.stays("when she came in")
        bob.stays("when she came in")
        _expect_refused(enter("韩雪"))
        say(bob, "你好")
        bob.stays("when she spoke")
        found = first.frames()
        expect(
            found == [{"username": "舒畅", "msg": "你好"}],
            f"after a second one was refused, the first 韩雪 received {found} when 舒畅 spoke",
        )
        first.leave()
        third = enter("韩雪")
        third.stays("when she came after the first one had left")
        say(bob, "你好")
        expect_heard(third, ("舒畅", "你好"))
        _expect_refused(enter("舒畅"))
        bob.say("no JSON")  # `listen` ends with an error
        if bob.has_gone():
            other = enter("舒畅")
            other.stays(
                "when she came after your function had ended with an error for the first one"
            )
            say(third, "再来")
            expect_heard(other, ("韩雪", "再来"))
        third.kill()
        last = enter("韩雪")
        last.stays("when she came after gevent had killed your function for the first one")
        enter("Ann")
        enter("ann").stays("when she came in beside Ann: they are two names here")


def _expect_refused(second: Guest) -> None:
    """Expect that a second one of a name is refused, and learns why."""
    code = second.closed_with()
    seen = f"closed with {code}" if code else "still connected"
    expect(
        code == 4409, f"expected that the second {second.name} is closed with 4409, she is {seen}"
    )
    expect(second.reason(), f"the second {second.name} is closed with 4409, without a reason")
    expect(
        not second.was_listened_to(),
        f"expected that nobody listens to the second {second.name}: she was refused",
    )
    error = second.error()
    expect(not error, f"your function raised {type(error).__name__} for the second {second.name}")


def ids_of(page: ClientConnection, *lines: str) -> list[str]:
    """Say these lines in the finished room; return the id of each."""
    found = []
    for line in lines:
        page.send(json.dumps({"msg": line, "client_id": line}))
        while (frame := json.loads(page.recv(PATIENCE))).get("client_id") != line:
            pass
        found.append(frame["id"])
    return found


@exercise(
    "7.6",
    hints=(
        (
            "Lesson 07, section 11: with which subprotocol does the room tell more? What in the "
            "path says which message you have? Look at the first frame."
        ),
        (
            "The first frame is the welcome. Its `replay` is the number of messages that "
            "follow. Read so many, and no more."
        ),
        (
            '`with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:`, then '
            '`json.loads(page.recv())["replay"]`, and `page.recv()` so many times.'
        ),
    ),
    why="The room says how many messages come, so you need not guess when to stop.",
    wrong={
        """
        with room.ws(name, subprotocols=["room.v1"]) as page:
            count = json.loads(page.recv(5))["replay"]
            return [json.loads(page.recv(5))["msg"] for _ in range(count)]
        """: "expected ['二', '三'], your function returned ['一', '二', '三']",
        """
        with room.ws(f"{name}?since={since}") as page:
            count = json.loads(page.recv(1))["replay"]
            return [json.loads(page.recv(1))["msg"] for _ in range(count)]
        """: "TimeoutError",
        """
        with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:
            page.recv(5)
            return [json.loads(page.recv(5))["msg"] for _ in range(2)]
        """: "your code raised",
        """
        page = room.ws(f"{name}?since={since}", subprotocols=["room.v1"])
        count = json.loads(page.recv(5))["replay"]
        return [json.loads(page.recv(5))["msg"] for _ in range(count)]
        """: "舒畅 is still in the room",
        """
        with room.ws(f"anybody?since={since}", subprotocols=["room.v1"]) as page:
            count = json.loads(page.recv(5))["replay"]
            return [json.loads(page.recv(5))["msg"] for _ in range(count)]
        """: "expected that you go in as 舒畅, you went in as ['anybody']",
        """
        found = []
        with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:
            try:
                while True:
                    frame = json.loads(page.recv(1))
                    if frame["type"] == "message":
                        found.append(frame["msg"])
            except TimeoutError:
                return found
        """: "on a slow network it stops too early",
        'return ["二", "三"]': "opened no page",
        """
        with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:
            count = json.loads(page.recv(5))["replay"]
            return [json.loads(page.recv(5)) for _ in range(count)]
        """: "your function returned [{",
        """
        with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:
            json.loads(page.recv(5))["replay"]
            return ["二", "三"]
        """: "expected [], your function returned ['二', '三']",
    },
    also_right=(
        """
        found = []
        with room.ws(f"{name}?since={since}", subprotocols=["room.v1"]) as page:
            page.ping().wait()
            try:
                while True:
                    frame = json.loads(page.recv(0))
                    if frame["type"] == "message":
                        found.append(frame["msg"])
            except TimeoutError:
                pass
        return found
        """,
        """
        with room.ws(name, subprotocols=["room.v1"]) as page:
            welcome = json.loads(page.recv())
            said = [json.loads(page.recv()) for _ in range(welcome["replay"])]
        ids = [line["id"] for line in said]
        return [line["msg"] for line in said[ids.index(since) + 1 :]]
        """,
    ),
)
def check_missed(missed: Callable[[WatchedDemo, str, str], Any]) -> None:
    """Say some lines in the finished room, and ask as two people what was missed since each."""
    with (
        running("group_chat.step5_room_that_holds") as demo,
        demo.ws("唐嫣", subprotocols=["room.v1"]) as page,
    ):
        one, two, three = ids_of(page, "一", "二", "三")
        room = WatchedDemo(demo)
        _ask_what_was_missed(missed, room, "舒畅", one, ["二", "三"])
        _ask_what_was_missed(missed, room, "舒畅", three, [])
        ids_of(page, "四")
        _ask_what_was_missed(missed, room, "小甜甜", two, ["三", "四"])


def _ask_what_was_missed(
    missed: Callable[[WatchedDemo, str, str], Any],
    room: WatchedDemo,
    name: str,
    since: str,
    wanted: list[str],
) -> None:
    """Ask; look who went in, and whether they have left."""
    before = len(room.pages)
    found = missed(room, name, since)
    names = [unquote(path.partition("?")[0]) for path in room.paths[before:]]
    expect(names, "your function opened no page: `room.ws` does")
    expect(set(names) == {name}, f"expected that you go in as {name}, you went in as {names}")
    expect(found == wanted, f"expected {wanted}, your function returned {found}")
    for one in room.pages[before:]:
        one.no_guess()
    with open_ws(room.url, name) as again:  # who has left can come back
        expect(is_alive(again), f"expected that you have left, {name} is still in the room")


def _chat(view: str) -> str:
    """Return a whole program of Flask and gevent-websocket around what its view does."""
    program = """
        import json

        from flask import Flask, request
        from gevent.pywsgi import WSGIServer
        from geventwebsocket.handler import WebSocketHandler

        app = Flask(__name__)
        sockets = {}

        @app.route("/<username>", websocket=True)
        def chat(username):
            socket = request.environ["wsgi.websocket"]
            sockets[username] = socket
            ...

        WSGIServer(("127.0.0.1", port), app, handler_class=WebSocketHandler).serve_forever()
    """
    body = textwrap.indent(textwrap.dedent(view).strip("\n"), "    ")
    return textwrap.dedent(program).strip().replace("    ...", body) + "\n"


@exercise(
    "7.4",
    hints=(
        "Each report is one fault of the source. For report 1, look at the routes of lesson 06, "
        "section 2; for the other two, at lesson 07, sections 4 and 5. Begin with the first one: "
        "as long as no page stays, you cannot see the other two.",
        "Report 1: how does Flask know that a route is for a WebSocket? Report 2: what does "
        "`receive()` return at the end, and who forgets the socket then? Report 3: which of the "
        "two names is the one that the server knows?",
        '`@app.route("/<username>", websocket=True)`; `while (text := socket.receive()) is not '
        "None:` in a `try`, with `finally: del sockets[username]`; and `username` of the address "
        "in the frame, in the place of what the text claims.",
    ),
    why="All three faults are gone, and everything else works as before.",
    wrong={
        _chat(
            """
            while True:
                msg = json.loads(socket.receive())["msg"]
                line = json.dumps({"username": username, "msg": msg})
                for other in list(sockets.values()):
                    if other is not socket:
                        other.send(line)
            """
        ): "report 2",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(text)
            finally:
                del sockets[username]
            return ""
            """
        ): "report 3",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    line = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(line)
            finally:
                del sockets[username]
            return ""
            """
        ).replace(", websocket=True", ""): "report 1",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    line = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                    for other in list(sockets.values()):
                        other.send(line)
            finally:
                del sockets[username]
            return ""
            """
        ): "expected [] at 韩雪",
        "pass": "the program ended",
        _chat(
            """
            try:
                while True:
                    msg = json.loads(socket.receive())["msg"]
                    line = json.dumps({"username": username, "msg": msg})
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(line)
            finally:
                del sockets[username]
            """
        ): "printed a traceback: TypeError",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    line = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                    for other in sockets.values():
                        if other is not socket:
                            other.send(line)
            finally:
                del sockets[username]
            return ""
            """
        ): "somebody came in while a message was being sent",
        _chat(
            """
            while (text := socket.receive()) is not None:
                line = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                for other in list(sockets.values()):
                    try:
                        if other is not socket:
                            other.send(line)
                    except Exception:
                        pass
            return ""
            """
        ): "keeps something of each",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    msg = json.loads(text)["msg"]
                    line = json.dumps({"username": username, "msg": msg, "type": "message"})
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(line)
            finally:
                del sockets[username]
            return ""
            """
        ): "'type': 'message'",
        _chat(
            """
            try:
                while (text := socket.receive()) is not None:
                    line = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
                    for other in list(sockets.values()):
                        if other is not socket:
                            other.send(line)
            finally:
                del sockets[username]
            return ""
            """
        ).replace("import json\n\n", ""): "name 'json' is not defined",
    },
    also_right=(
        """
        import asyncio
        import json
        from urllib.parse import unquote

        from websockets.asyncio.server import broadcast, serve

        pages = {}

        async def chat(page):
            name = unquote(page.request.path[1:])
            pages[name] = page
            try:
                async for text in page:
                    line = json.dumps({"username": name, "msg": json.loads(text)["msg"]})
                    broadcast([other for other in pages.values() if other is not page], line)
            finally:
                pages.pop(name, None)

        async def main():
            async with serve(chat, "127.0.0.1", port):
                await asyncio.Future()

        asyncio.run(main())
        """,
    ),
)
def check_broken_chat(broken_chat: Callable[[int], object]) -> None:
    """Run the program as a process; let three chat, one with another's name, and one leave."""
    with _running(broken_chat) as chat, clients(chat.url, "韩雪", "舒畅", "唐嫣") as pages:
        one, two, three = pages
        for page, name in zip(pages, ("韩雪", "舒畅", "唐嫣"), strict=True):
            expect(is_alive(page), f"report 1: the page of {name} is closed as soon as it is open")
        say_to(one, "你好", username="舒畅")
        if not is_alive(one):
            trouble = chat.trouble(missed=True)
            expect(not trouble, f"韩雪 was disconnected when she spoke: {trouble}")
            expect(False, "韩雪 was disconnected when she spoke")
        for page, name in ((two, "舒畅"), (three, "唐嫣")):
            found = heard(page)
            names = [frame.get("username") for frame in found if isinstance(frame, dict)]
            expect(
                names == ["韩雪"],
                f"report 3: 韩雪 spoke and called herself 舒畅; {name} received {found}, "
                "expected one line of 韩雪",
            )
            wanted = [{"username": "韩雪", "msg": "你好"}]
            expect(found == wanted, f"expected {wanted} at {name}, she received {found}")
        found = heard(one)
        expect(not found, f"expected [] at 韩雪, who spoke herself; she received {found}")
        one.close()
        is_alive(two)
        say_to(two, "谁在")
        expect(
            is_alive(two), "report 2: a tab has closed, and 舒畅 was disconnected when she spoke"
        )
        found = heard(three)
        wanted = [{"username": "舒畅", "msg": "谁在"}]
        expect(
            found == wanted,
            f"report 2: after a tab had closed, expected {wanted} at 唐嫣, she received {found}",
        )
        with clients(chat.url, "韩雪") as (again,):
            is_alive(again)
            say_to(three, "回来了")
            is_alive(three)
            found = heard(again)
            wanted = [{"username": "唐嫣", "msg": "回来了"}]
            expect(found == wanted, f"expected {wanted} at 韩雪, who came back: {found}")
        trouble = chat.trouble(missed=True)
        expect(not trouble, f"report 2: a tab has closed, and {trouble}")
        expect(
            not faults.join_meanwhile(chat.url).broken,
            "somebody came in while a message was being sent, and the speaker was disconnected: "
            "that was right before",
        )
        _expect_forgotten(chat, two)


def _expect_forgotten(chat: Program, speaker: ClientConnection) -> None:
    """Let many tabs come and leave; then count what the program still has in memory."""
    _come_and_leave(chat, speaker, 0)  # what a library keeps once is there now
    before = min(_objects(chat, speaker) for _ in range(3))
    _come_and_leave(chat, speaker, TABS)
    expect(
        until(lambda: _objects(chat, speaker) < before + TABS * OF_A_LIBRARY, FORGOTTEN),
        f"{TABS} tabs have come and closed, and the program keeps something of each: its socket "
        "has to be forgotten",
    )


def _come_and_leave(chat: Program, speaker: ClientConnection, first: int) -> None:
    """Let so many tabs come, each under a name of its own, and leave; then somebody speaks."""
    for number in range(first, first + TABS):
        with clients(chat.url, f"tab{number}") as (tab,):
            is_alive(tab)
    say_to(speaker, "谁走了")
    expect(is_alive(speaker), "舒畅 was disconnected when she spoke after many tabs had closed")


def _objects(chat: Program, speaker: ClientConnection) -> int:
    """Return how many objects the program has that can hold others; see `COUNTING`."""
    assert chat.process
    seen = len(re.findall(OBJECTS, chat.said))
    chat.process.send_signal(signal.SIGUSR1)
    # A ping wakes gevent, which otherwise sees a signal only some time later.
    until(lambda: is_alive(speaker) and len(re.findall(OBJECTS, chat.said)) > seen, PATIENCE)
    return int(re.findall(OBJECTS, chat.said)[-1])


OBJECTS = re.compile(r"^objects (\d+)$", re.MULTILINE)
# Stands behind the function, before its call; a signal lets the program print what `OBJECTS` reads.
COUNTING = """import gc, os, signal, sys

def count_objects(*_):
    gc.collect()
    os.write(1, f"objects {len(gc.get_objects())}\\n".encode())

signal.signal(signal.SIGUSR1, count_objects)
"""


@contextmanager
def _running(program: Callable[[int], object]) -> Iterator[Program]:
    """Run a function of the notebook as a program of its own.

    Raises:
        Wrong: it does not serve.
    """
    source = textwrap.dedent(inspect.getsource(program))
    port = "int(sys.argv[sys.argv.index('--port') + 1])"
    start = f"{COUNTING}\n{program.__name__}({port})\n"
    with tempfile.TemporaryDirectory(prefix="course-exercise-") as folder:
        file = Path(folder) / f"{program.__name__}.py"
        file.write_text(f"{source}\n\n{start}", "utf-8")
        with serving(file, may_use="demos") as chat:
            with not_counted():
                chat.start()
            yield chat


# -- chats for the test that a student writes ------------------------------------------------------


def _naive(name: str, socket: Seat, sockets: Sockets) -> None:
    """The fault that the test is for, and no other."""
    sockets[name] = socket
    while True:
        line = _line(name, json.loads(str(socket.receive() or "")))
        for other in list(sockets.values()):
            if other is not socket:
                other.send(line)


def _deaf(name: str, socket: Seat, sockets: Sockets) -> None:
    """Nobody is disconnected after a tab has closed, and nobody is heard either."""
    sockets[name] = socket
    while (text := socket.receive()) is not None:
        if all(other.is_open() for other in sockets.values()):
            _tell(sockets, socket, _line(name, json.loads(str(text))))


def _cured(name: str, socket: Seat, sockets: Sockets) -> None:
    """Nothing is wrong."""
    sockets[name] = socket
    try:
        while (text := socket.receive()) is not None:
            _tell(sockets, socket, _line(name, json.loads(str(text))))
    finally:
        sockets.pop(name, None)


def _believing(name: str, socket: Seat, sockets: Sockets) -> None:
    """Another fault: the name is what the text claims."""
    sockets[name] = socket
    try:
        while (text := socket.receive()) is not None:
            frame = json.loads(str(text))
            _tell(sockets, socket, _line(str(frame.get("username")), frame))
    finally:
        sockets.pop(name, None)


def _line(name: str, frame: dict[str, Any]) -> str:
    return json.dumps({"username": name, "msg": frame["msg"]})


def _tell(sockets: Sockets, speaker: Seat, line: str) -> None:
    for other in list(sockets.values()):
        if other is not speaker:
            with suppress(Exception):  # it has just closed
                other.send(line)


class _Page(Watched):
    """A page of the chat that is tested. It knows when nothing more will come: it does not wait."""

    def __init__(self, page: ClientConnection, server: "_Server", seat: Seat | None) -> None:
        """`seat` is the server's end, if that is in this process."""
        super().__init__(page)
        self._server, self._seat = server, seat

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next frame.

        Raises:
            TimeoutError: none is here, and none will come.
            Wrong: the same, where no time was given.
        """
        self._server.settle()
        try:
            return super().recv(0)
        except TimeoutError:
            expect(
                timeout is not None,
                "your test waits for a frame that never comes, and so it does not fail: give "
                "`recv` a time",
            )
            raise

    def ping(self, **options: Any) -> Pong:  # noqa: ANN401
        """Ping; the answer comes when what was sent before has been dealt with."""
        self.settle()
        return super().ping(**options)

    def settle(self) -> None:
        """Wait until the server has dealt with what this page has sent; its answers are here."""
        if self._seat:
            self._seat.wait_for(len(self.sent))
            if self._seat.ended:  # then the server closes
                until(lambda: self._page.protocol.state is State.CLOSED, PATIENCE)
        with suppress(ConnectionClosed):
            self._page.ping(ack_on_close=True).wait(PATIENCE)


class _Server:
    """What the test gets: it cannot see which chat this is."""

    def __init__(self, url: str, taken: "Queue[Seat] | None" = None) -> None:
        """Connect to the chat at this address; `taken` has its seats, if it is in this process."""
        self._url, self._taken = url, taken
        self.pages: list[_Page] = []

    def ws(self, name: str, **options: Any) -> _Page:  # noqa: ANN401 - as `connect` takes them
        """Connect under a name."""
        page = open_ws(self._url, name, **options)
        seat = self._taken.get(timeout=PATIENCE) if self._taken else None
        self.pages.append(_Page(page, self, seat))
        self.pages[-1].settle()  # now the server has noted who has come
        return self.pages[-1]

    def settle(self) -> None:
        """Wait until everything that was sent has arrived."""
        for _ in range(2):  # what one page has sent is at the others
            for page in self.pages:
                page.settle()


@exercise(
    "7.5",
    hints=(
        "Lesson 07, section 4: how many tabs does it need until somebody is disconnected? Who "
        "closes, who speaks, and who should hear it?",
        "Open three pages, close the first, and let the second speak. The third has to hear it, "
        "and the second has to be there still. Both can go wrong, so assert both.",
        "`one.close()`, `two.send(...)`, and `three.recv(5)` in a `try` that turns `TimeoutError` "
        "and `ConnectionClosed` into an `AssertionError`. Then "
        "`two.ping(ack_on_close=True).wait(5)` and `assert two.close_code is None`.",
    ),
    why="A good test fails if the fault is there, passes if it is not, and ignores other faults.",
    wrong={
        'server.ws("甲").close()': "it passes",
        "assert False": "and it fails",
        """
        with server.ws("甲") as one, server.ws("乙") as two:
            one.send(json.dumps({"username": "甲", "msg": "谁在"}))
            assert json.loads(two.recv(5))["msg"] == "谁在"
        """: "it passes",
        """
        with server.ws("甲") as one, server.ws("乙") as two:
            one.send(json.dumps({"username": "乙", "msg": "谁在"}))
            assert json.loads(two.recv(5))["username"] == "甲"
        """: "it passes",
        """
        with server.ws("甲") as one, server.ws("乙") as two, server.ws("丙") as three:
            one.close()
            two.send(json.dumps({"username": "乙", "msg": "谁在"}))
            try:
                two.ping(ack_on_close=True).wait(5)
            except ConnectionClosed:
                pass
            assert two.close_code is None
        """: "nobody is heard",
        """
        with server.ws("甲") as one, server.ws("乙") as two, server.ws("丙") as three:
            one.close()
            two.send(json.dumps({"username": "丙", "msg": "谁在"}))
            try:
                heard = json.loads(three.recv(5))
            except (TimeoutError, ConnectionClosed):
                raise AssertionError("nobody heard it") from None
            assert heard == {"username": "乙", "msg": "谁在"}
            assert two.ping(ack_on_close=True).wait(5)
            assert two.close_code is None
        """: "believes any name",
        """
        one, two, three = server.ws("甲"), server.ws("乙"), server.ws("丙")
        one.close()
        two.send(json.dumps({"username": "乙", "msg": "谁在"}))
        try:
            three.recv(5)
        except (TimeoutError, ConnectionClosed):
            raise AssertionError("nobody heard it") from None
        assert two.ping(ack_on_close=True).wait(5)
        assert two.close_code is None
        """: "leaves pages open",
        """
        with server.ws("甲") as one, server.ws("乙") as two, server.ws("丙") as three:
            one.close()
            two.send(json.dumps({"username": "乙", "msg": "谁在"}))
            three.recv(5)
        """: "expected an AssertionError",
        """
        with server.ws("甲") as one, server.ws("乙") as two, server.ws("丙") as three:
            one.close()
            two.send(json.dumps({"username": "乙", "msg": "谁在"}))
            three.recv()
        """: "give `recv` a time",
    },
    also_right=(
        """
        pages = [server.ws(name) for name in ("甲", "乙", "丙")]
        closed, speaker, listener = pages
        try:
            closed.close()
            speaker.send(json.dumps({"username": "乙", "msg": "你好"}))
            lines = []
            try:
                assert speaker.ping().wait(), "the speaker is gone"
                listener.ping().wait()
                while True:
                    lines.append(listener.recv(0))
            except TimeoutError:
                pass
            except ConnectionClosed as closed:
                raise AssertionError(str(closed)) from None
            assert any("你好" in json.loads(line)["msg"] for line in lines if line)
            assert speaker.close_code is None
        finally:
            for page in pages:
                page.close()
        """,
    ),
)
def check_test(test_a_closed_tab: Callable[[_Server], object]) -> None:
    """Run the test against chats with the fault, without it, and with another one."""
    for view, fails, what in (
        (_naive, True, "disconnects whoever speaks after a tab has closed"),
        (_cured, False, "has no fault"),
        (_deaf, True, "disconnects nobody; but after a tab has closed nobody is heard"),
        (_believing, False, "has another fault: it believes any name"),
    ):
        sockets: Sockets = {}
        with served(partial(_with, view, sockets)) as (url, taken):
            _try_test(test_a_closed_tab, _Server(url, taken), fails, what)
    for module, fails in (("naive.chat", True), ("step4_nicknames", False)):
        with running(f"group_chat.{module}") as chat:
            _try_test(test_a_closed_tab, _Server(chat.url), fails, f"is {module} of the demos")


def _with(
    view: Callable[[str, Seat, Sockets], None], sockets: Sockets, name: str, seat: Seat
) -> None:
    view(name, seat, sockets)


def _try_test(test: Callable[[_Server], object], server: _Server, fails: bool, what: str) -> None:
    """Run it once; expect that it fails, or does not, and that it closes its pages."""
    error: Exception | None = None
    try:
        test(server)
    except Wrong:
        raise
    except Exception as raised:
        error = raised
    still = [page for page in server.pages if page.is_open()]
    for page in still:
        page.close()
    said = f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0] if error else ""
    if isinstance(error, TimeoutError):
        said = "TimeoutError"  # its words name a time that we have shortened
    if fails:
        expect(
            error, f"your test ran against a chat that {what}, and it passes: expected a failure"
        )
        expect(
            isinstance(error, AssertionError),
            f"your test ran against a chat that {what}: expected an AssertionError, it raised "
            f"{said}",
        )
    else:
        expect(not error, f"your test ran against a chat that {what}, and it fails: {said}")
    expect(
        not still,
        f"your test leaves pages open, {len(still)} in number: a test closes what it has opened",
    )
