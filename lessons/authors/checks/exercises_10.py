"""Lesson 10: once on the screen, stored for sure, counted and paged."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest import mock

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from course.exercise import Wrong, exercise, expect
from course.messenger_client import Visitor
from demos.pool_demo.mysqlhelp import MysqlHelp
from lessons.authors.checks.exercises_09 import messenger
from lessons.authors.checks.running import log_in
from lessons.authors.checks.scene import ask, helper, scene

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
        "Which field of a frame differs between two messages, and is equal when one comes again?",
        "Keep the ids that you have seen, and skip a frame whose id is one of them. A frame that "
        "is no message may have no id: look at its type first.",
        "A dict from `id` to `msg` has each id once, and keeps the order in which they came.",
    ),
    why="A message can arrive twice. Its `id` says that it is the same message.",
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
        """
        seen = {frame["id"]: frame["msg"] for frame in frames if frame["type"] == "message"}
        return [seen[one] for one in sorted(seen)]
        """: "expected ['早', '在吗', '早', '早']",
        'return ["早", "早", "早", "在吗"]': "expected ['早', '在吗', '早', '早']",
        """
        messages = [frame for frame in frames if frame["type"] == "message"]
        return [frame["msg"] for frame in messages[: len(messages) // 2]]
        """: "expected ['早', '在吗', '早', '早']",
    },
    also_right=(
        """
        seen, texts = set(), []
        for frame in frames:
            if frame["type"] != "message" or frame["id"] in seen:
                continue
            seen.add(frame["id"])
            texts.append(frame["msg"])
        return texts
        """,
        """
        shown = {}
        for frame in frames:
            if frame["type"] == "message":
                shown.setdefault((frame["from"], frame["client_id"]), frame["msg"])
        return list(shown.values())
        """,
    ),
)
def check_to_show(to_show: Callable[[list[Frame]], list[str]]) -> None:
    """Let friends write, open a page twice without confirming; ask in the order, and in another."""
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
        messages = [frame for frame in frames if frame["type"] == "message"]
        first, second, third, last = messages[:4]
        for came, said in (
            (frames, ["早", "早", "早", "在吗"]),
            ([first, last, *frames, second, third], ["早", "在吗", "早", "早"]),
        ):
            found = to_show([dict(frame) for frame in came])
            expect(found == said, f"expected {said} on the screen, your function returned {found}")


# Where the connections of exercise 10.2 break, one after the other; the rest do not break. `ack`: a
# message is stored, and its acknowledgement never comes. `send`: the frame does not leave.
# `refuse`: the frame is answered by an error instead, and then the connection breaks. The number
# says how many went well before, over this connection.
BREAKS = {
    "舒畅": (("ack", 0), ("send", 1), ("ack", 1)),
    "唐嫣": (("send", 0), ("refuse", 0), ("ack", 0), ("ack", 1)),
}
CONNECTIONS = 15  # more than any way needs that ends


class Breaking:
    """A page of 韩雪 whose connection breaks at one place."""

    def __init__(self, page: ClientConnection, breaks: tuple[str, int] | None) -> None:
        """Break there; None: not at all."""
        self._page, self._breaks = page, breaks
        page.__enter__()  # the library warns of a page that is used outside of a `with` block
        self._done = Counter[str]()
        self._lost: list[str] | None = None  # the client_id of what is to be refused, until it is
        self.refused = ""  # the client_id of what was
        self._refused = ""  # the code of the last frame that was not taken
        self._waiting: set[str] = set()  # client_ids that were sent and not answered
        self.sent: dict[str, str] = {}  # texts, by client_id
        self.acknowledged: set[str] = set()  # client_ids whose acknowledgement was handed over
        self.foreign: list[str] = []  # texts of others that were handed over

    def __enter__(self) -> "Breaking":
        """As the page itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """As the page itself."""
        self._page.close()

    def close(self) -> None:
        """As the page itself."""
        self._page.close()

    def send(self, text: str) -> None:
        """Send a frame; raises ConnectionClosed where the connection breaks."""
        frame = json.loads(text)
        client_id = str(frame.get("client_id"))
        self._break_at("send")
        if self._breaks != ("refuse", 0):
            self._page.send(text)
        elif self._lost is None:
            self._lost = [client_id]
        elif not self._lost:
            self._hang_up()
        self.sent[client_id] = str(frame.get("msg"))
        self._waiting.add(client_id)

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next frame; raises ConnectionClosed where the connection breaks.

        Raises:
            Wrong: nothing that was sent is unanswered, so nothing will come.
            TimeoutError: the same, where a time was given and nothing was refused.
        """
        if self._lost is not None and self._breaks == ("refuse", 0):
            return self._refuse(self._lost)
        if not self._waiting:
            self._page.ping().wait(PATIENCE)
        try:
            data = self._page.recv(timeout if self._waiting else 0)
        except TimeoutError:
            if self._waiting:
                raise
            expect(
                not self._refused,
                "your code waits for an acknowledgement that never comes: the messenger refused "
                f"the message with the code {self._refused}",
            )
            if timeout is not None:
                raise
            raise Wrong(
                "your code waits for a frame that never comes: all that it has sent over this "
                "connection is answered. Send again what was not acknowledged over an earlier one"
            ) from None
        frame = json.loads(data)
        client_id = frame.get("client_id")
        if frame["type"] == "message" and frame["from"] == "韩雪":
            self._break_at("ack")
            self.acknowledged.add(client_id)
        elif frame["type"] == "message":
            self.foreign.append(str(frame["msg"]))
        if frame["type"] == "error":
            self._refused = frame["code"]
            if not client_id:  # one that the messenger does not take for an id; no more answers
                self._waiting.clear()
        if frame["type"] == "error" or client_id in self.acknowledged:
            self._waiting.discard(client_id)
        return data

    def _refuse(self, lost: list[str]) -> str:
        """Return an error for the first message that was sent; break the second time."""
        if not lost:
            self._hang_up()
        self.refused = lost.pop()
        reason = "The database does not answer; send it again."
        answer = {"type": "error", "code": "not_stored", "reason": reason}
        return json.dumps(answer | {"client_id": self.refused}, ensure_ascii=False)

    def _break_at(self, what: str) -> None:
        if (what, self._done[what]) == self._breaks:
            self._hang_up()
        self._done[what] += 1

    def _hang_up(self) -> NoReturn:
        self._page.close()
        raise ConnectionClosedError(None, None)


@exercise(
    "10.2",
    hints=(
        (
            "Lesson 10, section 5: what does the messenger do with a `client_id` that it knows "
            "already? So when do you choose one: once for each text, or once for each attempt?"
        ),
        (
            "Make the ids before the first attempt, and keep all texts that are not "
            "acknowledged yet. While there are any: connect, send them all in their order, and "
            "read. An acknowledgement that was lost comes when you send the same frame again."
        ),
        (
            "`waiting = {str(uuid.uuid4()): text for text in texts}`. Then `while waiting:` "
            "with a `try` in it: send each, `recv` until `waiting` is empty, and `pop` the "
            "`client_id` of each frame of type `message`. `except ConnectionClosed:` goes on "
            "with the loop."
        ),
    ),
    why="With the same `client_id` you can send a message several times, and it is stored once.",
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
        """: "different client_ids",
        """
        for text in texts:
            done = False
            while not done:
                try:
                    with connect() as page:
                        client_id = str(uuid.uuid4())
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                        while not done:
                            done = json.loads(page.recv(5)).get("client_id") == client_id
                except ConnectionClosed:
                    continue
        """: "different client_ids",
        """
        waiting = {str(uuid.uuid4()): text for text in texts}
        while waiting:
            try:
                with connect() as page:
                    for client_id, text in waiting.items():
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                return
            except ConnectionClosed:
                continue
        """: "returned before",
        """
        left = list(texts)
        while left:
            try:
                with connect() as page:
                    while left:
                        frame = {"to": to, "msg": left[0], "client_id": str(uuid.uuid4())}
                        page.send(json.dumps(frame))
                        while json.loads(page.recv(5))["type"] != "message":
                            pass
                        del left[0]
            except ConnectionClosed:
                continue
        """: "a message of somebody else: that is no acknowledgement",
        """
        waiting = {str(uuid.uuid4()): text for text in texts}
        while waiting:
            try:
                with connect() as page:
                    for client_id, text in list(waiting.items()):
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                        while json.loads(page.recv(5))["type"] != "message":
                            pass
                        del waiting[client_id]
            except ConnectionClosed:
                continue
        """: "a message of somebody else",
        """
        waiting = {f"mine{number}": text for number, text in enumerate(texts)}
        while waiting:
            try:
                with connect() as page:
                    for client_id, text in waiting.items():
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                    while waiting:
                        frame = json.loads(page.recv())
                        if frame["type"] == "message":
                            waiting.pop(frame["client_id"], None)
            except ConnectionClosed:
                continue
        """: "with the code id_taken",
        """
        for text in texts:
            done = False
            while not done:
                try:
                    with connect() as page:
                        page.send(json.dumps({"to": to, "msg": text, "client_id": text}))
                        while not done:
                            frame = json.loads(page.recv())
                            done = frame["type"] == "message" and frame["client_id"] == text
                except ConnectionClosed:
                    continue
        """: "with the code no_message",
        """
        ids = {text: str(uuid.uuid4()) for text in texts}
        waiting = {client_id: text for text, client_id in ids.items()}
        while waiting:
            try:
                with connect() as page:
                    for client_id, text in waiting.items():
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                    while waiting:
                        frame = json.loads(page.recv(5))
                        if frame["type"] == "message":
                            waiting.pop(frame["client_id"], None)
            except ConnectionClosed:
                continue
        """: "expected 2 of 早, the table has 1 of them",
        """
        waiting = [(str(uuid.uuid4()), text) for text in reversed(texts)]
        for client_id, text in waiting:
            done = False
            while not done:
                try:
                    with connect() as page:
                        page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
                        while not done:
                            done = json.loads(page.recv(5)).get("client_id") == client_id
                except ConnectionClosed:
                    continue
        """: "in this order",
        """
        for text in texts:
            client_id, done = str(uuid.uuid4()), False
            while not done:
                try:
                    with connect() as page:
                        page.send(json.dumps({"to": "舒畅", "msg": text, "client_id": client_id}))
                        while not done:
                            frame = json.loads(page.recv(5))
                            done = (frame["type"], frame.get("client_id")) == ("message", client_id)
                except ConnectionClosed:
                    continue
        """: "expected ['晚安', '好'] stored for 唐嫣",
        """
        waiting = {str(uuid.uuid4()): text for text in texts}
        page = connect()
        for client_id, text in waiting.items():
            page.send(json.dumps({"to": to, "msg": text, "client_id": client_id}))
        while waiting:
            try:
                frame = json.loads(page.recv())
                if frame["type"] == "message":
                    waiting.pop(frame["client_id"], None)
            except ConnectionClosed:
                page = connect()
        """: "Send again what",
        """
        for text in texts:
            client_id, done = str(uuid.uuid4()), False
            frame = json.dumps({"to": to, "msg": text, "client_id": client_id})
            while not done:
                try:
                    with connect() as page:
                        page.send(frame)
                        while not done:
                            done = json.loads(page.recv(5)).get("client_id") == client_id
                except Exception:
                    pass
        """: "with a frame of type `error`",
    },
    also_right=(
        """
        for text in texts:
            client_id, done = str(uuid.uuid4()), False
            frame = json.dumps({"to": to, "msg": text, "client_id": client_id})
            while not done:
                try:
                    with connect() as page:
                        page.send(frame)
                        while not done:
                            answer = json.loads(page.recv())
                            kind, whose = answer["type"], answer.get("client_id")
                            done = kind == "message" and whose == client_id
                except ConnectionClosed:
                    pass
        """,
    ),
)
def check_send_surely(
    send_surely: Callable[[Callable[[], Breaking], str, list[str]], object],
) -> None:
    """Send twice, to two friends, over connections that break at different places."""
    with messenger("step5_offline") as site:
        xue, chang = log_in(site, "韩雪"), log_in(site, "舒畅")
        with rich(chang) as hers:
            write(
                hers, "韩雪", "在吗", "hers"
            )  # comes over each connection; it is no acknowledgement
        for to, texts in (("舒畅", ["早", "第一句", "早", "第二句"]), ("唐嫣", ["晚安", "好"])):
            seen: list[Breaking] = []
            breaks = list(BREAKS[to])

            def connect(seen: list[Breaking] = seen, breaks: list[Any] = breaks) -> Breaking:
                expect(
                    len(seen) < CONNECTIONS,
                    f"after {CONNECTIONS} connections, more than enough, not all was acknowledged",
                )
                seen.append(Breaking(rich(xue), breaks.pop(0) if breaks else None))
                return seen[-1]

            try:
                send_surely(connect, to, list(texts))
            finally:
                for page in seen:
                    page.close()
            sent = {client_id: text for page in seen for client_id, text in page.sent.items()}
            advice = _advice(sent, texts, [text for page in seen for text in page.foreign])
            known = Counter(
                sent[one] for one in {two for page in seen for two in page.acknowledged}
            )
            unknown = [one for one in Counter(texts) if one in sent.values() and not known[one]]
            took_errors = _took_errors([sent.get(page.refused, "") for page in seen], unknown)
            expect(
                not unknown,
                f"your function returned before {unknown} was acknowledged{advice}{took_errors}",
            )
            _expect_stored(to, texts, advice)


