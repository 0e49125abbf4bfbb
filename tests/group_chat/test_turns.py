"""Nobody stops the room: whatever is long, the replay for a newcomer among it, is done in turns with everybody else.

One server of its own tells in the end what it wrote in each turn of its event loop (traced.py).
"""

import json
import signal
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from course.demo import open_ws
from course.ground import place, tether
from tests.group_chat import hostile
from tests.group_chat.rich import RICH, Page, fresh
from tests.support.waiting import eventually

LINES, LENGTH = 100, 15_000  # together more than the room keeps
KEPT = 1024 * 1024  # bytes of frames that it keeps
PINGS = 450  # nearly as many at once as are allowed
JUNK = 1000  # frames that arrive together
AT_ONCE = 20  # pages that come in the same moment
CROWD, FEW = 200, 3  # people who hear so many lines


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What was said and done in a room, and what its server wrote."""
    folder = tmp_path_factory.mktemp("traced")
    with (folder / "out").open("w+") as out:
        server = tether.start(
            [
                sys.executable,
                "-m",
                "tests.group_chat.traced",
                folder / "trace",
                "group_chat.chat",
                "--port",
                "0",
                "--rate",
                "10000",
                "--people",
                "100",
            ],
            cwd=place.ROOT,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = eventually(lambda: _address(folder / "out"))
            found = _play(SimpleNamespace(url=address, ws=partial(open_ws, address), server=server))
            server.terminate()
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.wait()
    found.trace = json.loads((folder / "trace").read_text())
    return found


def _address(file):
    said = file.read_text()
    return (
        said[said.index("http") :].split()[0].rpartition("/")[0]
        if "http" in said and "\n" in said
        else None
    )


def _play(door):
    speaker = Page.join(door, fresh())
    said = _say(speaker, LINES)
    newcomers = []
    for _ in range(3):
        with hostile.Client(
            door.url, f"/{fresh()}?since=x", Sec_WebSocket_Protocol=RICH
        ) as newcomer:
            welcome = json.loads(newcomer.receive()[1])
            replay = [json.loads(newcomer.receive()[1]) for _ in range(welcome["replay"])]
            newcomers.append(SimpleNamespace(port=newcomer.port, welcome=welcome, replay=replay))
    with hostile.Client(door.url, f"/{fresh()}") as pinger:
        pinger.send(hostile.frame(hostile.PING) * PINGS)
        for _ in range(PINGS):
            assert pinger.receive() == (hostile.PONG, b"")
    with hostile.Client(door.url, f"/{fresh()}") as junk:
        junk.send(hostile.text("x") * JUNK)
        for _ in range(JUNK):
            assert junk.receive()[0] == hostile.TEXT
    at_once = _come_at_once(door, newcomers[-1].replay[-1]["id"])
    crowd = [hostile.Client(door.url, "/ql") for _ in range(CROWD)]
    for client in crowd:  # who answers a ping is in the room
        client.send(hostile.frame(hostile.PING))
        assert client.receive() == (hostile.PONG, b"")
    _say(speaker, FEW)
    for client in crowd:
        for _ in range(FEW):
            assert client.receive()[0] == hostile.TEXT
        client.reset()
    return SimpleNamespace(
        said=said,
        newcomers=newcomers,
        pinger=pinger.port,
        junk=junk.port,
        at_once=at_once,
        crowd={client.port for client in crowd},
    )


def _come_at_once(door, since):
    """Let many pages in, which have missed nothing; the server finds them all in the same moment."""
    pages = [hostile.Client(door.url, upgrade=False) for _ in range(AT_ONCE)]
    door.server.send_signal(signal.SIGSTOP)
    for page in pages:
        path = f"/{fresh()}?since={since}"
        page.send(hostile.request(page.host, path, Sec_WebSocket_Protocol=RICH))
    door.server.send_signal(signal.SIGCONT)
    for page in pages:
        assert page.ask(b"").status == 101
        assert json.loads(page.hear())["type"] == "welcome"
        page.reset()
    return {page.port for page in pages}


def _say(speaker, count):
    said = [speaker.send("x" * LENGTH) for _ in range(count)]
    assert [speaker.next("ack")["client_id"] for _ in said] == said
    return said


def _turns(seen, ports):
    """Return the bytes that were written to these clients, by turn of the event loop."""
    found = {}
    for turn, port, size in seen.trace["writes"]:
        if port in ports:
            found[turn] = found.get(turn, 0) + size
    return found


def test_a_replay_is_bounded_in_bytes_and_tells_what_it_leaves_out(seen):
    for newcomer in seen.newcomers:
        texts = [frame["client_id"] for frame in newcomer.replay]
        assert texts == seen.said[-len(texts) :]
        assert KEPT - 2 * LENGTH < len(texts) * LENGTH < KEPT


def test_a_replay_is_written_in_parts_with_a_turn_for_the_others_between(seen):
    for newcomer in seen.newcomers:
        turns = _turns(seen, {newcomer.port})
        assert sum(turns.values()) < KEPT + 2000
        assert max(turns.values()) <= LENGTH + 2000


def test_a_line_is_encoded_once_for_each_format_however_many_hear_it(seen):
    # Rich for the history; nameless for the crowd; and the answers to junk, each for one person.
    assert seen.trace["encoded"] == LINES + 2 * FEW + JUNK


def test_a_flood_of_pings_is_answered_in_turns(seen):
    assert len(_turns(seen, {seen.pinger})) > 1


def test_many_frames_that_arrive_together_are_looked_at_in_turns(seen):
    assert len(_turns(seen, {seen.junk})) > 1


def test_a_line_for_many_people_is_written_in_turns(seen):
    turns = _turns(seen, seen.crowd)
    assert sum(turns.values()) > CROWD * FEW * LENGTH
    assert max(turns.values()) < CROWD * LENGTH


def test_garbage_is_not_looked_for_in_what_was_there_before(seen):
    """That took 45 ms with nobody's turn between, after a few hundred lists within lists."""
    assert seen.trace["frozen"] > 10_000


def test_many_who_come_at_once_come_one_after_the_other(seen):
    """So each welcome, the first that is written to a page, has a turn of its own."""
    first = {}
    for turn, port, _ in seen.trace["writes"]:
        first.setdefault(port, turn)
    turns = [first[port] for port in seen.at_once]
    assert len(set(turns)) == len(turns) == AT_ONCE
