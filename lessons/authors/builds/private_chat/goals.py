"""What is asked of a private chat. Its format is a part of `im.v1` in docs/wire-formats.md."""

import itertools
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any

import pymysql
from websockets.exceptions import InvalidHandshake

from course.build import Staircase
from course.exercise import Wrong, expect
from course.messenger_client import PASSWORD, Visitor
from demos.group_chat.clients import faults
from demos.group_chat.clients.faults import is_alive
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import connect_args
from lessons.authors.builds.private_chat import cookies, mutants
from lessons.authors.builds.private_chat.pages import (
    PATIENCE,
    TABLES,
    Chat,
    Frame,
    Page,
    behind_a_gate,
    deaf_tab,
    enter,
    is_refused,
    log_in,
    people,
    short,
    tab,
)
from lessons.authors.builds.private_chat.writer import EACH, Writer
from lessons.authors.builds.program import until, wait_for_a_lock
from lessons.authors.checks.scene import ask

TRIAL = "试一试"
HELD = 0.8  # seconds that the gate is closed, for a program that waits behind it
STALLED = 3.0  # seconds without an answer, after which we say that all wait
ONE, TWO, THREE, STRANGER = "韩雪", "舒畅", "唐嫣", "小甜甜"  # the last one is nobody's friend
CONFIRMED = "select id from messages where delivered_at is not null"
UNCONFIRMED = "select id from messages where delivered_at is null"
MEANWHILE = "select id from messages where client_id like 'h4-%%'"
BEFRIEND = """insert into friendships(low_id, high_id, state, actor_id)
    values(3, 4, 'accepted', 3)"""
STORED = "select client_id, body, delivered_at from messages order by id"
LONGEST = 4000  # characters of a message: the column has room for them
LONG = "长" * (LONGEST - 10)
LONG_ONES = 40  # together they are more than a connection holds
COMERS = 20  # tabs of each of two users that come and leave again
KEPT = 6.0  # megabytes; what waits for tabs that have left would be more than twice as much
LONGEST_ID = 36  # characters of a client_id: the same
WRITERS = (ONE, TWO, THREE)
TURMOIL = 30.0  # seconds until what has not arrived counts as lost

stairs = Staircase(behind_a_gate)


@stairs.goal(
    hint="The server is the one that the file's head shows: without it there is no "
    "`wsgi.websocket`. "
    "Lesson 09, sections 3 and 4: look the name up with a parameter, compare with "
    "check_password_hash, keep the user in Flask's `session` (app.secret_key), and redirect. "
    "Lesson 08, section 4: the view of the socket reads the same `session`.",
    mutant=[('"127.0.0.1", port', '"0.0.0.0", port')],
    says="listens at 0.0.0.0",
    also=mutants.LETS_USERS_IN,
)
def lets_users_in(chat: Chat) -> None:
    """Start it, log in and open a socket."""
    chat.start()
    status = Visitor(chat).get("login").status
    expect(status == 200, f"expected a page (200) for GET /login, the answer is {status}")
    with people(chat, ONE):
        pass
    opens = False
    with (
        suppress(InvalidHandshake),
        enter(chat, ONE).ws(subprotocols=["im.v1"], origin=chat.url) as socket,
    ):
        opens = is_alive(socket)
    expect(
        opens,
        f"expected that a page of the chat itself (Origin: {chat.url}) gets a socket, it is "
        "refused",
    )
    chat.check_passwords_fast()


