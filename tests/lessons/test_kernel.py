"""A student is never lost: no set-up yet, another folder, a restarted kernel, a server that is gone."""

import nbformat
import pytest

from course import environment, lessons, lessons_run, server

from .conftest import Played

GONE = [
    "pymysql.connect(**connect_args())",
    "open_before.cursor().execute('select 1')",
    "pool.connection().cursor().execute('select 1')",
    "helper.selectall('select * from student')",
    "run_step('pool_demo/step2_borrow_and_return')",
    "restore('student')",
    "ready()",
]
WARM_UP = """\
from dbutils.pooled_db import PooledDB
from course.lesson import run_step
from demos.pool_demo.mysqlhelp import MysqlHelp

open_before = pymysql.connect(**connect_args())
pool = PooledDB(creator=pymysql, mincached=1, **connect_args())
helper = MysqlHelp()
helper.selectone("select 1")"""


def lesson(number):
    return lessons_run.read(lessons.find(number).path)


def code(source, cell_id):
    return nbformat.v4.new_code_cell(source, id=cell_id)


def with_cells(notebook, *ids):
    """A copy of a notebook with these cells only."""
    kept = nbformat.from_dict(notebook)
    kept.cells = [cell for cell in notebook.cells if cell.id in ids]
    assert len(kept.cells) == len(ids)
    return kept


@pytest.mark.parametrize("number", ["00", "02"])
def test_a_cell_before_the_set_up_cell_says_what_to_do(play, number):
    notebook = lesson(number)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "setup"][:5]
    played = play(notebook, allow_errors=True)
    (line,) = played.errors[0].traceback
    assert line == "Run the set-up cell first: it is the first cell with code."


def test_another_missing_name_has_its_traceback(play):
    notebook = with_cells(lesson("02"), "setup")
    notebook.cells.append(code("nobody", "one"))
    played = play(notebook, allow_errors=True)
    (error,) = played.errors
    assert error.ename == "NameError"
    assert len(error.traceback) > 1


@pytest.mark.parametrize(
    ("number", "cell", "line"),
    [
        ("09", "parameters-run", "TRIES: `TRIES = [`"),
        ("10", "list-other", "tian: `xue, tian = log_in(chat"),
    ],
)
def test_a_name_of_a_cell_that_has_not_run_is_one_sentence(play, number, cell, line):
    notebook = with_cells(lesson(number), "setup", cell)
    path = str(lessons.find(number).path)
    (error,) = play(notebook, allow_errors=True, JPY_SESSION_NAME=path).errors
    (said,) = error.traceback
    assert said.startswith(f"An earlier cell makes {line}")
    assert said.endswith("(menu Run, Run All Above Selected Cell).")


def test_another_notebook_than_a_lesson_has_its_traceback(play):
    notebook = with_cells(lesson("02"), "setup")
    notebook.cells = [code("nobody", "one")]
    played = play(notebook, allow_errors=True, JPY_SESSION_NAME="Untitled.ipynb")
    assert played.errors[0].ename == "NameError"


@pytest.mark.parametrize("number", ["00", "05"])
def test_a_lesson_opened_from_another_folder_works(play, tmp_path, number):
    notebook = lesson(number)
    notebook.cells = notebook.cells[:8]
    assert play(notebook, folder=tmp_path).errors == []


@pytest.mark.parametrize(
    ("number", "cell"),
    [
        ("02", "parameters-step"),
        ("03", "leftovers-session"),
        ("04", "tls-prepare"),
        ("05", "wrapper-run"),
    ],
)
def test_after_a_restart_the_set_up_cell_is_enough(play, number, cell):
    assert play(with_cells(lesson(number), "setup", cell)).errors == []


def test_a_server_that_stops_in_mid_lesson_is_one_sentence_with_the_command(tmp_path):
    notebook = with_cells(lesson("02"), "setup")
    notebook.cells.append(code(WARM_UP, "warm-up"))
    notebook.cells += [code(source, f"gone-{n}") for n, source in enumerate(GONE)]
    notebook.cells.append(
        code("with show_error():\n    pymysql.connect(**connect_args())", "shown")
    )
    ran = []

    def stop_after_warm_up():
        ran.append(1)
        if len(ran) == 2:
            assert server.stop(tmp_path)

    with server.Lease(tmp_path) as lease:
        settings = lease.status.as_environment()
        lessons_run.seed(settings)
        played = Played(
            lessons_run.play(
                notebook,
                lessons.FOLDER,
                allow_errors=True,
                environment=settings,
                each=stop_after_warm_up,
            )
        )
    for n, source in enumerate(GONE):
        (error,) = played.outputs[f"gone-{n}"]
        assert error.output_type == "error", source
        (line,) = error.traceback
        assert line.startswith("No MySQL server answers at "), source
        assert "python3 -m course db start" in line, source
    assert played.text("shown").startswith("OperationalError: (2003")


def test_a_connection_that_the_server_ended_has_its_traceback(play):
    """The server answers, so it is not gone: that a connection died is a lesson's business."""
    notebook = with_cells(lesson("02"), "setup")
    kill = (
        "dead, other = (pymysql.connect(**connect_args()) for _ in range(2))\n"
        "other.cursor().execute(f'kill {dead.thread_id()}')\n"
        "dead.cursor().execute('select 1')"
    )
    notebook.cells.append(code(kill, "kill"))
    (error,) = play(notebook, allow_errors=True).errors
    assert error.ename == "OperationalError"
    assert len(error.traceback) > 1


def test_an_environment_made_by_an_older_course_gets_the_setting(monkeypatch):
    assert environment.missing() == []
    monkeypatch.setattr(environment, "KERNEL_SETTINGS", environment.KERNEL_SETTINGS + "\n")
    assert environment.missing() == ["its settings are of another version of the course"]
