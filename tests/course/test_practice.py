"""`exercises next` and `exercises watch`: what a student in a terminal is told."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from course.ground import jupyter, place
from course.notebooks import exercises, lessons, next_up, progress, start_page, trust
from tests.support.processes import alive, descendants
from tests.support.waiting import eventually

from .conftest import Course, sentence

BOOK = "01_recap_flask.ipynb"


@pytest.fixture
def mine(course: Course, tmp_path: Path) -> Path:
    """The student's folder in this test, for the commands of this course."""
    folder = tmp_path / "mine"
    course.environment = {**course.environment, "COURSE_MINE": str(folder)}
    return folder


def solution(number: str) -> str:
    return exercises.source_of(
        exercises.folder("solutions") / BOOK, f"ex-{number.replace('.', '-')}-code"
    )


def save(folder: Path, **cells: str) -> None:
    """Put sources into cells of the student's notebook, as JupyterLab does when it saves."""
    path = folder / BOOK
    book = exercises.read(path)
    for cell in book["cells"]:
        cell["source"] = cells.get(cell["id"].replace("-", "_"), cell["source"])
    new = path.with_suffix(".tmp")
    new.write_text(json.dumps(book), "utf-8")
    new.replace(path)


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, course: Course, *arguments: str):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            course.command(*arguments),
            cwd=place.ROOT,
            env=course.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def until(self, words: str, seconds: float = 120) -> str:
        """Return what is said up to these words."""
        said, deadline = b"", time.monotonic() + seconds
        while words not in said.decode("utf-8", "ignore"):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{words!r} never came: {said.decode('utf-8', 'replace')}"
            said += os.read(self.master, 65536)
        return said.decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())


def test_each_save_is_checked_and_a_right_answer_leads_on(course: Course, mine: Path):
    terminal = Terminal(course, "exercises", "watch")
    try:
        begun = terminal.until("JupyterLab is not running")
        assert "First lesson: 00 Check your set-up" in begun
        assert "Next lesson: 01 Recap Flask" in begun
        assert "Its first exercise: 1.1 A view and its addresses" in begun

        save(mine, ex_1_1_code="print('so far')\ndef add_pages(app):\n    nothing()")
        said = terminal.until("Ctrl-C: end.")
        assert "  | so far" in said
        assert "1.1 wrong: your code raised NameError: name 'nothing' is not defined" in said
        assert "line 3 of its cell, `nothing()`" in said

        # A crash costs the trial's own process, and an endless loop some seconds.
        save(mine, ex_1_1_code="import os\nos._exit(3)")
        assert "1.1 wrong: your code ended its Python (exit code 3)" in terminal.until(
            "Ctrl-C: end."
        )
        save(mine, ex_1_1_code="import time\nwhile True:\n    time.sleep(1)")
        assert "1.1 wrong: not done after 10 s" in terminal.until("Ctrl-C: end.")

        terminal.type("h\n")
        terminal.until("1.1: Hint 1 of ")

        save(mine, ex_1_1_code=solution("1.1"))
        said = terminal.until("Lesson   01 Recap Flask")
        assert "1.1 right." in said and "Next: 1.2 " in said
        progress = json.loads((course.state / "progress.json").read_text("utf-8"))
        assert progress == {"1.1": {"hints": 1, "right": True}}
        assert "1 of 5" in (mine.parent / start_page.NAME).read_text("utf-8")

        children = descendants(terminal.process.pid)
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("what you have solved is kept.")
        assert terminal.process.wait(60) == 0
        assert eventually(lambda: not any(map(alive, children)))
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)


def test_next_says_what_comes_next_and_watch_wants_a_terminal(course: Course, mine: Path):
    (course.state / "progress.json").write_text(
        json.dumps({"1.1": {"right": True, "hints": 0}}), "utf-8"
    )
    said = course.run("exercises", "next").stdout
    assert said.startswith("Next: 1.2 ") and f"File     {mine / BOOK}" in said
    assert "JupyterLab is not running: python3 -m course opens it." in said
    assert "has to run in a terminal" in sentence(course.run("exercises", "watch"))


# -- what comes next -------------------------------------------------------------------------------


def solved(*numbers: str) -> dict[str, dict[str, object]]:
    return {number: {"right": True, "hints": 0} for number in numbers}


def test_what_comes_next_is_the_first_that_is_not_solved():
    first, second, *_ = next_up.tasks()
    assert next_up.first_unsolved({}) == first
    assert next_up.first_unsolved(solved(first.number)) == second
    assert next_up.first_unsolved(solved("3.1"), after="3.1").number == "3.2"
    # What was left out in the same lesson comes before the next lesson, and a lesson that was left out comes last.
    assert next_up.first_unsolved(solved("3.1", "3.6"), after="3.6").number == "3.2"
    of_the_third = [task.number for task in next_up.tasks() if task.lesson.number == "03"]
    assert next_up.first_unsolved(solved(*of_the_third), after="3.6").number == "4.1"
    every = [task.number for task in next_up.tasks()]
    assert next_up.first_unsolved(solved(*every[:-1]), after=every[2]).number == every[-1]
    assert next_up.first_unsolved(solved(*every)) is None


