"""What is asked of a group chat. The clients are real; the faults are those of lesson 07."""

import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from course.build import Mutant, Staircase
from course.exercise import Wrong, expect
from demos.group_chat.clients import faults
from demos.group_chat.clients.faults import clients, is_alive, say
from lessons.authors.builds.program import Program, serving, until

PATIENCE = 5.0  # seconds for a line to arrive
ONE, TWO, THREE = "韩雪", "舒畅", "唐嫣"
LOUD, HASTY = "小甜甜", "杨颖"  # one says long lines, the other too many: so they say nothing else
SERVER = "服务器"
CROWD = 40  # who come and go
SPEAKERS = 6  # each says 28 lines of 16,000 bytes: in all, 2.7 MB
HALF = "\ud83d"  # of an emoji: JSON can write it, UTF-8 cannot
GOODBYE = b"\x88\x80\0\0\0\0"  # a close frame
KNOCK = 0.15  # seconds between two lines of the one who tries whether a newcomer hears
Line = tuple[str, str]  # who, and what

stairs = Staircase(serving)


@contextmanager
def room(chat: Program, *names: str, slow: bool = False) -> Iterator[list[ClientConnection]]:
    """Connect these members; go on when each of them hears what is said.

    A library may answer the handshake before the program knows of the newcomer. So one more member
    repeats a line until the newcomer hears it. Nothing of that is left to read afterwards.

    Args:
        chat: the program.
        names: of the members, who come in this order.
        slow: let somebody come before them who reads only when `recv` is called.
    """
    with ExitStack() as stack:
        (bell,) = stack.enter_context(clients(chat.url, f"judge{next(_bells)}"))
        ways: list[tuple[str, Callable[[], AbstractContextManager[ClientConnection]]]] = [
            (name, partial(_alone, chat, name)) for name in names
        ]
        if slow:
            ways.insert(0, ("slow", lambda: faults.slow_reader(chat.url, "slow")))
        members = [_let_in(stack, bell, name, connect) for name, connect in ways]
        _knock(bell, last := "everybody is here")
        for client, (name, _) in zip(members, ways, strict=True):
            try:
                while last not in str(client.recv(PATIENCE)):
                    pass
            except (TimeoutError, ConnectionClosed) as error:
                raise Wrong(f"expected that {name} goes on to hear others, {error!r}") from None
        yield members


_bells = itertools.count()


@contextmanager
def _alone(chat: Program, name: str) -> Iterator[ClientConnection]:
    with clients(chat.url, name) as (client,):
        yield client


def _let_in(
    stack: ExitStack,
    bell: ClientConnection,
    name: str,
    connect: Callable[[], AbstractContextManager[ClientConnection]],
) -> ClientConnection:
    """Connect one member until she hears `bell`; again if her name is not free at once."""
    deadline, client = time.monotonic() + PATIENCE, None
    seen = "nothing came"
    while time.monotonic() < deadline:
        try:
            client = client or stack.enter_context(connect())
            _knock(bell, "knock knock")
            while "knock knock" not in (text := str(client.recv(KNOCK))):
                seen = f"she received {_read(text)!r}"
            return client
        except TimeoutError:
            continue
        except (OSError, InvalidHandshake, ConnectionClosed) as closed:
            client, seen = None, f"her connection was closed ({closed})"
            time.sleep(KNOCK)
    raise Wrong(f"expected that {name} hears within {PATIENCE:g} s what another one says, {seen}")


def _knock(bell: ClientConnection, line: str) -> None:
    try:
        say(bell, line)
    except ConnectionClosed as closed:
        raise Wrong(f"expected that who speaks stays connected, she was not ({closed})") from None


