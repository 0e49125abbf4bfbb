"""W4, W6, W8, W11, W12 and W14 in the private chats: there in the source's code, absent in ours."""

import re

import pytest

from demos.group_chat.faults import heard
from demos.private_chat import faults
from demos.private_chat.faults import FAULTS
from tests.waiting import eventually

from .people import PATIENCE, storing_waits_for_users

# What the naive server writes about it, where it writes anything. That it has each fault, and our step has none, is
# what step 5b shows, below.
LOGGED = {
    "nobody_there": ["KeyError: 'nobody'", "TypeError: unhashable type: 'list'"],
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


def test_w14_the_second_error_of_nobody_is_a_key_error_of_none(shared):
    server = shared("naive.single_chat", tracebacks=True)
    nobody = server.ws("single_ws")
    nobody.send("no JSON")
    assert nobody.ping().wait(PATIENCE)
    assert "KeyError: None" not in server.log
    nobody.send("no JSON")
    assert heard(nobody) == []
    assert eventually(lambda: "KeyError: None" in server.log)


def test_naive_pages_are_served(shared):
    naive = shared("naive.single_chat", tracebacks=True)
    assert naive.get("/login").status == naive.get("/single").status == 200
    assert shared("naive.one_chat", tracebacks=True).get("/ws").status == 200


def test_step5b_shows_each_fault_in_the_source_and_none_in_ours(run_step):
    done = run_step("private_chat.step5b_what_breaks")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.strip().endswith("Conclusion: of 9 faults, the source's code has 9, ours 0.")
    assert re.findall(r"^ (W\d+)", done.stdout, re.M) == [fault.erratum for fault in FAULTS]
