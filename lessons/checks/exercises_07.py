"""Lesson 07: who hears it, who is still here, who has the name, and what was missed."""

import json
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection

from course.demo import Demo
from course.exercise import exercise, expect
from demos.group_chat.faults import is_alive
from lessons.checks.hall import Guest, Seat, hall
from lessons.checks.running import running

Sockets = dict[str, Seat]
PATIENCE = 20.0  # seconds for an answer of the room


def say(guest: Guest, msg: str, claimed: str = "") -> None:
    """Speak in the format of A10; `claimed` is the name in the frame."""
    guest.say(json.dumps({"username": claimed or guest.name, "msg": msg}))


def expect_heard(guest: Guest, *lines: tuple[str, str]) -> None:
    """Expect these lines (who, what) at a guest since the last look."""
    wanted = [{"username": name, "msg": msg} for name, msg in lines]
    found = guest.frames()
    expect(found == wanted, f"expected {wanted} at {guest.name}, she received {found}")


@exercise(
    "7.1",
    hints=(
        "Two names are there: one in the message, one in `username`. Which one can be a lie?",
        "Loop over `list(sockets.items())`, leave out the entry of `username`, and send each "
        'the same `json.dumps({"username": username, "msg": ...})`.',
    ),
    why="The frame is made once, and the name in it is the one that the server knows.",
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
    },
)
def check_pass_on(pass_on: Callable[[str, str, Sockets], object]) -> None:
    """Let three chat; one of them claims another's name."""
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
        say(one, "你好", claimed="舒畅")
        one.stays("after she had spoken")
        expect_heard(two, ("韩雪", "你好"))
        expect_heard(three, ("韩雪", "你好"))
        expect_heard(one)
        say(three, '"好"')
        expect_heard(one, ("唐嫣", '"好"'))
        expect_heard(two, ("唐嫣", '"好"'))


@exercise(
    "7.2",
    hints=(
        "What does `receive()` return at the end, and what has to happen to `sockets` then?",
        "`while (text := socket.receive()) is not None:` inside a `try`, and "
        "`del sockets[username]` in its `finally`.",
    ),
    why="Whatever ends the view, `finally` forgets its socket, and nobody else pays for it.",
    wrong={
        """
        sockets[username] = socket
        while (text := socket.receive()) is not None:
            frame = json.dumps({"username": username, "msg": json.loads(text)["msg"]})
            for other in list(sockets.values()):
                if other is not socket:
                    other.send(frame)
        """: "舒畅 was disconnected",
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
        """: "sockets still holds ['韩雪']",
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
    },
)
def check_closed_tab(chat: Callable[[str, Seat, Sockets], object]) -> None:
    """Let one leave, and another one break, and the others talk after each."""
    sockets: Sockets = {}
    with hall(lambda name, socket: chat(name, socket, sockets)) as enter:
        one, two, three, four = map(enter, ("韩雪", "舒畅", "唐嫣", "小甜甜"))
        say(one, "再见")
        for other in (two, three, four):
            expect_heard(other, ("韩雪", "再见"))
        one.leave()
        say(two, "谁在")
        two.stays("when she spoke after a tab had closed")
        expect_heard(three, ("舒畅", "谁在"))
        expect_heard(four, ("舒畅", "谁在"))
        expect("韩雪" not in sockets, f"韩雪 has left, and sockets still holds {['韩雪']}")
        four.vanish()
        say(three, "我在")
        three.stays("when she spoke after a connection had broken")
        expect_heard(two, ("唐嫣", "我在"))
        left = sorted(set(sockets) - {"舒畅", "唐嫣"})
        expect(not left, f"expected 舒畅 and 唐嫣 in sockets, it still holds {left}")


@exercise(
    "7.3",
    hints=(
        "The question comes before the entry: is there one of this name already?",
        "`socket.close(4409, ...)` and `return`, before the `try`: a `finally` that runs for the "
        "refused one takes away the entry of the other.",
    ),
    why="First come, first served, and who is refused learns why.",
    wrong={
        """
        if username in sockets:
            sockets[username].close(4409, "somebody else has come")
        sockets[username] = socket
        try:
            listen(username, socket, sockets)
        finally:
            del sockets[username]
        """: "expected that the second 韩雪 is closed with 4409, she is connected",
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
    },
)
def check_name_in_use(let_in: Callable[[str, Seat, Sockets], object]) -> None:
    """Let two of one name come, and then a third one when the first has left."""
    sockets: Sockets = {}
    with hall(lambda name, socket: let_in(name, socket, sockets)) as enter:
        first, bob = enter("韩雪"), enter("舒畅")
        first.stays("when she came in")
        second = enter("韩雪")
        code = second.closed_with()
        seen = f"closed with {code}" if code else "connected"
        expect(code == 4409, f"expected that the second 韩雪 is closed with 4409, she is {seen}")
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
    "7.4",
    hints=(
        "Lesson 07, section 11: the subprotocol, `?since=` in the path. Look at the welcome.",
        'The welcome is the first frame. Its `"replay"` says how many messages come next.',
    ),
    why="The room says how many come, so you need not guess when to stop.",
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
    },
)
def check_missed(missed: Callable[[Demo, str, str], Any]) -> None:
    """Say some lines in the finished room, and ask what was missed since each."""
    with (
        running("group_chat.step5_room_that_holds") as demo,
        demo.ws("唐嫣", subprotocols=["room.v1"]) as page,
    ):
        one, two, three = ids_of(page, "一", "二", "三")
        _compare(missed(demo, "舒畅", one), ["二", "三"])
        _compare(missed(demo, "舒畅", three), [])
        ids_of(page, "四")
        _compare(missed(demo, "舒畅", two), ["三", "四"])
        with demo.ws("舒畅") as again:
            expect(is_alive(again), "expected that you have left, 舒畅 is still in the room")


def _compare(found: object, wanted: list[str]) -> None:
    expect(found == wanted, f"expected {wanted}, your function returned {found}")
