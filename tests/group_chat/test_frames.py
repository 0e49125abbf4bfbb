"""The rules of frames (RFC 6455, section 5), kept by a server that a hostile client talks to."""

from contextlib import suppress
from itertools import accumulate, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demos.group_chat.connection.websocket import MESSAGE_LIMIT as LIMIT
from demos.group_chat.connection.websocket import SMALL_FRAMES
from tests.group_chat.hostile import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CLOSE,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    Client,
    close,
    frame,
    memory,
    text,
)

WORDS = "a好é😀"
NOT_UTF8 = {
    "a byte that never occurs": b"ok\xff",
    "overlong": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "half a character": "好".encode()[:2],
}
BROKEN = {
    "no mask": frame(TEXT, b"hi", mask=None),
    "no mask on a ping": frame(PING, mask=None),
    **{f"reserved bits {bits:03b}": frame(TEXT, b"hi", reserved=bits) for bits in range(1, 8)},
    **{f"opcode {code}": frame(code, b"hi") for code in (*range(3, 8), *range(11, 16))},
    "a ping in fragments": frame(PING, b"hi", final=False),
    "a pong in fragments": frame(PONG, final=False),
    "a close in fragments": frame(CLOSE, b"\x03\xe8", final=False),
    "a long ping": frame(PING, bytes(126)),
    "a long pong": frame(PONG, bytes(126)),
    "a long close": close(1000, bytes(124)),
    "a continuation of nothing": frame(CONTINUATION, b"hi"),
    "a first fragment of nothing": frame(CONTINUATION, b"hi", final=False),
    "a text inside another": frame(TEXT, b"one", final=False) + frame(TEXT, b"two"),
    "bytes inside a text": frame(TEXT, b"one", final=False) + frame(BINARY, b"two", final=False),
    "half a close code": frame(CLOSE, b"\x03"),
    **{
        f"close code {code}": close(code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.fixture(scope="module")
def server(shared):
    """An echo server; its pings do not come between what these tests count."""
    return shared("step1_echo", "--heartbeat", "600")


@pytest.fixture
def client(server):
    with Client(server.url) as connected:
        yield connected


def named(cases):
    return pytest.mark.parametrize("sent", cases.values(), ids=cases.keys())


# What may be sent.


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_messages_of_each_form_of_length_come_back_as_they_went(client, opcode):
    for length in (0, 1, 125, 126, 127, 4000, LIMIT):
        client.send(frame(opcode, b"x" * length))
        assert client.receive() == (opcode, b"x" * length)


def test_bytes_that_are_no_text_may_be_sent_as_binary(client):
    for payload in (*NOT_UTF8.values(), bytes(range(256))):
        client.send(frame(BINARY, payload))
        assert client.receive() == (BINARY, payload)


def test_any_mask_is_undone(client):
    for mask in (bytes(4), b"\xff\xff\xff\xff", b"\x00\x01\x02\x03"):
        client.send(frame(TEXT, WORDS.encode(), mask=mask))
        assert client.hear() == WORDS


def test_a_character_may_be_split_at_every_byte(client):
    whole = WORDS.encode()
    for first in range(len(whole) + 1):
        for second in range(first, len(whole) + 1):
            client.send(
                frame(TEXT, whole[:first], final=False),
                frame(CONTINUATION, whole[first:second], final=False),
                frame(CONTINUATION, whole[second:]),
            )
            assert client.hear() == WORDS


def test_pings_between_fragments_are_answered_in_order_with_their_payload(client):
    client.send(
        frame(TEXT, b"a", final=False),
        frame(PING, b"one"),
        frame(CONTINUATION, b"b", final=False),
        frame(PING),
        frame(PONG, b"nobody asked"),
        frame(PING, bytes(125)),
        frame(CONTINUATION, b"c"),
        frame(PING, b"four"),
    )
    assert [client.receive() for _ in range(5)] == [
        (PONG, b"one"),
        (PONG, b""),
        (PONG, bytes(125)),
        (TEXT, b"abc"),
        (PONG, b"four"),
    ]


def test_bytes_may_arrive_one_at_a_time(client):
    for byte in frame(TEXT, WORDS.encode() * 12) + frame(PING, b"?") + text("end"):
        client.send(bytes([byte]))
    assert client.hear() == WORDS * 12
    assert client.receive() == (PONG, b"?")
    assert client.hear() == "end"


def test_many_frames_may_arrive_in_one_segment(client):
    client.send(*(text(str(number)) for number in range(2000)))
    assert [client.hear() for _ in range(2000)] == [str(number) for number in range(2000)]


def test_a_read_that_ends_where_a_frame_ends_does_not_wait_for_more(client):
    # 16 KB is what the server reads at once; nothing follows these bytes.
    for size in (LIMIT, 2 * LIMIT):
        filling = [frame(BINARY, bytes(1000))] * (size // 1008 - 1)
        rest = size - len(b"".join(filling))
        client.send(*filling, frame(BINARY, bytes(rest - 8)))
        assert [client.receive()[0] for _ in range(len(filling) + 1)] == [BINARY] * (
            len(filling) + 1
        )


def test_frames_may_come_together_with_the_handshake(server):
    early = [text(str(number).zfill(1000)) for number in range(20)]  # more than one read
    with Client(server.url, early=b"".join(early) + text("half")[:5]) as client:
        client.send(text("half")[5:])
        assert [int(client.hear()) for _ in range(20)] == list(range(20))
        assert client.hear() == "half"


def test_a_close_may_come_together_with_the_handshake(server):
    with Client(server.url, early=text("hi") + close(3000, b"bye")) as client:
        assert client.ended() == ([(TEXT, b"hi")], 3000, "")


# What may not.


@named(BROKEN)
def test_a_broken_rule_is_1002(client, sent):
    client.send(sent)
    assert client.refusal() == 1002


def test_the_first_byte_is_enough_to_refuse(client):
    client.send(frame(TEXT, b"hi", reserved=4)[:2])
    assert client.refusal() == 1002


@named(NOT_UTF8)
def test_text_that_is_not_utf8_is_1007(client, sent):
    client.send(frame(TEXT, sent))
    assert client.refusal() == 1007


@named(NOT_UTF8)
def test_text_in_fragments_that_is_not_utf8_is_1007(client, sent):
    pieces = [frame(CONTINUATION, bytes([byte]), final=False) for byte in sent]
    client.send(frame(TEXT, final=False), *pieces, frame(CONTINUATION))
    assert client.refusal() == 1007


@named(NOT_UTF8)
def test_a_reason_that_is_not_utf8_is_1007(client, sent):
    client.send(close(1000, sent))
    assert client.refusal() == 1007


def test_what_came_before_the_fault_is_answered(client):
    client.send(text("one"), frame(PING, b"two"), frame(3), text("never"))
    before, code, _ = client.ended()
    assert (before, code) == ([(TEXT, b"one"), (PONG, b"two")], 1002)


def test_nothing_is_read_after_a_fault(client):
    client.send(frame(3))
    client.send(text("hello?"), frame(PING, b"hello?"), close(1000))
    assert client.refusal() == 1002


# Closing.


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
)
def test_a_close_is_answered_with_its_own_code(client, code):
    client.send(close(code, "为什么".encode()))
    assert client.ended() == ([], code, "")


def test_a_close_without_a_code_is_answered_without_one(client):
    client.send(close())
    assert client.ended() == ([], NO_CODE, "")


def test_a_close_between_fragments_is_answered(client):
    client.send(frame(TEXT, b"a", final=False), close(1001))
    assert client.ended() == ([], 1001, "")


def test_nothing_is_read_after_a_close(client):
    client.send(text("last"), close(1000), text("never"), frame(PING))
    assert client.ended() == ([(TEXT, b"last")], 1000, "")


# Sizes.


@pytest.mark.parametrize("claim", [LIMIT + 1, 100_000_000, 8 << 30, 1 << 63, (1 << 64) - 1])
def test_a_header_that_claims_too_much_is_refused_at_once(server, client, claim):
    before = memory(server.process.pid)
    client.send(frame(TEXT, b"and no more than this", claim=claim))
    assert client.refusal() == 1009
    assert memory(server.process.pid) - before < 4_000_000


def test_a_message_of_100_MB_costs_the_server_nothing(server, client):
    before = memory(server.process.pid)
    client.send(frame(BINARY, claim=100_000_000))
    assert client.receive() == (CLOSE, b"\x03\xf1" + f"a message may have {LIMIT} bytes".encode())
    with suppress(OSError):  # it hangs up, if this takes too long
        for _ in range(100):
            client.send(bytes(1_000_000))
    assert memory(server.process.pid) - before < 8_000_000


def test_the_limit_is_for_all_fragments_together(client):
    half = bytes(LIMIT // 2)
    client.send(frame(BINARY, half, final=False), frame(PING, bytes(125)))
    assert client.receive() == (PONG, bytes(125))
    client.send(frame(CONTINUATION, half))
    assert client.receive() == (BINARY, half * 2)
    client.send(frame(BINARY, half, final=False), frame(CONTINUATION, half, final=False))
    client.send(frame(CONTINUATION, claim=1))
    assert client.refusal() == 1009


def test_the_limit_counts_bytes(client):
    words = "好" * (LIMIT // 3)
    assert client.echo(words) == words
    client.send(text(words + "好"))
    assert client.refusal() == 1009


def test_empty_fragments_without_end_are_refused(server, client):
    client.send(frame(TEXT, final=False), *([frame(CONTINUATION, final=False)] * 300))
    client.send(frame(CONTINUATION, b"fine"))
    assert client.hear() == "fine"
    client.send(frame(TEXT, final=False), *([frame(CONTINUATION, final=False)] * 20_000))
    assert client.refusal() == 1008


def test_pings_without_end_are_refused(client):
    client.send(*([frame(PING, b"?")] * 300))
    assert [client.receive() for _ in range(300)] == [(PONG, b"?")] * 300
    client.send(*([frame(PING, b"?")] * 20_000))
    before, code, _ = client.ended()
    assert set(before) == {(PONG, b"?")}
    assert code == 1008


# What nobody thought of.

VIOLATION = st.sampled_from(
    [
        *((sent, 1002) for sent in BROKEN.values()),
        *((frame(TEXT, payload), 1007) for payload in NOT_UTF8.values()),
        *((frame(opcode, claim=LIMIT + 1), 1009) for opcode in (TEXT, BINARY)),
        (close(4000), 4000),
        (close(), NO_CODE),
    ]
)
OFTEN = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def message(draw):
    """Return a message in up to three fragments, perhaps with pings, the answers, and how many small frames it has."""
    content = draw(st.text(max_size=30) | st.binary(max_size=130))
    opcode, whole = (TEXT, content.encode()) if isinstance(content, str) else (BINARY, content)
    edges = draw(st.lists(st.integers(0, len(whole)), max_size=2).map(sorted))
    parts = [whole[start:end] for start, end in pairwise([0, *edges, len(whole)])]
    opcodes = [opcode] + [CONTINUATION] * len(edges)
    mask = draw(st.binary(min_size=4, max_size=4))
    pieces = [
        frame(kind, part, final=number == len(edges), mask=mask)
        for number, (kind, part) in enumerate(zip(opcodes, parts, strict=True))
    ]
    ping = draw(st.none() | st.binary(max_size=125))
    if ping is None:
        return b"".join(pieces), [(opcode, whole)], len(edges)
    answers = [*[(PONG, ping)] * len(edges), (opcode, whole), (PONG, ping)]
    return frame(PING, ping).join([*pieces, b""]), answers, 2 * len(edges) + 1


@st.composite
def segments(draw, stream):
    """Return the stream cut in up to 20 pieces."""
    edges = draw(st.lists(st.integers(0, len(stream)), max_size=19).map(sorted))
    return [stream[start:end] for start, end in pairwise([0, *edges, len(stream)])]


@st.composite
def conversation(draw):
    """Return what a client sends, the answers, and the code at the end.

    It sends up to 250 times one of ten messages. Somewhere in between it may break a rule. There are no more small
    frames than one may send at once, however quick the machine is.
    """
    ten = draw(st.lists(message(), min_size=10, max_size=10))
    drawn = draw(st.lists(st.sampled_from(ten), min_size=250, max_size=250))
    small = accumulate(count for *_, count in drawn)
    said = [one[:2] for one, so_far in zip(drawn, small, strict=True) if so_far < SMALL_FRAMES[1]]
    at = draw(st.none() | st.integers(0, len(said)))
    broken, end = (b"", NO_CLOSE) if at is None else draw(VIOLATION)
    sent = [piece for piece, _ in said]
    sent.insert(at or 0, broken)
    answers = [answer for _, replies in said[:at] for answer in replies]
    return draw(segments(b"".join(sent))), answers, end


@settings(OFTEN, max_examples=40)
@given(conversation())
def test_ten_thousand_frames_good_and_bad_are_each_answered_as_they_deserve(server, talk):
    sent, answers, end = talk
    with Client(server.url) as client:
        for segment in sent:
            client.send(segment)
        client.finish_sending()
        before, code, _ = client.ended()
    assert (before, code) == (answers, end)
    with Client(server.url) as other:
        assert other.echo("still there?") == "still there?"


@settings(OFTEN, max_examples=100)
@given(st.binary(min_size=1, max_size=2000).flatmap(segments))
def test_noise_is_kept_or_closed_with_a_code_of_the_list(server, noise):
    with Client(server.url) as client:
        for segment in noise:
            client.send(segment)
        client.finish_sending()
        _, code, _ = client.ended()
    assert code in (NO_CLOSE, 1002, 1007, 1008, 1009)
    with Client(server.url) as other:
        assert other.echo("still there?") == "still there?"
