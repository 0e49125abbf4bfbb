"""docs/promises-messenger.md: each promise names a test that exists."""

import re

import pytest

from course.ground.place import ROOT

TABLE = ROOT / "docs" / "promises-messenger.md"
ROWS = [
    line
    for line in TABLE.read_text("utf-8").splitlines()
    if line.startswith("|") and "`test_" in line
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_a_promise_names_its_tests(row):
    cell = row.split(" | ")[1]
    named = re.findall(r"(?:([\w/.]+): )?`(\w+)`", cell)
    assert named and named[0][0], cell
    file = ""
    for prefix, test in named:
        file = prefix or file
        path = ROOT / file if "/" in file else ROOT / "tests/private_chat" / f"test_{file}.py"
        assert f"def {test}(" in path.read_text("utf-8"), (file, test)
