"""Lesson 08: one recipient, several, all their tabs, and who was away."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection

from course.exercise import exercise, expect
from demos.group_chat.clients.faults import is_alive
from demos.private_chat.clients.faults import write
from lessons.authors.checks.hall import Guest, Seat, hall
from lessons.authors.checks.pages import Watched
from lessons.authors.checks.running import log_in, running
from lessons.authors.checks.scene import ask, scene

Sockets = dict[str, Seat]
WhoIsAway = Callable[[Watched, list[str], str], list[str]]


def expect_frames(guest: Guest, *wanted: dict[str, object]) -> None:
    """Expect these frames at a guest since the last look."""
    found = guest.frames()
    expect(found == list(wanted), f"expected {list(wanted)} at {guest.name}, she received {found}")


def expect_told(guest: Guest, about: str) -> None:
    """Expect one frame of the server's at a guest, about somebody who cannot be reached."""
    found = guest.frames()
    told = (
        len(found) == 1
        and isinstance(found[0], dict)
        and set(found[0]) == {"msg", "from_user"}
        and found[0]["from_user"] == "服务器"
    )
    expect(
        told and about in str(found[0].get("msg")),
        f"expected one frame from 服务器 about {about} at {guest.name}, she received {found}",
    )


@exercise(
    "8.1",
    hints=(
        ("What does a dictionary do with a key that it does not have? And with a list as a key?"),
        (
            "Look the socket up only if `to_user` is a text. If there is no socket, answer the "
            "sender, whose own socket is `sockets[username]`."
        ),
        (
            "`sockets.get(to_user) if isinstance(to_user, str) else None` is `None` in both "
            "cases. The sender's name comes from `username`, never from the frame."
        ),
    ),
    why="If the other person is away, only the sender is told.",
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
        """
        if isinstance(to_user, str) and to_user in sockets:
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": username}))
        else:
            told = {"msg": "This user is not online.", "from_user": "服务器"}
            sockets[username].send(json.dumps(told))
        """: "about 小甜甜",
        """
        told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
        if isinstance(to_user, str) and to_user in sockets:
            told = {"msg": frame["msg"], "from_user": username}
        for other in sockets.values():
            other.send(json.dumps(told))
        """: "expected [] at 唐嫣",
        """
        if isinstance(to_user, str) and to_user in sockets:
            sockets[to_user].send(json.dumps({**frame, "from_user": username}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
            sockets[username].send(json.dumps(told))
        """: "'to_user': '舒畅'",
        """
        if not isinstance(to_user, str):
            return
        if to_user in sockets:
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": username}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
            sockets[username].send(json.dumps(told))
        """: "about 舒畅",
        """
        if isinstance(to_user, str) and to_user in sockets:
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": username}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "服务器"}
            for other in sockets.values():
                other.send(json.dumps(told))
        """: "expected [] at 舒畅",
        """
        if isinstance(to_user, str) and to_user in sockets:
            sockets[to_user].send(json.dumps({"msg": frame["msg"], "from_user": username}))
        else:
            told = {"msg": f"{to_user} is not online.", "from_user": "server"}
            sockets[username].send(json.dumps(told))
        """: "expected one frame from 服务器 about 小甜甜",
    },
    also_right=(
        """
        try:
            target = sockets[to_user]
            answer = {"msg": frame["msg"], "from_user": username}
        except (KeyError, TypeError):
            target = sockets[username]
            answer = {"msg": f"Nobody here is called {to_user!r}.", "from_user": "服务器"}
        target.send(json.dumps(answer))
        """,
    ),
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
        expect_frames(two)
        one.say(json.dumps({"msg": "在吗", "to_user": ["舒畅"]}))
        one.stays("when she named a list")
        expect_told(one, "舒畅")
        for nobody in ({"唐嫣": 1}, 7, None):
            three.say(json.dumps({"msg": "在吗", "to_user": nobody}))
            three.stays(f"when she named {nobody!r}")
            expect_told(three, str(nobody if nobody != {"唐嫣": 1} else "唐嫣"))
        expect_frames(two)
        expect_frames(one)


