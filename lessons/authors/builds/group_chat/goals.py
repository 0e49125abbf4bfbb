"""What is asked of a group chat. The clients are real; the faults are those of lesson 07."""

import itertools
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from course.build import Mutant, Staircase
from course.database.keeper import free_port
from course.exercise import Wrong, expect
from demos.group_chat.clients import faults
from demos.group_chat.clients.counting import FRAME, join
from demos.group_chat.clients.faults import clients, is_alive, say
from lessons.authors.builds.program import Program, begins_with, serving, until

PATIENCE = 5.0  # seconds for a line to arrive
ONE, TWO, THREE = "韩雪", "舒畅", "唐嫣"
LOUD, HASTY = "小甜甜", "杨颖"  # one says long lines, the other too many: so they say nothing else
SERVER = "服务器"
MANY = [f"member{number}" for number in range(9)]  # who stay, so that the room is full
CROWD = 40  # who come and go
LONGEST = 16 * 1024  # bytes of a text
IN_USE, NOT_ALLOWED = 4409, 4400  # close codes
SPEAKERS, LINES = 8, 21  # each says so many lines of 16,000 bytes: in all, 2.7 MB
HALF = "\ud83d"  # of an emoji: JSON can write it, UTF-8 cannot
BROKEN_SAYS = "x" * 60  # what is in the frame of `counting`
GOODBYE = b"\x88\x80\0\0\0\0"  # a close frame
PING, PINGS = b"\x89\xfd\0\0\0\0" + bytes(125), 3000  # more than any connection holds
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
            except TimeoutError:
                raise Wrong(
                    f"expected that {name} goes on to hear others when more members come, she "
                    f"heard nothing for {PATIENCE:g} s"
                ) from None
            except ConnectionClosed as closed:
                raise Wrong(
                    f"expected that {name} goes on to hear others when more members come, her "
                    f"connection was closed ({closed})"
                ) from None
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
    speaks(bell, "judge", line)


def speaks(client: ClientConnection, who: str, msg: str, username: str = "") -> None:
    """Say a line; expect that who speaks is connected."""
    try:
        say(client, msg, username)
    except ConnectionClosed as closed:
        raise Wrong(
            f"expected that {who} stays connected and can speak, her connection was closed "
            f"({closed})"
        ) from None


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
            expect(isinstance(text, str), f"expected text at {who}, she received a binary frame")


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


def is_refused(chat: Program, name: str, who: str, code: int) -> None:
    """Expect that who comes with a name gets a close frame with a code and a reason.

    Args:
        chat: the program.
        name: that is in use, or not allowed.
        who: the newcomer in words.
        code: of the close frame.
    """
    wanted = f"expected that {who} is turned away with close code {code} and a reason"
    try:
        with clients(chat.url, name) as (client,):
            closed = is_turned_away(client)
            expect(closed, f"{wanted}, she is still connected after {PATIENCE:g} s")
            expect(
                client.close_code == code,
                f"{wanted}, the close code is {client.close_code}. The file's head shows how to "
                "send one",
            )
            expect(client.close_reason, f"{wanted}, there is no reason")
    except InvalidHandshake as refused:
        raise Wrong(f"{wanted}, her handshake failed ({refused})") from None


def vanish(client: ClientConnection) -> None:
    """Break a connection without a word, as a crash does."""
    with suppress(OSError):  # the server was quicker
        client.socket.shutdown(socket.SHUT_RDWR)


def come_back(chat: Program, name: str, others: ClientConnection, how: str) -> None:
    """Expect that a name is free again, however she left: who takes it hears what 舒畅 says."""
    deadline = time.monotonic() + PATIENCE
    wanted = {"username": TWO, "msg": f"welcome, {name}"}
    seen = "she is turned away"
    while time.monotonic() < deadline:
        with suppress(OSError, InvalidHandshake), clients(chat.url, name) as (again,):
            while time.monotonic() < deadline:
                speaks(others, TWO, f"welcome, {name}")
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
    raise Wrong(f"expected that {name} can come back after {how}, {seen}")


LEFT = "she left"
# The command that starts the finished chat.
FINISHED = "[sys.executable, '-m', 'demos.group_chat.chat', *sys.argv[1:]]"


