"""A client that floods, sends junk, reads slowly or vanishes costs the others of the finished room nothing."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from flask import Flask
from websockets.exceptions import ConnectionClosed, InvalidStatus
from werkzeug.serving import make_server

from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from demos.pool_demo.live.page import _Handler as PoolPage
from tests.group_chat import hostile
from tests.group_chat.endings import endings_of_main
from tests.group_chat.rich import PATIENCE, RICH, Page, crowd, log_fields, refusal
from tests.support.waiting import eventually

FAST = ("--rate", "1000", "--people", "1000")  # tests speak faster than people, and come in crowds
POLICY, TOO_BIG, RESTART = 1008, 1009, 1012

# What a client may send by mistake or on purpose, and the code of the error frame that answers it.
JUNK = [
    ("", "not_json"),
    ("hello", "not_json"),
    ("{", "not_json"),
    ('{"msg": "x"', "not_json"),
    ("[" * 15_000, "not_json"),
    ('{"a":' * 3000, "not_json"),
    ('{"msg": "x", "n": ' + "9" * 5000 + "}", "not_json"),
    ("null", "no_message"),
    ("7", "no_message"),
    ("NaN", "no_message"),
    ('"text"', "no_message"),
    ("[]", "no_message"),
    ("{}", "no_message"),
    ('{"msg": null}', "no_message"),
    ('{"msg": 7}', "no_message"),
    ('{"msg": ["x"]}', "no_message"),
    ('{"msg": {"msg": "x"}}', "no_message"),
    ('{"msg": ""}', "no_message"),
    ('{"msg": " \\n\\t"}', "no_message"),
    ('{"msg": "\\ud800"}', "no_message"),
    ('{"msg": "x", "client_id": 7}', "no_message"),
    ('{"msg": "x", "client_id": "\\udfff"}', "no_message"),
    ('{"msg": "x", "client_id": "' + "c" * 65 + '"}', "no_message"),
    (b"\x00\xff", "not_text"),
    (b'{"msg": "x"}', "not_text"),
]


@pytest.fixture
def chat(shared):
    """A server that all tests of this file share, for those that leave it as it was."""
    return shared("chat", *FAST)


def connections(server):
    return json.loads(server.get("/healthz").body)["connections"]


def are_connected(server, count):
    """Wait until so many are connected; those of the test before are on their way out."""
    return eventually(lambda: connections(server) == count)


# Junk.


@pytest.mark.parametrize(("junk", "code"), JUNK, ids=lambda value: ascii(value)[:30])
def test_junk_is_answered_and_the_connection_stays(chat, junk, code):
    listener, page = Page.join(chat, "listener"), Page.join(chat, "junk")
    page.socket.send(junk)
    answer = page.next("error")
    assert answer["code"] == code
    assert answer["reason"].endswith(".")
    assert "client_id" not in answer
    page.say("the room still hears me")
    assert listener.message()["msg"] == "the room still hears me"


def test_an_error_says_which_message_it_concerns(chat):
    page = Page.join(chat, "junk")
    page.send("", "mine-1")
    answer = page.next("error")
    assert (answer["code"], answer["client_id"]) == ("no_message", "mine-1")


def test_a_client_of_the_sources_formats_hears_of_junk_in_its_own_format(chat):
    named, nameless = chat.ws("junk"), chat.ws("ql")
    for socket_ in (named, nameless):
        socket_.send("hello")
    frame = json.loads(named.recv(PATIENCE))
    assert frame == {"username": "服务器", "msg": "Send JSON; this was something else."}
    assert json.loads(nameless.recv(PATIENCE)) == {"msg": f"服务器: {frame['msg']}"}


def test_a_message_of_16_kb_is_the_longest(chat):
    listener, page = Page.join(chat, "listener"), Page.join(chat, "junk")
    longest = "x" * (LIMIT - len(json.dumps({"msg": "", "client_id": "long-1"})))
    assert page.say(longest, "long-1")["id"]
    page.send(longest + "x", "long-2")
    assert page.ended()[0] == TOO_BIG
    assert listener.message()["msg"] == longest


# Too much, too slow, gone.


def test_a_flood_is_slowed_down_then_ended_and_the_others_hear_only_what_is_allowed(start):
    rate, burst = 20, 30
    chat = start("chat", "--rate", str(rate), "--heartbeat", "120")
    speaker, listener = Page.join(chat, "speaker"), Page.join(chat, "listener")
    with hostile.Client(chat.url, "/flooder", Sec_WebSocket_Protocol=RICH) as flooder:
        began = time.monotonic()
        for number in range(500):
            frame = json.dumps({"msg": "flood", "client_id": f"{number}"})
            flooder.send(hostile.text(frame), hostile.text("junk"))
        speaker.say("I am still heard")
        before, code, reason = flooder.ended()
        seconds = time.monotonic() - began
    assert (code, reason) == (POLICY, "too many messages")
    frames = [json.loads(payload) for opcode, payload in before if opcode == hostile.TEXT]
    errors = [frame for frame in frames if frame["type"] == "error"]
    assert {frame["code"] for frame in errors} == {"too_fast", "not_json"}
    assert all(frame["client_id"] for frame in errors if frame["code"] == "too_fast")
    acknowledged = sum(frame["type"] == "ack" for frame in frames)
    assert eventually(lambda: connections(chat) == 2)
    speaker.say("the end")
    heard = [listener.message()["msg"]]
    while heard[-1] != "the end":
        heard.append(listener.message()["msg"])
    assert "I am still heard" in heard
    assert acknowledged <= heard.count("flood") <= burst + rate * seconds


def test_a_reader_that_stops_is_cut_off_and_the_others_miss_nothing(chat):
    speaker, listener = Page.join(chat, "speaker"), Page.join(chat, "listener")
    long, count = "x" * 15_000, 150
    with hostile.Client(chat.url, "/slow", Sec_WebSocket_Protocol=RICH):  # it never reads
        assert listener.sees("slow") and are_connected(chat, 3)
        said = []
        for _ in range(count):
            said.append(speaker.say(long)["id"])
            assert listener.message()["id"] == said[-1]
        assert listener.sees(gone={"slow"})
    assert "event=leave name=slow code=1013" in chat.log
    assert are_connected(chat, 2)


def test_clients_that_vanish_are_gone(start):
    """One process is killed; another is halted, so that its connection stays open and silent."""
    chat = start("chat", "--heartbeat", "3")
    watcher = Page.join(chat, "watcher")
    code = (
        "import sys; from websockets.sync.client import connect\n"
        "with connect(sys.argv[1], proxy=None, ping_interval=None) as socket: socket.recv()"
    )
    clients = []
    try:
        for name in ("killed", "halted"):
            url = f"{chat.url}/{name}".replace("http", "ws", 1)
            clients.append(subprocess.Popen([sys.executable, "-c", code, url]))
        assert watcher.sees("killed", "halted", seconds=60)
        clients[0].kill()
        clients[1].send_signal(signal.SIGSTOP)
        assert watcher.sees(gone={"killed", "halted"})
    finally:
        for client in clients:
            client.kill()
            client.wait(20)
    assert "event=no_heartbeat" in chat.log
    assert connections(chat) == 1
    watcher.say("I have answered every ping")


def test_many_joins_and_leaves_are_announced_in_batches_and_leave_nothing_behind(chat):
    count = 300
    watcher = Page.join(chat, "watcher")
    assert are_connected(chat, 1)
    names = [f"guest {number}" for number in range(count)]
    before = hostile.descriptors(chat.process.pid)
    began = time.monotonic()

    async def come_and_go():
        async with crowd([chat], names) as clients:
            # In a thread: the crowd has to answer pings meanwhile.
            assert await asyncio.to_thread(watcher.sees, *names, seconds=60)
            # Who came in the middle knows everybody as well, those before and those after.
            roster = set()
            while len(roster) <= count:
                async with asyncio.timeout(60):
                    frame = json.loads(await clients[count // 2].recv())
                roster |= {*frame.get("roster", ()), *frame.get("joined", ())}
            # Who is still being shown the history does not count yet.
            assert await asyncio.to_thread(are_connected, chat, count + 1)

    asyncio.run(come_and_go())
    assert watcher.sees(gone=names, seconds=60)
    presence = [frame for frame in watcher.frames if frame["type"] == "presence"]
    assert len(presence) <= (time.monotonic() - began) / 0.1 + 1
    assert presence[-1]["count"] == len(watcher.roster) == 1
    assert are_connected(chat, 1)
    assert eventually(lambda: hostile.descriptors(chat.process.pid) <= before)


def test_long_messages_in_the_history_keep_nobody_out(chat):
    """Together they are more than network and backlog of one client hold."""
    speaker, reader = Page.join(chat, "speaker"), Page.join(chat, "reader")
    speaker.say("heard")
    reader.message()
    reader.close()
    long = "长" * 5000
    said = [speaker.say(long)["id"] for _ in range(60)]
    newcomer = Page.join(chat, "newcomer", sock=_narrow(chat))
    assert [frame["id"] for frame in newcomer.replay] == said[-50:]
    back = reader.again(chat, sock=_narrow(chat))
    assert [frame["id"] for frame in back.replay] == said
    end = speaker.say("the end")["id"]
    assert newcomer.message()["id"] == back.message()["id"] == end


def _narrow(server):
    """Connect through a window as small as that of a far and slow line."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    return line


