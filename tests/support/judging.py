"""A build's judge at work: the solutions reach all goals, and for each goal there is a program that misses it and none before it.

A file of tests has one build or two, so that the builds can be judged beside each other.
"""

import pytest

from course import build as engine
from course.ground import manifest, place
from tests.support.left_in_english import left_of

AUTHORS = place.english() / "authors" / "builds"
SECONDS = sorted(AUTHORS.glob("*/second.*"))
# Finished programs of the course that speak the same language: they reach all goals, too.
FINISHED = {
    "group_chat": ["group_chat.step5_room_that_holds", "group_chat.step4_nicknames"],
    "private_chat": ["private_chat.step5_offline"],
    "log_in": ["private_chat.step2_accounts"],
}
# The source's own programs, and the goal that each misses.
NAIVE = {"group_chat": ("group_chat.naive.chat", 3)}
FIRST = 2  # mutants of each goal that are in a test of their own
# A right program may be slow to know of a newcomer after the handshake.
PAUSE = {
    "group_chat": ("    name = unquote(", "    await asyncio.sleep(0.1)\n    name = unquote("),
    "private_chat": ("    tabs.setdefault(", "    gevent.sleep(0.3)\n    tabs.setdefault("),
}


def mutants(names):
    """Name all mutants of some builds: build, goal, which one of that goal."""
    return [
        (name, number, which)
        for name in names
        for number, goal in enumerate(engine.staircase(name).goals, start=1)
        for which in range(len(goal.mutants))
    ]


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
    """Write a program that is a demo, and takes away what the judge notices that by."""
    file = folder / "demo.py"
    run = f"import runpy; runpy.run_module('demos.{module}', None, '__main__', True)"
    file.write_text(
        "import os, sys\n\ndel os.environ['COURSE_BUILD_NOTES']\n"
        f'os.execv(sys.executable, [sys.executable, "-c", {run!r}, *sys.argv[1:]])\n'
    )
    return file


@pytest.mark.usefixtures("database", "few_authorities")
class Judged:
    """The tests of the builds that a subclass names."""

    names = ()

    def pytest_generate_tests(self, metafunc):
        wanted = metafunc.fixturenames
        if one := {"which", "other"} & set(wanted):
            (place,) = one
            found = [x for x in mutants(self.names) if (x[2] < FIRST) == (place == "which")]
            ids = [f"{name}-{n}" + f"-{which + 1}" * bool(which) for name, n, which in found]
            metafunc.parametrize(("name", "number", place), found, ids=ids)
        elif "number" in wanted:
            found = [(name, n) for name, n, which in mutants(self.names) if not which]
            metafunc.parametrize(("name", "number"), found)
        elif "file" in wanted:
            files = [file for file in SECONDS if file.parent.name in self.names]
            metafunc.parametrize("file", files, ids=lambda file: file.parent.name)
        elif "module" in wanted:
            metafunc.parametrize(
                "module", [one for name in self.names for one in FINISHED.get(name, [])]
            )
        elif "slow" in wanted:
            metafunc.parametrize("slow", [name for name in self.names if name in PAUSE])
        elif "naive" in wanted:
            metafunc.parametrize("naive", [name for name in self.names if name in NAIVE])
        elif "name" in wanted:
            metafunc.parametrize("name", self.names)

    def test_the_solution_reaches_all_goals(self, name):
        reached = []
        result = engine.climb(name, solution(name), reached.append)
        assert not result.observed, result
        assert reached == list(range(1, len(manifest.build(name).goals) + 1))

    def test_another_solution_reaches_all_goals(self, file):
        assert not (result := engine.climb(file.parent.name, file)).observed, result

    def test_each_goal_is_missed_by_its_mutant(self, name, number, which, tmp_path):
        """Two of each goal."""
        self.misses(name, number, which, tmp_path)

    def misses(self, name, number, which, tmp_path):
        """Judge a mutant by its own goal; the first goal starts the program."""
        program = mutant(name, number, tmp_path, which)
        result = engine.climb(name, program, only=sorted({1, number}))
        missed(result, name, number, which)
        assert result.reached == min(1, number - 1)

    def test_each_mutant_reaches_the_goals_before(self, name, number, tmp_path):
        """The first of each goal: whole judgements take long."""
        result = engine.climb(name, mutant(name, number, tmp_path))
        missed(result, name, number, 0)
        assert result.reached == number - 1


class Finished(Judged):
    """Also for a build that a program of the course is a solution of."""

    def test_a_finished_program_of_the_course_reaches_all_goals(self, module, tmp_path):
        (name,) = [name for name, several in FINISHED.items() if module in several]
        result = engine.climb(name, demo(module, tmp_path))
        assert not result.observed, result


class Chat(Finished):
    """Also for a chat."""

    measuring = ()  # goals that take long, and have nothing to do with who comes in

    def test_each_goal_is_missed_by_its_other_mutants(self, name, number, other, tmp_path):
        self.misses(name, number, other, tmp_path)

    def test_a_right_program_that_lets_in_slowly_reaches_all_goals(self, slow, tmp_path):
        stem = "second" if slow == "group_chat" else "solution"
        program = changed(solution(slow, stem), [PAUSE[slow]], tmp_path)
        goals = range(1, len(manifest.build(slow).goals) + 1)
        result = engine.climb(slow, program, only=[n for n in goals if n not in self.measuring])
        assert not result.observed, result


class ChatOfTheSource(Chat):
    """Also for a chat that the source has."""

    def test_the_sources_program_misses_a_goal(self, naive, tmp_path):
        module, goal = NAIVE[naive]
        assert engine.climb(naive, demo(module, tmp_path)).reached == goal - 1


def missed(result, name, number, which):
    assert engine.staircase(name).goals[number - 1].mutants[which].says in result.observed
    assert "\n" not in result.observed
    assert not left_of(result.observed), "a reader of the Chinese edition gets English"
