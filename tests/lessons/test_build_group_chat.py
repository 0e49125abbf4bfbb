"""The group chat from an empty file: its judge."""

import re
import textwrap

import pytest

from course import build as engine
from course.ground import manifest
from course.notebooks import builds
from lessons.authors.builds import program
from lessons.authors.builds.group_chat import goals
from tests.support.judging import ChatOfTheSource, solution


class TestGroupChat(ChatOfTheSource):
    names = ("group_chat",)
    measuring = (8, 9)

    @pytest.fixture(autouse=True)
    def _a_mutant_is_waited_for_less_long(self, request, monkeypatch):
        """What a mutant does not do, it does not do after a longer time either."""
        if "its" in request.node.name and "mutant" in request.node.name:
            monkeypatch.setattr(goals, "PATIENCE", 2.0)
            monkeypatch.setattr(program, "STOP_TIME", 2.0)


def test_the_server_in_the_files_head_starts(tmp_path):
    """What is handed out shows the frame of a server, and two cures: they work."""
    code = shown()
    file = tmp_path / "program.py"
    file.write_text(code[0].replace("...", "while socket.receive() is not None: pass"))
    assert engine.climb("group_chat", file, only=[1]).observed == ""


def test_the_solution_uses_the_cures_that_the_files_head_shows():
    _, close, lock = shown()
    ours = re.sub(r": [Aa]ny|: bytes|: int|: str| -> None", "", solution("group_chat").read_text())
    for line in (close + lock).split("\n"):
        assert line.strip() in ours


def shown():
    """Return the code in the docstring of the file: the server, how to close, the lock."""
    text = builds.start_of(manifest.build("group_chat")).read_text("utf-8")
    blocks = re.findall(r"^(?: {4}.*\n|\n(?= {4}))+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]
