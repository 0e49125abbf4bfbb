"""The life of a connection: handshake, heartbeat, backlog and end, with clients that do all of it wrong."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread, Timer
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from course.ground import place
from tests.group_chat.hostile import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CLOSE,
    PING,
    PONG,
    TEXT,
    Client,
    close,
    descriptors,
    frame,
    memory,
    peers,
    request,
    text,
    their_socket,
)
from tests.group_chat.views import LONG, SINGERS, SONGS
from tests.support.waiting import eventually

SLOW = 200  # connections without a whole request that a server keeps
QUIET = ("--heartbeat", "600")  # no ping comes between what a test counts
PIECE = frame(BINARY, bytes(16_000))

# A client as a process of its own, which answers pings by itself.
VISITOR = """
import sys
from websockets.sync.client import connect
with connect(sys.argv[1], proxy=None) as socket:
    print(socket.local_address[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(shared):
    """An echo server that all tests share."""
    return shared("step1_echo", *QUIET)


@contextmanager
def serve_views(folder, *args):
    """Run views.py: `url`, `process`, `log()`; it has tracebacks on purpose."""
    log = folder / "log"
    command = [sys.executable, "-m", "tests.group_chat.views", "--port", "0", *args]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, cwd=place.ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        limit = Timer(60, process.kill)  # should it not say its address
        limit.start()
        try:
            url = re.search(r"http://[^/]+", process.stdout.readline())[0]
            limit.cancel()
            yield SimpleNamespace(url=url, process=process, log=log.read_text)
        finally:
            limit.cancel()
            process.kill()


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """The server of views.py that all tests share."""
    with serve_views(tmp_path_factory.mktemp("views"), *QUIET) as server:
        yield server


@pytest.fixture
def plain(server):
    """A TCP connection on which nothing was said yet."""
    with Client(server.url, upgrade=False) as connected:
        yield connected


@pytest.fixture
def visit():
    """Start a well-behaved client as a process; returns it, with the port it connects from as `port`."""
    with ExitStack() as stack:

        def start(server, path="echo"):
            url = f"{server.url}/{path}".replace("http", "ws", 1)
            process = subprocess.Popen(
                [sys.executable, "-c", VISITOR, url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            limit = Timer(60, process.kill)  # should it not connect
            limit.start()
            stack.callback(limit.cancel)
            return SimpleNamespace(process=process, port=int(process.stdout.readline()))

        yield start


# The handshake.


def handshake(server, **changes):
    """Send a handshake with changes, and return the answer; a traceback in the log fails."""
    with Client(server.url, upgrade=False) as client:
        answer = client.ask(request(client.host, **changes))
    assert "Traceback" not in server.log
    return answer


def test_the_answer_proves_that_the_key_was_read(server):
    answer = handshake(server)
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == ACCEPT
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    assert "sec-websocket-protocol" not in answer.headers
    assert "sec-websocket-extensions" not in answer.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"Connection": "keep-alive, Upgrade"},  # Firefox
        {"Connection": "upgrade", "Upgrade": "WebSocket"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec_WebSocket_Protocol": "room.v1, other"},
        {"Content_Length": "0"},
    ],
)
def test_what_browsers_and_proxies_write_is_understood(server, changes):
    answer = handshake(server, **changes)
    assert answer.status == 101
    # Neither an extension nor a subprotocol is agreed on unless the view asks for it.
    assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & set(answer.headers)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "AAECAwQFBgcICQoLDA0O"}, 400),  # 15 bytes
        ({"Sec_WebSocket_Key": "AAECAwQFBgcICQoLDA0ODxA="}, 400),  # 17 bytes
        ({"Sec_WebSocket_Key": "AAECAwQFBgcICQoL DA0ODw=="}, 400),
        ({"Sec_WebSocket_Key": "äöüß"}, 400),
        ({"line": "GET {} HTTP/1.0"}, 400),
        ({"line": "POST {} HTTP/1.1"}, 400),
        ({"line": "HEAD {} HTTP/1.1"}, 400),
        ({"line": "OPTIONS {} HTTP/1.1"}, 400),
        ({"Content_Length": "1000"}, 400),
        ({"path": "/", "Upgrade": "websocket"}, 400),  # a page
        ({"Connection": None}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
    ],
)
def test_a_bad_handshake_is_refused_with_a_sentence(server, changes, status):
    answer = handshake(server, **changes)
    assert answer.status == status
    assert re.fullmatch(r"[A-Z].*\.\n", answer.body.decode())
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("version", [None, "", "8", "12", "14", "013", "x"])
def test_another_version_is_told_the_right_one(server, version):
    answer = handshake(server, Sec_WebSocket_Version=version)
    assert answer.status == 426
    assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"GET /echo HTTP/x.1\r\n\r\n",
        b"GET /echo HTTP/1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"GET /echo HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=range(9),
)
def test_what_is_no_request_is_refused_without_a_traceback(server, plain, sent):
    assert plain.ask(sent).status in (400, 414)
    assert "Traceback" not in server.log


