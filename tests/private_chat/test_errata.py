"""E15, W4, W6, W8, W11, W12 and W14 in the private chats: there in the source's code, absent in ours."""

import re

import pytest
from websockets.exceptions import ConnectionClosed

from demos.pool_demo.naive.published_key import sign
from demos.private_chat.clients import faults
from demos.private_chat.clients.faults import FAULTS
from tests.support.waiting import eventually

from .people import PATIENCE, Person, storing_waits_for_users
from .test_as_the_source import said

# What the naive server writes about it, where it writes anything. That it has each fault, and our step has none, is
# what step 5b shows, below; that it is the source's fault, test_as_the_source.py.
LOGGED = {
    "nobody_there": [
        "AttributeError: 'NoneType' object has no attribute 'send'",
        "geventwebsocket.exceptions.WebSocketError: Socket is dead",
        said(lambda: {}.get([])),
    ],
    "deaf_zombie": ["KeyError: '韩雪'"],
}


BY_SESSION = [fault for fault in FAULTS if fault.right != "step1_by_name"]


def name_of(fault):
    return f"{fault.erratum}-{fault.provoke.__name__}"


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.provoke.__name__ in LOGGED], ids=name_of
)
def test_what_the_source_writes_down(shared, fault):
    server = shared(fault.naive, tracebacks=True)
    seen = fault.provoke(server.url)
    assert seen.broken, seen.what
    for line in LOGGED[fault.provoke.__name__]:
        assert eventually(lambda line=line: line in server.log)


@pytest.mark.parametrize("fault", BY_SESSION, ids=name_of)
def test_the_finished_messenger_has_not(shared, fault, monkeypatch):
    monkeypatch.setattr(faults, "STALLED", PATIENCE)  # it answers; how soon is not the question
    if fault.erratum == "W12" and storing_waits_for_users():
        pytest.skip("it stores messages; test_database_away.py locks another table")
    seen = fault.provoke(shared("step6_several_processes").url)
    assert not seen.broken, seen.what


def test_every_erratum_of_the_private_chat_is_among_them():
    assert {"W4", "W6", "W11", "W12", "W14"} <= {fault.erratum for fault in FAULTS}


def test_an_open_socket_ends_with_its_log_in(shared):
    """The source has no log-out; what it has to do with an open socket is a question of ours."""
    server = shared("step6_several_processes")
    ann, bob = (Person(server, name).log_in() for name in (faults.ANN, faults.BOB))
    page, other = ann.page(rich=False), bob.page(rich=False)
    assert page.is_open()
    ann.log_out()
    assert not page.is_open() and other.is_open()


def test_e15_the_published_key_makes_anybody_of_everybody(shared):
    server = shared("naive.single_chat", tracebacks=True)
    with faults.sessions(server.url, faults.BOB) as (bob,):
        cookie = sign({"user_name": faults.ANN, "is_login": True})
        mallory = server.ws("single_ws", additional_headers={"Cookie": f"session={cookie}"})
        faults.write(mallory, "no password", [faults.BOB])
        assert bob.recv(PATIENCE) == f"来自{faults.ANN}:no password"


def test_e15_at_ours_it_opens_nothing(shared):
    cookie = sign({"user_name": faults.ANN, "is_login": True, "user_id": 1, "login": 1})
    server = shared("step6_several_processes")
    assert server.get("/single", Accept="text/html", Cookie=f"messenger={cookie}").status == 302
    mallory = server.ws("single_ws", additional_headers={"Cookie": f"messenger={cookie}"})
    with pytest.raises(ConnectionClosed) as closed:
        mallory.recv(PATIENCE)
    assert closed.value.rcvd.code == 4401


def test_step5b_shows_each_fault_in_the_source_and_none_in_ours(run_step):
    done = run_step("private_chat.step5b_what_breaks")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.strip().endswith("Conclusion: of 8 faults, the source's code has 8, ours 0.")
    assert re.findall(r"^ (W\d+)", done.stdout, re.M) == [fault.erratum for fault in FAULTS]
