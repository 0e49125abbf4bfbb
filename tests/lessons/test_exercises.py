"""Every exercise: as handed out it is not attempted, each wrong answer is called wrong, the solution is right."""

import linecache
import re

import nbformat
import pymysql
import pytest

from course import exercise
from course.ground import place
from course.lesson import LessonError
from course.notebooks import execution, exercises
from demos.instruments.witness import Witness
from demos.pool_demo import seed
from demos.pool_demo.settings import connect_args
from tests.support.left_in_english import left_of

from .conftest import LESSONS, read

SOLUTIONS = sorted(exercises.folder("solutions").glob("*.ipynb"))
NUMBERS = [number for book in exercises.books() for number in exercises.numbers(book)]
FIRST = 2  # wrong answers to each exercise that are tried each time
WRONG = {
    number: [(number, answer, words) for answer, words in exercise.find(number).wrong.items()]
    for number in NUMBERS
}
ALSO_RIGHT = [(number, answer) for number in NUMBERS for answer in exercise.find(number).also_right]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _all_authorities_where_connections_are_measured(request, few_authorities, monkeypatch):
    number = getattr(request.node, "callspec", None) and request.node.callspec.params.get("number")
    if number and number.startswith("4."):
        monkeypatch.delenv("SSL_CERT_FILE")


@pytest.fixture(scope="module")
def rooms(database):
    """The names that the set-up and the given cells of a lesson make; one namespace for each lesson."""
    made = {}

    def of(book):
        if book not in made:
            made[book] = {"__name__": "__main__"}
            for cell in read(book).cells:
                if cell.id == "setup" or cell.id.endswith("-given"):
                    exec(cell.source, made[book])
        return made[book]

    return of


@pytest.fixture
def room(rooms):
    """Run an exercise's cell, where its lesson is set up, and return the names of that notebook."""

    def run(number, source):
        one = exercise.find(number)
        names = rooms(one.book)
        for name in one.answer:
            names.pop(name, None)
        cell = f"<cell of {number}>"
        linecache.cache[cell] = (len(source), None, source.splitlines(True), cell)  # as IPython
        exec(compile(source, cell, "exec"), names)
        return names

    return run


@pytest.fixture(scope="module")
def auditor(database):
    """Read every table and count the connections, of which its own two are none."""
    there = pymysql.connect(**connect_args(autocommit=True, ssl_disabled=True))
    with there as connection, connection.cursor() as cursor, Witness() as witness:

        def look():
            cursor.execute("show tables")
            found = {table: () for (table,) in cursor.fetchall()}
            for table in found:
                cursor.execute(f"select * from `{table}`")
                found[table] = cursor.fetchall()
            return found

        yield look, witness


@pytest.fixture
def restored(auditor, book):
    """What a check must leave behind: the tables as they were, and no connection."""
    look, witness = auditor
    before = look()
    yield
    assert witness.settle(0, seconds=20) == 0, "a check left connections open"
    assert look() == before, "a check left rows behind"


def solution(number):
    one = exercise.find(number)
    path = exercises.folder("solutions") / one.book.name
    return exercises.source_of(path, f"ex-{number.replace('.', '-')}-code")


# -- the three outcomes ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_as_handed_out_it_is_not_attempted(room, number):
    verdict = exercise.judge(number, room(number, exercise.find(number).cell))
    assert verdict.outcome == exercise.NOT_ATTEMPTED, verdict.said


@pytest.mark.parametrize("number", NUMBERS)
def test_before_its_cell_has_run_it_is_not_attempted(number):
    verdict = exercise.judge(number, {})
    assert verdict.outcome == exercise.NOT_ATTEMPTED
    assert f"there is no `{exercise.find(number).answer[0]}` yet" in verdict.said


def wrong_answers(start, end):
    """Have a test for each wrong answer from one place to another in the list of each exercise."""
    cases = {
        f"{number}-{place}": case
        for number, answers in WRONG.items()
        for place, case in list(enumerate(answers))[start:end]
    }
    return pytest.mark.parametrize(("number", "answer", "words"), cases.values(), ids=list(cases))


@wrong_answers(0, FIRST)
def test_a_wrong_answer_is_called_wrong_with_its_reason(room, restored, number, answer, words):
    called_wrong(room, number, answer, words)


@wrong_answers(FIRST, None)
def test_every_other_wrong_answer_is_called_wrong(room, restored, number, answer, words):
    called_wrong(room, number, answer, words)


