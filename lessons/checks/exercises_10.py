"""Lesson 10: once on the screen, stored for sure, counted and paged."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from course.exercise import exercise, expect
from course.visitor import Visitor, log_in
from demos.pool_demo.mysqlhelp import MysqlHelp
from lessons.checks.exercises_09 import helper, messenger
from lessons.checks.scene import ask, scene

Frame = dict[str, Any]
TABLES = ("messages", "friendships", "logins", "userinfo")
PATIENCE = 20.0  # seconds for an answer of the messenger


def rich(visitor: Visitor) -> ClientConnection:
    """Open a page in the rich format."""
    return visitor.ws(subprotocols=["im.v1"])


def write(page: ClientConnection, to: str, msg: str, client_id: str) -> None:
    """Send a message and wait until it is stored."""
    page.send(json.dumps({"to": to, "msg": msg, "client_id": client_id}))
    while json.loads(page.recv(PATIENCE)).get("client_id") != client_id:
        pass


def frames_on(page: ClientConnection) -> list[Frame]:
    """Return all frames that come up to the answer to a ping."""
    page.ping().wait(PATIENCE)
    found = []
    try:
        while True:
            found.append(json.loads(page.recv(0)))
    except TimeoutError:
        return found


@exercise(
    "10.1",
    hints=(
        "Which field of a frame is different for two messages, and the same when one comes again?",
        "Keep the ids that you have seen. A dict from id to text keeps the order as well.",
    ),
    why="At least once on the wire, and an id to tell: that makes once on the screen.",
    wrong={
        """
        return list(dict.fromkeys(f["msg"] for f in frames if f["type"] == "message"))
        """: "expected ['早', '早', '早', '在吗']",
        """
        found = {f["client_id"]: f["msg"] for f in frames if f["type"] == "message"}
        return list(found.values())
        """: "expected ['早', '早', '早', '在吗']",
        """
        return list({frame["id"]: frame["msg"] for frame in frames}.values())
        """: "KeyError",
    },
)
def check_to_show(to_show: Callable[[list[Frame]], list[str]]) -> None:
    """Let three friends write, open a page twice without confirming, and ask what it shows."""
    with messenger("step5_offline") as site:
        xue, chang, tang = (log_in(site, name) for name in ("韩雪", "舒畅", "唐嫣"))
        with rich(xue) as one, rich(tang) as other:
            write(one, "舒畅", "早", "a")
            write(other, "舒畅", "早", "a")
            write(one, "舒畅", "早", "b")
            write(one, "舒畅", "在吗", "c")
        frames = []
        for _ in range(2):
            with rich(chang) as page:
                frames += frames_on(page)
        found = to_show(frames)
        said = ["早", "早", "早", "在吗"]
        expect(found == said, f"expected {said} on the screen, your function returned {found}")


class Breaking:
    """A page whose connection breaks after some acknowledgements."""

    def __init__(self, page: ClientConnection, after: int) -> None:
        """Break after so many acknowledgements."""
        self._page, self._left = page, after

    def __enter__(self) -> "Breaking":
        """As the page itself."""
        self._page.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """As the page itself."""
        self._page.close()

    def send(self, text: str) -> None:
        """Send a frame."""
        self._page.send(text)

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next frame; raises ConnectionClosed where the connection breaks."""
        if not self._left:
            self._page.close()
            raise ConnectionClosedError(None, None)
        data = self._page.recv(timeout)
        self._left -= json.loads(data)["type"] == "message"
        return data


@exercise(
    "10.2",
    hints=(
        "Choose the client_ids before the first attempt, and keep what is not acknowledged yet.",
        "While something waits: connect, send all that waits, take out what is acknowledged.",
    ),
    why="Who makes the id once can send again as often as need be, and nothing is there twice.",
    wrong={
        """
        with connect() as page:
            for text in texts:
                page.send(json.dumps({"to": to, "msg": text, "client_id": str(uuid.uuid4())}))
                while json.loads(page.recv(5))["type"] != "message":
                    pass
        """: "ConnectionClosed",
        """
        left = list(texts)
        while left:
            try:
                with connect() as page:
                    for text in left:
                        frame = {"to": to, "msg": text, "client_id": str(uuid.uuid4())}
                        page.send(json.dumps(frame))
                    while left:
                        frame = json.loads(page.recv(5))
                        if frame["type"] == "message" and frame["msg"] in left:
                            left.remove(frame["msg"])
            except ConnectionClosed:
                continue
        """: "is stored",
        """
        with connect() as page:
            for number, text in enumerate(texts):
                page.send(json.dumps({"to": to, "msg": text, "client_id": f"mine{number}"}))
            try:
                while json.loads(page.recv(5)).get("client_id") != f"mine{number}":
                    pass
            except ConnectionClosed:
                return
        """: "before all was acknowledged",
    },
)
def check_send_surely(
    send_surely: Callable[[Callable[[], Breaking], str, list[str]], object],
) -> None:
    """Send eight texts over connections that break after three acknowledgements each."""
    texts = [f"第{number}句" for number in range(8)]
    with messenger("step5_offline") as site:
        xue = log_in(site, "韩雪")
        seen: list[Breaking] = []

        def connect() -> Breaking:
            expect(len(seen) < 10, "ten connections were opened, and not all was acknowledged")
            seen.append(Breaking(rich(xue), after=3))
            return seen[-1]

        send_surely(connect, "舒畅", list(texts))
        rows = [row["body"] for row in ask("select body from messages order by id")]
        for text, number in Counter(rows).items():
            expect(number == 1, f"{text} is stored {number} times")
        expect(
            len(seen) > 2,
            f"it came back after {len(seen)} of the 3 connections that eight texts need here, "
            "before all was acknowledged",
        )
        expect(rows == texts, f"expected {texts} in this order, stored is {rows}")


