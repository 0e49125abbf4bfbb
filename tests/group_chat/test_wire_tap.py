"""The tap on the wire: nothing changes by it, all is counted, and who looks on holds nobody up.

`there` is a server of the test's own: it notes what arrives, and answers with what the test says. So what has gone in
at one end can be compared, byte by byte, with what came out at the other.
"""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import gevent
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.ground import place
from demos.group_chat.connection import frames
from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from demos.group_chat.wire_tap.__main__ import AT_ONCE, Connection, Tap, framed
from demos.group_chat.wire_tap.events import Events
from demos.group_chat.wire_tap.frames_passing import FrameWatcher, describe
from demos.group_chat.wire_tap.http import HEAD_LIMIT, Messages, body_of
from tests.group_chat import hostile
from tests.group_chat.hostile import BINARY, CLOSE, PING, PONG, TEXT, Client, frame
from tests.support.waiting import eventually

PATIENCE = 20.0  # seconds; nothing here takes long, unless something is wrong
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


# --- What both ends of a wire are made of ---


class There:
    """A server that takes one connection after the other: `received` of each, and `peers` to answer with."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        self.listener.settimeout(PATIENCE)
        peer, _ = self.listener.accept()
        peer.settimeout(PATIENCE)
        return peer


@pytest.fixture(scope="module")
def there():
    """A server that does what the test says."""
    server = There()
    yield server
    server.listener.close()


@pytest.fixture(scope="module")
def tap(shared, there):
    """A tap in front of `there`."""
    return shared("wire_tap", "--to", there.url, "--client", "ann")


@pytest.fixture(scope="module")
def junk_tap(shared, there):
    """Another one, for so much junk that not all of it is shown."""
    return shared("wire_tap", "--to", there.url, "--client", "junk")


@pytest.fixture
def ends(tap, there):
    """Open a connection through the tap: `client, step = ends()`."""
    with opening(tap, there) as connect:
        yield connect


@pytest.fixture
def junk_ends(junk_tap, there):
    """The same through the other tap."""
    with opening(junk_tap, there) as connect:
        yield connect


@contextmanager
def opening(tap, there):
    with ExitStack() as opened:

        def connect():
            client = opened.enter_context(socket.create_connection(address(tap), PATIENCE))
            step = opened.enter_context(there.accept())
            tap.opened = getattr(tap, "opened", 0) + 1  # the number that the tap gave it
            return client, step

        yield connect


def address(server):
    parts = urlsplit(server.url)
    return parts.hostname, parts.port


def exactly(end, count):
    found = b""
    while len(found) < count:
        data = end.recv(count - len(found))
        assert data, f"it ended after {found!r}"
        found += data
    return found


def to_the_end(end):
    found = []
    while data := end.recv(1 << 16):
        found.append(data)
    return b"".join(found)


def told(server, kind=None):
    """What a tap has told so far, in order; of one kind, if it is named."""
    text = server.output.rpartition("\n")[0]
    lines = [json.loads(line) for line in text.split("\n") if line.startswith("{")]
    return [line for line in lines if kind in (None, line["kind"])]


def since(server, kind, mark):
    return [line for line in told(server, kind) if line.get("conn", 0) > mark]


def of(tap, kind):
    """What a tap has told of the last connection of `ends`."""
    return [line for line in told(tap, kind) if line.get("conn") == tap.opened]


def last_connection(server):
    """Make a connection, so that all later ones have a higher number than it; return its number."""
    mark = uuid.uuid4().hex
    server.get(f"/{mark}")
    return eventually(
        lambda: [line["conn"] for line in told(server, "request") if mark in line["line"]]
    )[0]


def hand_shake(client, step, early=b""):
    """Carry out a handshake through the tap."""
    asking = hostile.request("step", "/echo")
    client.sendall(asking + early)
    assert exactly(step, len(asking) + len(early)) == asking + early
    step.sendall(SWITCH)
    assert exactly(client, len(SWITCH)) == SWITCH


# --- Pages ---

REQUESTS = [
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /static/many_people.js HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /no/such/page HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"nonsense\r\n\r\n",
    hostile.request("x", "/ws"),  # a page, and no socket
    hostile.request("x", "/ql", Sec_WebSocket_Version="12"),
]


def answers(server, *requests):
    """All bytes that come back to requests on one connection, without what the clock says."""
    with socket.create_connection(address(server), PATIENCE) as client:
        client.sendall(b"".join(requests))
        client.shutdown(socket.SHUT_WR)
        return re.sub(rb"Date: .*", b"Date:", to_the_end(client))


@pytest.fixture(scope="module")
def chat(shared):
    """The finished chat, and a tap in front of it."""
    server = shared("chat")
    return server, shared("wire_tap", "--to", server.url)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda raw: raw.split(b"\r\n")[0].decode())
def test_answers_are_the_same_with_and_without(chat, request_):
    server, tap = chat
    assert answers(tap, request_) == answers(server, request_) != b""


def test_several_requests_on_one_connection(chat):
    server, tap = chat
    mark = last_connection(tap)
    assert answers(tap, *REQUESTS[:4]) == answers(server, *REQUESTS[:4])
    found = eventually(lambda: since(tap, "close", mark))
    seen = [line for line in told(tap) if line.get("conn", 0) > mark]
    assert [line["line"] for line in seen if line["kind"] == "request"] == [
        "GET /ws HTTP/1.1",
        "HEAD /ws HTTP/1.1",
        "GET /static/many_people.js HTTP/1.1",
        "GET /no/such/page HTTP/1.1",
    ]
    statuses = [line["line"].split()[1] for line in seen if line["kind"] == "response"]
    assert statuses == ["200", "200", "200", "404"]
    assert found[0]["up"] == sum(map(len, REQUESTS[:4]))
    assert "unreadable" not in {line["kind"] for line in seen}


def test_a_page_that_has_not_changed(chat):
    server, tap = chat
    etag = server.get("/static/chat.css").headers["ETag"]
    asking = f"GET /static/chat.css HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    found = answers(tap, asking, REQUESTS[0])
    assert found == answers(server, asking, REQUESTS[0])
    assert b"304 NOT MODIFIED" in found.upper()


def test_no_step_is_one_sentence(shared):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        tap = shared("wire_tap", "--to", f"http://127.0.0.1:{taken.getsockname()[1]}")
        answer = tap.get("/ws")
    assert (answer.status, answer.body) == (502, "The step does not answer: is it running?\n")
    assert eventually(lambda: told(tap, "unreachable"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--to"),
        (["--to", "ftp://127.0.0.1:1"], "an address such as http://127.0.0.1:5000"),
        (["--to", "http://127.0.0.1:1", "--frame-ancestors", "*; script-src *"], "a page's origin"),
        (["--to", "http://127.0.0.1:1", "--port", "99999"], "choose another --port"),
    ],
)
def test_wrong_arguments_are_a_sentence(run_step, arguments, words):
    done = run_step("group_chat.wire_tap", *arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# --- Frames ---


@pytest.fixture
def echo(shared):
    """A tap in front of the echo of step 1, and the number of its last connection so far."""
    server = shared("wire_tap", "--to", shared("step1_echo").url, "--client", "ann")
    return server, last_connection(server)


def shown(server, mark, count):
    """The frames of connections after `mark`, once there are so many: of each direction, in order."""
    eventually(lambda: len(since(server, "frame", mark)) >= count)
    found = since(server, "frame", mark)
    return [[line for line in found if line["direction"] == one] for one in ("up", "down")]


def test_every_type_of_frame_in_both_directions(echo):
    tap, mark = echo
    with Client(tap.url) as client:
        client.send(
            hostile.text("你好"),
            frame(BINARY, b"\0\1\xff"),
            frame(TEXT, "在".encode()[:2], final=False),
            frame(PING, b"p"),
            frame(0, "在".encode()[2:]),
            frame(PONG, b"q"),
            hostile.close(3001, "再见".encode()),
        )
        heard = [client.receive() for _ in range(5)]
    assert heard == [
        (TEXT, "你好".encode()),
        (BINARY, b"\0\1\xff"),
        (PONG, b"p"),
        (TEXT, "在".encode()),
        (CLOSE, struct.pack("!H", 3001)),
    ]
    up, down = shown(tap, mark, 12)
    assert [(one["name"], one["payload"], one["fin"]) for one in up] == [
        ("text", "你好", True),
        ("binary", "00 01 ff", True),
        ("text", "\ufffd", False),
        ("ping", "70", True),
        ("more of a message", "\ufffd", True),
        ("pong", "71", True),
        ("close", "再见", True),
    ]
    assert {one["mask"] for one in up} == {hostile.MASK.hex()}
    assert {one["mask"] for one in down} == {None}
    assert [one["name"] for one in down] == ["text", "binary", "pong", "text", "close"]
    assert (up[-1]["code"], down[-1]["code"]) == (3001, 3001)
    assert bytes.fromhex(up[0]["raw"]) == hostile.text("你好")
    assert bytes.fromhex(down[0]["raw"]) == frames.encode(TEXT, "你好".encode())


def test_the_handshake_is_shown_with_its_headers(echo):
    tap, mark = echo
    with Client(tap.url, Cookie="name=韩雪".encode().decode("latin-1")) as client:
        assert client.answer.headers["sec-websocket-accept"] == hostile.ACCEPT
    (asked,) = eventually(lambda: since(tap, "request", mark))
    (answered,) = eventually(lambda: since(tap, "response", mark))
    headers = dict(asked["headers"])
    assert headers["Sec-WebSocket-Key"] == hostile.HEADERS["Sec-WebSocket-Key"]
    assert answered["line"] == "HTTP/1.1 101 Switching Protocols"
    assert dict(answered["headers"])["Sec-WebSocket-Accept"] == hostile.ACCEPT
    assert (asked["client"], asked["direction"], answered["direction"]) == ("ann", "up", "down")
    assert answered["changed"] is False


def test_frames_that_come_with_the_handshake(echo):
    tap, mark = echo
    with Client(tap.url, early=hostile.text("早")) as client:
        assert client.hear() == "早"
        assert client.echo("later") == "later"
    up, down = shown(tap, mark, 4)
    assert [one["payload"] for one in up[:2]] == ["早", "later"]
    assert [one["payload"] for one in down[:2]] == ["早", "later"]


def test_close_codes_arrive_as_they_are(echo):
    tap, mark = echo
    with Client(tap.url) as client:
        client.send(frame(TEXT, b"x" * (LIMIT + 1)))
        frames_, code, reason = client.ended()
    assert (frames_, code, reason) == ([], 1009, f"a message may have {LIMIT} bytes")
    up, down = shown(tap, mark, 2)
    assert (down[-1]["code"], down[-1]["payload"]) == (1009, f"a message may have {LIMIT} bytes")
    assert (up[0]["length"], up[0]["header"], up[0]["cut"]) == (LIMIT + 1, 8, True)
    assert len(up[0]["payload"]) == 200
    assert len(up[0]["raw"]) == 320


def test_two_people_chat_through_two_taps(shared):
    room = shared("step4_nicknames")
    ann = shared("wire_tap", "--to", room.url, "--client", "ann")
    bob = shared("wire_tap", "--to", room.url, "--client", "bob")
    with ann.ws("韩雪") as one, bob.ws("舒畅") as two:
        said = {"username": "韩雪", "msg": "你好"}
        assert eventually(lambda: one.send(json.dumps(said)) or heard(two)) == said
    line = eventually(lambda: [one for one in told(bob, "frame") if one["direction"] == "down"])[0]
    assert (line["client"], json.loads(line["payload"])) == ("bob", said)


def heard(connection):
    try:
        return json.loads(connection.recv(1))
    except TimeoutError:
        return None


# --- Bytes ---


def in_pieces(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def exchange(client, step, up, down):
    """Send both ways at the same time, end both ways, and return what arrived."""
    arrived = {}

    def carry(name, end, other, pieces):
        for piece in pieces:
            if piece:
                end.sendall(piece)
        end.shutdown(socket.SHUT_WR)
        arrived[name] = reading[name].result(60)

    with ThreadPoolExecutor(4) as threads:
        reading = {
            "up": threads.submit(to_the_end, step),
            "down": threads.submit(to_the_end, client),
        }
        carrying = [
            threads.submit(carry, "up", client, step, up),
            threads.submit(carry, "down", step, client, down),
        ]
        for one in carrying:
            one.result(60)
    return arrived["up"], arrived["down"]


JUNK = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [*REQUESTS, SWITCH, b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n\r\n", b"\x81\xff" + b"\xff" * 12]
    ),
    st.just(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    st.just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
)
SOME_JUNK = st.lists(JUNK, max_size=4).map(b"".join)
SIZES = st.lists(st.integers(1, 40), max_size=5)
CALM = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@CALM
@given(SOME_JUNK, SOME_JUNK, SIZES, SIZES)
def test_any_bytes_arrive_as_they_are(junk_ends, up, down, up_sizes, down_sizes):
    client, step = junk_ends()
    assert exchange(client, step, in_pieces(up, up_sizes), in_pieces(down, down_sizes)) == (
        up,
        down,
    )


@CALM
@given(SOME_JUNK, SOME_JUNK, SIZES, SIZES)
def test_any_bytes_after_a_handshake_arrive_as_they_are(junk_ends, up, down, up_sizes, down_sizes):
    client, step = junk_ends()
    hand_shake(client, step)
    assert exchange(client, step, in_pieces(up, up_sizes), in_pieces(down, down_sizes)) == (
        up,
        down,
    )


def test_after_all_that_junk_the_tap_is_well(junk_tap, junk_ends):
    tap = junk_tap
    client, step = junk_ends()
    hand_shake(client, step, early=hostile.text("hello"))

    def ping():
        step.sendall(frames.encode(PING, b"?"))
        assert exactly(client, 3) == frames.encode(PING, b"?")
        return [line["name"] for line in of(tap, "frame") if line["direction"] == "down"]

    assert set(eventually(ping)) == {"ping"}  # so many at once were too many to show
    assert tap.process.poll() is None
    assert "Traceback" not in tap.log


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_large_frame_passes_and_is_not_kept(tap, ends, direction):
    client, step = ends()
    hand_shake(client, step)
    payload = os.urandom(1 << 20) * 16
    sent = frame(BINARY, b"", mask=None, claim=len(payload)) + payload
    before = memory(tap)
    up, down = ([sent], []) if direction == "up" else ([], [sent])
    got_up, got_down = exchange(client, step, up, down)
    assert (got_up if direction == "up" else got_down) == sent
    (line,) = eventually(lambda: of(tap, "frame"))
    assert (line["length"], line["cut"], line["direction"]) == (len(payload), True, direction)
    assert memory(tap) - before < 8e6


def memory(server):
    return psutil.Process(server.process.pid).memory_full_info().uss


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_reader_that_stops_stops_the_sender(tap, ends, direction):
    client, step = ends()
    hand_shake(client, step)
    sender = client if direction == "up" else step
    before = memory(tap)
    sender.sendall(head := frame(BINARY, mask=None, claim=1 << 30))  # all of it is one frame
    sender.setblocking(False)
    sent, quiet = 0, time.monotonic()
    while time.monotonic() - quiet < 0.5:  # as long as somebody takes something
        try:
            sent += sender.send(bytes(1 << 16))
            quiet = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        assert sent < 64e6, "the tap holds it all"
    assert memory(tap) - before < 2e6
    # What has been taken arrives all the same.
    sender.setblocking(True)
    sender.shutdown(socket.SHUT_WR)
    receiver = step if direction == "up" else client
    assert len(to_the_end(receiver)) == len(head) + sent


def test_one_half_ends_and_the_other_goes_on(ends):
    client, step = ends()
    client.sendall(REQUESTS[0])
    client.shutdown(socket.SHUT_WR)
    assert to_the_end(step) == REQUESTS[0]
    step.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert exactly(client, 38).startswith(b"HTTP/1.1 200 OK")
    step.sendall(b"ok")
    step.close()
    assert to_the_end(client) == b"ok"


def test_half_an_answer_arrives_too(ends):
    client, step = ends()
    client.sendall(REQUESTS[0])
    step.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    step.shutdown(socket.SHUT_WR)
    assert to_the_end(client) == b"HTTP/1.1 200 OK\r\nContent-Le"


@pytest.mark.parametrize("killed", ["client", "step"])
def test_who_is_killed_is_gone_for_the_other_too(tap, ends, killed):
    client, step = ends()
    hand_shake(client, step)
    victim, other = (client, step) if killed == "client" else (step, client)
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    victim.close()
    with pytest.raises(ConnectionResetError):
        other.recv(1)
    # Of closes none is left out, as long as no test sends junk through this tap.
    (line,) = eventually(lambda: of(tap, "close"))
    assert line["by"] == killed


# --- In a frame ---


def test_a_page_that_forbids_frames_may_be_in_one(start, book):
    messenger = start(
        "wire_tap",
        "--to",
        messenger_of(start).url,
        "--frame-ancestors",
        "http://stage.localhost:1234",
    )
    policy = messenger.get("/login").headers["Content-Security-Policy"]
    assert "frame-ancestors http://stage.localhost:1234" in policy
    assert "frame-ancestors 'none'" not in policy
    (line,) = eventually(lambda: told(messenger, "response"))
    assert line["changed"] is True


def messenger_of(start):
    from tests.support.servers import Servers

    servers = Servers(start.__self__.folder, "private_chat")
    start.__self__.running.append((server := servers.start("step2_accounts"), False))
    return server


def test_only_the_frame_s_headers_change():
    head = (
        b"HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nX-Other: frame-ancestors 'none'\r\n"
        b"content-security-policy: default-src 'self'; Frame-Ancestors 'none'; base-uri 'none'\r\n"
        b"Set-Cookie: \xe4=1\r\n\r\n"
    )
    assert framed(head, "http://a:1") == (
        b"HTTP/1.1 200 OK\r\nX-Other: frame-ancestors 'none'\r\n"
        b"content-security-policy: default-src 'self'; frame-ancestors http://a:1; base-uri 'none'\r\n"
        b"Set-Cookie: \xe4=1\r\n\r\n"
    )


# --- Who looks on ---


def counted(tap, enough):
    """The newest counters, once they are enough."""
    eventually(lambda: (found := told(tap, "count")) and enough(found[-1]))
    return told(tap, "count")[-1]


def test_a_flood_is_counted_all_and_shown_in_part(shared, there):
    tap = shared("wire_tap", "--to", there.url, "--client", "a flood")
    client = socket.create_connection(address(tap), PATIENCE)
    step = there.accept()
    hand_shake(client, step)
    step.sendall(frames.encode(TEXT, b"x") * 50_000 + frames.encode_close(1000))
    assert len(exactly(client, 50_000 * 3 + 4)) == 150_004
    last = counted(tap, lambda line: line["down"]["frames"] >= 50_001)
    assert last["down"] == {
        "bytes": 150_004 + len(SWITCH),
        "frames": 50_001,
        "opcodes": {"text": 50_000, "close": 1},
    }
    lines = told(tap, "frame")
    assert 0 < len(lines) < 1000
    assert lines[-1]["name"] == "close"  # which the flood does not hide
    assert (last["connections"], last["requests"]) == (1, 1)
    assert last["unshown"] == 50_001 - len(lines)
    # What has ended is counted on.
    client.close()
    step.close()
    assert counted(tap, lambda line: not line["connections"])["down"] == last["down"]


def test_who_only_listens_to_a_flood_gets_it_in_portions():
    """The loop's clock stands still while it does not run, so all this happens in one moment."""
    connection = Connection(Tap(("127.0.0.1", 1), "", Events("ann")), 1)
    up, down = connection.up, connection.down
    up._loop = down._loop = gevent.get_hub().loop
    assert [down._is_flood() for _ in range(AT_ONCE)] == [False] * AT_ONCE
    assert down._is_flood()
    assert not any(up._is_flood() for _ in range(2 * AT_ONCE)), "what a client sends is urgent"
    assert not down._is_flood(), "and so are the answers"