@stairs.goal(
    hint="Lesson 06, section 2: a Flask route with `websocket=True`, gevent's WSGIServer at "
    "127.0.0.1, and its WebSocketHandler. Read --port with argparse. The view has to go on "
    "receiving: when it returns, the connection is closed.",
    mutant=[('("127.0.0.1", port)', '("0.0.0.0", port)')],
    says="listens at 0.0.0.0",
    also=[
        begins_with(
            "import socket\nother = socket.create_server(('0.0.0.0', 0))", says="listens at 0.0.0.0"
        ),
        begins_with("import signal\nsignal.signal(15, signal.SIG_IGN)", says="does not end within"),
        begins_with("import demos.group_chat.chat", says="your file imports demos.group_chat.chat"),
        begins_with(
            f"import os, sys\nos.execv(sys.executable, {FINISHED})",
            says="your program uses demos.group_chat",
        ),
        begins_with(
            f"import subprocess, sys\nsubprocess.run({FINISHED})",
            says="your program uses demos.group_chat",
        ),
        begins_with(
            "import runpy\nrunpy.run_module('demos.group_chat.chat', None, '__main__')",
            says="your program uses demos.group_chat",
        ),
    ],
)
def starts(chat: Program) -> None:
    """Start it, connect, and end it with SIGTERM."""
    chat.start()
    with clients(chat.url, ONE) as (one,):
        stays(one, ONE, "as long as she likes")
        ended = chat.end()
    expect(not ended, f"expected that SIGTERM ends it, {ended}")
    chat.start()


@stairs.goal(
    hint="Keep all sockets in one place. Whoever speaks sends to all of them except to itself.",
    mutant=[("if other is not speaker", "if True")],
    says="at 韩雪, she received",
    also=[
        Mutant(
            [("in list(members.values()):", "in list(members.values())[:8]:")],
            says="s what another one says, nothing came",
        ),
        Mutant(
            [("self.socket.send(self.queue.get())", "self.socket.send(self.queue.get().encode())")],
            says="expected text at",
        ),
        Mutant([('str(message["msg"])', 'str(message["msg"]).strip()')], says="at 舒畅, she"),
    ],
)
def passes_on(chat: Program) -> None:
    """Let two speak one after the other in a full room."""
    chat.start()  # anew: that who leaves is forgotten is a later goal
    first, second = (ONE, " 你好\n "), (TWO, '<b>"好"</b>')
    with room(chat, ONE, TWO, THREE, *MANY) as (one, two, *others):
        speaks(one, ONE, first[1], ONE)
        for client, name in zip((two, *others), (TWO, THREE, *MANY), strict=True):
            hears(client, name, first)
        speaks(two, TWO, second[1], TWO)
        for client, name in zip((one, *others), (ONE, THREE, *MANY), strict=True):
            hears(client, name, second)  # and, at the one who spoke first, nothing before it


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
        speaks(three, THREE, "今天我请客", TWO)
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
                    "except ConnectionClosed:\n        pass",
                    "except ConnectionClosed:\n        await asyncio.sleep(3600)",
                )
            ],
            says="can come back after her connection ended without a close frame",
            of="second",
        ),
        Mutant(
            [
                (
                    "        del members[name]\n",
                    "        del members[name]\n"
                    "        for one in list(members.values())[7:]:\n"
                    "            one.line.shutdown(SHUT_RDWR)\n",
                )
            ],
            says="her connection was closed",
        ),
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
    """Close one tab, break two connections; let many come and go, and the others go on."""
    chat.start()
    chat.quiet = True
    with room(chat, ONE, TWO, THREE, "gone", *MANY) as (one, two, three, gone, *many):
        others = list(zip((two, three, *many), (TWO, THREE, *MANY), strict=True))
        one.close()
        vanish(gone)
        with join(chat.url, "broken") as broken:
            broken.sendall(FRAME)
            for client, name in others:
                hears(client, name, ("broken", BROKEN_SAYS))
            # Closed like this, the server reads an error (RST) and not an end.
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for number in range(3):
            for speaker, who in others[:2]:
                speaks(speaker, who, f"谁在 {number}")
                for client, name in others:
                    if name != who:
                        hears(client, name, (who, f"谁在 {number}"))
        come_back(chat, ONE, two, LEFT)
        come_back(chat, "gone", two, "her connection ended without a close frame")
        come_back(chat, "broken", two, "her connection broke off")
        before = chat.held()
        for number in range(CROWD):
            with clients(chat.url, f"guest{number}") as (guest,):
                if number % 2:
                    with suppress(OSError):
                        guest.socket.sendall(GOODBYE)
                vanish(guest)
        expect(
            until(lambda: chat.held() <= before + CROWD // 4, PATIENCE),
            f"expected that the program lets go of who has left; after {CROWD} came and went it "
            f"holds {chat.held() - before} more open files, sockets and threads than before",
        )


@stairs.goal(
    hint="Lesson 07, section 6: json.loads may fail; what it returns may be no dict; `msg` may be "
    "missing or no text, and the whole frame too long: count the bytes of `data.encode()`. A "
    "WebSocket can also bring bytes. In each case answer as 服务器, or say nothing, and go on. "
    'JSON can also write half of an emoji, "\\ud83d": try msg.encode() before you pass it on.',
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
        Mutant(
            [
                (
                    '    if not isinstance(data, str):\n        raise ValueError("Send text.")\n',
                    "    data = bytes(data).decode() if not isinstance(data, str) else data\n",
                )
            ],
            says="'还在 11'} at 舒畅, she received",
        ),
        Mutant([("len(data.encode()) > LONGEST", "len(data) > LONGEST")], says="of 16385 bytes is"),
        Mutant([("LONGEST = 16 * 1024", "LONGEST = 16 * 1024 + 100")], says="of 16385 bytes is"),
        Mutant(
            [("LONGEST = 16 * 1024", "LONGEST = 16_000")],
            says="receives a text of 16384 bytes, nothing came",
        ),
    ],
)
def survives_junk(chat: Program) -> None:
    """Send what is no message, of every kind, each followed by a good line."""
    texts = ['{"msg": 7}', '{"msg": null}', '{"msg": ["你好"]}', '{"username": "韩雪"}']
    with room(chat, ONE, TWO) as (one, two):
        half = json.dumps({"msg": HALF})
        kinds: list[str | bytes] = [*faults.JUNK, *texts, half, b"\x00\xff\xfe", b'{"msg": "7"}']
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
        loud.send(text := _text_of(LONGEST))
        seen = "nothing came"
        with suppress(TimeoutError):
            found = _read(two.recv(PATIENCE))
            seen = f"she received {str(found)[:60]} …"
            if found == {"username": LOUD, "msg": json.loads(text)["msg"]}:
                seen = ""
        expect(not seen, f"expected that {TWO} receives a text of {LONGEST} bytes, {seen}")
    for size in (LONGEST + 1, 4 * LONGEST):
        with room(chat, LOUD, TWO) as (loud, two):
            with suppress(OSError, ConnectionClosed):
                loud.send(_text_of(size))
                say(loud, SHORT)
            expect(
                until(partial(_is_over, loud, two, size), PATIENCE),
                f"expected that {LOUD} is heard again or disconnected after a text of {size} "
                "bytes, she is connected and nobody hears her",
            )


