"""The page that connects again: its judge, which drives a browser."""

from contextlib import nullcontext

import pytest

from course.ground.chromium import launched
from lessons.authors.builds.page import goals
from tests.support.judging import Judged


@pytest.fixture(scope="module")
def one_browser(chromium, playwright_node):
    """One for all pages of this file."""
    with launched(chromium, playwright_node) as browser:
        yield browser


@pytest.fixture(autouse=True)
def _every_judgement_has_the_same_browser(one_browser, monkeypatch):
    monkeypatch.setattr(goals, "launched", lambda *_: nullcontext(one_browser))


class TestPage(Judged):
    names = ("page",)