def test_the_lesson_that_was_worked_on_last_goes_on(tmp_path, monkeypatch):
    """The terminal, the start page and a notebook agree on it, also when the last try was wrong."""
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    for number, right in (("3.2", True), ("10.4", True), ("3.4", False)):
        assert progress.save(number, right=right) == ""
    entries, _ = progress.load()
    assert "Next: 3.1 " in "\n".join(next_up.sentences(entries))
    assert next_up.in_one_line(entries, "3.4").startswith("Next: 3.1 ")
    assert "Solve exercise **[3.1 " in start_page.page(entries)
    progress.save("10.4", right=True)
    assert "Next: 10.1 " in "\n".join(next_up.sentences(progress.load()[0]))


def test_the_next_lesson_comes_when_the_exercises_of_one_are_done():
    of_the_first = [task.number for task in next_up.tasks() if task.lesson.number == "01"]
    said = next_up.sentences(solved(*of_the_first))
    assert said[0].startswith("Next lesson: 02 ")
    assert "Its first exercise: 2.1 " in "\n".join(said)


def test_the_address_is_that_of_the_lab_that_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    runtime = jupyter.folder("runtime")
    runtime.mkdir(parents=True)
    lesson = lessons.every()[1].path
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (runtime / "jpserver-1.json").write_text(json.dumps({"port": port, "token": "t"}))
        (runtime / "jpserver-2.json").write_text("half a rec")
        expected = f"http://127.0.0.1:{port}/lab/tree/{lesson.name}?token=t"
        assert jupyter.running(lesson) == expected
        assert jupyter.running(tmp_path / "elsewhere.ipynb") == ""
    assert jupyter.running(lesson) == "", "it was ended hard, and its record is left"


# -- the start page --------------------------------------------------------------------------------


def test_the_start_page_has_the_map_and_what_comes_next():
    page = start_page.page(solved("1.1"))
    assert "Solve exercise **[1.2 " in page
    for lesson in lessons.every():
        assert f"[{lesson.heading}]({lesson.path.name})" in page
        assert not exercises.outline(lesson.path.name) or f"(mine/{lesson.path.name})" in page
    assert "1 of 5" in page and "Begin with lesson" in start_page.page({})
    everything = solved(*(task.number for task in next_up.tasks()))
    assert "You have solved all exercises" in start_page.page(everything)


def test_the_start_page_leads_to_a_heading_that_is_there():
    check, *_ = lessons.every()
    assert f"\n## {start_page.messenger()}\n" in check.prose
    assert f"({check.path.name}{jupyter.anchor(start_page.messenger())})" in start_page.page({})


# -- trust -----------------------------------------------------------------------------------------


def test_only_what_we_wrote_is_trusted(tmp_path, monkeypatch):
    """A lesson that was exchanged is not, nor a notebook that somebody else has put among the student's own."""
    kept, changed = (tmp_path / lesson.path.name for lesson in lessons.every()[:2])
    kept.write_bytes(b"as git has it")
    changed.write_bytes(b"not as git has it")
    known = subprocess.run(
        ["git", "hash-object", kept], capture_output=True, text=True, check=True
    ).stdout.strip()
    monkeypatch.setattr(trust, "_as_git_has_them", lambda: {known})
    monkeypatch.setattr(lessons, "every", lambda: [lessons.Lesson(kept), lessons.Lesson(changed)])
    monkeypatch.setenv("COURSE_MINE", str(tmp_path / "mine"))
    exercises.hand_out()
    own, foreign, run = sorted((tmp_path / "mine").glob("*.ipynb"))[:3]
    foreign.write_text(foreign.read_text("utf-8").replace("check", "attack"), "utf-8")
    book = json.loads(run.read_text("utf-8"))
    book["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
    run.write_text(json.dumps(book), "utf-8")
    found = trust.trusted()
    assert kept in found and own in found
    assert not {changed, foreign, run} & set(found)


def test_git_names_the_lessons_as_they_were_committed():
    shown = subprocess.run(
        ["git", "rev-parse", "HEAD:lessons/glossary.md"],
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() in trust._as_git_has_them()


def test_what_was_signed_is_not_looked_at_again_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / ".course"))
    monkeypatch.setenv("COURSE_MINE", str(tmp_path / "mine"))
    exercises.hand_out()
    started = []
    monkeypatch.setattr("course.ground.tether.start", lambda command, **_: started.append(command))
    trust.make_key()
    trust.start()
    trust.sign()
    trust.start()
    assert len(started) == 1
    key = jupyter.folder("data") / "notebook_secret"
    assert key.stat().st_mode & 0o077 == 0
    next((tmp_path / "mine").glob("*.ipynb")).touch()
    trust.start()
    assert len(started) == 2
