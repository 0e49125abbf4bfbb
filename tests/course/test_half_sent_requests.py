"""The stage and the pool's page: whoever sends half a request, or reads half an answer, keeps no place, and nobody out.

Both serve this machine, where other users can reach their ports as well. The tests start them with little patience.
"""

import os
import re
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from course.ground import place
from course.stage import feed
from demos.pool_demo.live import page
from tests.group_chat.hostile import Client, peers
from tests.support.streams import Streams, stage_streams
from tests.support.waiting import eventually, within

PATCH = "from {0} import {1} as module; module.REQUEST_TIME = {2}; "
LONG = 1_000_000  # bytes with which each stream of `opened(..., talkative=True)` begins
TALKS = {
    "stage": f"from course.stage import running; running.BEGUN = 'x' * {LONG}; ",
    "pool page": f"from itertools import chain; events = module._events; "
    f"module._events = lambda observer: chain(['x' * {LONG}], events(observer)); ",
}
STAGE = (
    "from gevent import monkey; monkey.patch_all(); {}from course.stage.web import serve; serve(0)"
)
PAGE = "import sys; sys.argv[1:] = ['--port', '0']; {}from demos.pool_demo.step8_see_the_pool import main; main()"
SERVERS = {
    "stage": (STAGE, "course.stage", "handler"),
    "pool page": (PAGE, "demos.pool_demo.live", "page"),
}


@pytest.fixture(params=SERVERS)
def opened(request, database, tmp_path):
    """Start a server that gives each request so many seconds: `opened(seconds)` returns its process and address."""
    started = []

    def start(seconds, talkative=False):
        program, *patch = SERVERS[request.param]
        patches = PATCH.format(*patch, seconds) + (TALKS[request.param] if talkative else "")
        process = subprocess.Popen(
            [sys.executable, "-c", program.format(patches)],
            cwd=place.ROOT,
            env={**os.environ, "COURSE_STATE_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(process)
        line = within(60, lambda: next(one for one in process.stdout if "http://" in one))
        port = re.search(r":(\d+)/", line)[1]
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        _, errors = process.communicate(timeout=20)
        assert "Traceback" not in errors


def status(url, request="GET / HTTP/1.1\r\nHost: {}\r\n\r\n"):
    """Send one request; return the status of its answer."""
    with Client(url, upgrade=False) as client:
        client.send(request.format(client.host).encode())
        return int(client.socket.recv(12).split()[1])


HALF = [
    "GET / HTTP/1.1\r\nX: ",
    "POST /start HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n",
]


def half(url, number):
    """Send half of the headers, or headers and no body."""
    client = Client(url, upgrade=False)
    client.send(HALF[number % len(HALF)].format(client.host).encode())
    return client


def test_who_takes_too_long_to_send_a_request_is_gone(opened):
    """Also who goes on to send a byte at a time."""
    process, url = opened(0.5)
    clients = [half(url, number) for number in range(6)]

    def drip():
        for client in clients:
            with suppress(ConnectionError):
                client.send(b"x")
        return not {client.port for client in clients} & peers(process.pid)

    assert eventually(drip)
    assert status(url) in (200, 403)


def test_half_sent_requests_keep_nobody_out(opened):
    """However many there are, a newcomer is answered: who has taken longest has to go."""
    process, url = opened(1000.0)
    clients = [half(url, number) for number in range(130)]
    assert eventually(lambda: len({one.port for one in clients} & peers(process.pid)) == 100)
    assert status(url) in (200, 403)
    assert clients[-1].port in peers(process.pid)
    lengths = "POST /stop HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n"
    assert status(url, lengths + "Content-Length: 3\r\n\r\n{{}}") == 400
    many = "X: x\r\n" * 200
    assert status(url, f"GET / HTTP/1.1\r\nHost: {{}}\r\n{many}\r\n") in (400, 431)
    assert status(url, lengths + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400
    assert status(url, HALF[1].replace("9999", "65537")) in (403, 413), "nobody waits for it"
    assert status(url, "GET / HTTP/1.1\r\n\r\n") == 400
    for client in clients:
        client.reset()


def ask(streams):
    """Ask for one more, and read how it begins; return our port, or None if there is no place."""
    return streams.ask(read=LONG)


def test_streams_have_a_bounded_number_and_end_with_their_readers(opened, tmp_path):
    """One more is told to come again. Whoever has gone, or does not read, leaves a place for others."""
    process, url = opened(1.0, talkative=True)
    key = tmp_path / "stage.key"
    most = feed.STREAMS if key.exists() else page.STREAMS
    asked = stage_streams(url, key.read_text()) if key.exists() else Streams(url, "/frames")
    with closing(asked) as streams:
        assert all(ask(streams) for _ in range(most))
        assert not ask(streams) and not ask(streams)
        assert status(url) in (200, 403), "only streams are refused"
        streams.close_one()
        assert eventually(lambda: ask(streams)), "who has gone keeps no place"
        streams.close_one()
        stalled = eventually(lambda: streams.ask(window=4096))
        assert not ask(streams), "who does not read has a place"
        assert eventually(lambda: stalled not in peers(process.pid)), "but not for long"
        assert ask(streams)
