"""Step 5b: deliveries are counted on real servers, and a lost one is noticed."""

import socket
import threading

import pytest

from demos.group_chat import step5b_fan_out as fan_out
from demos.group_chat.clients import counting
from demos.group_chat.clients.counting import FRAME, MARK, hear
from tests.support.waiting import eventually


def test_step5b_counts_on_both_servers_and_concludes(monkeypatch, capsys):
    """How many more it is, is for bench/ to say; here all that was sent has arrived."""
    monkeypatch.setattr(fan_out, "ROUNDS", 1)
    monkeypatch.setattr(fan_out, "CLIENTS", 30)
    fan_out.main()
    source, ours, _, conclusion = capsys.readouterr().out.splitlines()
    rates = {}
    for line in (source, ours):
        name, rate, _ = line.rsplit(maxsplit=2)
        rates[name.strip()] = int(rate.replace(",", ""))
    assert list(rates) == list(fan_out.SERVERS)
    assert min(rates.values()) > 0
    assert conclusion == f"Conclusion: {fan_out.sentence(rates)}"


def test_the_conclusion_follows_the_figures():
    said = "The room makes not even three times as many deliveries as the source's loop."
    assert fan_out.sentence({"source": 100, "ours": 200}) == said
    said = "The room makes several times as many deliveries as the source's loop."
    assert fan_out.sentence({"source": 100, "ours": 500}) == said


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
    reader = threading.Thread(target=hear, args=([ours], 3), daemon=True)
    reader.start()
    assert eventually(lambda: not _waiting(ours))
    theirs.sendall(FRAME[cut:] + FRAME)
    reader.join(20)
    assert not reader.is_alive()


def test_a_server_that_hangs_up_is_an_error(line):
    ours, theirs = line
    theirs.sendall(FRAME)
    theirs.close()
    with pytest.raises(ConnectionError, match="hung up"):
        hear([ours], 2)


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