SHORT = "短的"


def _text_of(size: int) -> str:
    """Return a message of so many bytes; most letters have three, so there are fewer letters."""
    frame = '{"username": "", "msg": "%s"}'
    letters, rest = divmod(size - len(frame % ""), 3)
    return frame % ("好" * letters + "x" * rest)


def _is_over(loud: ClientConnection, listener: ClientConnection, size: int) -> bool:
    """Say whether the short line is heard, or never will be; expect that the long one is not."""
    ended = not is_alive(loud)
    is_alive(listener)  # so what the server sent before is here
    with suppress(TimeoutError):
        frame = _read(listener.recv(0))
        expect(
            frame == {"username": LOUD, "msg": SHORT},
            f"expected that no text of more than {LONGEST} bytes is passed on, one of {size} bytes "
            "is",
        )
        return True
    return ended


@stairs.goal(
    hint="Lesson 07, section 5: look before you put the socket into the room. Who is turned away "
    "was never in, so the `finally` must not run for it. The file's head shows how to close with "
    "a code and a reason.",
    mutant=[("if name in members:", "if False:")],
    says="a second 韩雪",
    also=[
        Mutant(
            [('refuse(socket, 4409, "This name is taken.")', 'socket.close(4409, "taken")')],
            says="is turned away with close code 4409 and a reason, the close code is",
        ),
        Mutant([('4409, "This name is taken."', '4409, ""')], says="there is no reason"),
        Mutant([("if name == SERVER:", "if False:")], says="who calls herself 服务器"),
    ],
)
def one_for_each_name(chat: Program) -> None:
    """Let two of one name come; the first one keeps it."""
    with room(chat, ONE, TWO) as (one, two):
        is_refused(chat, ONE, f"a second {ONE}", IN_USE)
        speaks(two, TWO, "只有一个")
        hears(one, ONE, (TWO, "只有一个"))
    is_refused(chat, SERVER, f"who calls herself {SERVER}", NOT_ALLOWED)
    with room(chat, TWO) as (two,):
        come_back(chat, ONE, two, LEFT)


