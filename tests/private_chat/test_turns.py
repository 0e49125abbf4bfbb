"""Nobody stops the messenger: what many pages hear, or one page has missed, is written in turns with everybody else.

One server of its own tells in the end what it wrote in each turn of its event loop (group_chat/traced.py).
"""

import json
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from course.demo import Demo, open_ws
from course.ground import place, tether
from tests.group_chat import hostile
from tests.support.waiting import eventually

from .people import RICH, ask, befriend, newcomer

MISSED, LENGTH = (
    400,
    10,
)  # messages, and characters of each; together less than the network takes at once
FRIENDS, PAGES = 4, 50  # who hear that somebody has come; pages of each


class Traced(Demo):
    """The finished messenger, which notes what it writes."""

    def __init__(self, folder):
        self.file = folder / "trace"
        with (folder / "out").open("w") as out:
            self.process = tether.start(
                [
                    sys.executable,
                    *("-m", "tests.group_chat.traced", self.file),
                    *("private_chat.step6_several_processes", "--port", "0"),
                    *("--proxies", "1", "--rate", "1000"),
                ],
                cwd=place.ROOT,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
        said = eventually(lambda: (folder / "out").read_text().partition("\n")[0])
        self.url = said[said.index("http") :].split()[0].rpartition("/")[0]
        self.ws = partial(open_ws, self.url)


@pytest.fixture(scope="module")
def seen(_surroundings, tmp_path_factory):
    """What was done, and what the server wrote."""
    server = Traced(tmp_path_factory.mktemp("traced"))
    try:
        found = play(server)
        server.process.terminate()
        assert server.process.wait(60) == 0
    finally:
        server.kill()
    found.trace = json.loads(server.file.read_text())
    return found


def play(server):
    ann, *friends = [newcomer(server) for _ in range(1 + FRIENDS)]
    befriend(ann, *friends)
    crowd = [page(one) for one in friends for _ in range(PAGES)]
    values = ",".join(["(%s, %s, %s, %s)"] * MISSED)
    rows = [(friends[0].id, ann.id, f"w{number}", "x" * LENGTH) for number in range(MISSED)]
    ask(
        f"insert into messages(sender_id, recipient_id, client_id, body) values {values}",
        *(field for row in rows for field in row),
    )
    late = page(ann)
    for _ in range(MISSED):
        assert heard(late, "message")["msg"] == "x" * LENGTH
    for client in crowd:
        assert heard(client, "presence")["name"] == ann.name
        client.reset()
    late.reset()
    return SimpleNamespace(late={late.port}, crowd={client.port for client in crowd})


def page(person):
    """Open a page, and read its welcome."""
    headers = {"Cookie": person.cookie, "X_Forwarded_For": person.address}
    client = hostile.Client(person.server.url, "/single_ws", Sec_WebSocket_Protocol=RICH, **headers)
    heard(client, "welcome")
    return client


def heard(client, kind):
    """Read until a frame of this type comes, and return it."""
    while True:
        opcode, payload = client.receive()
        if opcode == hostile.TEXT and (found := json.loads(payload))["type"] == kind:
            return found


def turns(seen, ports):
    """Return how many frames were written to these clients in each turn of the event loop."""
    found = {}
    for turn, port, _ in seen.trace["writes"]:
        if port in ports:
            found[turn] = found.get(turn, 0) + 1
    return found


def test_what_a_page_has_missed_is_written_in_turns(seen):
    assert sum(turns(seen, seen.late).values()) > MISSED
    assert max(turns(seen, seen.late).values()) < MISSED / 2


def test_what_many_pages_hear_is_written_in_turns(seen):
    assert sum(turns(seen, seen.crowd).values()) >= 2 * FRIENDS * PAGES
    assert max(turns(seen, seen.crowd).values()) < FRIENDS * PAGES / 2
