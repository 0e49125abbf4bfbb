"""Lesson 08: one recipient, several, all their tabs, and who was away."""

import json
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection

from course.exercise import exercise, expect
from course.visitor import log_in
from demos.group_chat.faults import is_alive
from demos.private_chat.faults import write
from lessons.checks.hall import Guest, Seat, hall
from lessons.checks.running import running
from lessons.checks.scene import scene

Sockets = dict[str, Seat]
WhoIsAway = Callable[[ClientConnection, list[str], str], list[str]]


def expect_frames(guest: Guest, *wanted: dict[str, object]) -> None:
    """Expect these frames at a guest since the last look."""
    found = guest.frames()
    expect(found == list(wanted), f"expected {list(wanted)} at {guest.name}, she received {found}")


def expect_told(guest: Guest, about: str) -> None:
    """Expect one frame of the server's at a guest, about somebody who cannot be reached."""
    found = guest.frames()
    told = len(found) == 1 and isinstance(found[0], dict) and found[0].get("from_user") == "服务器"
    expect(
        told and about in str(found[0].get("msg")),
        f"expected one frame from 服务器 about {about} at {guest.name}, she received {found}",
    )


@exercise(
    "8.1",
    hints=(
        "What does a dictionary do with a key that it does not have, and with a list as a key?",
        "`sockets.get(to_user) if isinstance(to_user, str) else None` is `None` in both cases. "
        "Then `sockets[username]` hears from 服务器.",
    ),
    why="Who is away is an answer to the sender, and nobody else's business.",
    wrong={
        """
        other = sockets[to_user]
        other.send(json.dumps({"msg": frame["msg"], "from_user": username}))
        """: "韩雪 was disconnected when she wrote to somebody who is away by KeyError",
        """
        other = sockets.get(to_user)
        if other:
            other.send(json.dumps({"msg": frame["msg"], "from_user": username}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
            sockets[username].send(json.dumps(told))
        """: "韩雪 was disconnected when she named a list by TypeError",
        """
        if isinstance(to_user, str) and to_user in sockets:
            sender = frame.get("from_user", username)
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": sender}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
            sockets[username].send(json.dumps(told))
        """: "'from_user': '唐嫣'}]",
        """
        if isinstance(to_user, str) and to_user in sockets:
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": username}))
        """: "expected one frame from 服务器",
    },
)
def check_hand_over(hand_over: Callable[[dict[str, Any], str, Sockets], object]) -> None:
    """Let three write: to each other, to nobody, to a list; one lies about who she is."""
    sockets: Sockets = {}

    def view(name: str, socket: Seat) -> None:
        sockets[name] = socket
        try:
            while (text := socket.receive()) is not None:
                hand_over(json.loads(text), name, sockets)
        finally:
            del sockets[name]

    with hall(view) as enter:
        one, two, three = enter("韩雪"), enter("舒畅"), enter("唐嫣")
        one.say(json.dumps({"msg": "你好", "to_user": "舒畅"}))
        one.stays("when she wrote to 舒畅")
        expect_frames(two, {"msg": "你好", "from_user": "韩雪"})
        expect_frames(three)
        two.say(json.dumps({"msg": "你是谁", "to_user": "韩雪", "from_user": "唐嫣"}))
        expect_frames(one, {"msg": "你是谁", "from_user": "舒畅"})
        one.say(json.dumps({"msg": "在吗", "to_user": "小甜甜"}))
        one.stays("when she wrote to somebody who is away")
        expect_told(one, "小甜甜")
        one.say(json.dumps({"msg": "在吗", "to_user": ["舒畅"]}))
        one.stays("when she named a list")
        expect_told(one, "舒畅")
        expect_frames(two)


@exercise(
    "8.2",
    hints=(
        "What does a loop over `to_friend` do with a text? And with a name that is there twice?",
        "First `isinstance(found, list)`, and `isinstance(name, str)` for each. Then "
        "`list(dict.fromkeys(found))` has each once.",
    ),
    why="What comes from outside has the type that you have checked, and no other.",
    wrong={
        'return frame["to_friend"]': "she received ['来自韩雪:开会', '来自韩雪:开会']",
        'return list(set(frame["to_friend"]))': "['来自韩雪:开会'] when to_friend was '舒畅'",
        """
        found = frame["to_friend"]
        return list(dict.fromkeys(found)) if isinstance(found, list) else []
        """: "was disconnected when to_friend was [['舒畅'], 7] by TypeError",
        """
        found = frame["to_friend"]
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            return []
        return list(dict.fromkeys(found))
        """: "was disconnected when to_friend was missing by KeyError",
    },
)
def check_recipients(recipients: Callable[[dict[str, Any]], list[str]]) -> None:
    """Write to a list, to a text, to a list of other things, and to nothing."""
    sockets: Sockets = {}

    def view(name: str, socket: Seat) -> None:
        sockets[name] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.loads(text)
                for friend in recipients(frame):
                    if friend in sockets:
                        sockets[friend].send(f"来自{name}:{frame['msg']}")
        finally:
            del sockets[name]

    with hall(view) as enter:
        one = enter("韩雪")
        # Two of them have names of one letter each.
        others = [enter(name) for name in ("舒畅", "唐嫣", "舒", "畅")]
        one.say(json.dumps({"msg": "开会", "to_friend": ["舒畅", "唐嫣", "舒畅"]}))
        one.stays("when she wrote to two")
        for other in others:
            wanted = ["来自韩雪:开会"] if other.name in ("舒畅", "唐嫣") else []
            found = other.heard()
            expect(found == wanted, f"expected {wanted} at {other.name}, she received {found}")
        for field in ({"to_friend": "舒畅"}, {"to_friend": [["舒畅"], 7]}, {}):
            value = repr(field["to_friend"]) if field else "missing"
            one.say(json.dumps({"msg": "开会", **field}))
            one.stays(f"when to_friend was {value}")
            for other in others:
                found = other.heard()
                expect(not found, f"{other.name} received {found} when to_friend was {value}")


