"""The group chat from an empty file: its judge."""

import re
import textwrap

from course import build as engine
from course.ground import manifest
from course.notebooks import builds
from tests.support.judging import ChatOfTheSource, solution


class TestGroupChat(ChatOfTheSource):
    names = ("group_chat",)


def test_the_server_in_the_files_head_starts(tmp_path):
    """What is handed out shows the frame of a server, and two cures: they work."""
    code = shown()
    program = tmp_path / "program.py"
    program.write_text(code[0].replace("...", "while socket.receive() is not None: pass"))
    assert engine.climb("group_chat", program, only=[1]).observed == ""


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