@stairs.goal(
    hint="Lesson 08, sections 4, 5 and 8: the cookie is signed with a key that nobody can guess. "
    "If there is no user "
    "in the session, or the header Origin names another host or another port, the view returns "
    "before it does "
    "anything else.",
    mutant=[("(origin and urlsplit(origin).netloc != request.host)", "False")],
    says="a page of https://elsewhere.example",
    also=mutants.LETS_NOBODY_ELSE_IN,
)
def lets_nobody_else_in(chat: Chat) -> None:
    """Try without a password, without a cookie, with a forged one, and from a foreign page."""
    restore(*TABLES)
    injected = ('x" or "1"="1', "x' or '1'='1", "'")
    for name, password in (
        (TWO, "guess"),
        ("nobody", PASSWORD),
        *((x, PASSWORD) for x in injected),
    ):
        visitor, status = log_in(chat, name, password)
        expect(status == 401, f"expected 401 for {name!r} with {password!r}, it is {status}")
        expect(is_refused(visitor), f"{name!r} with {password!r} got 401, and the socket opens")
    expect(is_refused(Visitor(chat)), "expected no socket without a cookie, it opens")
    known = enter(chat, ONE)
    forged = Visitor(chat)
    forged.cookies = {name: cookies.other(value) for name, value in known.cookies.items()}
    expect(is_refused(forged), "expected no socket with a forged cookie, it opens")
    for name, value in known.cookies.items():
        forged.cookies = {one: text for one, text in known.cookies.items() if one != name}
        if not is_refused(forged):
            continue  # this one says nothing about who she is
        for other in cookies.as_another(value, ONE, TWO):
            forged.cookies = {**known.cookies, name: other}
            expect(
                is_refused(forged),
                f"in her cookie {name}={value} {ONE} wrote {other} instead, and she was another "
                "user",
            )
        key = cookies.guessed(value)
        expect(
            key is None,
            f"the cookie is signed with the key {key!r}, which is among the first that a "
            "stranger tries",
        )
    for origin in (
        "https://elsewhere.example",
        "http://elsewhere.example",
        f"{chat.url}.elsewhere.example",
        f"http://127.0.0.1:{chat.port % 65535 + 1}",
        "http://127.0.0.1",
        "null",
    ):
        expect(
            is_refused(known, origin=origin),
            f"expected that a page of {origin} gets no socket, it speaks as the user",
        )


@stairs.goal(
    hint="Keep a dict from the user to her open sockets. Store the message, then send the frame to "
    "the sockets of both. The name in `from` is the one in the session.",
    mutant=[('"from": sender.name', '"from": frame.get("from")')],
    says="somebody else",
    also=mutants.DELIVERS,
)
def delivers(chat: Chat) -> None:
    """Let two write to each other while a third one listens."""
    with people(chat, ONE, TWO, THREE) as (one, two, three):
        one.say(TWO, "你好，今天见", "a1")
        there, here = two.hears(ONE, TWO, "你好，今天见"), one.hears(ONE, TWO, "你好，今天见")
        expect(
            here["id"] == there["id"] and here.get("client_id") == "a1",
            f"expected that {ONE} gets the message back, with its id and client_id; she got {here}",
        )
        two.say(THREE, '"好"', "b1")
        three.hears(TWO, THREE, '"好"')  # and nothing before it
        _keeps_quiet(three, "你好，今天见")
        two.hears(TWO, THREE, '"好"')
        _knows_names_with_blanks(chat, one, two)


def _knows_names_with_blanks(chat: Chat, one: Page, two: Page) -> None:
    """Use names with a blank behind them, which the database takes for those without one."""
    one.say(f"{TWO} ", "空格", "a2")
    answer = one.hear("the acknowledgement", "message", "error")
    if answer["type"] == "message":
        two.hears(ONE, TWO, "空格")
    visitor, status = log_in(chat, f"{ONE} ")
    if status in (302, 303):
        with tab(visitor, f"{ONE}'s other tab") as page:
            page.say(TWO, "还是我", "a3")
            two.hears(ONE, TWO, "还是我")
            one.hears(ONE, TWO, "还是我")


def _keeps_quiet(page: Page, *secrets: str) -> None:
    """Expect that a page has received nothing of this, whatever the type of the frame."""
    leak = page.knows(*secrets)
    expect(not leak, f"{page.who} received what is not hers: {short(leak)}")


