"""Clients that others wrote: Python's websockets, Node's ws, and Chromium."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from tests.support.waiting import eventually

WORDS = ["hello", "", "你好，世界", "👩‍👩‍👧😀", "\0\n\u2028", "x" * LIMIT, "好" * (LIMIT // 3)]
TOO_BIG = f"a message may have {LIMIT} bytes"


@pytest.fixture
def server(shared):
    """An echo server; `goodbyes` is how many it had heard before this test."""
    server = shared("step1_echo", "--heartbeat", "600")
    server.goodbyes = goodbyes(server)
    return server


def goodbyes(server):
    return server.log.count('event=closed code=4999 reason="再见"')


def heard_goodbye(server):
    """Say whether the server knows with which code and reason its client went."""
    return goodbyes(server) > server.goodbyes


def test_websockets(server):
    with server.ws("echo") as client:
        for words in [*WORDS, b"\x00\xff\x80", b"", bytes(LIMIT)]:
            client.send(words)
            assert client.recv(timeout=20) == words
        client.send(["in ", "pieces"])
        assert client.recv(timeout=20) == "in pieces"
        assert client.ping("are you there?").wait(20)
        client.close(4999, "再见")
    assert eventually(lambda: heard_goodbye(server))
    with server.ws("echo") as client:
        client.send("x" * (LIMIT + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1009, TOO_BIG)


def test_node(server, node):
    done = subprocess.run(
        [
            node.path,
            Path(__file__).with_name("echo_client.js"),
            f"{server.url}/echo".replace("http", "ws", 1),
            str(LIMIT + 1),
        ],
        env={**os.environ, **node.environment},
        input=json.dumps(WORDS).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    talk, refused = json.loads(done.stdout)
    assert talk["said"] == {
        "texts": WORDS,
        "bytes": [0, 255, 128],
        "pieces": "in pieces",
        "pong": "are you there?",
    }
    assert (talk["code"], talk["reason"]) == (
        4999,
        "",
    )  # the server repeats the code, not the reason
    assert eventually(lambda: heard_goodbye(server))
    assert (refused["code"], refused["reason"]) == (1009, TOO_BIG)


VISIT = """
async ([url, words, tooMuch]) => {
    const open = async () => {
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        await next(socket, "open");
        return socket;
    };
    const next = (socket, type) =>
        new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
    const close = async (socket, ...how) => {
        const closed = next(socket, "close");
        socket.close(...how);
        const { code, reason, wasClean } = await closed;
        return { code, reason, wasClean };
    };

    let socket = await open();
    const texts = [];
    for (const text of words) {
        socket.send(text);
        texts.push((await next(socket, "message")).data);
    }
    socket.send(new Uint8Array([0, 255, 128]));
    const bytes = [...new Uint8Array((await next(socket, "message")).data)];
    const closes = [await close(socket, 4999, "再见")];

    closes.push(await close(await open(), 1000), await close(await open(), 3000));
    closes.push(await close(await open()));

    socket = await open();
    socket.send("x".repeat(tooMuch));
    const { code, reason, wasClean } = await next(socket, "close");
    closes.push({ code, reason, wasClean });
    return { texts, bytes, closes };
}
"""


def test_chromium(server, new_page):
    page = new_page(f"{server.url}/")
    said = page.evaluate(VISIT, [f"{server.url}/echo".replace("http", "ws", 1), WORDS, LIMIT + 1])
    assert said["texts"] == WORDS
    assert said["bytes"] == [0, 255, 128]
    assert eventually(lambda: heard_goodbye(server))

    def closed(code, reason=""):
        return {"code": code, "reason": reason, "wasClean": True}

    assert said["closes"] == [
        closed(4999),
        closed(1000),
        closed(3000),
        closed(1005),
        closed(1009, TOO_BIG),
    ]


def test_chromium_with_a_page_of_another_site(server, start, new_page):
    elsewhere = start("step1_echo")
    page = new_page(f"{elsewhere.url}/", tolerate="console: WebSocket connection to")
    code = page.evaluate(
        """(url) => new Promise((resolve) => {
            new WebSocket(url).addEventListener("close", (event) => resolve(event.code));
        })""",
        f"{server.url}/echo".replace("http", "ws", 1),
    )
    assert code == 1006
    assert "event=foreign_origin" in server.log
