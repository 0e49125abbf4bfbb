"""A student is never lost: no set-up yet, another folder, a restarted kernel, a server that is gone."""

import nbformat

from course.database import server
from course.ground import environment, place
from course.notebooks import execution, lessons

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
    return execution.read(lessons.find(number).path)


def code(source, cell_id):
    return nbformat.v4.new_code_cell(source, id=cell_id)


def with_cells(notebook, *ids):
    """A copy of a notebook with these cells only."""
    kept = nbformat.from_dict(notebook)
    kept.cells = [cell for cell in notebook.cells if cell.id in ids]
    assert len(kept.cells) == len(ids)
    return kept


def opened(path):
    """A cell after which the kernel takes itself for that of another notebook."""
    return f"import os\nos.environ['JPY_SESSION_NAME'] = {str(path)!r}"


def test_without_the_set_up_cell_a_lesson_says_what_to_do(play):
    """A kernel in which no set-up cell has run, first as that of a notebook that is no lesson."""
    notebook = with_cells(lesson("02"))
    notebook.cells.append(code(opened("Untitled.ipynb"), "untitled"))
    notebook.cells.append(code("nobody", "other"))
    begun = []  # for each lesson the ids of its first cells
    for number in ("00", "02"):
        notebook.cells.append(code(opened(lessons.find(number).path), f"open-{number}"))
        every = [cell for cell in lesson(number).cells if cell.cell_type == "code"]
        cells = [cell for cell in every if cell.id != "setup"][:5]
        notebook.cells += cells
        begun.append([cell.id for cell in cells])
    played = play(notebook, allow_errors=True)
    (error,) = played.outputs["other"]
    assert error.ename == "NameError" and len(error.traceback) > 1
    for cells in begun:
        said = [output for cell in cells for output in played.outputs[cell]]
        first = next(output for output in said if output.output_type == "error")
        assert first.traceback == ["Run the set-up cell first: it is the first cell with code."]


def test_a_name_of_a_cell_that_has_not_run_is_one_sentence_and_other_errors_are_not(play):
    """Cells of several lessons in one kernel; then what is a lesson's business has its traceback."""
    cases = {
        "parameters-run": ("09", "TRIES: `TRIES = [`"),
        "list-other": ("10", "tian: `xue, tian = log_in(chat"),
    }
    notebook = with_cells(lesson("02"))
    for cell, (number, _) in cases.items():
        notebook.cells.append(code(f"%reset -f\n{opened(lessons.find(number).path)}", number))
        cells = with_cells(lesson(number), "setup", cell).cells
        cells[0].id = f"setup-{number}"
        notebook.cells += cells
    kill = (
        "dead, other = (pymysql.connect(**connect_args()) for _ in range(2))\n"
        "other.cursor().execute(f'kill {dead.thread_id()}')\n"
        "dead.cursor().execute('select 1')"
    )
    notebook.cells += [
        code(opened(lessons.find("02").path), "open-02"),
        *with_cells(lesson("02"), "setup").cells,
    ]
    notebook.cells += [code("nobody", "missing"), code(kill, "kill")]
    played = play(notebook, allow_errors=True)
    for cell, (_, line) in cases.items():
        (error,) = played.outputs[cell]
        (said,) = error.traceback
        assert said.startswith(f"An earlier cell makes {line}")
        assert said.endswith("(menu Run, Run All Above Selected Cell).")
    # No cell makes this name; and the server answers, so it is not gone.
    for cell, name in (("missing", "NameError"), ("kill", "OperationalError")):
        (error,) = played.outputs[cell]
        assert error.ename == name
        assert len(error.traceback) > 1
    assert len(played.errors) == 4


def test_a_lesson_opened_from_another_folder_works(play, tmp_path):
    notebook = lesson("05")
    notebook.cells = notebook.cells[:8]
    assert play(notebook, folder=tmp_path).errors == []


def test_after_a_restart_the_set_up_cell_is_enough(play):
    """One kernel, which forgets all names before each lesson."""
    cases = [
        ("02", "parameters-step"),
        ("03", "leftovers-session"),
        ("04", "tls-prepare"),
        ("05", "wrapper-run"),
    ]
    notebook = with_cells(lesson("02"))
    for number, cell in cases:
        cells = with_cells(lesson(number), "setup", cell).cells
        cells[0].id = f"setup-{number}"
        notebook.cells += [code("%reset -f", f"forget-{number}"), *cells]
    assert play(notebook).errors == []


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
        execution.seed(settings)
        played = Played(
            execution.play(
                notebook,
                place.english(),
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
        assert " unset MYSQL_HOST " in line, source
    assert played.text("shown").startswith("OperationalError: (2003")


def test_an_environment_made_by_an_older_course_gets_the_setting(monkeypatch):
    assert environment.missing() == []
    monkeypatch.setattr(environment, "KERNEL_SETTINGS", environment.KERNEL_SETTINGS + "\n")
    assert environment.missing() == ["its settings are of another version of the course"]