# The server as such.


@pytest.mark.parametrize("path", ["/ws", "/chat", "/", "/healthz", "/nobody", "/static/nothing"])
def test_headers_of_every_answer(chat, path):
    answer = chat.get(path)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_two_slashes_lead_nowhere(chat):
    for path in ("/static//etc/passwd", "/static//chat.css"):
        assert chat.get(path).status == 404, path


@pytest.mark.parametrize("path", ["/favicon.ico", "/nobody/x", "/nobody/"])
def test_an_address_of_no_page_and_no_socket_is_not_there(chat, path):
    """A plain name is a socket's address (426); a nickname has no slash."""
    assert chat.get(path).status == 404
    assert chat.get("/nobody").status == 426
    assert refusal(chat, "nobody/x")[0] == 4400


UNCLEAR = [
    ["Content-Length: 3", "Content-Length: 3"],
    ["Content-Length: 3", "Content-Length: 40"],
    ["Content-Length: 3", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: chunked"],  # nobody needs to read its chunks as others do
    ["Content-Length: 3, 40"],
    ["Content-Length : 3"],
    ["Content-Length: +3"],
    ["Content-Length: 1_0"],
    ["Content-Length: 3", "X: y", "\tContent-Length: 40"],
    ["Transfer-Encoding: identity"],
    ["Transfer-Encoding:\x0bchunked"],
    ["Transfer-Encoding\t: chunked", "Content-Length: 3"],
    ["X: a\rContent-Length: 3"],
    ["X: a\rTransfer-Encoding: chunked"],
    ["X: a\r\rGET /inner HTTP/1.1"],
    ["Content-Length: 3\r"],
    ["X: a\nContent-Length: 3"],
    ["X: a\0b"],
    ["X\0: a"],
    ["X: a\x1cb"],
    ["Host: 127.0.0.1"],  # the second one
    ["host: evil.example"],
]
HOSTS = [
    "[::1].evil.example",
    "evil\\@127.0.0.1",
    "evil@127.0.0.1",
    "127.0.0.1?evil",
    "127.0.0.1#evil",
]
HOSTS += ["127.0.0.1/evil", "127.0.0.1,evil.example", "127.0.0.1 evil.example", "127.0.0.1:80:80"]
LINES = [
    "GET /ws",
    "GET  /ws HTTP/1.1",
    "GET\t/ws HTTP/1.1",
    "GET /ws HTTP/1.1\rX:",
    "GET /ws HTTP/2.0",
]
LINES += ["GET http://127.0.0.1/ws HTTP/1.1", "OPTIONS * HTTP/1.1", "GET ws HTTP/1.1"]
LINES += ["GET\r/ws\rHTTP/1.1", "GET /w\0s HTTP/1.1", "GET /ws HTTP/1.1\nX: a"]


@pytest.fixture(scope="module")
def pool_page():
    """The pool's page, which has another server. Of its database these tests ask nothing."""
    with make_server(
        "127.0.0.1", 0, Flask("page"), threaded=True, request_handler=PoolPage
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["room", "pool"])
def refuses(request, shared, pool_page):
    """Send a request, and see that it is refused, and its connection closed."""
    url = shared("chat", *FAST).url if request.param == "room" else pool_page

    def ask(first, *lines):
        body = "0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        answers = b""
        with hostile.Client(url, upgrade=False) as client:
            client.send("\r\n".join([first, *lines, "", body]).encode())
            with suppress(ConnectionResetError):  # it has not read all that we sent
                while data := client.socket.recv(65536):
                    answers += data
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1 ") == 1, "what follows is no request"

    return ask


@pytest.mark.parametrize("lines", UNCLEAR)
def test_a_body_whose_length_is_not_clear_is_refused(refuses, lines):
    """What follows could be taken for the next request, of somebody else behind the same proxy."""
    refuses("POST /ws HTTP/1.1", "Host: 127.0.0.1", *lines)


def test_what_begins_as_a_mail_in_a_mailbox_is_refused(refuses):
    """Python's parser of headers is made for mails, and takes such a line for a part of them."""
    refuses("GET /ws HTTP/1.1", "From me", "Host: 127.0.0.1")


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "message/rfc822"])
def test_a_body_of_any_kind_is_clear(chat, kind):
    """The same parser misses the parts of such a body among the headers."""
    with hostile.Client(chat.url, upgrade=False) as client:
        head = f"POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 4\r\n\r\n"
        assert client.ask(f"{head}form".encode()).status == 405


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_programs_read_differently_is_refused(refuses, host):
    refuses("GET /ws HTTP/1.1", f"Host: {host}")