@stairs.goal(
    hint="Only a row of `friendships` with the state 'accepted' makes friends, and it may change "
    "at any time; low_id "
    "is the smaller id of the two. And check what arrives: JSON, an object, texts, their lengths "
    "(`json.loads` may "
    "also raise RecursionError, and `str.encode` fails for half a character).",
    mutant=[("and f.state = 'accepted'", "")],
    says="not friends",
    also=mutants.REFUSES,
)
def refuses(chat: Chat) -> None:
    """Write to strangers, to nobody, to one who is a friend no more, and send junk."""
    chat.quiet = True
    with people(chat, ONE, STRANGER, TWO) as (one, stranger, two):
        one.say(TWO, "还好吗", "c0")
        two.hears(ONE, TWO, "还好吗")
        one.hears(ONE, TWO, "还好吗")
        one.say(STRANGER, "不认识", "c1")
        one.is_told("c1", "they are not friends")
        stranger.say(ONE, "不认识", "c1")
        stranger.is_told("c1", "they are not friends")
        one.say("nobody", "不认识", "c2")
        one.is_told("c2", "there is no such user")
        for state in ("declined", "none"):
            _befriend(state)
            one.say(TWO, "不认识", "c3")
            one.is_told("c3", f"they are friends no more, the state is {state!r}")
        _befriend("accepted")
        for to, msg, why in (
            ([TWO], "不认识", ""),
            (TWO, "", ""),
            (TWO, 7, ""),
            (None, "不认识", ""),
            (TWO, "x" * (LONGEST + 1), f"msg of {LONGEST + 1} characters"),
            (TWO, "\ud83d", "half a character in msg"),
        ):
            one.say(to, msg, "c4")
            one.is_told("c4", why or f"to={to!r}, msg={msg!r}")
        for client_id in ("c" * (LONGEST_ID + 1), 7):
            one.send({"to": TWO, "msg": "不认识", "client_id": client_id})
            frame = one.hear(f"an error for the client_id {client_id!r}", "error", "message")
            expect(
                frame["type"] == "error",
                f"expected an error for the client_id {client_id!r}, {ONE} received {short(frame)}",
            )
        every: list[str | bytes] = [*faults.JUNK, '{"got": "all"}', '{"got": [{}]}', "[" * 10_000]
        every.append(b"\xff")
        for junk in every:
            one.socket.send(junk)
            expect(is_alive(one.socket), f"{ONE} was disconnected after she had sent {short(junk)}")
        two.say(ONE, "还在吗", "c5")
        one.hears(TWO, ONE, "还在吗")
        refused = {row["client_id"] for row in ask(STORED)} & {"c1", "c2", "c3", "c4"}
        expect(not refused, f"expected that nothing refused is stored, the table has {refused}")
        _keeps_quiet(stranger, "还在吗", "c2", "c3", "c4")
        _keeps_quiet(two, "不认识")


def _befriend(state: str) -> None:
    """Give the friendship of the first two this state."""
    ask("update friendships set state = %s where low_id = 1 and high_id = 2", state)


@stairs.goal(
    hint="Lesson 10, section 4: store, then acknowledge. INSERT and commit come first; only then "
    "send.",
    mutant=[
        (
            "number, is_new = store(sender, friend, msg, client_id)",
            "number, is_new = id(object()), True\n"
            "        gevent.spawn_later(0.5, store, sender, friend, msg, client_id)",
        )
    ],
    says="is not in the table",
    also=mutants.STORES_BEFORE_IT_ACKNOWLEDGES,
)
def stores_before_it_acknowledges(chat: Chat) -> None:
    """Look for a message that is here, while the way to the database is closed behind its row."""
    with people(chat, ONE, TWO) as (one, two):
        for number, text in enumerate(("第一", "第二", " \n长文 " + "x" * (LONGEST - 7) + " \n")):
            name = f"d-{number}"
            # The INSERT alone has the text; a SELECT before it may have the client_id.
            with chat.gate.closed_behind(text[:5].strip()):
                one.say(TWO, text, name)
                # Whoever commits by a statement of its own answers when the gate is open again.
                early = {ONE: _within(one, HELD), TWO: _within(two, HELD / 10)}
                for who, frame in early.items():
                    if frame:
                        _is_stored(who, frame, name, text)
            for page in (one, two):
                _is_stored(page.who, early[page.who] or page.hears(ONE, TWO, text), name, text)
    restore(*TABLES)
    ask("alter table messages add constraint judged check (client_id <> 'd-refused')")
    with people(chat, ONE, fresh=False) as (one,):
        one.say(TWO, "存不下", "d-refused")
        one.is_told("d-refused", "the database refuses it")
        one.say(TWO, "存得下", "d-next")
        one.hears(ONE, TWO, "存得下")


def _within(page: Page, seconds: float) -> Frame | None:
    """Return the message that comes within this time; None if none does."""
    try:
        return page.hear("a message", "message", patience=seconds)
    except Wrong:
        return None