def test_a_line_of_the_log_tells_of_its_own_request(server, plain):
    plain.ask(b"GET /no-such-page HTTP/1.1\r\nHost: localhost\r\n\r\n")
    plain.ask(b"garbage\r\n\r\n")
    assert eventually(lambda: plain.port not in peers(server.process.pid))
    first, *rest = about(server, plain)  # what cannot be read is logged once a second
    assert "event=http" in first
    assert all("event=bad_request" in line for line in rest)


def about(server, client):
    """Return the lines of the log about one client."""
    return [line for line in server.log.splitlines() if f":{client.port}" in line]


@pytest.mark.parametrize("length", [1, 30, 160, None], ids=["word", "line", "headers", "whole"])
def test_a_client_that_does_not_wait_for_its_answer_leaves_nothing(server, length):
    ports = set()
    for _ in range(20):
        client = Client(server.url, upgrade=False)
        client.send((request(client.host) + text("hi") * 50)[:length])
        client.reset()
        ports.add(client.port)
    assert eventually(lambda: not ports & peers(server.process.pid))
    assert "Traceback" not in server.log


def test_requests_that_never_end_hurt_nobody_and_do_not_stay(views):
    before = views.log().count("Traceback")
    with ExitStack() as stack:
        stuck = [stack.enter_context(Client(views.url, upgrade=False)) for _ in range(50)]
        for number, client in enumerate(stuck):
            client.send(request(client.host)[: number * 3])
        with Client(views.url, "/echo/other") as other:
            assert other.echo("hello") == "hello"
        ports = {client.port for client in stuck}
        assert eventually(lambda: not ports & peers(views.process.pid))
    assert views.log().count("Traceback") == before


def test_a_client_that_does_not_read_its_page_does_not_stay(views):
    before = views.log().count("Traceback")
    with Client(views.url, upgrade=False, window=4096) as client:
        client.send(f"GET /page HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode() * 200)
        assert eventually(lambda: client.port in peers(views.process.pid))
        assert eventually(lambda: client.port not in peers(views.process.pid))
    assert views.log().count("Traceback") == before


def test_the_view_chooses_a_subprotocol(views):
    with Client(views.url, "/dialect", Sec_WebSocket_Protocol="one, two , three") as client:
        assert client.answer.headers["sec-websocket-protocol"] == "two"
        assert client.hear() == "one,two,three"


def test_a_view_may_answer_with_a_page_instead(views):
    with Client(views.url, upgrade=False) as client:
        answer = client.ask(request(client.host, "/nobody"))
    assert answer.status == 404
    assert "sec-websocket-accept" not in answer.headers


# Origin.


@pytest.fixture(scope="module")
def with_friends(shared):
    return shared(
        "step1_echo", *QUIET, "--origin", "https://chat.example.org", "--origin", "http://b"
    )


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1",  # another port of this host is another site
        "http://127.0.0.1:1",
        "http://{host}.evil.example",
        "http://evil.example/{host}",
        "http://evil.example@{host}",
        "https://chat.example.org.evil.example",
        "http://chat.example.org",
        "null",
        "",
        "{host}",
        "http://[",
        "file://",
    ],
)
def test_a_foreign_page_is_refused_before_the_upgrade(with_friends, origin):
    host = with_friends.url.removeprefix("http://")
    answer = handshake(with_friends, Origin=origin.format(host=host))
    assert answer.status == 403
    assert b"other sites" in answer.body


