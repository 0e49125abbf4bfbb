"""The page that connects again: its judge, which drives a browser."""

from contextlib import nullcontext

import pytest

from lessons.authors.builds.page import goals
from tests.support.judging import Judged


@pytest.fixture(autouse=True)
def _every_judgement_has_the_same_browser(browser, monkeypatch):
    monkeypatch.setattr(goals, "launched", lambda *_: nullcontext(browser))


class TestPage(Judged):
    names = ("page",)