@pytest.mark.parametrize("talks", [False, True])
def test_a_flood_in_portions_arrives_all(ends, talks):
    client, step = ends()
    hand_shake(client, step)
    word, count = frames.encode(TEXT, b"x" * 30), 200

    def listen():
        arrived = 0
        while arrived < count * len(word):
            arrived += len(client.recv(1 << 16))
            if talks:
                client.sendall(frame(PING))
        return arrived

    with ThreadPoolExecutor(1) as elsewhere:
        listening = elsewhere.submit(listen)
        for _ in range(count):
            time.sleep(0.001)  # many can be read alone, so that there are enough for portions
            step.sendall(word)
        assert listening.result(60) == count * len(word)


@contextmanager
def by_hand(there):
    """A tap whose stdout is the test's to read, or not: the process, and both ends of a connection."""
    command = [sys.executable, "-m", "demos.group_chat.wire_tap", "--to", there.url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=place.ROOT, **pipes) as process:
        # Should it not say its address, or not end, it is ended.
        limit = threading.Timer(120, process.kill)
        limit.start()
        try:
            port = int(re.search(rb":(\d+)/", process.stdout.readline())[1])
            with (
                socket.create_connection(("127.0.0.1", port), PATIENCE) as client,
                there.accept() as step,
            ):
                yield process, client, step
        finally:
            limit.cancel()
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_of_stdout_that_stands_still_holds_nobody_up(there, number):
    with by_hand(there) as (process, client, step):
        hand_shake(client, step)
        word = frame(PING, b"x" * 100)  # each is a line of 600 bytes: 200 of them fill the pipe
        for _ in range(1000):
            client.sendall(word)
            assert exactly(step, len(word)) == word
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