def test_our_own_page_programs_and_friends_may_connect(with_friends):
    host = with_friends.url.removeprefix("http://")
    for origin in (f"http://{host}", None, "https://chat.example.org", "http://b"):
        assert handshake(with_friends, Origin=origin).status == 101
    # Behind a proxy that passes on the name; a port that need not be said may be said.
    for name in ("Chat.Example.org", "chat.example.org:443"):
        proxied = {"Host": name, "Origin": "https://chat.example.org"}
        assert handshake(with_friends, **proxied).status == 101


@pytest.mark.parametrize("path", ["/", "/echo", "/static/echo.js"])
@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost."]
)
def test_a_strangers_name_for_this_machine_is_refused(with_friends, path, name):
    """DNS rebinding: Host and Origin are alike, and foreign."""
    host = name.format(port=with_friends.url.rpartition(":")[2])
    answer = handshake(with_friends, path=path, Host=host, Origin=f"http://{host}")
    assert answer.status == 421
    assert b"is not a name of this server" in answer.body


@pytest.mark.parametrize(
    "name", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "ann.course.localhost:{port}"]
)
def test_this_machine_has_several_names(with_friends, name):
    host = name.format(port=with_friends.url.rpartition(":")[2])
    assert handshake(with_friends, Host=host, Origin=f"http://{host}").status == 101


def test_who_goes_on_after_the_goodbye_is_not_read_for_long(server):
    with Client(server.url) as client:
        client.send(close(1000))
        assert client.receive()[0] == CLOSE
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.send(bytes(16 * 1024))


def test_half_sent_requests_keep_nobody_out(server):
    """However many there are, a newcomer is answered: who has taken longest to send a request has to go."""
    half = [Client(server.url, upgrade=False) for _ in range(SLOW + 50)]
    for client in half:
        client.send(b"GET / HTTP/1.1\r\nHost: ")
    assert handshake(server).status == 101
    for client in half[:50]:
        assert client.socket.recv(100) == b""
    half[-1].send(b"localhost\r\n\r\n")
    assert half[-1].socket.recv(12) == b"HTTP/1.1 200"
    for client in half:
        client.reset()


def is_over(client):
    """Read what has come; True if the server has ended the connection."""
    client.socket.settimeout(0)
    try:
        while client.socket.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_half_sent_bodies_keep_nobody_out(server):
    """They are answered before the rest has come, and must not be waited for any longer than half a request.

    The wait for a body begins when its headers are there, so the 50 need not be those that came first.
    """
    half = [Client(server.url, upgrade=False) for _ in range(SLOW + 50)]
    for client in half:
        client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
    assert handshake(server).status == 101
    # After 20 s each of them would end by itself.
    assert eventually(lambda: sum(map(is_over, half)) >= 50, seconds=10)
    for client in half:
        client.reset()


def test_a_page_without_a_site_is_nobodys(server):
    assert handshake(server, Origin="null", Host="localhost").status == 403
    assert handshake(server, Origin="null", Host=None).status == 400
    assert handshake(server, Origin="file://", Host="").status == 400


# Closing.


def test_the_code_and_reason_of_a_view_arrive_as_such(views):
    for code, reason in [(1008, "policy"), (1000, "bye"), (4409, "in use"), (3000, "再见" * 20)]:
        with Client(views.url, quote(f"/close/{code}/{reason}")) as client:
            assert client.ended() == ([], code, reason)


