"""The builds: those that are no chat, programs that are no servers, the command, and how builds are written."""

import re
from pathlib import Path

import pytest

from course import build as engine
from course.ground import manifest, place
from course.notebooks import builds, progress
from course.verbs import build as build_verb
from tests.support.judging import AUTHORS, SECONDS, Finished, mutant

from . import test_build_group_chat, test_build_page, test_build_private_chat

BUILDS = manifest.read().builds

pytestmark = pytest.mark.usefixtures("database", "few_authorities")


class TestPoolAndLogIn(Finished):
    names = ("pool", "log_in")


def test_every_build_is_judged():
    files = test_build_group_chat.TestGroupChat, test_build_page.TestPage
    judged = *files, test_build_private_chat.TestPrivateChat, TestPoolAndLogIn
    assert {name for one in judged for name in one.names} == {build.name for build in BUILDS}


def test_every_build_has_two_solutions():
    assert {file.parent.name for file in SECONDS} == {one.name for one in BUILDS}


# -- programs that are no servers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "the program ended with exit code 0: it printed nothing"),
        ("x = (", "SyntaxError: '(' was never closed (line 1)"),
        ("def f():\n    return 1 / 0\n\n\nf()", "ZeroDivisionError: division by zero (line 2)"),
        ("import time\ntime.sleep(60)", "nothing listens there"),
        ("import json\n\njson.loads('{')", "(line 3)"),
        ("raise SystemExit(3)", "the program ended with exit code 3: it printed nothing"),
    ],
    ids=["empty", "no Python", "an error", "never listens", "an error in a library", "ends"],
)
def test_a_program_that_is_no_server_gets_a_sentence(source, words, tmp_path, monkeypatch):
    monkeypatch.setattr("lessons.authors.builds.program.START_TIME", 1.0)
    file = tmp_path / "program.py"
    file.write_text(source)
    result = engine.climb("group_chat", file)
    assert result.reached == 0
    assert words in result.observed


def test_a_file_that_goes_on_for_ever_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "OPENING", 0.5)
    file = tmp_path / "pool.py"
    file.write_text("while True: pass")
    assert engine.climb("pool", file).observed.startswith("not ready after 0.5 s")


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A student's folder and progress of our own."""
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(builds.exercises, "folder", lambda name: tmp_path / name)
    return manifest.build("group_chat")


def test_a_build_is_handed_out_once(mine):
    assert builds.hand_out(mine)
    assert builds.is_untouched(mine)
    file = builds.file(mine)
    assert not re.search(r"^(import|from|def|class)\b", file.read_text("utf-8"), re.MULTILINE)
    file.write_text("mine = True\n")
    assert not builds.hand_out(mine)
    assert file.read_text() == "mine = True\n"


def test_nothing_is_judged_as_long_as_nothing_is_written(mine, capsys):
    builds.hand_out(mine)
    assert not engine.report(mine.name)
    said = capsys.readouterr().out
    assert "still as it was handed out" in said
    assert said.count(" · ") == len(mine.goals)


def test_the_staircase_is_printed_and_what_was_reached_is_kept(mine, tmp_path, capsys):
    builds.hand_out(mine)
    mutated = mutant(mine.name, 3, tmp_path)
    builds.file(mine).write_text(mutated.read_text("utf-8"))
    assert not engine.report(mine.name)
    said = capsys.readouterr().out
    marks = re.findall(r"^ ([✓✗·]) +(\d+)  ", said, re.MULTILINE)
    assert [mark for mark, _ in marks] == ["✓"] * 2 + ["✗"] + ["·"] * (len(mine.goals) - 3)
    assert "Expected {" in said
    assert builds.reached(mine.name) == 2
    engine.hint(mine.name)
    assert engine.staircase(mine.name).goals[2].hint in capsys.readouterr().out
    assert progress.entry_of("group_chat.3")["hints"] == 1


def test_a_hint_is_for_the_goal_that_was_missed_last(mine, tmp_path, capsys):
    for number in range(1, len(mine.goals) + 1):  # it was finished once
        progress.save(builds.entry(mine.name, number), right=True)
    progress.save(builds.entry(mine.name, 0))
    engine.hint(mine.name)
    assert "all goals" in capsys.readouterr().out
    builds.hand_out(mine)
    builds.file(mine).write_text(mutant(mine.name, 1, tmp_path).read_text("utf-8"))
    assert not engine.report(mine.name)
    assert "A hint for goal 1:" in capsys.readouterr().out
    for _ in range(2):
        engine.hint(mine.name)
        assert engine.staircase(mine.name).goals[0].hint in capsys.readouterr().out


def test_only_a_build_that_needs_the_database_gets_one(mine, monkeypatch):
    started = []
    monkeypatch.setattr(build_verb.steps, "run_module", lambda *words: started.append(words))
    monkeypatch.setattr(build_verb.environment, "run", lambda *words: 0)
    monkeypatch.setattr(build_verb.environment, "ensure", lambda *words: None)
    for one in BUILDS:
        build_verb.run(one.name, False, False)
    assert [words[1][0] for words in started] == ["pool", "log_in", "private_chat"]


def test_no_build_of_that_name_is_one_sentence():
    with pytest.raises(engine.CourseError, match="no build is called chess"):
        manifest.build("chess")


# -- how they are written --------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_what_a_build_needs_is_there(build):
    goals = engine.staircase(build.name).goals
    assert len(goals) == len(build.goals)
    assert all(sentence.endswith(".") for sentence in build.goals)
    assert all(goal.hint.endswith(".") for goal in goals)
    assert all(one.changes and one.says for goal in goals for one in goal.mutants)
    assert build.after in [name[:2] for name in manifest.read().lessons]
    assert builds.start_of(build).is_file()


def test_every_build_is_listed():
    folders = {path.parent.name for path in AUTHORS.glob("*/goals.py")}
    assert folders == {build.name for build in BUILDS}
    assert Path(place.ROOT / "lessons/authors/builds/README.md").is_file()