def test_a_tap_that_nobody_reads_any_more_ends(there):
    with by_hand(there) as (process, _, _):
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


# --- The readers alone, in any pieces ---

CHUNKS = b"4;name=value\r\nWiki\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: yes\r\n\r\n"
ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "GET"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "HEAD"),
    (b"HTTP/1.1 304 NOT MODIFIED\r\nContent-Length: 4\r\n\r\n", "GET"),
    (b"HTTP/1.1 204 NO CONTENT\r\n\r\n", "GET"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", "POST"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, "GET"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_answers_in_pieces_of_any_size(size):
    heads, methods = [], iter([method for _, method in ANSWERS])

    def on_head(head):
        heads.append(head.line)
        return head.raw, body_of(head, next(methods))

    reader = Messages(on_head, pytest.fail)
    whole = b"".join(raw for raw, _ in ANSWERS)
    out = b"".join(reader.feed(whole[at : at + size]) for at in range(0, len(whole), size))
    assert out + reader.rest() == whole
    assert heads == [raw.split(b"\r\n")[0].decode() for raw, _ in ANSWERS]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"hello\r\n\r\nworld", "a first line that is not HTTP/1"),
        (b"x" * (HEAD_LIMIT + 1), "a head of more than"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "no number"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "no number"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "a chunk without"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, "a line before"),
    ],
)
def test_what_cannot_be_read_passes_all_the_same(raw, why):
    complaints = []
    reader = Messages(lambda head: (head.raw, body_of(head)), complaints.append)
    out = reader.feed(raw) + reader.feed(b"and more") + reader.feed(b"GET / HTTP/1.1\r\n\r\n")
    assert out == raw + b"and more" + b"GET / HTTP/1.1\r\n\r\n"
    assert len(complaints) == 1
    assert why in complaints[0]