def test_a_long_reason_is_cut_between_characters(views):
    for reason, cut in [
        ("x" * 200, "x" * 123),
        ("好" * 100, "好" * 41),
        ("x" + "好" * 41, "x" + "好" * 40),
    ]:
        with Client(views.url, quote(f"/close/1008/{reason}")) as client:
            assert client.ended() == ([], 1008, cut)


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (close(1000), 1000, ""),
        (close(3000, b"tab closed"), 3000, "tab closed"),
        (close(4999, "再见".encode()), 4999, "再见"),
        (close(), 1005, ""),
        (b"", NO_CLOSE, ""),
        (frame(TEXT, b"\xff"), 1007, "a text message is not UTF-8"),
    ],
    ids=["1000", "3000", "4999", "none", "no close", "fault"],
)
def test_the_view_learns_why_it_closed(views, sent, code, reason):
    name = f"visit-{code}"
    with Client(views.url, f"/echo/{name}") as client:
        client.send(sent)
        client.finish_sending()
        client.ended()

    def why():
        with Client(views.url, upgrade=False) as asking:
            line = f"GET /why/{name} HTTP/1.1\r\nHost: {asking.host}\r\n\r\n"
            return json.loads(asking.ask(line.encode()).body)

    assert eventually(why) == {"code": code, "reason": reason}


def test_another_greenlet_may_close(views):
    with Client(views.url, "/goodbye") as client:
        client.send(text("please"))
        assert client.ended() == ([], 4001, "elsewhere")


def test_who_ignores_our_close_is_not_heard_and_does_not_stay(views):
    with Client(views.url, "/goodbye") as client:
        client.send(text("please"))
        assert client.receive() == (8, b"\x0f\xa1elsewhere")
        client.send(*[text("I stay")] * 100)
        assert client.receive() is None
        assert eventually(lambda: client.port not in peers(views.process.pid))


def test_who_sends_on_and_on_after_a_fault_does_not_stay(server):
    with Client(server.url) as client, Client(server.url) as other:
        client.send(frame(BINARY, claim=1 << 40))

        def hung_up():
            assert other.echo("hello") == "hello"
            try:
                client.send(bytes(1_000_000))
            except OSError:
                return True

        assert eventually(hung_up)
        assert eventually(lambda: client.port not in peers(server.process.pid))


@pytest.mark.parametrize("path", ["/fault", "/fault/bare", "/fault/later"])
def test_a_fault_in_a_view_is_1011_and_one_traceback(views, path):
    before = views.log().count("Traceback")
    with Client(views.url, path) as client:
        client.send(text("go"))
        assert client.ended() == ([], 1011, "a fault in the server")
    assert eventually(lambda: client.port not in peers(views.process.pid))
    assert eventually(lambda: views.log().count("Traceback") > before)
    assert views.log().count("Traceback") - before == 1


def test_a_connection_that_goes_on_without_its_view_keeps_no_request(views):
    with Client(views.url, "/later") as client:
        client.send(text("is it there?"))
        assert client.receive() == (TEXT, b"gone")
        client.send(frame(CLOSE, b"\x03\xe8"))
        assert client.ended() == ([], 1000, "")


def test_a_fault_before_the_upgrade_is_500(views):
    with Client(views.url, upgrade=False) as client:
        assert client.ask(request(client.host, "/fault/early")).status == 500


# Many at once.


def test_small_frames_leave_at_once(server):
    with Client(server.url) as client:
        try:
            theirs = their_socket(server.process.pid, client.port)
        except OSError as error:
            pytest.skip(f"the server's socket cannot be looked at: {error}")
        with theirs:
            assert theirs.getsockopt(6, 1) == 1, "TCP_NODELAY is off"


def test_who_sends_and_reads_at_the_same_time_gets_everything_back(server):
    count = 1000  # 16 MB, far more than any buffer holds
    with Client(server.url) as client:
        sender = Thread(target=lambda: [client.send(PIECE) for _ in range(count)], daemon=True)
        sender.start()
        for _ in range(count):
            assert client.receive() == (BINARY, bytes(16_000))
        sender.join(20)


def test_who_reads_late_gets_everything_back(server):
    with Client(server.url, window=4096) as client:
        sender = Thread(target=lambda: [client.send(PIECE) for _ in range(60)], daemon=True)
        sender.start()
        with Client(server.url) as other:
            assert other.echo("meanwhile") == "meanwhile"
        assert [client.receive() for _ in range(60)] == [(BINARY, bytes(16_000))] * 60
        sender.join(20)