def _fill(rows: list[tuple[int, int, str, bool, bool]]) -> list[int]:
    """Store messages: sender, recipient, text, delivered, read; return their ids."""
    for number, (sender, recipient, text, delivered, read) in enumerate(rows):
        ask(
            "insert into messages(sender_id, recipient_id, client_id, body, delivered_at, read_at)"
            " values(%s, %s, %s, %s, if(%s, utc_timestamp(3), null),"
            " if(%s, utc_timestamp(3), null))",
            *(sender, recipient, f"e{number}", text, delivered, read),
        )
    return [row["id"] for row in ask("select id from messages order by id")]


@exercise(
    "10.3",
    hints=(
        "`read_at is null` means not read; `group by` makes one row for each sender.",
        "Join `userinfo` for the name: `on userinfo.id = messages.sender_id`.",
    ),
    why="A badge counts what was not read; what was delivered may still be unread.",
    wrong={
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.recipient_id = 1 and m.delivered_at is null group by u.name"
        )
        """: "expected {'唐嫣': 1, '舒畅': 2}",
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.read_at is null group by u.name"
        )
        """: "expected {'唐嫣': 1, '舒畅': 2}",
        """
        UNREAD = (
            "select sender_id, count(*) n from messages"
            " where recipient_id = 1 and read_at is null group by sender_id"
        )
        """: "no column name",
    },
)
def check_unread(UNREAD: str) -> None:
    """Fill the table, and compare what the SQL counts; read some, and compare again."""
    with scene(*TABLES):
        _fill(
            [
                (2, 1, "a", True, True),
                (2, 1, "b", True, False),
                (2, 1, "c", False, False),
                (3, 1, "d", True, False),
                (1, 2, "e", False, False),
                (4, 2, "f", False, False),
            ]
        )
        for expected in ({"唐嫣": 1, "舒畅": 2}, {"舒畅": 2}):
            rows = ask(UNREAD)
            missing = [name for name in ("name", "n") if rows and name not in rows[0]]
            expect(not missing, f"the rows have no column {' and no column '.join(missing)}")
            found = {
                row["name"]: row["n"] for row in sorted(rows, key=lambda row: str(row["name"]))
            }
            expect(found == expected, f"expected {expected}, the SQL counts {found}")
            ask("update messages set delivered_at = sent_at, read_at = sent_at where sender_id = 3")


@exercise(
    "10.4",
    hints=(
        "`low_id` and `high_id` are the two users of a message, whoever sent it.",
        "The newest first in SQL, with `limit`, and then turned round.",
    ),
    why="An id is a place that stays where it is; an offset moves with each new message.",
    wrong={
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s and id < %s"
            " order by id limit %s",
            (min(me, friend), max(me, friend), before, limit),
        )
        return [row["id"] for row in rows]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where sender_id = %s and recipient_id = %s and id < %s"
            " order by id desc limit %s",
            (friend, me, before, limit),
        )
        return [row["id"] for row in reversed(rows)]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s and id < %s"
            " order by id desc limit %s",
            (me, friend, before, limit),
        )
        return [row["id"] for row in reversed(rows)]
        """: "just before",
    },
)
def check_page_before(
    page_before: Callable[[MysqlHelp, int, int, int, int], list[int]],
) -> None:
    """Ask for pages of a conversation from both sides, among messages of others."""
    with scene(*TABLES), helper() as db:
        ids = _fill(
            [(*((1, 2), (2, 1), (1, 3))[number % 3], "text", False, False) for number in range(12)]
        )
        theirs = [one for number, one in enumerate(ids) if number % 3 != 2]
        for me, friend in ((1, 2), (2, 1)):
            for before, limit in ((theirs[6], 3), (theirs[2], 3), (theirs[0], 3), (ids[-1] + 9, 2)):
                expected = [one for one in theirs if one < before][-limit:]
                found = list(page_before(db, me, friend, before, limit))
                expect(
                    found == expected,
                    f"just before {before} come the ids {expected}, the function returned {found}",
                )