def _is_stored(who: str, frame: Frame, client_id: str, text: str) -> None:
    """Expect that the row of a message that has just arrived is in the table, as it was sent."""
    rows = ask("select id, body, delivered_at from messages where client_id = %s", client_id)
    expect(
        rows,
        f"the message {client_id} has come to {who} and is not in the table `messages`: it was "
        "not committed",
    )
    row = rows[0]
    expect(
        row["body"] == text,
        f"{client_id} is stored as another text: {short(repr(text))} was sent, and the row has "
        f"{short(repr(row['body']))}",
    )
    found, wanted = (row["id"], row["delivered_at"]), (frame["id"], None)
    expect(found == wanted, f"expected (id, delivered_at) {wanted}, the row has {found}")


@stairs.goal(
    hint="One user has a set of sockets, not one socket. A tab that closes takes only itself out. "
    "`send` waits when the receiver does not read: give each socket a queue, and a greenlet that "
    "sends what is in it (lesson 07, section 8).",
    mutant=[("tabs.setdefault(me.id, set()).add(mine)", "tabs[me.id] = {mine}")],
    says="to 舒畅's first tab",
    also=mutants.SERVES_ALL_TABS,
)
def serves_all_tabs(chat: Chat) -> None:
    """Open three tabs of one user and two of another, and close one of each."""
    restore(*TABLES)
    two, one = enter(chat, TWO), enter(chat, ONE)
    with ExitStack() as stack:
        first, third, hers = (
            stack.enter_context(tab(visitor, called))
            for visitor, called in (
                (two, f"{TWO}'s first tab"),
                (two, f"{TWO}'s third tab"),
                (one, f"{ONE}'s first tab"),
            )
        )
        with tab(two, f"{TWO}'s second tab") as second, tab(one, f"{ONE}'s other tab") as other:
            for page in (first, third, hers, second, other):
                expect(is_alive(page.socket), f"expected that {page.who} stays open")
            _all_hear(hers, first, second, third, hers, other)
            hers.say(TWO, "每个窗口", "e1")
            for page in (first, second, third, hers, other):
                page.hears(ONE, TWO, "每个窗口")
        hers.say(TWO, "一个窗口", "e2")
        for page in (first, third, hers):
            page.hears(ONE, TWO, "一个窗口")
    _forgets_who_has_left(chat, one, two)
    _waits_for_no_reader(chat, one, two)


def _waits_for_no_reader(chat: Chat, one: Visitor, two: Visitor) -> None:
    """Write to one whose second tab reads nothing, until its connection is full, and then more."""
    restore("messages")
    with (
        deaf_tab(chat, two, f"{TWO}'s second tab") as deaf,
        tab(two, f"{TWO}'s first tab") as first,
        tab(one, ONE) as hers,
        chat.killed_if_missed(),
    ):
        _all_hear(hers, deaf, first, hers)
        for number in range(LONG_ONES):
            hers.say(TWO, f"{number} {LONG}", f"e3-{number}", escaped=False)
            for page in (hers, first):
                expect(
                    _within(page, PATIENCE),
                    f"while another tab of {TWO} reads nothing, {page.who} waits: after {number} "
                    f"long messages of {ONE} nothing came in {PATIENCE:g} s",
                )
        # If this tab left now, gevent-websocket would send a close frame beside what is being sent
        # already, and print a traceback. No goal is about that.
        chat.kill()
    chat.start()


def _forgets_who_has_left(chat: Chat, one: Visitor, two: Visitor) -> None:
    """Let many tabs come and leave; what is written then must not wait for them."""
    restore("messages")
    for visitor in (one, two):
        for _ in range(COMERS):
            with tab(visitor, TWO) as page:
                expect(is_alive(page.socket), f"expected that {page.who} stays open")
    with tab(two, TWO) as writer:
        before = chat.memory()
        for number in range(LONG_ONES):
            writer.say(ONE, f"{number} {LONG}", f"e4-{number}", escaped=False)
            writer.acknowledged(f"e4-{number}")
        expect(
            until(lambda: chat.memory() < before + KEPT, STALLED),
            f"expected that nothing is kept for a tab that has left; {2 * COMERS} came and left, "
            f"and after {LONG_ONES} more messages the program needs "
            f"{chat.memory() - before:.0f} MB more",
        )