@stairs.goal(
    hint="Lesson 07, section 7: a plain request to the address of a socket gets 4xx (Flask does "
    "that if the route has `websocket=True`). And a browser says in the header Origin whose page "
    "it shows: compare its host and port with the header Host. A program sends no Origin.",
    mutant=[("if origin and urlsplit(origin).netloc != request.host", "if False")],
    says="a page of https://elsewhere.example",
    also=[
        Mutant(
            [
                (
                    "if origin and urlsplit(origin).netloc != request.host",
                    'if origin and not origin.startswith("http://127.0.0.1")',
                )
            ],
            says="a page of http://127.0.0.1",
        ),
        Mutant(
            [
                (
                    "app = Flask(__name__)\n",
                    'app = Flask(__name__)\n\n\n@app.route("/")\ndef home():\n    return "", 503\n',
                )
            ],
            says="below 500 to GET /, it is 503",
        ),
    ],
)
def keeps_foreign_pages_out(chat: Program) -> None:
    """Ask as a browser asks for a page, and as a page of another site does."""
    for path in ("/", "/ann", "/favicon.ico", "/static/chat.js"):
        status = chat.get(path).status
        expect(status < 500, f"expected an answer below 500 to GET {path}, it is {status}")
    with room(chat, TWO) as (two,):
        for origin in (
            "https://elsewhere.example",
            "http://127.0.0.1",
            "http://127.0.0.1.elsewhere.example",
            f"http://elsewhere.example:{chat.port}",
            f"http://127.0.0.1:{free_port()}",
            "null",
        ):
            with (
                suppress(InvalidHandshake),
                clients(chat.url, ONE, origin=Origin(origin)) as (one,),
            ):
                expect(
                    is_turned_away(one),
                    f"expected that a page of {origin} is turned away, it is connected",
                )
        with clients(chat.url, THREE, origin=Origin(chat.url)) as (three,):
            speaks(three, THREE, "自己的网页")
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
            [("BEHIND = 100", "BEHIND = 1000"), ("        socket.raw_write = in_turn\n", "")],
            says="Two greenlets wrote to one socket at the same time",
        ),
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
        ),
    ],
)
def waits_for_nobody(chat: Program) -> None:
    """Let one member stop reading while others say more than any connection holds."""
    chat.start()  # anew: what was said before counts for nobody
    chat.quiet = True
    with room(chat, TWO, slow=True) as (slow, two):
        for turn in range(SPEAKERS):
            who = f"{LOUD}{turn}"
            with clients(chat.url, who) as (loud,), chat.killed_if_missed():
                for number in range(LINES):
                    speaks(loud, who, f"{number} " + "x" * 15_900)
                for number in range(LINES):
                    _comes_next(two, loud, who, number)
        with suppress(OSError):  # she may have been put out
            # The answers have to wait, too, until the line that is being sent to her has left.
            slow.socket.send(PING * PINGS, socket.MSG_DONTWAIT)
        with clients(chat.url, ONE) as (one,):
            for number in range(10):
                speaks(one, ONE, f"谁在 {number}")
                hears(two, TWO, (ONE, f"谁在 {number}"))
                time.sleep(0.05)  # the pings arrive one by one


def _comes_next(listener: ClientConnection, loud: ClientConnection, who: str, number: int) -> None:
    """Expect a long line of one speaker."""
    wanted = (
        f"expected that {TWO} hears line {number + 1} of {LINES} long lines that {who} says at "
        "once while another member does not read"
    )
    try:
        text = listener.recv(PATIENCE)
    except TimeoutError:
        with suppress(TimeoutError, ConnectionClosed):
            told = _read(loud.recv(0))
            raise Wrong(
                f"{wanted}, nothing came for {PATIENCE:g} s, and {who} received {told!r}"
            ) from None
        raise Wrong(f"{wanted}, nothing came for {PATIENCE:g} s") from None
    except ConnectionClosed as closed:
        raise Wrong(f"{wanted}, her connection was closed ({closed})") from None
    expect(f'"{number} x' in str(text)[:200], f"{wanted}, she received {str(text)[:60]} …")