def _took_errors(refused: list[str], unknown: list[str]) -> str:
    """Say that an error explains what was not acknowledged, if it may."""
    if not set(refused) & set(unknown):
        return ""
    return (
        ". The messenger had answered with a frame of type `error`, which also has the "
        "`client_id`, "
        "and that is no acknowledgement"
    )


def _advice(sent: dict[str, str], texts: list[str], foreign: list[str]) -> str:
    """Say what in the use of the connections explains a wrong result; "" if nothing is known.

    Args:
        sent: the texts that were sent, by client_id.
        texts: those to be sent.
        foreign: the texts of messages that others had sent, and that the function received.
    """
    ids, wanted, said = Counter(sent.values()), Counter(texts), ""
    often = [text for text in wanted if ids[text] > wanted[text]]
    if often:
        text = often[0]
        said += (
            f". Your function sent {text} with {ids[text]} different client_ids, expected "
            f"{wanted[text]}: "
            "a new `client_id` makes it a new message, so keep the same one for each new try"
        )
    if foreign:
        said += (
            f". Your function also received {foreign[0]}, a message of somebody else: that is no "
            "acknowledgement, because it does not have your `client_id`"
        )
    return said


def _expect_stored(to: str, texts: list[str], advice: str) -> None:
    """Expect that these texts of 韩雪 are stored for a friend, and none twice; else give advice."""
    rows = ask(
        "select m.body from messages m join userinfo u on u.id = m.recipient_id"
        " where m.sender_id = 1 and u.name = %s order by m.id",
        to,
    )
    stored = [row["body"] for row in rows]
    wanted, found = Counter(texts), Counter(stored)
    for text in stored:
        expect(
            found[text] <= wanted[text],
            f"expected {wanted[text]} of {text}, the table has {found[text]} of them{advice}",
        )
    expect(bool(stored), f"expected {texts} stored for {to}, nothing is")
    for text in wanted:
        expect(
            found[text] >= wanted[text] or not found[text],
            f"expected {wanted[text]} of {text}, the table has {found[text]} of them",
        )
    expect(stored == texts, f"expected {texts} stored for {to} in this order, stored is {stored}")


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
        "The table `messages` has `recipient_id`, `sender_id` and `read_at`. Where does the name "
        "of a sender stand?",
        "Join `messages` with `userinfo`, keep the messages to her that have no `read_at`, and "
        "count them for each name.",
        "`select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id where … "
        "group by u.name`. A message has been delivered before it is read: they are two columns.",
    ),
    why="A badge counts messages that were not read. A delivered message may still be unread.",
    wrong={
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.recipient_id = 1 and m.delivered_at is null group by u.name"
        )
        """: "expected {'唐嫣': 1, '舒畅': 12}",
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.read_at is null group by u.name"
        )
        """: "expected {'唐嫣': 1, '舒畅': 12}",
        """
        UNREAD = (
            "select sender_id, count(*) n from messages"
            " where recipient_id = 1 and read_at is null group by sender_id"
        )
        """: "no column name",
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.recipient_id = 1 group by u.name"
        )
        """: "expected {'唐嫣': 1, '舒畅': 12}",
        """
        UNREAD = "select '唐嫣' name, 1 n union select '舒畅', 12"
        """: "expected {'舒畅': 12}",
        """
        UNREAD = (
            "select u.name, count(*) n from messages m join userinfo u on u.id = m.sender_id"
            " where m.recipient_id = 1 and m.read_at is null group by u.name having n < 10"
        )
        """: "the SQL counts {'唐嫣': 1}",
        """
        UNREAD = (
            "select u.name, (select count(*) from messages m where m.sender_id = u.id"
            " and m.recipient_id = 1 and m.read_at is null) n from userinfo u"
        )
        """: "'小甜甜': 0",
        """
        UNREAD = (
            "select u.name, 1 n from messages m join userinfo u on u.id = m.sender_id"
            " where m.recipient_id = 1 and m.read_at is null"
        )
        """: "has 13 rows",
    },
    also_right=(
        """
        UNREAD = (
            "select name, n from userinfo join (select sender_id, count(id) as n from messages"
            " where recipient_id = 1 and read_at is null group by sender_id) as counted"
            " on sender_id = userinfo.id"
        )
        """,
    ),
)
def check_unread(UNREAD: str) -> None:
    """Fill the table, and compare what the SQL counts; read some, and compare again."""
    with scene(*TABLES):
        _fill(
            [
                (2, 1, "a", True, True),
                (2, 1, "b", True, False),
                (2, 1, "c", False, False),
                *[(2, 1, f"c{number}", number % 2 == 0, False) for number in range(10)],
                (3, 1, "d", True, False),
                (1, 2, "e", False, False),
                (4, 2, "f", False, False),
            ]
        )
        for expected in ({"唐嫣": 1, "舒畅": 12}, {"舒畅": 12}):
            rows = ask(UNREAD)
            missing = [name for name in ("name", "n") if rows and name not in rows[0]]
            expect(not missing, f"the rows have no column {', '.join(missing)}")
            expect(
                len({row["name"] for row in rows}) == len(rows),
                f"expected one row for each user, the answer has {len(rows)} rows for "
                f"{len({row['name'] for row in rows})} of them",
            )
            found = {
                row["name"]: row["n"] for row in sorted(rows, key=lambda row: str(row["name"]))
            }
            expect(found == expected, f"expected {expected}, the SQL counts {found}")
            ask("update messages set delivered_at = sent_at, read_at = sent_at where sender_id = 3")


@exercise(
    "10.4",
    hints=(
        "Which two columns of `messages` are the same for both users of a conversation, whoever "
        "has sent a message?",
        "`low_id` is the smaller and `high_id` the greater of the two user ids. Ask for the newest "
        "`limit` ids below `before`, and reverse their order.",
        "`where low_id = %s and high_id = %s and id < %s order by id desc limit %s`, with "
        "`min(me, friend)` and `max(me, friend)`; then `reversed(rows)`.",
    ),
    why="The `id` of a message never changes. An offset changes with each new message.",
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
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s"
            " order by id desc limit %s",
            (min(me, friend), max(me, friend), limit),
        )
        return [row["id"] for row in reversed(rows)]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s and id < %s order by id",
            (min(me, friend), max(me, friend), before),
        )
        return [row["id"] for row in rows]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s and id < %s"
            " order by id desc limit %s",
            (min(me, friend), max(me, friend), before, limit),
        )
        return [row["id"] for row in rows]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where (sender_id in (%s, %s) or recipient_id in (%s, %s))"
            " and id < %s order by id desc limit %s",
            (me, friend, me, friend, before, limit),
        )
        return [row["id"] for row in reversed(rows)]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and id < %s order by id desc limit %s",
            (min(me, friend), before, limit),
        )
        return [row["id"] for row in reversed(rows)]
        """: "just before",
        """
        rows = db.selectall(
            "select id from messages where low_id = %s and high_id = %s and id < %s order by id",
            (min(me, friend), max(me, friend), before),
        )
        return [row["id"] for row in rows[-limit:]]
        """: "your function fetched 6 rows for 3 ids",
        """
        with db.stream(
            "select id from messages where low_id = %s and high_id = %s and id < %s order by id",
            (min(me, friend), max(me, friend), before),
        ) as rows:
            return [row["id"] for row in rows][-limit:]
        """: "your function fetched 6 rows for 3 ids",
    },
    also_right=(
        """
        rows = db.selectall(
            "select id from (select id from messages where id < %s and"
            " ((sender_id = %s and recipient_id = %s) or (sender_id = %s and recipient_id = %s))"
            " order by id desc limit %s) newest order by id",
            (before, me, friend, friend, me, limit),
        )
        return [row["id"] for row in rows]
        """,
    ),
)
def check_page_before(
    page_before: Callable[[MysqlHelp, int, int, int, int], list[int]],
) -> None:
    """Ask for pages of a conversation from both sides, among messages of others."""
    with scene(*TABLES), helper() as db:
        ids = _fill(
            [
                (*((1, 2), (2, 1), (1, 3), (3, 2))[number % 4], "text", False, False)
                for number in range(16)
            ]
        )
        theirs = [one for number, one in enumerate(ids) if number % 4 < 2]
        for me, friend in ((1, 2), (2, 1)):
            for before, limit in ((theirs[6], 3), (theirs[2], 3), (theirs[0], 3), (ids[-1] + 9, 2)):
                expected = [one for one in theirs if one < before][-limit:]
                with _counted(db) as fetched:
                    found = list(page_before(db, me, friend, before, limit))
                expect(
                    found == expected,
                    f"just before {before} come the ids {expected}, the function returned {found}",
                )
                expect(
                    sum(fetched) <= limit,
                    f"your function fetched {sum(fetched)} rows for {len(found)} ids, and a "
                    "conversation may be long: let the database choose them",
                )


@contextmanager
def _counted(db: MysqlHelp) -> Iterator[list[int]]:
    """Give a list of how many rows came at a time in the block, by `selectall` or by `stream`."""
    fetched: list[int] = []
    usual, usual_stream = db.selectall, db.stream

    def selectall(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as `selectall` takes them
        rows = usual(*arguments, **more)
        fetched.append(len(rows))
        return rows

    @contextmanager
    def stream(*arguments: Any, **more: Any) -> Iterator[Iterator[Any]]:  # noqa: ANN401 - the same
        with usual_stream(*arguments, **more) as rows:
            yield (row for row in rows if not fetched.append(1))  # type: ignore[func-returns-value]

    with (
        mock.patch.object(db, "selectall", selectall),
        mock.patch.object(db, "stream", stream),
    ):
        yield fetched
