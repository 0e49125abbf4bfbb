"""Steps 1 to 5 of group_chat, each as the process that a user starts."""

import http.client
import json
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import copy
from functools import partial
from urllib.parse import urlsplit

import pytest

from demos.group_chat.connection.serving import options as options_of_a_step
from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from demos.group_chat.push import push_clients
from tests.support.waiting import eventually

from . import promises

# Steps that serve: a socket's address, and the page that they ask to open.
SERVING = {
    "step1_echo": ("echo", ""),
    "step2_push_techniques": ("socket/a1/0", ""),
    "step3_nameless_room": ("ql", "chat"),
    "step4_nicknames": ("Ann", "ws"),
    "step5_room_that_holds": ("Ann", "ws"),
}


# What all steps have in common.


@pytest.fixture(params=SERVING)
def serving(request):
    """Name of a step, its socket's address, its page."""
    return request.param, *SERVING[request.param]


def test_the_page_and_all_it_needs_are_served(shared, serving):
    step, _, page = serving
    server = shared(step)
    assert server.page == f"{server.url}/{page}"
    html = server.get(f"/{page}")
    assert html.status == 200
    needs = re.findall(r'(?:src|href)="([^"]+)"', html.body)
    assert needs
    for address in needs:
        assert not address.startswith(("/", "http")), "an address that only works at one place"
        assert server.get(f"/{address}").status == 200, address


def test_a_page_request_to_a_socket_is_answered_with_a_sentence(shared, serving):
    step, path, _ = serving
    promises.a_page_request_to_a_socket_is_answered_with_a_sentence(shared(step), path)


def test_foreign_pages_are_refused(shared, serving):
    step, path, _ = serving
    promises.foreign_pages_are_refused(shared(step), path)


@pytest.mark.parametrize("step", ["step1_echo", "step2_push_techniques", "step3_nameless_room"])
def test_a_socket_request_to_a_page_is_refused(shared, step):
    promises.a_socket_request_to_a_page_is_refused(shared(step), SERVING[step][1])


def test_a_taken_port_is_replaced_and_the_end_says_goodbye(start, serving):
    step, path, page = serving
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(step, port=port)
        assert f"Port {port} is taken" in server.output
        assert urlsplit(server.url).port != port
        assert server.get(f"/{page}").status == 200
    client = server.ws(path)
    assert client.ping().wait(20)
    # Ctrl-C ends it as SIGTERM does.
    server.process.send_signal(signal.SIGINT if step == "step4_nicknames" else signal.SIGTERM)
    assert promises.closed(client) == (1012, "the server restarts")
    assert server.process.wait(20) == 0


# Step 1.


def test_step1_gives_back_what_it_gets(shared):
    client = shared("step1_echo").ws("echo")
    for message in ("hello", "你好 👋", "", b"", bytes(range(256)), "x" * 16_384, b"\xff" * 16_384):
        client.send(message)
        assert client.recv(timeout=10) == message


@pytest.mark.parametrize("message", ["x" * 16_385, b"x" * 16_385, "好" * 6_000])
def test_step1_closes_over_16_kb(shared, message):
    client = shared("step1_echo").ws("echo")
    client.send(message)
    assert promises.closed(client) == (1009, f"a message may have {LIMIT} bytes")


def test_step1_writes_down_why_a_page_closed(shared):
    server = shared("step1_echo")
    server.ws("echo").close(3001, "done for today")
    assert eventually(lambda: 'event=closed code=3001 reason="done for today"' in server.log)
    before = server.log.count("code=1006")
    server.ws("echo").socket.close()
    assert eventually(lambda: server.log.count("code=1006") > before)


# Step 2.


ENOUGH = 12  # messages
LANES = {
    "poll": partial(push_clients.poll, pause=0.25),
    "long-poll": push_clients.long_poll,
    "events": push_clients.events,
    "socket": push_clients.over_websocket,
}


@pytest.fixture(scope="module")
def race(shared):
    """Four lanes side by side, what each heard until it had enough, and what the server counted meanwhile."""
    server = shared("step2_push_techniques", "--every", "0.1")
    after = push_clients.counters(server.url, "a1")["last"]
    with ThreadPoolExecutor(len(LANES)) as threads:
        listening = {
            name: threads.submit(
                push_clients.listen,
                way(server.url, "a1", after),
                lambda heard: len(heard.ids) >= ENOUGH,
            )
            for name, way in LANES.items()
        }
    heard = {name: listener.result(60) for name, listener in listening.items()}
    return heard, after, push_clients.counters(server.url, "a1")["lanes"]


def test_step2_every_lane_gets_every_message_once(race):
    lanes, after, _ = race
    for name, heard in lanes.items():
        assert heard.ids == list(range(after + 1, after + 1 + len(heard.ids))), name
        assert len(heard.ids) >= ENOUGH


def test_step2_counts_requests(race):
    lanes, _, counters = race
    counted = {name: lane["requests"] for name, lane in counters.items()}
    asked = {name: lanes[name].turns for name in ("poll", "long-poll")}
    assert counted == {**asked, "events": 1, "socket": 1}
    assert counted["poll"] > 1