@stairs.goal(
    hint="Lesson 10, section 3: when a socket opens, select the messages to this user whose "
    "`delivered_at` is null, in order of the id. `got` sets `delivered_at`, for messages to this "
    "user only.",
    mutant=[("order by m.id", "order by m.id desc")],
    says="expected (from, to, msg)",
    also=mutants.KEEPS_FOR_WHO_IS_AWAY,
)
def keeps_for_who_is_away(chat: Chat) -> None:
    """Write to somebody who is away; she comes, leaves without a word, comes again and confirms."""
    with people(chat, ONE, THREE) as (one, three):
        for number in range(4):
            (one if number % 2 else three).say(TWO, f"第{number}", f"f{number}")
            (one if number % 2 else three).hear("the acknowledgement", "message")
        senders = [ONE if number % 2 else THREE for number in range(4)]
        with people(chat, THREE, fresh=False) as (other,):
            one.say(THREE, "给唐嫣", "f8")
            one.hears(ONE, THREE, "给唐嫣")
            leak = other.knows("第1", "第3")
            expect(not leak, f"when {THREE} opened a page, she received what is not hers: {leak}")
        for _ in range(2):  # the first time she confirms nothing, so all come again
            with people(chat, TWO, fresh=False) as (two,):
                frames = [two.hears(who, TWO, f"第{n}") for n, who in enumerate(senders)]
        two_herself = enter(chat, TWO)
        with tab(two_herself, TWO) as two, tab(two_herself, f"{TWO}'s second tab") as second:
            frames = [two.hears(who, TWO, f"第{n}") for n, who in enumerate(senders)]
            for number, who in enumerate(senders):
                second.hears(who, TWO, f"第{number}")
            one.got(*frames)
            expect(
                not ask(CONFIRMED),
                f"{ONE} sent `got` with the ids of messages to {TWO}, and they count as confirmed",
            )
            two.got(*frames[:3])
            _settled(CONFIRMED, 3, "that are confirmed")
        _comes_while_one_writes(chat, two_herself, senders[3], one)
        with people(chat, TWO, fresh=False) as (two,):
            one.say(TWO, "新的", "f9")
            two.hears(ONE, TWO, "新的")


def _comes_while_one_writes(chat: Chat, visitor: Visitor, sender: str, one: Page) -> None:
    """Let a friend write while the page that opens has no answer yet to what waits for it."""
    with ExitStack() as stack:
        with chat.gate.closed_before_answer("第3") as waiting:
            two = stack.enter_context(tab(visitor, TWO))
            waiting.acquire(timeout=HELD)
            one.say(TWO, "在路上", "f5")
            _within(one, HELD)  # a program with one connection for all answers later
        frames = [two.hears(sender, TWO, "第3")]  # and nothing before it
        frames.append(two.hears(ONE, TWO, "在路上"))
        two.got(*frames)
        _settled(CONFIRMED, 5, "that are confirmed")


def _all_hear(speaker: Page, *pages: Page) -> None:
    """Write to 舒畅 until all these tabs hear: the handshake may come before a tab is known."""
    deadline, deaf = time.monotonic() + PATIENCE, list(pages)
    for number in itertools.count():
        speaker.say(TWO, f"{TRIAL}{number}", f"e0-{number}")
        for page in list(deaf):
            with suppress(Wrong):
                page.hear("any message", "message", patience=0.3)
                deaf.remove(page)
        if not deaf:
            break
        expect(
            time.monotonic() < deadline,
            f"expected that a message comes to all tabs of both, nothing came to {deaf[0].who} in "
            f"{PATIENCE:g} s",
        )
    for page in pages:
        page.skips = TRIAL


def _settled(sql: str, count: int, what: str) -> None:
    """Wait until a statement finds so many rows."""
    deadline = time.monotonic() + PATIENCE
    while (found := len(ask(sql))) != count:
        expect(
            time.monotonic() < deadline,
            f"expected that the table has {count} rows {what}, it has {found}",
        )
        time.sleep(0.02)


