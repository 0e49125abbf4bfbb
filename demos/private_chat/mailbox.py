"""B6: the mailbox: every message is stored before it is acknowledged, and waits for its recipient.

All that arrives in the same moment is written in one transaction: a commit costs the same for one
message as for a hundred. While one is under way, the next gathers.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import gevent
import pymysql
from gevent.event import AsyncResult
from gevent.lock import Semaphore
from gevent.queue import Queue

from demos.group_chat.logs import log
from demos.group_chat.messages import NotSaid, id_is_taken
from demos.pool_demo.mysqlhelp import MysqlHelp, Row
from demos.private_chat.post import MayWrite, Pair, Post, not_friends, pair_of
from demos.private_chat.switchboard import Connection, Event, Switchboard, User

STORE_TIME = 5.0  # seconds until a sender hears that the database does not answer
AT_ONCE = 500  # messages in one transaction, or in one page of the past
OVERLAP = 30  # seconds that a page which comes back is shown again: commits can overtake ids
SWEEP = 2.0  # seconds between looks for messages that have reached nobody
GATHER = 0.05  # seconds in which marks of delivery gather: nobody waits for them
SLOWLY = 0.25  # seconds between looks whether enough marks of delivery have been noted
RETRY = 1.0  # seconds between attempts to note what was delivered
BODY = 4000  # characters in one message
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


class _Letter(NamedTuple):
    """A message to store; `done` says when it is, or why it is not."""

    sender_id: int
    recipient_id: int
    client_id: str
    body: str
    done: "AsyncResult[None]"


class Mailbox(Post):
    """A post that keeps what it is given."""

    keeps = True

    def __init__(
        self, db: MysqlHelp, board: Switchboard, may_write: MayWrite | None = None
    ) -> None:
        """Open the mailbox; see `Post`."""
        super().__init__(db, board, may_write)
        self._letters: Queue[_Letter] = Queue()
        self._got: Queue[tuple[int, int]] = Queue()  # recipient, message
        self._noted: set[tuple[int, int]] = set()  # the same, until the database knows it
        self._names: dict[int, str] = {}
        self._reading = Semaphore(READERS)
        work = (self._store_forever, self._mark_forever, self._sweep_forever)
        self._greenlets = [gevent.spawn(each) for each in work]

    def stop(self) -> None:
        """End; what is not stored by now was not acknowledged either."""
        gevent.killall(self._greenlets)

    # What pages ask for.

    def send(self, sender: User, to: str, msg: str, client_id: str) -> None:
        """Store a message, and hand it over to all pages of both users.

        Raises:
            NotSaid: there is no such user, or no friend, or the database did not answer in time.
            pymysql.MySQLError, PoolTimeout: the database is away.
        """
        if len(msg) > BODY:
            raise NotSaid("no_message", f"A message has at most {BODY} characters.")
        if client_id.endswith(" "):  # the database takes it for the one without
            raise NotSaid("no_message", "client_id must not end with a blank.")
        done: AsyncResult[None] = AsyncResult()
        try:
            with gevent.Timeout(STORE_TIME):
                letter = _Letter(sender.id, self.id_of(to), client_id, msg, done)
                self._names.update({letter.sender_id: sender.name, letter.recipient_id: to})
                self._letters.put(letter)
                done.get()
        except gevent.Timeout:
            done.set(None)  # whoever comes to this letter later leaves it
            raise NotSaid("not_stored", "The database does not answer; send it again.") from None

    def connect(self, connection: Connection, since: int) -> None:
        """Show a new page, held since it entered, what it has missed, and let it hear the rest."""
        if not connection.rich:
            connection.got = partial(self.got, connection.user)
        for row in self._missed(connection.user, since if connection.rich else 0):
            if not connection.show(self._event(row)):
                return
        connection.release()

    def got(self, user: User, ids: list[int]) -> None:
        """Note that messages have reached a page of their recipient."""
        for number in ids:
            self._noted.add((user.id, number))
            self._got.put((user.id, number))
        while len(self._got) > 10 * AT_ONCE:
            gevent.sleep(SLOWLY)  # the database is slow, so the page is read slowly

    def read(self, user: User, name: str, upto: int) -> None:
        """Note that a user has read a conversation up to a message; tell both what is new."""
        friend_id = self.id_of(name)
        pair, is_new = pair_of(user.id, friend_id), False
        (found,) = self._look(_LAST, (*pair, upto))
        last = found["id"] or 0  # 0: nothing has been written up to there
        while unread := self._look(_UNREAD, (user.id, friend_id, last, AT_ONCE)):
            if not self._mark_read(pair, [row["id"] for row in unread]):
                return
            is_new = True
        if is_new:
            event = {"type": "read", "reader": user.name, "friend": name, "upto": last}
            self.board.send(event, {user.id, friend_id})

    def history(self, user: User, name: str, before: int, limit: int) -> list[Event]:
        """Return a page of a conversation before a message, the oldest first.

        Raises:
            NotSaid: there is no such user.
        """
        rows = self._look(_PAST, (*pair_of(user.id, self.id_of(name)), before, limit))
        return [self._event(row) for row in reversed(rows)]

    def _look(self, sql: str, param: Sequence[object]) -> list[Row]:
        """Ask for something of the past, in turn with others who do."""
        with self._reading:
            return self.db.selectall(sql, param)

    def _mark_read(self, pair: Pair, ids: list[int]) -> bool:
        """Note that messages were read; between those who are no friends nothing is noted."""
        with self._reading, self.db.transaction() as tx:
            if not self._friends(tx, [pair]):
                return False
            tx.execute(
                "update messages set read_at = utc_timestamp(3),"
                " delivered_at = coalesce(delivered_at, utc_timestamp(3))"
                f" where id in ({_marks(ids)}) and read_at is null",
                ids,
            )
        return True

    # Storing.

    def _store_forever(self) -> None:
        while True:
            letters = _all_of(self._letters)
            try:
                self._store_twice(letters)
            except (pymysql.IntegrityError, pymysql.DataError):
                # One that cannot be stored must not take the others with it.
                for letter in letters:
                    self._store_alone(letter)
            except Exception as error:  # whatever it is, the next letters are stored again
                self._fail(letters, error)

    def _store_twice(self, letters: Sequence[_Letter]) -> None:
        """Store letters; after a deadlock or a lost connection once more, which is harmless."""
        try:
            self._store(letters)
        except pymysql.OperationalError:
            self._store(letters)

    def _store_alone(self, letter: _Letter) -> None:
        try:
            self._store_twice([letter])
        except Exception as error:
            self._fail([letter], error)

    def _fail(self, letters: Sequence[_Letter], error: Exception) -> None:
        log("not_stored", messages=len(letters), error=error)
        for letter in letters:
            letter.done.set_exception(error)

    def _store(self, letters: Sequence[_Letter]) -> None:
        """Store letters in one transaction; what is committed goes out and is acknowledged."""
        letters = [letter for letter in letters if not letter.done.ready()]
        if not letters:
            return
        with self.db.transaction() as tx:
            pairs = [pair_of(letter.sender_id, letter.recipient_id) for letter in letters]
            friends = self._friends(tx, pairs)
            allowed = [one for one, pair in zip(letters, pairs, strict=True) if pair in friends]
            if allowed:
                # The same letter again changes nothing, and is found below like the others.
                # (MySQL takes no id = id there: two in one batch are its error 1869.)
                tx.execute(
                    "insert into messages(sender_id, recipient_id, client_id, body) values "
                    + ",".join(["(%s, %s, %s, %s)"] * len(allowed))
                    + " on duplicate key update body = body",
                    [field for letter in allowed for field in letter[:4]],
                )
        self._answer(allowed, friends=True)
        accepted = set(allowed)
        self._answer([one for one in letters if one not in accepted], friends=False)

    def _answer(self, letters: Sequence[_Letter], friends: bool) -> None:
        """Acknowledge the letters that are stored as they are, and refuse the others.

        Asked after the transaction, which does not see what was committed while it ran: the same
        letter, sent to another process before. Who are friends no more may not have heard that
        their letter was stored; then the recipient hears nothing, for what has ended stays ended.
        """
        stored = {_content(row): row for row in self._stored(letters)}
        found = {_content(letter._asdict()) for letter in letters} & stored.keys()
        for content, row in stored.items():
            if content in found:
                # What was delivered already, was sent again: its recipient has it.
                to_both = friends and not row["delivered"]
                to = {row["sender_id"], row["recipient_id"]} if to_both else {row["sender_id"]}
                self.board.send(self._event(row), to)
        for letter in letters:
            if _content(letter._asdict()) in found:
                letter.done.set(None)
            else:
                taken = id_is_taken(letter.client_id)
                letter.done.set_exception(taken if friends else not_friends())

    def _friends(self, tx: MysqlHelp, pairs: Iterable[Pair]) -> set[Pair]:
        """Return the pairs that may write to each other; they still may when `tx` ends."""
        return self.may_write.among(tx, set(pairs)) if self.may_write else set(pairs)

    def _stored(self, letters: Sequence[_Letter]) -> list[Row]:
        """Return the rows of these letters, in the order of their ids."""
        client_ids = defaultdict(list)
        for letter in letters:
            client_ids[letter.sender_id].append(letter.client_id)
        where, param = [], []
        for sender_id, ids in client_ids.items():
            where.append(f"m.sender_id = %s and m.client_id in ({_marks(ids)})")
            param += [sender_id, *ids]
        if not where:
            return []
        return self.db.selectall(f"{_COLUMNS} where {' or '.join(where)} order by m.id", param)

    # Delivering.

    def _missed(self, user: User, since: int) -> Iterator[Row]:
        """Yield what was not delivered yet; for a page that comes back also what came after."""
        start = self._overlap(since) if since else 1 << 62
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
        pairs = self.may_write.known(self.db, user.id) if self.may_write else ()
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
        blocked = self.may_write.blocked(self.db, asked)
        return [row for row in rows if (row["recipient_id"], row["sender_id"]) not in blocked]

    def _overlap(self, since: int) -> int:
        """Return the first id that a page which has seen `since` may lack."""
        found = self.db.selectone(
            "select near.id from messages near join messages seen on seen.id = %s"
            " where near.id between %s and seen.id"
            " and near.sent_at > seen.sent_at - interval %s second order by near.id limit 1",
            (since, since - 10 * AT_ONCE, OVERLAP),
        )
        return int(found["id"]) if found else since + 1

    def _mark_forever(self) -> None:
        """Note what was delivered, many at a time, and tell the senders."""
        while True:
            self._got.peek()  # waits for the first
            if len(self._got) < AT_ONCE:
                gevent.sleep(GATHER)
            pairs = set(_all_of(self._got))
            while not self._marked(pairs):
                gevent.sleep(RETRY)
            self._noted -= pairs

    def _marked(self, pairs: set[tuple[int, int]]) -> bool:
        try:
            self._mark(pairs)
        except Exception as error:
            log("not_marked", messages=len(pairs), error=error)
            return False
        return True

    def _mark(self, pairs: set[tuple[int, int]]) -> None:
        ids = sorted({number for _, number in pairs})
        with self.db.transaction() as tx:
            rows = tx.selectall(
                "select id, sender_id, recipient_id from messages"
                f" where id in ({_marks(ids)}) and delivered_at is null for update",
                ids,
            )
            # Whoever names a message that was not for them marks nothing.
            rows = [row for row in rows if (row["recipient_id"], row["id"]) in pairs]
            if rows:
                tx.execute(
                    "update messages set delivered_at = utc_timestamp(3)"
                    f" where id in ({_marks(rows)})",
                    [row["id"] for row in rows],
                )
            # Who has left a friend, or blocked one, hears no more of what becomes of messages.
            pairs_of_rows = [pair_of(row["sender_id"], row["recipient_id"]) for row in rows]
            friends = self._friends(tx, pairs_of_rows)
            delivered = defaultdict(list)
            for row, pair in zip(rows, pairs_of_rows, strict=True):
                if pair in friends:
                    delivered[row["sender_id"], self._name(row["recipient_id"])].append(row["id"])
        for (sender_id, friend), numbers in delivered.items():
            self.board.send({"type": "delivered", "friend": friend, "ids": numbers}, {sender_id})

    def _sweep_forever(self) -> None:
        """Send again what should have arrived by now; a process may have died on the way."""
        swept = monotonic()
        while True:
            gevent.sleep(SWEEP)
            here, now = self.board.here(), monotonic()
            try:
                # What is older came when its recipient connected, or in an earlier sweep.
                for row in self._overdue(here, OVERLAP + now - swept) if here else ():
                    self.board.send_here(self._event(row), {row["recipient_id"]})
                swept = now
            except Exception as error:
                log("not_swept", error=error)

    def _overdue(self, users: list[int], age: float) -> Iterator[Row]:
        return self._paged(
            f"{_UNDELIVERED} m.recipient_id in ({_marks(users)}) and m.delivered_at is null"
            " and m.sent_at > utc_timestamp(3) - interval %s second"
            " and m.sent_at < utc_timestamp(3) - interval %s second",
            [*users, age, SWEEP],
        )

    def _event(self, row: Row) -> Event:
        sent_at: datetime = row["sent_at"]
        return {
            "type": "message",
            "id": row["id"],
            "time": sent_at.isoformat(timespec="milliseconds") + "Z",
            "from": self._name(row["sender_id"]),
            "to": self._name(row["recipient_id"]),
            "msg": row["body"],
            "client_id": row["client_id"],
            "delivered": bool(row["delivered"]),
            "read": bool(row["seen"]),
        }

    def _name(self, user_id: int) -> str:
        if user_id not in self._names:
            found = self.db.selectone("select name from userinfo where id = %s", (user_id,))
            self._names[user_id] = found["name"] if found else ""
        return self._names[user_id]


def _content(letter: Row) -> tuple[object, ...]:
    """Return what makes two letters, or a letter and a row, the same."""
    return tuple(letter[name] for name in ("sender_id", "client_id", "recipient_id", "body"))


def _all_of(queue: "Queue[Any]") -> list[Any]:
    """Wait for the queue's first item, and return it with what else is there."""
    items = [queue.get()]
    while len(items) < AT_ONCE and not queue.empty():
        items.append(queue.get())
    return items


def _marks(items: Sequence[object]) -> str:
    """Return a placeholder for each item."""
    return ", ".join(["%s"] * len(items))
