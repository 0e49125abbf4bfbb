"""Step 2: the removed hook, and what takes its place."""

import pytest
from flask import Flask

from demos.flask_recap import prepare
from demos.flask_recap.naive.removed_hook import before_first_request
from demos.flask_recap.step2_before_the_first_request import CLIENTS, trial


def test_the_hook_is_gone():
    with pytest.raises(AttributeError, match="has no attribute 'before_first_request'"):
        before_first_request(Flask(__name__), lambda: None)


@pytest.mark.parametrize(
    ("way", "before"),
    [(prepare.with_a_lock, 0), (prepare.at_creation, 1)],
    ids=["lock", "creation"],
)
def test_these_prepare_once(way, before):
    assert trial(way) == (before, 1)


def test_a_flag_lets_several_in():
    before, after = trial(prepare.with_a_flag)
    assert before == 0
    assert 1 < after <= CLIENTS


def test_the_step_says_so(run_step):
    done = run_step("flask_recap.step2_before_the_first_request")
    assert done.returncode == 0, done.stderr
    assert "AttributeError: 'Flask' object has no attribute" in done.stdout
    assert "with_a_flag  prepared more than once, during the first requests" in done.stdout
    assert done.stdout.endswith("of 3 ways, with_a_lock and at_creation prepared once.\n")
