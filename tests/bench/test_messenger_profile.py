"""The messenger's profile: what its time is for, in a report whose shares are those of the samples."""

import re

from bench.messenger.profile import (
    ANSWER,
    LOOP,
    MARK,
    OTHER,
    STORE,
    TAKE,
    Profile,
    innermost,
    shares,
)
from demos.pool_demo.mysqlhelp import MysqlHelp
from tests.bench.running import bench, ended

INSIDE = "private_chat/mailbox.py:Mailbox._store", "private_chat/mailbox.py:Mailbox._store_forever"
MET = [
    (["pymysql/cursors.py:Cursor.execute", *INSIDE], 30),
    (INSIDE, 10),
    (["json/encoder.py:JSONEncoder.encode", "private_chat/mailbox.py:Mailbox._answer_forever"], 40),
    (["gevent/hub.py:Hub.run"], 15),
    (["private_chat/app.py:somewhere"], 5),
]


def test_the_innermost_function_that_has_a_task_says_what_the_time_is_for():
    profile = Profile(100.0, MET)
    assert shares(profile) == {
        STORE: (0.4, 0.3),
        ANSWER: (0.4, 0.0),
        LOOP: (0.15, 0.0),
        OTHER: (0.05, 0.0),
    }
    assert innermost(profile)[:2] == [
        ("json/encoder.py:JSONEncoder.encode", 0.4),
        ("pymysql/cursors.py:Cursor.execute", 0.3),
    ]


def test_a_profile_without_samples_is_empty():
    assert shares(Profile(0.0, [])) == {}


def test_a_quick_profile_names_what_the_messenger_does(tmp_path, book):
    running = bench("messenger.profile", tmp_path, "")
    _, errors = ended(running)
    assert (running.returncode, errors) == (0, "")
    text = (tmp_path / "messenger_profile.md").read_text("utf-8")
    assert re.search(r"^## 2 pairs, 8 in flight: \d+ µs for a message$", text, re.MULTILINE)
    # So short a run has few samples, and not of each task.
    assert any(f"| {task} | " in text for task in (STORE, ANSWER, MARK, TAKE))
    assert MysqlHelp().selectone("select count(*) n from messages") == {"n": 0}