@exercise(
    "8.2",
    hints=(
        (
            "What does a loop over `to_friend` do with a text? With a dict? With a name that is "
            "there twice?"
        ),
        (
            "Ask with `isinstance` whether it is a list, and then whether each of its entries "
            "is a text. Only then take out what is there twice."
        ),
        (
            '`found = frame.get("to_friend")`; `isinstance(found, list) and '
            "all(isinstance(name, str) for name in found)`; `list(dict.fromkeys(found))` has "
            "each once."
        ),
    ),
    why="What comes from outside can have any type, so it is checked before it is used.",
    wrong={
        'return frame["to_friend"]': "she received ['来自韩雪:开会', '来自韩雪:开会']",
        'return list(set(frame["to_friend"]))': "expected nothing when to_friend was '舒畅'",
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
        """
        found = frame.get("to_friend")
        if not isinstance(found, list):
            return []
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))
        """: "舒畅 received ['来自韩雪:开会'], expected nothing when to_friend was ['舒畅', 7]",
        """
        found = frame.get("to_friend")
        if not found or isinstance(found, (str, int)):
            return []
        if not all(isinstance(name, str) for name in found):
            return []
        return list(set(found))
        """: "when to_friend was {'舒畅': 1}",
        """
        found = frame.get("to_friend")
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            return ()
        return list(dict.fromkeys(found))
        """: "your function returned (), expected the list []",
        """
        found = frame.get("to_friend")
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            return []
        return found
        """: "['来自韩雪:开会', '来自韩雪:开会']",
        """
        found = frame.get("to_friend")
        return ["舒畅", "唐嫣"] if isinstance(found, list) and "舒畅" in found else []
        """: "expected ['来自韩雪:开会'] at 畅",
    },
    also_right=(
        """
        names = []
        found = frame["to_friend"] if "to_friend" in frame else None
        if type(found) is not list:
            return names
        for name in found:
            if type(name) is not str:
                return []
            if name not in names:
                names.append(name)
        return names
        """,
        """
        match frame:
            case {"to_friend": [*found]} if all(isinstance(name, str) for name in found):
                return sorted(set(found))
        return []
        """,
    ),
)
def check_recipients(recipients: Callable[[dict[str, Any]], list[str]]) -> None:
    """Write to lists, to a text, to lists of other things, and to nothing."""
    sockets: Sockets = {}
    returned: list[object] = []

    def view(name: str, socket: Seat) -> None:
        sockets[name] = socket
        try:
            while (text := socket.receive()) is not None:
                frame = json.loads(text)
                returned.append(recipients(frame))
                for friend in returned[-1]:  # type: ignore[attr-defined]
                    if friend in sockets:
                        sockets[friend].send(f"来自{name}:{frame['msg']}")
        finally:
            del sockets[name]

    with hall(view) as enter:
        one = enter("韩雪")
        # Two of them have names of one letter each.
        others = [enter(name) for name in ("舒畅", "唐嫣", "舒", "畅")]
        for names in (["舒畅", "唐嫣", "舒畅"], ["畅", "小甜甜", "畅", "畅"]):
            one.say(json.dumps({"msg": "开会", "to_friend": names}))
            when = f"when to_friend was {names}"
            one.stays(when)
            for other in others:
                wanted = ["来自韩雪:开会"] if other.name in names else []
                found = other.heard()
                expect(found == wanted, f"expected {wanted} at {other.name}, she received {found}")
            _expect_names(returned[-1], sorted(set(names)), when)
        fields: tuple[dict[str, Any], ...] = (
            {"to_friend": "舒畅"},
            {"to_friend": [["舒畅"], 7]},
            {"to_friend": ["舒畅", 7]},
            {"to_friend": {"舒畅": 1}},
            {"to_friend": None},
            {"to_friend": 7},
            {"to_friend": []},
            {},
        )
        for field in fields:
            when = "when to_friend was missing"
            if field:
                when = f"when to_friend was {field['to_friend']!r}"
            one.say(json.dumps({"msg": "开会", **field}))
            one.stays(when)
            for other in others:
                found = other.heard()
                expect(not found, f"{other.name} received {found}, expected nothing {when}")
            _expect_names(returned[-1], [], when)


def _expect_names(returned: object, names: list[str], when: str) -> None:
    """Expect a list of these names, in any order."""
    is_list = isinstance(returned, list) and all(isinstance(name, str) for name in returned)
    expect(
        is_list and sorted(returned) == names,  # type: ignore[call-overload]
        f"{when}, your function returned {returned!r}, expected the list {names}",
    )


