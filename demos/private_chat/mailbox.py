"""B6: the mailbox stores each message before it acknowledges it, and keeps it for the recipient.

All messages that arrive at the same moment are stored in one transaction, because a commit costs
about the same for one message as for a hundred. While one transaction runs, the mailbox collects
the messages for the next, and sends on those of the one before.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any, NamedTuple

import gevent
import pymysql
from gevent.queue import Queue
from pymysql.constants import ER

from demos.group_chat.connection.turns import Turn
from demos.group_chat.rules.messages import NotSaid, id_is_taken
from demos.instruments.logs import log
from demos.pool_demo.lending.turnstile import Turnstile
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from demos.private_chat.post import (
    NO_ID,
    MayWrite,
    Pair,
    Post,
    Told,
    no_answer,
    not_friends,
    pair_of,
)
from demos.private_chat.switchboard import Connection, Event, Switchboard, User
from demos.private_chat.web.app import ANSWER_TIME, DATABASE_AWAY, TooSlow
from demos.private_chat.web.database import WAIT, whole

LONGEST = 4000  # characters in one message: the table has room for them
STORE_TIME = 4.9  # seconds until a sender hears that the database does not answer
LATE = 0.1  # seconds between looks who has waited so long
AT_ONCE = 500  # messages in one transaction, or in one page of the past
OVERLAP = 30  # seconds that a page which comes back is shown again: commits can overtake ids
SWEEP = 2.0  # seconds between looks for messages that have reached nobody
GATHER = 0.05  # seconds in which marks of delivery gather: nobody waits for them
SLOWLY = 0.25  # seconds between looks whether enough marks of delivery have been noted
RETRY = 1.0  # seconds between attempts to note what was delivered
READERS = 4  # connections for those who look back, or mark much; the others are for who writes

_COLUMNS = """select m.id, m.sender_id, m.recipient_id, m.client_id, m.body, m.sent_at,
    m.delivered_at is not null delivered, m.read_at is not null seen from messages m """
# The server often takes another index, or half of this one, and reads a conversation to its end.
_UNDELIVERED = _COLUMNS + "force index (messages_undelivered) where "
_PAST = (
    _COLUMNS + "force index (messages_conversation) where m.low_id = %s and m.high_id = %s"
    " and m.id < %s order by m.id desc limit %s"
)
_LAST = "select max(id) id from messages where low_id = %s and high_id = %s and id <= %s"
_UNREAD = """select id from messages force index (messages_unread) where recipient_id = %s
    and read_at is null and sender_id = %s and id <= %s order by id limit %s"""


# The first four fields of a _NewMessage. The other columns have defaults.
_INSERT = "insert into messages(sender_id, recipient_id, client_id, body) values "
_FIRST = "select sent_at, @@auto_increment_increment step from messages where id = %s"


class _Outcome:
    """What becomes of a message: told once, by whoever knows it first.

    With an AsyncResult somebody has to wait for it: a greenlet for each message.
    """

    __slots__ = ("_told",)

    def __init__(self, told: Told) -> None:
        self._told: Told | None = told

    def ready(self) -> bool:
        return self._told is None

    def set(self, error: Exception | None) -> None:
        told, self._told = self._told, None
        if told:
            told(error)


class _NewMessage(NamedTuple):
    """A message to store; `done` gets its result: stored, or the error."""

    sender_id: int
    recipient_id: int
    client_id: str
    body: str
    sender: str
    recipient: str
    done: _Outcome

    @property
    def pair(self) -> Pair:
        """The two users."""
        return pair_of(self.sender_id, self.recipient_id)


class _Answer(NamedTuple):
    """What becomes of a message: an event that goes to these users, or a reason why it is none."""

    message: _NewMessage
    what: Event | NotSaid
    to: Collection[int] = ()


class Mailbox(Post):
    """A post that stores the messages."""

    def __init__(
        self, db: MysqlHelp, board: Switchboard, may_write: MayWrite | None = None
    ) -> None:
        """Open the mailbox; see `Post`."""
        super().__init__(db, board, may_write)
        self.features = self.features._replace(keeps=True, keeps_order=True, longest=LONGEST)
        self._new: Queue[_NewMessage] = Queue()
        self._answers: Queue[list[_Answer]] = Queue()
        # What a sender waits for: until when, a number for the order, the message.
        self._waiting: list[tuple[float, int, _NewMessage]] = []
        self._numbers = count()
        self._got: Queue[tuple[int, int]] = Queue()  # recipient, message
        self._noted: set[tuple[int, int]] = set()  # the same, until the database knows it
        self._names: dict[int, str] = {}
        self._reading = Turnstile(READERS)
        storing = self._store_forever, self._answer_forever, self._end_late_ones
        work = *storing, self._mark_forever, self._sweep_forever
        self._greenlets = [gevent.spawn(each) for each in work]

    def stop(self) -> None:
        """End. A message that is not stored by now has not been acknowledged either."""
        gevent.killall(self._greenlets)

    def forget(self) -> None:
        """Look names and numbers up again."""
        super().forget()
        self._names.clear()

    # What pages ask for.

    def send(
        self, sender: User, to: str, msg: str, client_id: str, began: float, told: Told
    ) -> None:
        """Let a message be stored, and then be handed over to all pages of both users.

        Its sender is told within STORE_TIME after `began`; see `Post.send`.
        """
        try:
            to_id = self._recipient(to, msg, client_id)
        except (NotSaid, *DATABASE_AWAY) as error:
            told(error)
            return
        self._names[sender.id], self._names[to_id] = sender.name, to
        message = _NewMessage(sender.id, to_id, client_id, msg, sender.name, to, _Outcome(told))
        self._new.put(message)
        heappush(self._waiting, (began + STORE_TIME, next(self._numbers), message))

    def _recipient(self, to: str, msg: str, client_id: str) -> int:
        """Return the id of a message's recipient, if the message can be stored."""
        if len(msg) > LONGEST:
            raise NotSaid("no_message", f"A message has at most {LONGEST} characters.")
        if client_id.endswith(" "):  # the database takes it for the one without
            raise NotSaid("no_message", "client_id must not end with a blank.")
        return self.id_of(to)

    def connect(self, connection: Connection, since: int) -> None:
        """Send a new page the messages that it has missed, then those that were held meanwhile.

        Raises:
            TooSlow, pymysql.MySQLError, PoolTimeout: the database is away.
        """
        if not connection.rich:
            connection.got = partial(self.got, connection.user)
        turn = Turn()
        for row in self._missed(connection.user, since if connection.rich else 0):
            if not connection.show(self._event(row)):
                return
            turn.share()
        connection.release()

    def got(self, user: User, ids: list[int]) -> None:
        """Note that messages have reached a page of their recipient.

        Raises:
            TooSlow: the database is away, and so many marks wait for it that no more are taken.
        """
        with gevent.Timeout(ANSWER_TIME, TooSlow):
            while len(self._got) > 10 * AT_ONCE:
                gevent.sleep(SLOWLY)  # the database is slow, so the page is read slowly
        for number in ids:
            self._noted.add((user.id, number))
            self._got.put((user.id, number))

    def read(self, user: User, name: str, upto: int) -> None:
        """Note that a user has read a conversation up to a message; tell the pages of both.

        Raises:
            NotSaid: there is no such user.
            TooSlow, pymysql.MySQLError, PoolTimeout: the database is away.
        """
        friend_id = self.id_of(name)
        pair, is_new = pair_of(user.id, friend_id), False
        (found,) = self._look(_LAST, (*pair, upto))
        last = found["id"] or 0  # 0: nothing has been written up to there
        while unread := self._look(_UNREAD, (user.id, friend_id, last, AT_ONCE)):
            if not whole(partial(self._mark_read, pair, [row["id"] for row in unread])):
                return
            is_new = True
        if is_new:
            event = {"type": "read", "reader": user.name, "friend": name, "upto": last}
            self.board.send(event, {user.id, friend_id})

    def history(self, user: User, name: str, before: int, limit: int) -> list[Event]:
        """Return a page of a conversation before a message, the oldest first.

        Raises:
            NotSaid: there is no such user.
            TooSlow, pymysql.MySQLError, PoolTimeout: the database is away.
        """
        rows = self._look(_PAST, (*pair_of(user.id, self.id_of(name)), before, limit))
        return [self._event(row) for row in reversed(rows)]

    def _look(self, sql: str, param: Sequence[object]) -> list[Row]:
        """Read earlier messages, or what belongs to them; see `_reader`."""
        with self._reader() as db:
            return db.selectall(sql, param)

    @contextmanager
    def _reader(self) -> Iterator[MysqlHelp]:
        """Let READERS look back at the same time, in their order; the others wait.

        Raises:
            TooSlow, pymysql.MySQLError, PoolTimeout: the database is away.
        """
        with gevent.Timeout(ANSWER_TIME, TooSlow), self._reading.enter(WAIT):
            yield self.db

    def _mark_read(self, pair: Pair, ids: list[int]) -> bool:
        """Note that messages were read; if the two are not friends, note nothing."""
        with self._reading.enter(WAIT), self.db.transaction() as tx:
            if not self._friends(tx, [pair]):
                return False
            tx.execute(
                "update messages set read_at = utc_timestamp(3),"
                " delivered_at = coalesce(delivered_at, utc_timestamp(3))"
                f" where id in ({_placeholders(ids)}) and read_at is null",
                ids,
            )
        return True

    # Storing.

    def _store_forever(self) -> None:
        while True:
            messages = _all_of(self._new)
            try:
                self._store_twice(messages)
            except (pymysql.IntegrityError, pymysql.DataError):
                # One that cannot be stored must not take the others with it.
                for message in messages:
                    self._store_alone(message)
            except Exception as error:  # whatever it is, the next messages are stored again
                self._fail(messages, error)

    def _store_twice(self, messages: Sequence[_NewMessage]) -> None:
        """Store messages; after a deadlock or a lost connection once more, which is harmless."""
        try:
            self._store(messages)
        except pymysql.OperationalError:
            self._store(messages)

    def _store_alone(self, message: _NewMessage) -> None:
        try:
            self._store_twice([message])
        except Exception as error:
            self._fail([message], error)

    def _fail(self, messages: Sequence[_NewMessage], error: Exception) -> None:
        log("not_stored", messages=len(messages), error=error)
        for message in messages:
            message.done.set(error)

    def _store(self, messages: Sequence[_NewMessage]) -> None:
        """Store messages in one transaction; after the commit, acknowledge them and send them."""
        messages = [message for message in messages if not message.done.ready()]
        if not messages:
            return
        with self.db.transaction() as tx:
            friends = self._friends(tx, {message.pair for message in messages})
            allowed = [message for message in messages if message.pair in friends]
            answers = self._insert(tx, allowed)
        self._answer(answers or self._look_up(allowed, friends=True))
        refused = [message for message in messages if message.pair not in friends]
        self._answer(self._look_up(refused, friends=False))

    def _insert(self, tx: MysqlHelp, messages: Sequence[_NewMessage]) -> list[_Answer]:
        """Insert messages, and return the answers; none if one of them is stored already.

        Rows of one insert have one time, and their ids follow one another.
        """
        if not messages:
            return []
        sql = _INSERT + ",".join(["(%s, %s, %s, %s)"] * len(messages))
        param = [field for message in messages for field in message[:4]]
        try:
            number = tx.insert(sql, param)
        except pymysql.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            # (`id = id` is not possible: MySQL answers two of them with error 1869.)
            tx.execute(f"{sql} on duplicate key update body = body", param)
            return []
        (first,) = tx.selectall(_FIRST, (number,))
        answers = []
        for message in messages:
            names, texts = (message.sender, message.recipient), (message.body, message.client_id)
            event = _event_of(number, first["sent_at"], names, texts)
            answers.append(_Answer(message, event, (message.sender_id, message.recipient_id)))
            number += first["step"]
        return answers

    def _look_up(self, messages: Sequence[_NewMessage], friends: bool) -> list[_Answer]:
        """Return the answers to messages of which some are stored already; it refuses the others.

        Asked after the transaction, which does not see what was committed while it ran: the same
        message, sent to another process before. Who are friends no more may not have heard that
        their message was stored; then the recipient hears nothing, for what has ended stays ended.
        """
        stored = {_content(row): row for row in self._stored(messages)}
        answers = []
        for message in messages:
            row = stored.get(_content(message._asdict()))
            if row:
                # What was delivered already, was sent again: its recipient has it.
                to_both = friends and not row["delivered"]
                to = {row["sender_id"], row["recipient_id"]} if to_both else {row["sender_id"]}
                answers.append(_Answer(message, self._event(row), to))
            else:
                reason = id_is_taken(message.client_id) if friends else not_friends()
                answers.append(_Answer(message, reason))
        return answers

    def _answer(self, answers: list[_Answer]) -> None:
        """Let answers go out, behind those of the transaction before."""
        if answers:
            self._answers.put(answers)

    def _answer_forever(self) -> None:
        """Acknowledge, send on, or refuse, while the database stores the next messages."""
        turn = Turn(is_urgent=True)
        while True:
            for message, what, to in self._answers.get():
                if isinstance(what, NotSaid):
                    message.done.set(what)
                else:
                    self.board.send(what, to)
                    message.done.set(None)
                turn.share()

    def _end_late_ones(self) -> None:
        """Let no sender wait too long: a look at all of them, where a timer for each costs more."""
        while True:
            gevent.sleep(LATE)
            now = monotonic()
            while self._waiting:
                until, _, message = self._waiting[0]
                if not message.done.ready():
                    if now < until:
                        break
                    message.done.set(no_answer())  # and nobody stores it any more
                heappop(self._waiting)

    def _friends(self, tx: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return the pairs that may write to each other; they still may when `tx` ends."""
        return self.may_write.among(tx, set(pairs)) if self.may_write else set(pairs)

    def _stored(self, messages: Sequence[_NewMessage]) -> list[Row]:
        """Return the rows of these messages, in the order of their ids."""
        client_ids = defaultdict(list)
        for message in messages:
            client_ids[message.sender_id].append(message.client_id)
        where, param = [], []
        for sender_id, ids in client_ids.items():
            where.append(f"m.sender_id = %s and m.client_id in ({_placeholders(ids)})")
            param += [sender_id, *ids]
        if not where:
            return []
        return self.db.selectall(f"{_COLUMNS} where {' or '.join(where)} order by m.id", param)

    # Delivering.

    def _missed(self, user: User, since: int) -> Iterator[Row]:
        """Yield undelivered messages; for a page that comes back, also those that came after."""
        start = self._overlap(since) if since else NO_ID
        yield from self._paged(
            _UNDELIVERED + "m.recipient_id = %s and m.delivered_at is null and m.id < %s",
            [user.id, start],
        )
        if since:
            where, param = self._conversations(user)
            yield from self._paged(f"{where} and m.id >= %s", [*param, start], user.id)

    def _conversations(self, user: User) -> tuple[str, list[object]]:
        """Return the beginning of a query for all messages of a user, and its parameters.

        Each pair by itself: a page that was away for long would else read what all others wrote.
        """
        pairs: list[Pair] = []
        if self.may_write:
            with self._reader() as db:
                pairs = self.may_write.known(db, user.id)
        if not pairs:
            return _COLUMNS + "where (m.recipient_id = %s or m.sender_id = %s)", [user.id] * 2
        either = " or ".join(["m.low_id = %s and m.high_id = %s"] * len(pairs))
        where = f"{_COLUMNS} force index (messages_conversation) where ({either})"
        return where, [user_id for pair in pairs for user_id in pair]

    def _paged(self, sql: str, param: list[object], me: int = 0) -> Iterator[Row]:
        """Yield messages in the order of their ids, fetched some at a time."""
        last = 0
        while True:
            rows = self._look(
                sql + " and m.id > %s order by m.id limit %s",
                [*param, last, AT_ONCE],
            )
            yield from self._wanted(rows, me)
            if len(rows) < AT_ONCE:
                return
            last = rows[-1]["id"]

    def _wanted(self, rows: list[Row], me: int) -> list[Row]:
        """Leave out what was delivered a moment ago, and what comes from somebody who is blocked.

        The latter waits for an end of the block.

        Args:
            rows: messages.
            me: who is shown them; their sender is shown them in any case. 0: only recipients are.
        """
        rows = [row for row in rows if me or (row["recipient_id"], row["id"]) not in self._noted]
        if not self.may_write:
            return rows
        asked = {(row["recipient_id"], row["sender_id"]) for row in rows if row["sender_id"] != me}
        with self._reader() as db:
            blocked = self.may_write.blocked(db, asked)
        return [row for row in rows if (row["recipient_id"], row["sender_id"]) not in blocked]

    def _overlap(self, since: int) -> int:
        """Return the first id that a page which has seen `since` may lack."""
        found = self._look(
            "select near.id from messages near join messages seen on seen.id = %s"
            " where near.id between %s and seen.id"
            " and near.sent_at > seen.sent_at - interval %s second order by near.id limit 1",
            (since, since - 10 * AT_ONCE, OVERLAP),
        )
        return int(found[0]["id"]) if found else since + 1

    def _mark_forever(self) -> None:
        """Note deliveries, many at a time, and tell the senders."""
        while True:
            self._got.peek()  # waits for the first
            if len(self._got) < AT_ONCE:
                gevent.sleep(GATHER)
            pairs = set(_all_of(self._got))
            while not self._marked(pairs):
                gevent.sleep(RETRY)
            self._noted -= pairs

    def _marked(self, pairs: set[tuple[int, int]]) -> bool:
        """Note deliveries; say whether the database could."""
        try:
            self._mark_delivered(pairs)
        except Exception as error:
            log("not_marked", messages=len(pairs), error=error)
            return False
        return True

    def _mark_delivered(self, pairs: set[tuple[int, int]]) -> None:
        """Note in one transaction which messages have reached their recipient; tell the senders.

        Args:
            pairs: the id of the recipient, as a page claims it, and of the message.
        """
        ids = sorted({number for _, number in pairs})
        with self.db.transaction() as tx:
            named = tx.selectall(
                "select id, sender_id, recipient_id from messages"
                f" where id in ({_placeholders(ids)}) and delivered_at is null",
                ids,
            )
            # Whoever names a message that was not for them marks nothing.
            rows = [row for row in named if (row["recipient_id"], row["id"]) in pairs]
            both = [(pair_of(row["sender_id"], row["recipient_id"]), row) for row in rows]
            # In the order in which messages are stored: first the friendships, then the messages.
            # Two who lock in different orders, and a third who waits, end in a deadlock.
            friends = self._friends(tx, {pair for pair, _ in both})
            if rows:
                tx.execute(
                    "update messages set delivered_at = utc_timestamp(3)"
                    f" where id in ({_placeholders(rows)}) and delivered_at is null",
                    [row["id"] for row in rows],
                )
            # Who has left a friend, or blocked one, hears no more of what becomes of messages.
            delivered = defaultdict(list)
            for pair, row in both:
                if pair in friends:
                    delivered[row["sender_id"], self._name(row["recipient_id"])].append(row["id"])
        for (sender_id, friend), numbers in delivered.items():
            self.board.send({"type": "delivered", "friend": friend, "ids": numbers}, {sender_id})

    def _sweep_forever(self) -> None:
        """Send a message again if it should have arrived by now: its process may have died."""
        swept = monotonic()
        while True:
            gevent.sleep(SWEEP)
            here, now, turn = self.board.here(), monotonic(), Turn()
            try:
                # What is older came when its recipient connected, or in an earlier sweep.
                for row in self._overdue(here, OVERLAP + now - swept) if here else ():
                    self.board.send_here(self._event(row), {row["recipient_id"]})
                    turn.share()
                swept = now
            except Exception as error:
                log("not_swept", error=error)

    def _overdue(self, users: list[int], age: float) -> Iterator[Row]:
        return self._paged(
            f"{_UNDELIVERED} m.recipient_id in ({_placeholders(users)}) and m.delivered_at is null"
            " and m.sent_at > utc_timestamp(3) - interval %s second"
            " and m.sent_at < utc_timestamp(3) - interval %s second",
            [*users, age, SWEEP],
        )

    def _event(self, row: Row) -> Event:
        names = self._name(row["sender_id"]), self._name(row["recipient_id"])
        texts, marks = (row["body"], row["client_id"]), (row["delivered"], row["seen"])
        return _event_of(row["id"], row["sent_at"], names, texts, marks)

    def _name(self, user_id: int) -> str:
        if user_id not in self._names:
            with gevent.Timeout(ANSWER_TIME, TooSlow):
                found = self.db.selectone("select name from userinfo where id = %s", (user_id,))
            self._names[user_id] = found["name"] if found else ""
        return self._names[user_id]


def _event_of(
    number: int,
    sent_at: datetime,
    names: tuple[str, str],
    texts: tuple[str, str],
    marks: tuple[object, object] = (False, False),
) -> Event:
    """Return the event of a message.

    Args:
        number: its id.
        sent_at: in UTC.
        names: of sender and recipient.
        texts: the message, and its client_id.
        marks: whether it was delivered, and read.
    """
    return {
        "type": "message",
        "id": number,
        "time": sent_at.isoformat(timespec="milliseconds") + "Z",
        "from": names[0],
        "to": names[1],
        "msg": texts[0],
        "client_id": texts[1],
        "delivered": bool(marks[0]),
        "read": bool(marks[1]),
    }


def _content(message: Row) -> tuple[object, ...]:
    """Return what makes two messages, or a message and a row, the same."""
    return tuple(message[name] for name in ("sender_id", "client_id", "recipient_id", "body"))


def _all_of(queue: "Queue[Any]") -> list[Any]:
    """Wait for the first item of the queue; return it and the items behind it."""
    items = [queue.get()]
    while len(items) < AT_ONCE and not queue.empty():
        items.append(queue.get())
    return items


def _placeholders(items: Sequence[object]) -> str:
    """Return a placeholder of SQL for each item."""
    return ", ".join(["%s"] * len(items))