@stairs.goal(
    hint="Lesson 10, section 5: the table has a unique key (sender_id, client_id). If INSERT fails "
    "because of it, the message is there already: acknowledge it with the id that it has, and do "
    "not send it to the friend again.",
    mutant=[
        ("for user in (sender, friend) if is_new else (sender,)", "for user in (sender, friend)")
    ],
    says="a second time",
    also=mutants.STORES_WHAT_COMES_AGAIN_ONCE,
)
def stores_what_comes_again_once(chat: Chat) -> None:
    """Send one frame three times, as a page does that saw no answer."""
    with people(chat, ONE, TWO) as (one, two):
        ids = []
        for _ in range(3):
            one.say(TWO, "收到请回答", "g1")
            ids.append(one.hears(ONE, TWO, "收到请回答")["id"])
        expect(len(set(ids)) == 1, f"expected one id for one client_id, the answers have {ids}")
        rows = ask(STORED)
        expect(len(rows) == 1, f"expected one row, the table has {len(rows)}")
        frame = two.hears(ONE, TWO, "收到请回答")
        expect(
            frame["id"] == ids[0], f"expected the id {ids[0]} at {TWO}, she received {frame['id']}"
        )
        two.got(frame)
        _settled(CONFIRMED, 1, "that are confirmed")
        two.forget()
        one.say(TWO, "收到请回答", "g1")
        one.hears(ONE, TWO, "收到请回答")
        one.say(TWO, "另一个", "g2")
        after = [two.hear("any message", "message")]
        while after[-1].get("client_id") != "g2":
            after.append(two.hear("any message", "message"))
        again = [frame for frame in after if frame.get("client_id") == "g1"]
        expect(not again, f"{TWO} has confirmed g1, and it was sent to her a second time")
    with people(chat, ONE, TWO, THREE) as (one, two, three):
        for to, msg, client_id in ((TWO, "在吗", "g3"), (TWO, "在吗", "g4"), (THREE, "在吗", "g5")):
            one.say(to, msg, client_id)
            one.acknowledged(client_id)
        _has_rows(
            "one text twice with two client_ids",
            (2, "在吗", "g3"),
            (2, "在吗", "g4"),
            (3, "在吗", "g5"),
        )
        three.hears(ONE, THREE, "在吗")
        three.say(TWO, "别的", "g3")
        three.hears(THREE, TWO, "别的")
        _has_rows(
            "two users with the same client_id",
            *[(2, "在吗", "g3"), (2, "在吗", "g4"), (3, "在吗", "g5"), (2, "别的", "g3")],
        )
        one.say(TWO, "改了", "g3")
        one.is_told("g3", "another text with a client_id of hers")
        one.say(THREE, "在吗", "g3")
        one.is_told("g3", "another friend with a client_id of hers")
        two.hears(ONE, TWO, "在吗")
    _from_two_tabs(chat)


def _has_rows(what: str, *wanted: tuple[int, str, str]) -> None:
    """Expect these rows: recipient, text and client_id."""
    rows = ask("select recipient_id, body, client_id from messages order by id")
    found = [tuple(row.values()) for row in rows]
    expect(
        found == [*wanted],
        f"{what}: expected (recipient_id, body, client_id) {[*wanted]}, the table has {found}",
    )


def _from_two_tabs(chat: Chat) -> None:
    """Send one frame from two tabs; the gate sees that both have begun before one has ended."""
    restore(*TABLES)
    visitor = enter(chat, ONE)
    with tab(visitor, f"{ONE}'s first tab") as first, tab(visitor, f"{ONE}'s other tab") as other:
        name = "g-0"
        with chat.gate.closed_before_answer_to(name) as waiting:
            for page in (first, other):
                page.say(TWO, "同时", name)
            for _ in range(2):
                waiting.acquire(timeout=HELD)
        # All tabs of the sender hear the first answer. One that comes later is in front of the
        # answer to the next message of the same tab.
        for page, after in ((first, "g-1"), (other, "g-2")):
            page.say(THREE, "之后", after)
            what = f"an answer to {name}, sent from two tabs at the same time"
            answers = _until_answered(page, after, what)
            wrong = [frame for frame in answers if frame["type"] == "error"]
            frame = (wrong or answers)[0]
            expect(
                not wrong and name in [each.get("client_id") for each in answers],
                f"{name} was sent from two tabs at the same time; expected that it is "
                f"acknowledged to {page.who}, she received {short(frame)}",
            )
        _has_rows(
            "one frame from two tabs", (2, "同时", name), (3, "之后", "g-1"), (3, "之后", "g-2")
        )