@exercise(
    "8.3",
    hints=(
        "One name, several sockets: what kind of value has each key of `pages` to be?",
        "`pages.setdefault(username, set()).add(socket)`. On leaving `discard`, and `del` when the "
        "set is empty.",
    ),
    why="A user is online while one of her pages is, and each page hears it.",
    wrong={
        """
        def enter(username, socket, pages):
            pages.setdefault(username, set()).add(socket)

        def leave(username, socket, pages):
            pages.pop(username, None)

        def send(username, text, pages):
            for socket in pages.get(username, ()):
                socket.send(text)
        """: "after one of her tabs had closed, 韩雪 received [] in the other",
        """
        def enter(username, socket, pages):
            pages.setdefault(username, set()).add(socket)

        def leave(username, socket, pages):
            pages[username].discard(socket)

        def send(username, text, pages):
            for socket in pages.get(username, ()):
                socket.send(text)
        """: "nobody is here, and pages is still {'韩雪': set()",
        """
        def enter(username, socket, pages):
            pages.setdefault(username, []).append(socket)

        def leave(username, socket, pages):
            pages[username].remove(socket)
            if not pages[username]:
                del pages[username]

        def send(username, text, pages):
            for socket in pages[username]:
                socket.send(text)
        """: "舒畅 was disconnected when she wrote to somebody who is away by KeyError",
    },
)
def check_tabs(
    enter: Callable[[str, Seat, dict[str, Any]], object],
    leave: Callable[[str, Seat, dict[str, Any]], object],
    send: Callable[[str, str, dict[str, Any]], object],
) -> None:
    """Open two tabs, write to them, close one, write, close the other, write."""
    pages: dict[str, Any] = {}

    def view(name: str, socket: Seat) -> None:
        enter(name, socket, pages)
        try:
            while (text := socket.receive()) is not None:
                send("韩雪", f"来自{name}:{text!s}", pages)
        finally:
            leave(name, socket, pages)

    with hall(view) as open_page:
        first, second, other = open_page("韩雪"), open_page("韩雪"), open_page("舒畅")
        other.say("一")
        other.stays("when she wrote to 韩雪")
        for tab, name in ((first, "first"), (second, "second")):
            found = tab.heard()
            expect(
                found == ["来自舒畅:一"],
                f"the {name} tab of 韩雪 received {found}, expected 来自舒畅:一",
            )
        second.leave()
        other.say("二")
        other.stays("after a tab of 韩雪 had closed")
        found = first.heard()
        wanted = "after one of her tabs had closed, 韩雪 received"
        expect(found == ["来自舒畅:二"], f"{wanted} {found} in the other")
        first.leave()
        other.say("三")
        other.stays("when she wrote to somebody who is away")
        other.leave()
        expect(not pages, f"nobody is here, and pages is still {pages}")


@exercise(
    "8.4",
    hints=(
        "`来自服务器:小甜甜 is not online.` comes once for each. When have all come?",
        "`page.ping().wait(5)`: what came before its answer is here. Then `page.recv(0)`, until it "
        "raises TimeoutError. Compare whole texts: others may write to you meanwhile.",
    ),
    why="The answer to a ping draws a line under what came before. Nobody has to guess how long.",
    wrong={
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        return [page.recv(1).removeprefix("来自服务器:").removesuffix(" is not online.")]
        """: "TimeoutError",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        away = []
        try:
            while True:
                said = page.recv(0).removeprefix("来自服务器:")
                away.append(said.removesuffix(" is not online."))
        except TimeoutError:
            return away
        """: "your function returned []",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        found = []
        try:
            while True:
                found.append(page.recv(0))
        except TimeoutError:
            return [name for name in names if any(f"{name} is not online." in one for one in found)]
        """: "expected [] of",
    },
)
def check_who_is_away(who_is_away: WhoIsAway) -> None:
    """Write to some who are here and some who are not, while somebody says confusing things."""
    with (
        scene("logins"),
        running("private_chat.step3_messages") as chat,
        log_in(chat, "韩雪").ws() as page,
        log_in(chat, "舒畅").ws() as two,
        log_in(chat, "唐嫣").ws() as three,
    ):
        for one in (page, two, three):
            is_alive(one)
        _compare(who_is_away, page, ["舒畅", "唐嫣"], [])
        _compare(who_is_away, page, ["小甜甜", "舒畅"], ["小甜甜"])
        write(two, "唐嫣 is not online.", ["韩雪"])
        is_alive(two)
        _compare(who_is_away, page, ["唐嫣", "舒畅"], [])
        for one, wanted in ((two, 3), (three, 2)):
            count = sum("来自韩雪:吃饭" in text for text in _texts(one))
            expect(count == wanted, f"expected {wanted} messages to a recipient, {count} came")


def _compare(
    who_is_away: WhoIsAway,
    page: ClientConnection,
    names: list[str],
    wanted: list[str],
) -> None:
    found = who_is_away(page, names, "吃饭")
    expect(found == wanted, f"expected {wanted} of {names}, your function returned {found}")


def _texts(page: ClientConnection) -> list[str]:
    is_alive(page)
    found = []
    try:
        while True:
            found.append(str(page.recv(0)))
    except TimeoutError:
        return found