def called_wrong(room, number, answer, words):
    verdict = exercise.judge(number, room(number, exercises.answered(solution(number), answer)))
    assert verdict.outcome == exercise.WRONG, answer
    assert words in verdict.said
    assert not left_of(verdict.said), "a reader of the Chinese edition gets English"


@pytest.fixture
def patient(monkeypatch):
    """Give a right answer more time, which a busy machine may need."""
    limited = exercise.time_limit
    monkeypatch.setattr(exercise, "time_limit", lambda seconds: limited(10 * seconds))


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_is_right(room, restored, patient, number):
    verdict = exercise.judge(number, room(number, solution(number)))
    assert verdict.outcome == exercise.RIGHT, verdict.said


@pytest.mark.parametrize(
    ("number", "answer"),
    ALSO_RIGHT,
    ids=[f"{number}-{index}" for index, (number, _) in enumerate(ALSO_RIGHT)],
)
def test_what_is_written_differently_is_right_as_well(room, restored, patient, number, answer):
    verdict = exercise.judge(number, room(number, exercises.answered(solution(number), answer)))
    assert verdict.outcome == exercise.RIGHT, verdict.said


@pytest.mark.parametrize("number", ["2.2", "5.5"])
def test_what_an_earlier_run_left_does_not_count(room, number):
    """A check judges what the answer does now, not rows that are there."""
    rubbish = ["insert into stu(name, age) values('赵丽颖', 21)", "delete from student"]
    wrong, *_ = exercise.find(number).wrong
    for answer, outcome in ((wrong, exercise.WRONG), ("", exercise.RIGHT)):
        with pymysql.connect(**connect_args(autocommit=True)) as connection:
            for sql in rubbish:
                connection.cursor().execute(sql)
        source = exercises.answered(solution(number), answer) if answer else solution(number)
        assert exercise.judge(number, room(number, source)).outcome == outcome


def test_a_table_that_another_program_holds_is_one_sentence(room, monkeypatch):
    monkeypatch.setattr(seed, "LOCK_WAIT", 1)
    names = room("2.1", solution("2.1"))
    with pymysql.connect(**connect_args()) as connection:
        connection.cursor().execute("update student set age = 1")
        with pytest.raises(LessonError, match="Another program has a lock in"):
            exercise.judge("2.1", names)
    assert exercise.judge("2.1", names).outcome == exercise.RIGHT


@pytest.mark.parametrize("path", SOLUTIONS[1:2], ids=lambda path: path.stem)
def test_a_notebook_of_solutions_is_right_in_a_kernel(play, restored, path, tmp_path):
    right_in_a_kernel(play, path, tmp_path)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_are_right_in_a_kernel_from_top_to_bottom(play, restored, path, tmp_path):
    right_in_a_kernel(play, path, tmp_path)


def right_in_a_kernel(play, path, tmp_path):
    played = play(path, folder=path.parent, COURSE_STATE_DIR=str(tmp_path))
    assert played.errors == []
    for number in exercises.numbers(exercises.folder("exercises") / path.name):
        said = played.text(f"ex-{number.replace('.', '-')}-check")
        assert said.startswith(f"{number} right. {exercise.find(number).why}\nNext")
    every = len(exercises.numbers(exercises.folder("exercises") / path.name))
    assert re.search(rf"{path.stem} +█+ +{every} of {every}\n", played.text("progress"))


def test_as_handed_out_a_notebook_runs_in_a_kernel(play, tmp_path):
    book = exercises.books()[0]
    played = play(book, folder=book.parent, COURSE_STATE_DIR=str(tmp_path))
    assert played.errors == []
    for number in exercises.numbers(book):
        said = played.text(f"ex-{number.replace('.', '-')}-check")
        assert said.startswith(f"{number} not attempted: ")
    assert f"0 of {len(exercises.numbers(book))}\n" in played.text("progress")
    assert not (tmp_path / "progress.json").exists()