def _until_answered(page: Page, client_id: str, what: str) -> list[Frame]:
    """Return messages and errors up to the answer to this one."""
    frames = [page.hear(what, "message", "error")]
    while frames[-1].get("client_id") != client_id:
        frames.append(page.hear(what, "message", "error"))
    return frames


@stairs.goal(
    hint="`from gevent import monkey; monkey.patch_all()` before all other imports: then a query "
    "that waits lets the "
    "other greenlets go on. Each needs a connection of its own for that: MysqlHelp has ten. No "
    "lock may be held around the INSERT of all users.",
    mutant=[("monkey.patch_all()", "")],
    says="while one message waits for the database",
    also=mutants.WAITS_ALONE,
)
def waits_alone(chat: Chat) -> None:
    """Lock the table of messages while one is sent."""
    with (
        people(chat, ONE, TWO) as (one, two),
        pymysql.connect(**connect_args()) as keeper,
        keeper.cursor() as lock,
        chat.killed_if_missed(),
    ):
        lock.execute("lock tables messages write")
        one.say(TWO, "等一下", "h1")
        try:
            wait_for_a_lock("an INSERT into `messages`")
            answered = two.socket.ping().wait(STALLED)
            served = answered and _serves_others(chat, two)
            lock.execute("unlock tables")
        except BaseException:
            lock.execute("unlock tables")
            raise
        expect(
            answered,
            f"while one message waits for the database, {TWO} has no answer to a ping for "
            f"{STALLED:g} s",
        )
        expect(not served, str(served))
        one.hears(ONE, TWO, "等一下")
        two.hears(ONE, TWO, "等一下")
    _stores_meanwhile(chat)


def _stores_meanwhile(chat: Chat) -> None:
    """Hold back the answer to one INSERT, while two others write to each other from five tabs.

    Their messages may be stored at once. Or they wait, and one INSERT stores several of them.
    """
    with people(chat, ONE) as (one,), ExitStack() as stack, chat.killed_if_missed():
        ask(BEFRIEND)
        both = [(enter(chat, THREE), THREE, STRANGER), (enter(chat, STRANGER), STRANGER, THREE)]
        lines = [
            (stack.enter_context(tab(visitor, name)), to, f"不等{number}", f"h4-{number}")
            for number, (visitor, name, to) in zip(range(5), itertools.cycle(both), strict=False)
        ]
        with chat.gate.watching("不等") as seen:
            with chat.gate.closed_before_answer_to("别急") as waiting:
                one.say(TWO, "别急", "h3")
                waiting.acquire(timeout=PATIENCE)
                for page, to, text, client_id in lines:
                    page.say(to, text, client_id)
                stored = until(lambda: len(ask(MEANWHILE)) == len(lines), STALLED)
            one.hears(ONE, TWO, "别急")
            for page, _, _, client_id in lines:
                _until_answered(page, client_id, f"an answer to {client_id}")
        together = any(sum(text.encode() in one for _, _, text, _ in lines) > 1 for one in seen)
        expect(
            stored or together,
            f"while the INSERT of {ONE}'s message had no answer, the messages of {THREE} and "
            f"{STRANGER} were not stored, and afterwards each had an INSERT of its own: one slow "
            "INSERT stops all",
        )


def _serves_others(chat: Chat, page: Page) -> str:
    """Let one log in, and one be told that she may not write; return what fails, or ""."""
    try:
        status = log_in(chat, THREE)[1]
    except OSError:
        status = 0
    if status not in (302, 303):
        return f"while one message waits for the database, {THREE} cannot log in"
    page.say(STRANGER, "不认识", "h2")
    try:
        page.is_told("h2", "they are not friends")
    except Wrong:
        return (
            f"while one message waits for the database, {page.who} gets no answer to a message to "
            "a stranger"
        )
    return ""


COUNT = 30  # messages before and after the crash