@pytest.mark.parametrize("lines", [[], ["Host:"], ["X: a"]])
def test_a_request_without_a_name_is_refused(refuses, lines):
    refuses("GET /ws HTTP/1.1", *lines)


@pytest.mark.parametrize("line", LINES)
def test_a_first_line_that_is_not_clear_is_refused(refuses, line):
    refuses(line, "Host: 127.0.0.1")


def test_a_request_without_end_is_refused(chat):
    """Its last line could be half a header: of `Content-Length: 30`, `Content-Length: 3`."""
    with hostile.Client(chat.url, upgrade=False) as client:
        client.send(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a")
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.ask(b"")
    assert answer.status == 400
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_log_has_one_line_for_each_event_whatever_clients_call_themselves(start):
    chat = start("chat", *FAST)
    names = ["a event=join name=admin", '"quoted"', "a=b", "back\\slash", "中文", "% {0}"]
    for name in names:
        page = Page.join(chat, name)
        page.say("one\n2026-01-01T00:00:00.000Z event=forged")
        page.close()
    refusal(chat, "new\nline event=forged")
    chat.get("/new%0A2026-01-01T00:00:00.000Z%20event=forged")
    with pytest.raises(InvalidStatus):
        Page(chat, "foreign", origin='http://evil.example" event=forged x="')
    chat.stop()
    lines = [log_fields(line) for line in chat.log.splitlines()]
    events = [line["event"] for line in lines]
    assert "forged" not in events
    assert [line["name"] for line in lines if line["event"] == "join"] == names
    assert sorted(line["name"] for line in lines if line["event"] == "leave") == sorted(names)
    assert events.count("refused") == events.count("http") == events.count("foreign_origin") == 1
    assert events[-2:] == ["stopping", "stopped"]
    assert all(re.fullmatch(r"[-\d]{10}T[:\d]{8}\.\d{3}Z", line["time"]) for line in lines)


def test_from_the_first_visitor_to_a_stop_that_tells_everybody_to_come_back(start, tmp_path):
    """Without Redis nothing imports Redis: this process has none that it could import."""
    (tmp_path / "redis.py").write_text("raise RuntimeError('redis was imported')")
    chat = start("chat", env={"PYTHONPATH": str(tmp_path)})
    assert json.loads(chat.get("/healthz").body) == {"status": "ok", "connections": 0}
    page, named, nameless = Page.join(chat, "rich"), chat.ws("named"), chat.ws("ql")
    assert page.sees("rich", "named") and are_connected(chat, 3)
    assert page.say("hello")["id"]
    assert chat.stop() == 0
    assert page.ended() == (RESTART, "the server restarts")
    for socket_ in (named, nameless):
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                socket_.recv(20)
        assert closed.value.rcvd.code == RESTART


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine"
)
def test_it_is_seen_from_outside_only_if_asked(chat, start):
    """127.0.0.2 stands for the outside: a server on all addresses would answer there, too."""
    port = int(chat.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), 5)
    outside = start("chat", "--host", "127.0.0.2")
    assert outside.url.startswith("http://127.0.0.2:")
    Page.join(outside, "guest").say("hello")


def test_a_rate_that_lets_nobody_speak_is_refused():
    ended = endings_of_main(["--rate", "0"], ["--rate", "nan"])
    assert [code for code, _ in ended] == [2, 2]
    for _, said in ended:
        assert "argument --rate: has to be more than 0" in said
        assert "Traceback" not in said
