"""Every build: the solutions reach all goals, and for each goal there is a program that misses it and none before it."""

import importlib
import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from course import build as engine
from course.ground import manifest, place
from course.ground.chromium import launched
from course.notebooks import builds, progress

BUILDS = manifest.read().builds
# Finished programs of the course that speak the same language: they reach all goals, too.
FINISHED = {
    "group_chat": ["group_chat.chat", "group_chat.step4_nicknames"],
    "private_chat": ["private_chat.step5_offline"],
    "log_in": ["private_chat.step2_accounts"],
}
# The source's own programs, and the goal that each misses.
NAIVE = {"group_chat": ("group_chat.naive.chat", 3)}
MUTANTS = [
    (build.name, number, which)
    for build in BUILDS
    for number, goal in enumerate(engine.staircase(build.name).goals, start=1)
    for which in range(len(goal.mutants))
]
# A right program may be slow to know of a newcomer after the handshake.
PAUSE = {
    "group_chat": ("    name = unquote(", "    await asyncio.sleep(0.3)\n    name = unquote("),
    "private_chat": ("    tabs.setdefault(", "    gevent.sleep(0.3)\n    tabs.setdefault("),
}

pytestmark = pytest.mark.usefixtures("database", "few_authorities")


@pytest.fixture(scope="module")
def one_browser(chromium, playwright_node):
    """One for all pages of this file."""
    with launched(chromium, playwright_node) as browser:
        yield browser


@pytest.fixture(autouse=True)
def _browser_where_one_is_needed(request, monkeypatch):
    values = getattr(request.node, "callspec", None) and request.node.callspec.params
    if values and "page" in (
        values.get("name"),
        getattr(values.get("file"), "parent", Path()).name,
    ):
        browser = request.getfixturevalue("one_browser")
        page = importlib.import_module("lessons.authors.builds.page.goals")
        monkeypatch.setattr(page, "launched", lambda *_: nullcontext(browser))


def solution(name, stem="solution"):
    (file,) = (AUTHORS / name).glob(f"{stem}.*")
    return file


def changed(original, changes, folder):
    """Write a program with other texts in the places of some."""
    text = original.read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"the solution has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    file = folder / f"changed{original.suffix}"
    file.write_text(text, "utf-8")
    return file


def mutant(name, number, folder, which=0):
    """Write a solution without what one goal asks for."""
    made = engine.staircase(name).goals[number - 1].mutants[which]
    return changed(solution(name, made.of), made.changes, folder)


def demo(module, folder):
    """Write a program that is a demo."""
    file = folder / "demo.py"
    file.write_text(
        "import os, sys\n\n"
        f'os.execv(sys.executable, [sys.executable, "-m", "demos.{module}", *sys.argv[1:]])\n'
    )
    return file


@pytest.mark.parametrize("name", [build.name for build in BUILDS])
def test_the_solution_reaches_all_goals(name):
    reached = []
    result = engine.climb(name, solution(name), reached.append)
    assert result.observed == ""
    assert reached == list(range(1, len(manifest.build(name).goals) + 1))


AUTHORS = place.english() / "authors" / "builds"
SECONDS = sorted(AUTHORS.glob("*/second.*"))


def test_every_build_has_two_solutions():
    assert {file.parent.name for file in SECONDS} | FINISHED.keys() == {one.name for one in BUILDS}


@pytest.mark.parametrize("file", SECONDS, ids=lambda file: file.parent.name)
def test_another_solution_reaches_all_goals(file):
    name = file.parent.name
    assert engine.climb(name, file).observed == ""


@pytest.mark.parametrize("name", PAUSE)
def test_a_right_program_that_lets_in_slowly_reaches_all_goals(name, tmp_path):
    stem = "second" if name == "group_chat" else "solution"
    slow = changed(solution(name, stem), [PAUSE[name]], tmp_path)
    assert engine.climb(name, slow).observed == ""


EACH = pytest.mark.parametrize(
    ("name", "number", "which"),
    MUTANTS,
    ids=[f"{name}-{n}" + f"-{which + 1}" * bool(which) for name, n, which in MUTANTS],
)


@EACH
def test_each_goal_is_missed_by_its_mutant(name, number, which, tmp_path):
    """The first goal starts the program."""
    result = engine.climb(name, mutant(name, number, tmp_path, which), only=sorted({1, number}))
    missed(result, name, number, which)
    assert result.reached == min(1, number - 1)


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, n, which in MUTANTS if not which])
def test_each_mutant_reaches_the_goals_before(name, number, tmp_path):
    """The first of each goal: whole judgements take long."""
    result = engine.climb(name, mutant(name, number, tmp_path))
    missed(result, name, number, 0)
    assert result.reached == number - 1


def missed(result, name, number, which):
    assert engine.staircase(name).goals[number - 1].mutants[which].says in result.observed
    assert "\n" not in result.observed


@pytest.mark.parametrize("module", [one for several in FINISHED.values() for one in several])
def test_a_finished_program_of_the_course_reaches_all_goals(module, tmp_path):
    (name,) = [name for name, several in FINISHED.items() if module in several]
    assert engine.climb(name, demo(module, tmp_path)).observed == ""


@pytest.mark.parametrize("name", NAIVE)
def test_the_sources_program_misses_a_goal(name, tmp_path):
    module, goal = NAIVE[name]
    assert engine.climb(name, demo(module, tmp_path)).reached == goal - 1


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