@stairs.goal(
    hint="Lesson 07, section 6: a token bucket of 30, into which 10 tokens a second flow. Without "
    "a token the line is not said, and the speaker is told so.",
    mutant=[("if not bucket.take()", "if False")],
    says="lines are passed on",
    also=[
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 12, 30")], says="lines are passed on"),
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 60, 30")], says="lines are passed on"),
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 10, 31")], says="31 lines are passed on"),
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 10, 25")], says="'msg': '25'} at 舒畅"),
        Mutant([("RATE, BURST = 10, 30", "RATE, BURST = 5, 30")], says="at 舒畅, nothing came"),
        Mutant(
            [
                (
                    "min(BURST, self.tokens + (now - self.at) * RATE)",
                    "self.tokens + (now - self.at) * RATE",
                )
            ],
            says="lines are passed on",
        ),
        Mutant([('"Too fast: this was not said."', '""')], says="tells 杨颖"),
    ],
)
def limits_the_rate(chat: Program) -> None:
    """Say 60 lines at once, then 40 at 25 a second; be silent, and say 60 at once again."""
    chat.start()  # anew, as in the goal before
    with room(chat, HASTY, TWO) as (hasty, two):
        began = _says_at_once(hasty, two)
        heard = ALLOWED
        for number in range(AFTER):
            speaks(hasty, HASTY, f"after {number}")
            heard, _ = _counted(two, heard, began, 0.04)
        deadline, is_heard, slowly = time.monotonic() + PATIENCE, False, ""
        while not is_heard:
            expect(
                time.monotonic() < deadline,
                f"expected that {HASTY} is heard again when she speaks slowly, {TWO} hears nothing "
                f"of her for {PATIENCE:g} s",
            )
            speaks(hasty, HASTY, slowly := f"{slowly}慢慢说")
            heard, is_heard = _counted(two, heard, began, 0.3, slowly)
        told = until(lambda: _tells(hasty), PATIENCE)
        expect(told, f"expected that {SERVER} tells {HASTY} in words that she is too fast")
        time.sleep(SILENCE)
        _counted(two, ALLOWED, _says_at_once(hasty, two), 0.3)


AT_ONCE, AFTER = 60, 40  # lines
ALLOWED, RATE = 30, 10  # lines at once, and a second
SILENCE = 3.3  # seconds; after three of them all is allowed again


def _says_at_once(hasty: ClientConnection, two: ClientConnection) -> float:
    """Say many lines; expect that the first ones are heard. Return when that began."""
    began = time.monotonic()
    for number in range(AT_ONCE):
        speaks(hasty, HASTY, str(number))
    try:
        hears(two, TWO, *[(HASTY, str(number)) for number in range(ALLOWED)])
    except Wrong as seen:
        raise Wrong(
            f"expected that of {AT_ONCE} lines at once the first {ALLOWED} are passed on; {seen}"
        ) from None
    return began


def _counted(
    two: ClientConnection, heard: int, began: float, wait: float, last: str = ""
) -> tuple[int, bool]:
    """Count what is heard within a moment; expect that it is not too much for the time.

    Returns:
        How many are heard by now, and whether `last` was the last of them.
    """
    ends = time.monotonic() + wait
    with suppress(TimeoutError):
        while True:
            frame = _read(two.recv(max(0.0, ends - time.monotonic())))
            heard, seconds = heard + 1, time.monotonic() - began
            expect(
                heard <= ALLOWED + RATE * seconds,
                f"expected that at most {ALLOWED} lines at once and {RATE} a second are passed on; "
                f"in {seconds:.2f} s {heard} lines are passed on",
            )
            if frame == {"username": HASTY, "msg": last}:
                return heard, True
    return heard, False


def _tells(client: ClientConnection) -> bool:
    """Say whether what a client receives next, within a moment, is a sentence of the server."""
    with suppress(TimeoutError, ConnectionClosed):
        frame = _read(client.recv(0.3))
        if isinstance(frame, dict) and frame.get("username") == SERVER:
            return isinstance(frame.get("msg"), str) and bool(frame["msg"].strip())
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
                lambda c=client, who=name, i=i: _speak(c, who, said[who], over, i)
                for i, (client, name) in enumerate(zip(stayers, said, strict=True))
            ),
        ]
        _at_once(work)
        for client, name in zip(stayers, said, strict=True):
            speaks(client, name, END)
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


def _speak(client: ClientConnection, who: str, said: list[str], over: float, place: int) -> None:
    time.sleep(place * PACE / 3)
    while time.monotonic() < over:
        line = f"stay {place} {len(said)}"
        speaks(client, who, line)
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
        except TimeoutError:
            expect(
                False,
                f"expected that {who} hears to the end what the others say, nothing came for "
                f"{PATIENCE:g} s",
            )
        except ConnectionClosed as closed:
            expect(
                False,
                f"expected that {who} hears to the end what the others say, her connection was "
                f"closed ({closed})",
            )
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