@stairs.goal(
    hint="What is acknowledged has to be in the database, not in a list of the program. Messages "
    "that are sent again after the crash have the same client_id.",
    mutant=[
        ("tabs: dict[", "KNOWN: set[object] = set()\ntabs: dict["),
        (
            "        return int(number), True",
            "        KNOWN.add(client_id)\n        return int(number), True",
        ),
        ("if error.args[0] != ER.DUP_ENTRY", "if client_id not in KNOWN"),
    ],
    says="expected that k0 is acknowledged",
)
def survives_a_crash(chat: Chat) -> None:
    """Kill it with -9 between ten acknowledgements and the rest; send all again to the next one."""
    ids = [f"k{number}" for number in range(COUNT)]
    with people(chat, ONE) as (one,):
        for name in ids:
            one.say(TWO, name, name)
        acknowledged = [one.acknowledged(name) for name in ids[:10]]
        chat.kill()
    there = {row["client_id"] for row in ask(STORED)}
    lost = [name for name in acknowledged if name not in there]
    expect(not lost, f"{len(lost)} acknowledged messages are not in the table after kill -9")
    chat.start()
    with people(chat, ONE, fresh=False) as (one,):
        for name in ids:
            one.say(TWO, name, name)
        for name in ids:
            one.acknowledged(name)
    with people(chat, TWO, fresh=False) as (two,):
        for name in ids:
            two.hears(ONE, TWO, name)
    rows = [row["client_id"] for row in ask(STORED)]
    expect(rows == ids, f"expected {COUNT} rows in the order of sending, the table has {len(rows)}")


# -- the last goal ---------------------------------------------------------------------------------


@stairs.goal(
    hint="Run it and read the first sentence that comes. Nearly always it is one of the goals "
    "before: an answer before the commit, or a message that is stored and told to nobody.",
    mutant=[
        (
            "set delivered_at = utc_timestamp(3) where",
            "set delivered_at = if(client_id like 'm%%-3', null, utc_timestamp(3)) where",
        )
    ],
    says="never confirmed",
    limit=120.0,
)
def survives_a_turmoil(chat: Chat) -> None:
    """Three write to each other while the program is killed twice."""
    restore(*TABLES)
    writers = [
        Writer(chat, WRITERS.index(name), name, friends)
        for name, friends in ((ONE, (TWO, THREE)), (TWO, (THREE, ONE)), (THREE, (ONE, TWO)))
    ]
    threads = [threading.Thread(target=writer.run, daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        for part in (1, 2):
            _wait(lambda part=part: sum(len(w.acked) for w in writers) >= part * EACH, TURMOIL)
            chat.kill()
            chat.start()
        _wait(lambda: all(not w.left for w in writers) and _all_here(writers), TURMOIL)
        _wait(lambda: not ask(UNCONFIRMED), PATIENCE)  # what came last is confirmed last
    finally:
        for writer in writers:
            writer.over.set()
        for thread in threads:
            thread.join(PATIENCE)
    every = {line: friend for w in writers for friend, line in w.outbox}
    seen = {
        line: [frame["id"] for w in writers for frame in w.screen.values() if frame["msg"] == line]
        for line in every
    }
    lost = [line for line, ids in seen.items() if not ids]
    why = next((f"; the last error was: {w.refused}" for w in writers if w.refused), "")
    expect(not lost, f"{len(lost)} of {len(every)} messages never came to their reader{why}")
    twice = [line for line, ids in seen.items() if len(ids) > 1]
    expect(not twice, f"{len(twice)} messages came with two ids, such as {twice[:1]}")
    for writer in writers:
        expect(not writer.again, f"messages came to {writer.name} again after they were delivered")
        for other in writers:
            theirs = [line for friend, line in other.outbox if friend == writer.name]
            shown = [f["msg"] for _, f in sorted(writer.screen.items()) if f["from"] == other.name]
            expect(
                shown == theirs, f"what {other.name} wrote came to {writer.name} in another order"
            )
    open_ = ask(UNCONFIRMED)
    expect(
        not open_, f"{len(open_)} messages were never confirmed in the table, though `got` was sent"
    )
    ended = chat.end()
    expect(not ended, ended)


def _wait(condition: Any, seconds: float) -> None:  # noqa: ANN401 - a lambda
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _all_here(writers: list[Writer]) -> bool:
    return sum(len(writer.screen) for writer in writers) >= EACH * len(writers)