@exercise(
    "8.4",
    hints=(
        "One name, several sockets: what kind of value does each key of `pages` need?",
        (
            "Keep a set of sockets for each name. On leaving, take the socket out, and delete "
            "the key when the set is empty. A name without a key has no sockets."
        ),
        (
            "`pages.setdefault(username, set()).add(socket)`; `pages[username].discard(socket)` "
            "and `del pages[username]` if it is empty; `for socket in list(pages.get(username, "
            "()))`."
        ),
    ),
    why="A user is online as long as one of her tabs is open, and every open tab gets the text.",
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
        """
        def enter(username, socket, pages):
            pages.setdefault("all", set()).add(socket)

        def leave(username, socket, pages):
            pages["all"].discard(socket)
            if not pages["all"]:
                del pages["all"]

        def send(username, text, pages):
            for socket in list(pages.get("all", ())):
                socket.send(text)
        """: "舒畅 received ['来自舒畅:一']",
        """
        def enter(username, socket, pages):
            pages[username] = [*pages.get(username, [])[-1:], socket]

        def leave(username, socket, pages):
            if socket in pages[username]:
                pages[username].remove(socket)
            if not pages[username]:
                del pages[username]

        def send(username, text, pages):
            for socket in pages.get(username, []):
                socket.send(text)
        """: "the first tab of 韩雪 received []",
        """
        def enter(username, socket, pages):
            pages.setdefault(username, []).append(socket)

        def leave(username, socket, pages):
            pages[username].remove(socket)
            if not pages[username]:
                del pages[username]

        def send(username, text, pages):
            for socket in pages.get(username, [])[:3]:
                socket.send(text)
        """: "the fourth tab of 韩雪 received []",
    },
    also_right=(
        """
        def enter(username, socket, pages):
            pages[username] = [*pages.get(username, []), socket]

        def leave(username, socket, pages):
            left = [one for one in pages.get(username, []) if one is not socket]
            pages.pop(username, None)
            if left:
                pages[username] = left

        def send(username, text, pages):
            if username in pages:
                for socket in pages[username]:
                    socket.send(text)
        """,
    ),
)
def check_tabs(
    enter: Callable[[str, Seat, dict[str, Any]], object],
    leave: Callable[[str, Seat, dict[str, Any]], object],
    send: Callable[[str, str, dict[str, Any]], object],
) -> None:
    """Open five tabs, write to them, close all but one, write, close the other, write."""
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
        third = open_page("韩雪")
        more = [open_page("韩雪") for _ in range(2)]
        other.say("一")
        other.stays("when she wrote to 韩雪")
        for tab, name in (
            (first, "the first tab"),
            (second, "the second tab"),
            (third, "the third tab"),
            (more[0], "the fourth tab"),
            (more[1], "the fifth tab"),
        ):
            found = tab.heard()
            expect(
                found == ["来自舒畅:一"],
                f"{name} of 韩雪 received {found}, expected 来自舒畅:一",
            )
        found = other.heard()
        expect(not found, f"舒畅 wrote to 韩雪, and 舒畅 received {found}")
        second.leave()
        third.vanish()
        for tab in more:
            tab.leave()
        other.say("二")
        other.stays("after a tab of 韩雪 had closed")
        found = first.heard()
        expect(
            found == ["来自舒畅:二"],
            f"after one of her tabs had closed, 韩雪 received {found} in the other",
        )
        first.leave()
        other.say("三")
        other.stays("when she wrote to somebody who is away")
        other.leave()
        expect(not pages, f"nobody is here, and pages is still {pages}")