def hears(client: ClientConnection, who: str, *lines: Line, perhaps: Line | None = None) -> None:
    """Expect that these lines are what a client receives next, in this order.

    Args:
        client: who receives them.
        who: her name.
        lines: what she has to receive.
        perhaps: a line that may come before each of them.
    """
    extra = perhaps and {"username": perhaps[0], "msg": perhaps[1]}
    for username, msg in lines:
        wanted = {"username": username, "msg": msg}
        try:
            if _read(text := client.recv(PATIENCE)) == extra:
                text = client.recv(PATIENCE)
        except TimeoutError:
            expect(False, f"expected {wanted} at {who}, nothing came within {PATIENCE:g} s")
        except ConnectionClosed as closed:
            expect(False, f"expected {wanted} at {who}, her connection was closed ({closed})")
        else:
            expect(
                _read(text) == wanted, f"expected {wanted} at {who}, she received {_read(text)!r}"
            )


def stays(client: ClientConnection, who: str, when: str) -> None:
    """Expect that a client is still connected."""
    expect(
        is_alive(client), f"expected that {who} stays connected {when}, her connection is closed"
    )


def is_turned_away(client: ClientConnection) -> bool:
    """Wait a little for the server to close; say whether it did."""
    with suppress(TimeoutError):
        try:
            while True:
                client.recv(PATIENCE)
        except ConnectionClosed:
            return True
    return False


def vanish(client: ClientConnection) -> None:
    """Break a connection without a word, as a crash does."""
    with suppress(OSError):  # the server was quicker
        client.socket.shutdown(socket.SHUT_RDWR)


def come_back(chat: Program, name: str, others: ClientConnection) -> None:
    """Expect that a name is free again: who takes it hears what 舒畅 says."""
    deadline = time.monotonic() + PATIENCE
    wanted = {"username": TWO, "msg": f"welcome, {name}"}
    seen = "she is turned away"
    while time.monotonic() < deadline:
        with suppress(OSError, InvalidHandshake), clients(chat.url, name) as (again,):
            while time.monotonic() < deadline:
                say(others, f"welcome, {name}")
                try:
                    seen = f"she received {_read(text := again.recv(KNOCK))!r}"
                    if _read(text) == wanted:
                        return
                except TimeoutError:
                    seen = "she is connected and hears nothing"
                except ConnectionClosed:
                    seen = "she is turned away"
                    break
        time.sleep(KNOCK)
    raise Wrong(f"expected that {name} can come back after she left, {seen}")


@stairs.goal(
    hint="Lesson 06, section 2: a Flask route with `websocket=True`, gevent's WSGIServer at "
    "127.0.0.1, and its WebSocketHandler. Read --port with argparse. The view has to go on "
    "receiving: when it returns, the connection is closed.",
    mutant=[('("127.0.0.1", port)', '("0.0.0.0", port)')],
    says="listens at 0.0.0.0",
)
def starts(chat: Program) -> None:
    """Start it and connect."""
    chat.start()
    with clients(chat.url, ONE) as (one,):
        stays(one, ONE, "as long as she likes")


@stairs.goal(
    hint="Keep all sockets in one place. Whoever speaks sends to all of them except to itself.",
    mutant=[("if other is not speaker", "if True")],
    says="at 韩雪, she received",
)
def passes_on(chat: Program) -> None:
    """Let three speak one after the other."""
    chat.start()  # anew: that who leaves is forgotten is a later goal
    with room(chat, ONE, TWO, THREE) as (one, two, three):
        say(one, "你好", ONE)
        hears(two, TWO, (ONE, "你好"))
        hears(three, THREE, (ONE, "你好"))
        say(two, '<b>"好"</b>', TWO)
        hears(one, ONE, (TWO, '<b>"好"</b>'))  # and nothing before it
        hears(three, THREE, (TWO, '<b>"好"</b>'))


@stairs.goal(
    hint="Lesson 07, section 5: the route has the name as its argument. What the message says "
    "about its sender counts for nothing.",
    mutant=[('"username": name', '"username": json.loads(data).get("username")')],
    says="expected {'username': '唐嫣', 'msg': '今天我请客'} at 舒畅",
)
def names_from_the_address(chat: Program) -> None:
    """Let somebody claim another's name, and another one none at all."""
    chat.start()
    with room(chat, TWO, THREE) as (two, three):
        say(three, "今天我请客", TWO)
        hears(two, TWO, (THREE, "今天我请客"))
        three.send(json.dumps({"msg": "不客气"}))
        hears(two, TWO, (THREE, "不客气"))