def test_a_flood_takes_turns_with_the_others(views):
    with Client(views.url, "/flood") as client:
        client.send(*[text("x")] * 100_000, text("end"))
        most, handled = map(int, client.hear().split(" of "))
    assert handled == 100_000
    assert most < 10_000  # what one read holds is 2,340


def test_greenlets_that_send_at_the_same_time_do_not_interrupt_each_other(views):
    with Client(views.url, "/choir", window=4096) as client:
        heard = [client.hear() for _ in range(SINGERS * SONGS)]
        client.send(text("thanks"))
        assert client.ended() == ([], 1000, "")
    for singer in range(SINGERS):
        own = [words for words in heard if words.startswith(f"{singer} ")]
        assert [int(words.split()[1].rstrip(".")) for words in own] == list(range(SONGS))
        assert {len(words.rstrip(".")) for words in own} <= {4, 5}
    assert sum(len(words) == LONG for words in heard) == SINGERS * SONGS // 2


def test_a_reader_that_stops_is_cut_off_and_costs_the_others_nothing(views):
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(views.url, "/crowd")) for _ in range(4)]
        stopped = stack.enter_context(Client(views.url, "/crowd", window=4096))
        for client in [*clients, stopped]:
            assert client.hear() == "welcome"
        before = memory(views.process.pid)
        speaker, *listeners = clients
        for _ in range(500):  # 8 MB
            speaker.send(PIECE)
            for listener in listeners:
                assert listener.receive() == (BINARY, bytes(16_000))
        assert stopped.port not in peers(views.process.pid)
        assert memory(views.process.pid) - before < 4_000_000


def test_a_time_out_around_receive_loses_nothing(views):
    with Client(views.url, "/impatient") as client:
        sent = frame(TEXT, "你好".encode() * 10)
        fragments = [frame(TEXT, b"a", final=False), frame(CONTINUATION, b"b")]
        parts = [sent[:1], sent[1:5], sent[5:20], sent[20:], fragments[0], fragments[1]]
        heard = []
        for part in parts:
            client.send(part)
            seen = len(heard)
            # Old news are in the pipe; by the third at most, time has run out after this part.
            while len(heard) - seen < 50 and heard[seen:].count("not yet") < 3:
                heard.append(client.hear())
    assert [words for words in heard if words != "not yet"] == ["你好" * 10, "ab"]


# Gone.


@pytest.fixture(scope="module")
def beating(shared):
    """An echo server that wants to hear from everybody every three seconds."""
    return shared("step1_echo", "--heartbeat", "3")


def test_who_answers_no_ping_is_gone_and_who_does_stays(beating, visit):
    pid = beating.process.pid
    halted, alive = visit(beating), visit(beating)
    with Client(beating.url) as silent, Client(beating.url) as polite:
        halted.process.send_signal(signal.SIGSTOP)
        gone, here = {halted.port, silent.port}, {alive.port, polite.port}
        assert gone | here <= peers(pid)
        for _ in range(20):
            assert polite.receive() == (PING, b"")
            polite.send(frame(PONG))
            if not gone & peers(pid):
                break
        assert peers(pid) & (gone | here) == here
        assert polite.echo("still here") == "still here"
        pings, code, _ = silent.ended()
        assert (set(pings), code) == ({(PING, b"")}, NO_CLOSE)
    for port in gone:
        assert f"event=no_heartbeat peer=127.0.0.1:{port}" in beating.log


def test_a_slow_reader_that_sees_no_ping_for_all_its_messages_stays(tmp_path):
    with (
        serve_views(tmp_path, "--heartbeat", "3") as server,
        Client(server.url, "/stream", window=4096) as slow,
        Client(server.url, "/echo/clock") as clock,
    ):
        for _ in range(4):
            assert clock.receive() == (PING, b"")
            clock.send(frame(PONG))
            for _ in range(8):
                assert slow.receive()
        assert slow.port in peers(server.process.pid)


