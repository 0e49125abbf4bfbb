"""W1 to W5 and W7 to W11: there in the source's code, absent in ours. W13, the page's: test_step_pages.py."""

import pytest

from demos.group_chat.clients.faults import FAULTS
from tests.support.waiting import eventually

from .hostile import CLOSE, TEXT, Client, close, frame, text

# What the naive server writes about it; "" if it stays silent. That it has each fault, and our step has none, is what
# step 4b shows (test_steps.py); that it is the source's fault, test_as_the_source.py.
LOGGED = {
    "W1": "",
    "W2": "TypeError: the JSON object must be str, bytes or bytearray, not NoneType",
    "W3": "AttributeError: 'NoneType' object has no attribute 'receive'",
    "W5": "json.decoder.JSONDecodeError",
    "W10": "RuntimeError: dictionary changed size during iteration",
}


def name_of(fault):
    return f"{fault.erratum}-{fault.provoke.__name__}"


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.erratum in LOGGED], ids=name_of
)
def test_what_the_source_writes_down(start, fault):
    server = start(fault.naive, tracebacks=True)
    seen = fault.provoke(server.url)
    assert seen.broken, seen.what
    expected = LOGGED[fault.erratum]
    assert eventually(lambda: expected in server.log if expected else server.log == "")


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_the_finished_room_has_not(shared, fault):
    seen = fault.provoke(shared("step5_room_that_holds").url)
    assert not seen.broken, seen.what


def test_every_erratum_of_the_group_chat_is_among_them():
    numbers = {int(fault.erratum[1:]) for fault in FAULTS}
    of_private_chat, of_the_page = {6, 12, 14}, {13}
    assert numbers | of_private_chat | of_the_page == set(range(1, 15))


# What the frame layer of gevent-websocket does, and what ours does. Without a number: the source does not use it.


def test_the_prescribed_frame_layer_loses_the_code_it_sends(shared):
    with Client(shared("naive.echo").url) as client:
        client.send(text("leave"))
        assert client.receive() == (CLOSE, b"policy")  # as a code: "po", 28783


def test_the_prescribed_frame_layer_loses_the_code_that_comes(shared):
    with Client(shared("naive.echo").url) as client:
        client.send(close(1000, b"bye"))
        assert client.receive() == (CLOSE, b"bytearray(b'bye')")  # as a code: "by", 25209


def test_the_prescribed_frame_layer_takes_what_has_no_mask(shared):
    with Client(shared("naive.echo").url) as client:
        client.send(frame(TEXT, b"hello", mask=None))
        assert client.receive() == (TEXT, b"hello")


def test_our_frame_layer_answers_with_the_code_and_wants_a_mask(shared):
    server = shared("step1_echo")
    with Client(server.url) as client:
        client.send(close(1000, b"bye"))
        assert client.receive() == (CLOSE, (1000).to_bytes(2))
    with Client(server.url) as client:
        client.send(frame(TEXT, b"hello", mask=None))
        assert client.receive() == (CLOSE, (1002).to_bytes(2) + b"a client has to mask its frames")