@stairs.goal(
    hint="Lesson 07, section 4: `receive()` returns None at the end, and a `finally` takes the "
    "socket out of the room, whatever ended the view.",
    mutant=[("del members[name]", "pass")],
    says="can come back after she left",
    also=[
        Mutant(
            [
                (
                    "        speaker.writer.kill()\n",
                    "        if name[:5] == 'guest':\n"
                    "            gevent.sleep(3600)\n"
                    "        speaker.writer.kill()\n",
                )
            ],
            says="lets go of who has left",
        ),
        Mutant(
            [
                ("import json\n", "import json\nimport threading\n"),
                (
                    "        speaker.writer.kill()\n",
                    "        speaker.writer.kill()\n"
                    "        ends = threading.Event()\n"
                    "        threading.Thread(target=ends.wait, daemon=True).start()\n",
                ),
            ],
            says="lets go of who has left",
        ),
    ],
)
def forgets_who_leaves(chat: Program) -> None:
    """Close one tab, break another connection; let many come and go, and the others go on."""
    chat.start()
    chat.quiet = True
    with room(chat, ONE, TWO, THREE, "guest") as (one, two, three, four):
        one.close()
        vanish(four)
        before = chat.held()
        for number in range(CROWD):
            with clients(chat.url, f"guest{number}") as (guest,):
                if number % 2:
                    with suppress(OSError):
                        guest.socket.sendall(GOODBYE)
                vanish(guest)
        for number in range(3):
            say(two, f"谁在 {number}")
            hears(three, THREE, (TWO, f"谁在 {number}"))
            say(three, f"我在 {number}")
            hears(two, TWO, (THREE, f"我在 {number}"))
        expect(
            until(lambda: chat.held() <= before + CROWD // 4, PATIENCE),
            f"expected that the program lets go of who has left; after {CROWD} came and went it "
            f"holds {chat.held() - before} more open files, sockets and threads than before",
        )
        come_back(chat, ONE, two)


@stairs.goal(
    hint="Lesson 07, section 6: json.loads may fail; what it returns may be no dict; `msg` may be "
    "missing, no text, or too long (more than 16 KB). A WebSocket can also bring bytes. In each "
    "case answer as 服务器, or say nothing, and go on. JSON can also write half of an emoji, "
    '"\\ud83d": try msg.encode() before you pass it on.',
    mutant=[("if not isinstance(message, dict)", "if False")],
    says="stays connected after she has sent '[1, 2]'",
    also=[
        Mutant(
            [
                ('"msg": msg})\n        for', '"msg": msg}, ensure_ascii=False)\n        for'),
                ("except (WebSocketError, OSError):", "except Exception:"),
            ],
            says="nothing came within",
        ),
        Mutant([("            msg.encode()", "            pass")], says="surrogates", of="second"),
    ],
)
def survives_junk(chat: Program) -> None:
    """Send what is no message, of every kind, each followed by a good line."""
    texts = ['{"msg": 7}', '{"msg": null}', '{"msg": ["你好"]}', '{"username": "韩雪"}']
    with room(chat, ONE, TWO) as (one, two):
        half = json.dumps({"msg": HALF})
        kinds: list[str | bytes] = [*faults.JUNK, *texts, half, b"\x00\xff\xfe"]
        for number, junk in enumerate(kinds):
            with suppress(ConnectionClosed):
                one.send(junk)
                say(one, f"还在 {number}")
            try:
                hears(two, TWO, (ONE, f"还在 {number}"), perhaps=(ONE, HALF))  # and nothing else
            except Wrong:
                stays(one, ONE, f"after she has sent {junk!r}")
                raise
    with room(chat, LOUD, TWO) as (loud, two):
        with suppress(OSError, ConnectionClosed):
            say(loud, "x" * faults.BIG)
            say(loud, "短的")
        expect(
            until(lambda: _is_over(loud, two), PATIENCE),
            f"expected that {LOUD} is heard again or disconnected after a message of 64 KB, she is "
            "connected and nobody hears her",
        )


def _is_over(loud: ClientConnection, listener: ClientConnection) -> bool:
    """Say whether the short line is heard, or never will be; expect that the big one is not."""
    ended = not is_alive(loud)
    is_alive(listener)  # so what the server sent before is here
    with suppress(TimeoutError):
        frame = _read(listener.recv(0))
        expect(
            frame == {"username": LOUD, "msg": "短的"},
            "expected that no message over 16 KB is passed on, one of 64 KB is",
        )
        return True
    return ended


@stairs.goal(
    hint="Lesson 07, section 5: look before you put the socket into the room. Who is turned away "
    "was never in, so the `finally` must not run for it.",
    mutant=[("if name in members or name == SERVER", "if name == SERVER")],
    says="a second 韩雪",
)
def one_for_each_name(chat: Program) -> None:
    """Let two of one name come; the first one keeps it."""
    with room(chat, ONE, TWO) as (one, two):
        with suppress(InvalidHandshake), clients(chat.url, ONE) as (second,):
            expect(
                is_turned_away(second),
                f"expected that a second {ONE} is turned away, she is still connected after "
                f"{PATIENCE:g} s",
            )
        say(two, "只有一个")
        hears(one, ONE, (TWO, "只有一个"))
    with suppress(InvalidHandshake), clients(chat.url, SERVER) as (server,):
        expect(
            is_turned_away(server),
            f"expected that nobody can be called {SERVER}, somebody is",
        )
    with room(chat, TWO) as (two,):
        come_back(chat, ONE, two)


@stairs.goal(
    hint="Lesson 07, section 7: a plain request to the address of a socket gets 4xx (Flask does "
    "that if the route has `websocket=True`). And a browser says in the header Origin whose page "
    "it shows: compare its host and port with the header Host. A program sends no Origin.",
    mutant=[("if origin and urlsplit(origin).netloc != request.host", "if False")],
    says="a page of elsewhere.example",
)
def keeps_foreign_pages_out(chat: Program) -> None:
    """Ask as a browser asks for a page, and as a page of another site does."""
    seen = faults.plain_request(chat.url)
    expect(not seen.broken, f"expected answers below 500 to plain requests, {seen.what}")
    with room(chat, TWO) as (two,):
        foreign = Origin("https://elsewhere.example")
        with suppress(InvalidHandshake), clients(chat.url, ONE, origin=foreign) as (one,):
            expect(
                is_turned_away(one),
                "expected that a page of elsewhere.example is turned away, it is connected",
            )
        with clients(chat.url, THREE, origin=Origin(chat.url)) as (three,):
            say(three, "自己的网页")
            hears(two, TWO, (THREE, "自己的网页"))


@stairs.goal(
    hint="Lesson 07, section 8. `send` waits when the receiver does not read, and so does a close "
    "frame. Give each member a queue (gevent.queue.Queue) and a greenlet that sends what is in it. "
    "Then a speaker only puts lines into queues. Give the queue an end: who is too far behind gets "
    "no more lines, or her connection is shut down.",
    mutant=[("other.queue.put_nowait(frame)", "other.socket.send(frame)")],
    says="does not read",
    also=[
        Mutant(
            [
                (
                    "theirs.put_nowait(line)",
                    "try:\n"
                    "                            await there.send(line)\n"
                    "                        except ConnectionClosed:\n"
                    "                            pass",
                ),
                ("(_, theirs)", "(there, theirs)"),
            ],
            says="does not read",
            of="second",
        )
    ],
)
def waits_for_nobody(chat: Program) -> None:
    """Let one member stop reading while others say more than any connection holds."""
    with room(chat, TWO, slow=True) as (_, two):
        for turn in range(SPEAKERS):
            who = f"{LOUD}{turn}"
            with clients(chat.url, who) as (loud,), chat.killed_if_missed():
                for number in range(faults.BURST):
                    say(loud, f"{number} " + "x" * 15_900)
                for number in range(faults.BURST):
                    _comes_next(two, who, number, turn * faults.BURST + number)


def _comes_next(listener: ClientConnection, who: str, number: int, before: int) -> None:
    """Expect a long line of one speaker."""
    try:
        text = listener.recv(PATIENCE)
    except TimeoutError:
        raise Wrong(
            f"expected at {TWO} what others say while another member does not read, after "
            f"{before} long lines nothing came for {PATIENCE:g} s"
        ) from None
    except ConnectionClosed as closed:
        raise Wrong(f"{TWO} was disconnected while another one does not read ({closed})") from None
    expect(str(text).find(f'"{number} x') > 0, f"line {number} of {who} did not come next")


@stairs.goal(
    hint="Lesson 07, section 6: a token bucket of 30, into which 10 tokens a second flow. Without "
    "a token the line is not said, and the speaker is told so.",
    mutant=[("if not bucket.take()", "if False")],
    says="lines are passed on",
    also=[
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 30, 30")], says="lines are passed on"),
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 60, 30")], says="lines are passed on"),
        Mutant([('"Too fast: this was not said."', '""')], says="tells 杨颖"),
    ],
)
def limits_the_rate(chat: Program) -> None:
    """Say 60 lines at once, then 100 lines at 25 a second, and then one until it is heard."""
    with room(chat, HASTY, TWO) as (hasty, two):
        began = time.monotonic()
        for number in range(AT_ONCE):
            say(hasty, str(number))
        for number in range(20):
            hears(two, TWO, (HASTY, str(number)))
        for number in range(AFTER):
            time.sleep(0.04)
            say(hasty, f"after {number}")
        stays(hasty, HASTY, "after she has spoken too fast")
        heard: list[object] = [str(number) for number in range(20)]
        expect(
            until(lambda: _is_heard(hasty, two, "慢慢说", heard), PATIENCE),
            f"expected that {HASTY} is heard again after some seconds, {TWO} hears nothing of her",
        )
        seconds = time.monotonic() - began
        most = 30 + 12 * seconds  # a fifth more than asked for
        expect(
            len(heard) <= most,
            f"expected 30 lines at once and 10 a second, so about {30 + 10 * seconds:.0f} in "
            f"{seconds:.1f} s; {len(heard)} of {AT_ONCE + AFTER} lines are passed on",
        )
        told = until(lambda: _tells(hasty), PATIENCE)
        expect(told, f"expected that {SERVER} tells {HASTY} in words that she is too fast")


AT_ONCE, AFTER = 60, 100  # lines


def _tells(client: ClientConnection) -> bool:
    """Say whether what a client receives next, within a moment, is a sentence of the server."""
    with suppress(TimeoutError, ConnectionClosed):
        frame = _read(client.recv(0.3))
        if isinstance(frame, dict) and frame.get("username") == SERVER:
            return isinstance(frame.get("msg"), str) and bool(frame["msg"].strip())
    return False


def _is_heard(
    speaker: ClientConnection, listener: ClientConnection, line: str, before: list[object]
) -> bool:
    """Say one line; say whether it arrives within a moment, and note what arrives before it."""
    say(speaker, line)
    with suppress(TimeoutError):
        while (frame := _read(listener.recv(0.3))) != {"username": HASTY, "msg": line}:
            before.append(frame)
        return True
    return False


# -- the last goal ---------------------------------------------------------------------------------

SECONDS = 3.0  # of turmoil
PACE = 0.2  # seconds between two lines of one who stays
END = "再见"  # the last word of one who stays
FICKLE = 9  # others, who come and go


@stairs.goal(
    hint="One greenlet, thread or task for each line can let a later line overtake: let one for "
    "each receiver send what waits for it. If you loop over the members while others join or "
    "leave, loop over a copy: list(...).",
    mutant=[
        (
            "                put(other, frame)",
            "                if msg[:4] == 'stay' and msg[-1] == '3':\n"
            "                    gevent.spawn_later(0.5, put, other, frame)\n"
            "                else:\n"
            "                    put(other, frame)",
        ),
    ],
    says="in another order",
)
def survives_a_turmoil(chat: Program) -> None:
    """Three stay and speak; nine come, speak, leave, break off and send junk."""
    with room(chat, ONE, TWO, THREE, "listener") as (*stayers, listener):
        said: dict[str, list[str]] = {name: [] for name in (ONE, TWO, THREE)}
        fickle: list[str] = []
        arrived: set[object] = set()
        over = time.monotonic() + SECONDS
        threading.Thread(target=_listen, args=(listener, arrived), daemon=True).start()
        work: list[Callable[[], None]] = [
            *(lambda n=n: _come_and_go(chat, n, over, fickle, arrived) for n in range(FICKLE)),
            *(
                lambda c=client, lines=said[name], i=i: _speak(c, lines, over, i)
                for i, (client, name) in enumerate(zip(stayers, said, strict=True))
            ),
        ]
        _at_once(work)
        for client in stayers:
            say(client, END)
        every = [(name, line) for name, lines in said.items() for line in lines]
        heard = {name: _all_lines(c, name) for c, name in zip(stayers, said, strict=True)}
    for name, lines in heard.items():
        there = set(lines)
        lost = [line for who, line in every if who != name and line not in there]
        expect(not lost, f"{len(lost)} lines of those who stayed never came to {name}")
        expect(len(there) == len(lines), f"{name} received the same line twice")
        missed = [line for line in fickle if line not in there]
        expect(not missed, f"{len(missed)} lines of those who came and went never came to {name}")
        for who, own in said.items():
            order = [line for line in lines if line in set(own)]
            expect(
                who == name or order == own, f"the lines of {who} came to {name} in another order"
            )
    ended = chat.end()
    expect(not ended, ended)


def _speak(client: ClientConnection, said: list[str], over: float, place: int) -> None:
    time.sleep(place * PACE / 3)
    while time.monotonic() < over:
        line = f"stay {place} {len(said)}"
        say(client, line)
        said.append(line)
        time.sleep(PACE)


def _listen(client: ClientConnection, arrived: set[object]) -> None:
    """Note what is heard, until the connection is closed."""
    with suppress(ConnectionClosed):
        for text in client:
            frame = _read(text)
            arrived.add(frame.get("msg") if isinstance(frame, dict) else frame)


def _come_and_go(
    chat: Program, number: int, over: float, said: list[str], arrived: set[object]
) -> None:
    """Come, speak, wait until that is heard, and go in one of three ways, again and again."""
    chance, count = random.Random(number), 0
    while time.monotonic() < over:
        time.sleep(chance.uniform(0.1, 0.6))
        count += 1  # a new name each time: the old one may not be free yet
        with suppress(OSError, InvalidHandshake, ConnectionClosed), ExitStack() as stack:
            (client,) = stack.enter_context(clients(chat.url, f"guest{number}-{count}"))
            lines = [f"guest {number} {count} {turn}" for turn in range(chance.randrange(3))]
            for line in lines:
                say(client, line)
                said.append(line)
            until(partial(arrived.issuperset, lines), PATIENCE)
            how = chance.randrange(3)
            if how == 0:
                client.send(chance.choice(faults.JUNK))
            elif how == 1:
                vanish(client)


def _all_lines(client: ClientConnection, who: str) -> list[str]:
    """Return what a client has received, up to the last word of the two others who stayed."""
    found, ends = [], 0
    while ends < 2:
        try:
            frame = _read(client.recv(PATIENCE))
        except (TimeoutError, ConnectionClosed) as error:
            expect(False, f"expected to the end what the others say at {who}, {error!r}")
        if isinstance(frame, dict) and frame.get("username") != SERVER:
            ends += frame.get("msg") == END
            found += [str(frame.get("msg"))] * (frame.get("msg") != END)
    return found


def _at_once(work: list[Callable[[], None]]) -> None:
    """Let each do its work in a thread of its own; raise the first error."""
    errors: list[BaseException] = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _read(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