@exercise(
    "8.3",
    hints=(
        (
            "`来自服务器:小甜甜 is not online.` comes once for each who is away, and nothing comes "
            "for the others. How can you know that all have come?"
        ),
        (
            "The server answers in order. Send something whose answer you will recognise, such "
            "as a ping: when its answer is here, so is all that came before. Compare whole "
            "texts, because others write to you as well."
        ),
        (
            "`page.ping().wait(5)`, then `page.recv(0)` until it raises `TimeoutError`. Away is "
            'each name for which `f"来自服务器:{name} is not online."` is in the list of what you '
            "received."
        ),
    ),
    why="The server itself says that its answers have come. Nobody has to guess a time.",
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
        """: "on a slow network it stops too early",
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
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        said = []
        try:
            while True:
                said.append(page.recv(1))
        except TimeoutError:
            return [name for name in names if f"来自服务器:{name} is not online." in said]
        """: "on a slow network it stops too early",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        return [name for name in names if name == "小甜甜"]
        """: "expected ['唐嫣'] of",
        """
        for name in names:
            page.send(json.dumps({"to_friend": [name], "msg": msg}))
        page.ping().wait(5)
        said = []
        try:
            while True:
                said.append(page.recv(0))
        except TimeoutError:
            return [name for name in names if f"来自服务器:{name} is not online." in said]
        """: "expected one frame to all of them",
        """
        page.send(json.dumps({"to_friend": names, "msg": "早"}))
        page.ping().wait(5)
        said = []
        try:
            while True:
                said.append(page.recv(0))
        except TimeoutError:
            return [name for name in names if f"来自服务器:{name} is not online." in said]
        """: "messages to a recipient",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        said = []
        try:
            while True:
                said.append(page.recv(0))
        except TimeoutError:
            texts = "".join(said)
            return [name for name in names if f"来自服务器:{name} is not online." in texts]
        """: "expected [] of",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        away = []
        try:
            while True:
                said = page.recv(0)
                if said.startswith("来自服务器:"):
                    away.append(said)
        except TimeoutError:
            return away
        """: "your function returned ['来自服务器:小甜甜 is not online.']",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        said = []
        try:
            while True:
                said.append(page.recv(0))
        except TimeoutError:
            told = [one for one in said if one.startswith("来自服务器:")]
            return [name for name in names if any(name in one for one in told)]
        """: "expected ['小甜甜'] of ['甜甜', '小甜甜']",
        """
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.ping().wait(5)
        said = []
        try:
            while True:
                said.append(page.recv(0))
        except TimeoutError:
            return {name for name in names if f"来自服务器:{name} is not online." in said}
        """: "your function returned set()",
    },
    also_right=(
        """
        end = "nobody"
        page.send(json.dumps({"to_friend": names, "msg": msg}))
        page.send(json.dumps({"to_friend": [end], "msg": msg}))
        away = set()
        while (said := page.recv()) != f"来自服务器:There is no user {end}.":
            away |= {name for name in names if said == f"来自服务器:{name} is not online."}
        return sorted(away)
        """,
    ),
)
def check_who_is_away(who_is_away: WhoIsAway) -> None:
    """Write to some who are here and some who are not, while somebody says confusing things."""
    with (
        scene("userinfo"),
        _one_more("甜甜"),
        running("private_chat.step3_messages") as chat,
        log_in(chat, "韩雪").ws() as page,
        log_in(chat, "舒畅").ws() as two,
    ):
        with log_in(chat, "唐嫣").ws() as three:
            for one in (page, two, three):
                is_alive(one)
            _compare(who_is_away, page, ["舒畅", "唐嫣"], [])
            _compare(who_is_away, page, ["小甜甜", "舒畅"], ["小甜甜"])
            for lie in ("唐嫣 is not online.", "来自服务器:唐嫣 is not online."):
                write(two, lie, ["韩雪"])
                is_alive(two)
                _compare(who_is_away, page, ["唐嫣", "舒畅"], [])
            _expect_messages(two, 4)
            _expect_messages(three, 3)
        with log_in(chat, "小甜甜").ws() as four:
            is_alive(four)
            _wait_until_away(page, "唐嫣")
            _compare(who_is_away, page, ["小甜甜", "唐嫣"], ["唐嫣"])
            _expect_messages(four, 1)
        _wait_until_away(page, "小甜甜")
        with log_in(chat, "甜甜").ws() as five:
            is_alive(five)
            _compare(who_is_away, page, ["甜甜", "小甜甜"], ["小甜甜"])


@contextmanager
def _one_more(name: str) -> Iterator[None]:
    """Have a user more, whose name is a part of another one's; with the same password."""
    ask("insert into userinfo(name, password) select %s, password from userinfo where id = 4", name)
    yield


def _compare(
    who_is_away: WhoIsAway,
    page: ClientConnection,
    names: list[str],
    wanted: list[str],
) -> None:
    watched = Watched(page)
    found = who_is_away(watched, list(names), "吃饭")
    watched.no_guess()
    expect(
        isinstance(found, list) and sorted(found) == wanted,
        f"expected {wanted} of {names}, your function returned {found}",
    )
    to = [set(frame.get("to_friend", ())) & set(names) for frame in watched.sent]
    expect(
        [one for one in to if one] == [set(names)],
        f"expected one frame to all of them, {names}; your frames are {watched.sent}",
    )


def _wait_until_away(page: ClientConnection, name: str) -> None:
    """Return when the server knows that somebody's page has closed."""
    told = False
    while not told:
        write(page, "喂", [name])
        told = any("is not online" in text for text in _texts(page))


def _expect_messages(page: ClientConnection, wanted: int) -> None:
    count = sum("来自韩雪:吃饭" in text for text in _texts(page))
    expect(count == wanted, f"expected {wanted} messages to a recipient, {count} came")


def _texts(page: ClientConnection) -> list[str]:
    is_alive(page)
    found = []
    try:
        while True:
            found.append(str(page.recv(0)))
    except TimeoutError:
        return found
