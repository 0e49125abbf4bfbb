"""Step 5b: deliveries are counted on real servers, and a lost one is noticed."""

import socket
import threading

import pytest

from demos.group_chat import counting
from demos.group_chat import step5b_fan_out as fan_out
from demos.group_chat.counting import FRAME, MARK, hear
from tests.waiting import eventually


def test_step5b_says_who_delivers_more(run_step):
    done = run_step("group_chat.step5b_fan_out")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rsplit(maxsplit=2) for line in done.stdout.splitlines()[:2]]
    source, ours = [int(rate.replace(",", "")) for _, rate, _ in lines]
    assert [name.strip() for name, *_ in lines] == list(fan_out.SERVERS)
    assert ours > 3 * source > 0
    said = "The room makes several times as many deliveries as the source's loop."
    assert done.stdout.endswith(f"\nConclusion: {said}\n")


def test_the_conclusion_follows_the_figures():
    said = "The room makes not even three times as many deliveries as the source's loop."
    assert fan_out.sentence({"source": 100, "ours": 200}) == said


@pytest.fixture
def line():
    """Both ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_message_in_two_pieces_counts_once(line):
    ours, theirs = line
    cut = FRAME.index(MARK) + 2
    theirs.sendall(FRAME + FRAME[:cut])
    reader = threading.Thread(target=hear, args=([ours], 3))
    reader.start()
    assert eventually(lambda: not _waiting(ours))
    theirs.sendall(FRAME[cut:] + FRAME)
    reader.join(10)
    assert not reader.is_alive()


def test_what_never_arrives_is_an_error(line, monkeypatch):
    monkeypatch.setattr(counting, "LIMIT", 0.05)
    ours, theirs = line
    theirs.sendall(FRAME + FRAME[:-1])
    with pytest.raises(TimeoutError, match="2 of 3 messages arrived"):
        hear([ours], 3)


def _waiting(end):
    """Return what has arrived at a socket and was not read yet."""
    try:
        return end.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