def stream():
    """Frames of every kind and length, and what they are."""
    made = []
    for opcode in (TEXT, BINARY, PING, 11):
        for length in (0, 1, 125, 126, 900, 65535, 65536):
            for mask in (None, hostile.MASK):
                made.append((opcode, length, mask, frame(opcode, b"a" * length, mask=mask)))
    return made


@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 24])
@pytest.mark.parametrize("wanted", [True, False])
def test_frames_in_pieces_of_any_size(size, wanted):
    if size == 1 and not wanted:
        size = 3
    seen = []
    watcher = FrameWatcher(lambda opcode: wanted, seen.append)
    whole = b"".join(raw for *_, raw in stream())
    for at in range(0, len(whole), size):
        piece = whole[at : at + size]
        assert watcher.take(piece) == len(piece)
    opcodes = [opcode for opcode, *_ in stream()]
    assert watcher.counts == [opcodes.count(number) for number in range(16)]
    if wanted:
        assert [(one["opcode"], one["length"]) for one in seen] == [(a, b) for a, b, *_ in stream()]
        assert [one["raw"] for one in seen] == [raw[:160].hex() for *_, raw in stream()]
        masks = [mask and mask.hex() for _, _, mask, _ in stream()]
        assert [one["mask"] for one in seen] == masks
    else:
        assert seen == []


def test_a_text_is_cut_between_characters():
    payload = ("汉" * 1000).encode()
    found = describe(frame(TEXT, payload)[: 8 + 800], 8, len(payload))
    assert (found["payload"], found["cut"]) == ("汉" * 200, True)
    found = describe(frame(TEXT, "汉".encode()[:2]), 6, 2)
    assert (found["payload"], found["cut"]) == ("\ufffd", False)