def test_step2_delay_of_polling_is_that_of_its_interval(race):
    lanes, _, _ = race
    assert max(lanes["poll"].delays) > 50  # some message comes soon after a question
    assert min(min(heard.delays) for heard in lanes.values()) > -50


def test_step2_events_are_of_the_type_that_browsers_want(shared):
    server = shared("step2_push_techniques", "--every", "0.1")
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)) as connection:
        connection.request("GET", "/events/a2/0")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/event-stream")


def exchange(url, *parts, until):
    """Send bytes as they are; return how many were sent, and all that came until `until` was there."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as plain:
        got = b""
        for part, end in zip(parts, until, strict=True):
            plain.sendall(part)
            before = len(got)
            while end(got[before:]):
                more = plain.recv(65536)
                assert more, got
                got += more
    return sum(map(len, parts)), got


def test_step2_counts_bytes_as_they_are(shared):
    server = shared("step2_push_techniques", "--every", "0.1")
    counters = lambda run: json.loads(server.get(f"/counters/{run}").body)["lanes"]  # noqa: E731

    def unfinished(answer):
        head, blank, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        return not blank or len(body) < int(length[1])

    # Three requests on one connection, of which two are for the lane.
    def ask(path):
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Padding: {'x' * 500}\r\n\r\n".encode()

    requests = [ask("/poll/b1/999999"), ask("/"), ask("/poll/b1/999999")]
    sent, got = exchange(server.url, *requests, until=[unfinished] * 3)
    page = server.get("/").body.encode()
    lane = counters("b1")["poll"]
    assert lane["requests"] == 2
    assert lane["received"] == sent - len(requests[1])
    head, _, rest = got.partition(b"\r\n\r\n")
    assert lane["sent"] == 2 * (len(head) + 4 + len(rest[: rest.index(b"HTTP/1.1")]))
    assert len(page) + lane["sent"] < len(got)

    # A handshake, one frame that comes, a close frame there and back.
    handshake = (
        b"GET /socket/b2/0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n"
    )
    close = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
    ends = b"\x88\x02\x03\xe8"
    sent, got = exchange(
        server.url,
        handshake,
        close,
        until=[lambda new: b'"text"' not in new, lambda new: not new.endswith(ends)],
    )
    expected = {"requests": 1, "received": sent, "sent": len(got)}
    assert eventually(lambda: counters("b2")["socket"] == expected), (counters("b2"), expected)


# Steps 3, 4, 5: what was promised stays promised.


@pytest.mark.parametrize("promise", promises.NAMELESS, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("step", ["step3_nameless_room", "step5_room_that_holds"])
def test_nameless_room(shared, step, promise):
    promise(shared(step))


@pytest.mark.parametrize("promise", promises.NAMED, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("step", ["step4_nicknames", "step5_room_that_holds"])
def test_nicknames(shared, step, promise):
    promise(shared(step))


def test_several_processes_keep_the_promises_of_one(start, redis_server):
    server = start("chat", "--redis", redis_server.url)
    for promise in promises.NAMELESS + promises.NAMED:
        promise(server)


def test_step6_two_addresses_are_one_room(start, redis_server):
    first = start(
        "step6_several_processes", "0", "0", port=None, env={"REDIS_URL": redis_server.url}
    )
    pages = eventually(
        lambda: (found := re.findall(r"http://\S+", first.output)) and len(found) == 2 and found
    )
    second = copy(first)
    first.url, second.url = (page.removesuffix("/ws") for page in pages)
    (ann,) = promises.named(first, "Ann")
    (bob,) = promises.named(second, "Bob")
    promises.say(ann, "你好")
    assert promises.hear(bob) == {"username": "Ann", "msg": "你好"}
    assert promises.closed(second.ws("Ann"))[0] == 4409
    assert first.stop() == 0
    assert promises.closed(ann)[0] == promises.closed(bob)[0] == 1012


# Step 4b.


def test_step4b_shows_each_fault_in_the_source_and_none_in_ours(run_step):
    done = run_step("group_chat.step4b_what_breaks")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.strip().endswith(
        "Conclusion: of 11 faults, the source's code has 11, ours 0."
    )
    assert re.findall(r"^ (W\d+)", done.stdout, re.M) == [
        "W1",
        "W2",
        "W3",
        "W4",
        "W5",
        "W7",
        "W8",
        "W9",
        "W9",
        "W10",
        "W11",
    ]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (["--port", "99999"], "a port is a number from 0 to 65535"),
        (["--port", "five"], "a port is a number from 0 to 65535"),
        (["--heartbeat", "0"], "a time is a number of seconds"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(capsys, option, sentence):
    with pytest.raises(SystemExit) as ended:
        options_of_a_step("A step.").parse_args(option)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_host_that_is_not_this_machine_s_is_one_sentence(run_step):
    done = run_step("group_chat.step1_echo", "--port", "0", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert done.stderr.startswith("192.0.2.1:0 cannot be used")
    assert done.stderr.count("\n") == 1


def test_an_ipv6_address_is_shown_as_a_browser_wants_it(start):
    assert start("step1_echo", "--host", "::1").url.startswith("http://[::1]:")