def test_a_half_open_peer_is_gone(beating):
    with Client(beating.url) as client:
        try:
            client.vanish()
        except OSError as error:
            pytest.skip(f"the network cannot be cut here: {error}")
        assert client.port in peers(beating.process.pid)
        assert eventually(lambda: client.port not in peers(beating.process.pid))
        assert f"event=no_heartbeat peer=127.0.0.1:{client.port}" in beating.log


def test_a_client_that_is_killed_is_gone(server, visit):
    visitor = visit(server)
    assert visitor.port in peers(server.process.pid)
    visitor.process.kill()
    assert eventually(lambda: visitor.port not in peers(server.process.pid))


def test_many_visits_leave_nothing(start):
    server = start("step1_echo", *QUIET)
    pid = server.process.pid

    def goodbye(client):
        client.send(close(1000))
        client.ended()

    def vanish(client):
        client.socket.close()

    def fault(client):
        client.send(frame(BINARY, claim=1 << 40))
        client.ended()

    def leave_in_the_middle(client):
        client.send(frame(TEXT, bytes(9000), final=False), frame(TEXT, bytes(9000))[:5000])
        client.socket.close()

    ways = [goodbye, vanish, fault, leave_in_the_middle, Client.reset]

    def come_and_go(count):
        for number in range(count):
            with Client(server.url) as client:
                assert client.echo("hello") == "hello"
                ways[number % len(ways)](client)

    come_and_go(100)  # what a server makes once is not counted
    assert eventually(lambda: not peers(pid))
    before = descriptors(pid), memory(pid)
    come_and_go(500)
    assert eventually(lambda: not peers(pid))
    assert descriptors(pid) == before[0]
    assert memory(pid) - before[1] < 1_000_000  # 2 kB for each would be a leak


# The end of the server.


def test_everybody_is_told_when_the_server_stops(start):
    server = start("step1_echo", *QUIET)
    with ExitStack() as stack:

        def client(**options):
            return stack.enter_context(Client(server.url, **options))

        idle, busy, slow, deaf = client(), client(), client(window=4096), client(window=4096)
        polite = stack.enter_context(
            connect(f"{server.url}/echo".replace("http", "ws", 1), proxy=None)
        )

        def say(one, words, times):
            with suppress(OSError):
                for _ in range(times):
                    one.send(words)

        # For two of them more waits in the server than the kernel holds.
        for reader in (slow, deaf):
            Thread(target=say, args=(reader, PIECE, 20), daemon=True).start()
        for _ in range(100):  # in that time those two have had as many turns
            assert idle.echo("hello") == "hello"
        Thread(target=say, args=(busy, text("on and on"), 10**9), daemon=True).start()
        assert busy.hear() == "on and on"
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: "event=stopping" in server.log)
        with ThreadPoolExecutor(3) as together:  # none of them has long to read
            for ended in together.map(Client.ended, (idle, busy, slow)):
                assert ended[1:] == (1012, "the server restarts")
        with pytest.raises(ConnectionClosed) as closed:
            polite.recv(timeout=20)
        assert closed.value.rcvd.code == 1012
        assert server.process.wait(20) == 0


def test_nobody_new_is_let_in_while_the_server_stops(start):
    server = start("step1_echo", *QUIET)
    with Client(server.url) as deaf:  # does not answer, so the server waits for a moment
        server.process.send_signal(signal.SIGTERM)
        assert deaf.receive()[0] == 8
        with pytest.raises(OSError):
            Client(server.url)
    assert server.process.wait(20) == 0


def test_who_was_on_the_way_in_when_the_server_stops_is_asked_to_come_back(start):
    """Let in, it would be told no more that the server goes, and the server would wait for it."""
    server = start("step1_echo", *QUIET)
    with Client(server.url, upgrade=False) as late:
        begin, rest = (handshake := request(late.host))[:30], handshake[30:]
        late.send(begin)
        with Client(server.url) as deaf:  # came in after it, and does not answer
            server.process.send_signal(signal.SIGTERM)
            assert deaf.receive()[0] == 8
            assert late.ask(rest).status == 503
        assert server.process.wait(20) == 0