def test_in_any_order_a_notebook_gives_sentences(play, tmp_path):
    """Without the set-up cell, then with it and from the bottom to the top, then with the answers there."""
    path = SOLUTIONS[0]
    numbers = exercises.numbers(exercises.folder("exercises") / path.name)
    exercises.prepare_kernels(tmp_path / "profile_default")
    notebook = read(path)
    setup, *others = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checks = [cell for cell in others if cell.id.endswith("-check")]
    order = [*checks[:1], setup, *reversed(others), *reversed(checks)]
    notebook.cells = [nbformat.from_dict({**cell, "id": f"n{n}"}) for n, cell in enumerate(order)]
    own = {"COURSE_STATE_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
    played = play(notebook, folder=path.parent, **own)
    assert played.errors == []
    said = [played.text(cell.id) for cell in notebook.cells]
    assert said[0].startswith("Nothing is checked yet: run the set-up cell")
    early = [text for text in said[2 : 2 + len(others)] if "not attempted" in text]
    assert len(early) == len(numbers)
    late = said[-len(numbers) :]
    assert [text.partition(" right. ")[0] for text in late] == numbers[::-1]


# -- how they are written --------------------------------------------------------------------------


def test_what_is_committed_is_what_generation_gives():
    wanted = {path.name: exercises.handed_out(path) for path in SOLUTIONS}
    assert {path.name: path.read_text("utf-8") for path in exercises.books()} == wanted


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_a_notebook_of_solutions_is_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == execution.METADATA
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= 100
    assert next(cell.id for cell in notebook.cells if cell.cell_type == "code") == "setup"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_exercises_belong_to_their_lesson(path):
    assert path.stem in [lesson.stem for lesson in LESSONS]
    book = exercises.folder("exercises") / path.name
    numbers = exercises.numbers(book)
    assert numbers == [f"{int(path.stem[:2])}.{place}" for place in range(1, len(numbers) + 1)]
    assert 3 <= len(numbers) <= 6
    lesson = next(lesson for lesson in LESSONS if lesson.stem == path.stem)
    title = read(lesson).cells[0].source.splitlines()[0].removeprefix("# ")
    assert read(path).cells[0].source.startswith(f"# Exercises: {title}\n")


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_each_exercise_has_task_cell_and_check_in_this_order(path):
    cells = read(path).cells
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    last = 0
    for number in exercises.numbers(exercises.folder("exercises") / path.name):
        name = f"ex-{number.replace('.', '-')}"
        parts = [ids.index(f"{name}{end}") for end in ("", "-code", "-check")]
        assert parts == sorted(parts) and parts[0] > last
        last = parts[-1]
        task, code, check = (cells[index] for index in parts)
        assert re.match(rf"### {re.escape(number)} \S.*\n\n\S", task.source)
        assert code.metadata.get("tags") == ["exercise"]
        assert check.source == f'check("{number}")'
    tagged = [cell.id for cell in cells if "exercise" in cell.metadata.get("tags", [])]
    assert all(re.fullmatch(r"ex-\d+-\d+-code", name) for name in tagged)


@pytest.mark.parametrize("number", NUMBERS)
def test_an_exercise_has_three_hints_a_reason_minutes_and_answers_of_both_kinds(number):
    one = exercise.find(number)
    assert len(one.hints) == 3, "where to look; what to do; nearly the answer"
    assert all(hint.strip() for hint in one.hints) and len(set(one.hints)) == 3
    assert one.why.endswith(".")
    assert 3 <= one.minutes <= 30, "the metadata of the cell of code says how many"
    assert one.wrong and all(words.strip() for words in one.wrong.values())
    assert one.also_right, "somebody else writes it differently, and is right as well"
    assert one.check.__doc__
    assert one.answer


def test_a_student_s_notebook_imports_nothing_of_the_authors():
    for book in exercises.books():
        for cell in read(book).cells:
            if cell.cell_type == "code":
                assert "lessons.authors" not in cell.source, (book.name, cell.id)


def test_an_example_is_made_anew_and_a_missing_one_is_one_sentence():
    log = exercise.sample_of("6.4")()
    assert [line["name"] for line in log if line["kind"] == "frame"].count("close") == 2
    with pytest.raises(LessonError, match=r"^Exercise 6.1 has no example to look at.$"):
        exercise.sample_of("6.1")


def test_every_check_has_an_exercise_and_names_do_not_meet():
    modules = sorted((place.ROOT / "lessons" / "authors" / "checks").glob("exercises_*.py"))
    registered = set(exercise._known)
    assert {f"exercises_{path.stem[:2]}" for path in SOLUTIONS} == {path.stem for path in modules}
    assert {
        number
        for number in registered
        if exercise._known[number].check.__module__.startswith("lessons.")
    } == set(NUMBERS)
    for book in exercises.books():
        names = [
            name for number in exercises.numbers(book) for name in exercise.find(number).answer
        ]
        assert len(set(names)) == len(names), "an old answer to one would count for another"
