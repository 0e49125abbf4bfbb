"""course/lesson.py: what the lessons' tools say, also when something is wrong."""

import pytest

from course import lesson

NAIVE = "demos/pool_demo/naive/mysqlhelp.py"
ECHO = "demos/group_chat/static/echo.js"


def test_source_of_a_file_is_the_file():
    text = lesson.source("sql/seed.sql")
    assert text.startswith("-- The course's schema and data.")


@pytest.mark.parametrize(
    ("path", "name", "first", "last"),
    [
        ("demos/pool_demo/pool.py", "POOL", "POOL = PooledDB(", ")"),
        ("demos/pool_demo/settings.py", "POOL_LIMITS", "POOL_LIMITS: dict", "}"),
        ("demos/pool_demo/settings.py", "Settings", "@dataclass", "return keywords | changes"),
        ("demos/pool_demo/settings.py", "Settings.address", "@property", "{self.port}"),
        (NAIVE, "MysqlHelp.getInstance", "@classmethod", "return MysqlHelp.mysql"),
    ],
)
def test_source_of_a_name_is_its_whole_definition(path, name, first, last):
    lines = lesson.source(path, name).splitlines()
    assert lines[0].startswith(first)
    assert last in lines[-1]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("connect", ["function connect() {", "}"]),
        ("STATES", ['const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];']),
        ("highest", ["let highest = 0;"]),
    ],
)
def test_source_of_a_name_in_a_script_is_its_whole_definition(name, lines):
    found = lesson.source(ECHO, name).splitlines()
    assert [found[0], *found[-1:][: len(lines) - 1]] == lines
    assert sum(not line.startswith(" ") for line in found) == len(lines)


def test_source_leaves_out_what_only_tools_read():
    assert "noqa" not in lesson.source(NAIVE)
    assert "type: ignore" not in lesson.source(NAIVE)


@pytest.mark.parametrize(
    ("path", "name", "sentence"),
    [
        ("demos/nothing.py", None, "has no file demos/nothing.py"),
        ("demos/pool_demo/pool.py", "pond", "demos/pool_demo/pool.py has no pond"),
        (NAIVE, "MysqlHelp.pond", "has no MysqlHelp.pond"),
        (ECHO, "pond", "demos/group_chat/static/echo.js has no pond"),
    ],
)
def test_what_is_not_there_is_one_sentence(path, name, sentence):
    with pytest.raises(lesson.LessonError, match=sentence) as caught:
        lesson.show(path, name)
    (line,) = caught.value._render_traceback_()
    assert sentence in line


def test_outside_a_notebook_show_prints(capsys):
    lesson.show("demos/pool_demo/pool.py", "POOL")
    lesson.show_rows([{"id": 1, "name": "a|b"}])
    printed = capsys.readouterr().out
    assert printed.startswith("POOL = PooledDB(")
    assert printed.endswith("| id | name |\n| --- | --- |\n| 1 | a|b |\n")


def test_a_step_prints_what_it_prints_in_a_terminal(book, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel does
    lesson.run_step("pool_demo/step3c_maxshared")
    printed = capsys.readouterr().out
    assert "Connections on the server\n" in printed
    assert "\x1b" not in printed


def test_an_unknown_step_is_one_sentence():
    with pytest.raises(lesson.LessonError, match="no step pool_demo/step99"):
        lesson.run_step("pool_demo/step99")


def test_a_step_that_fails_passes_on_its_sentence(book, monkeypatch):
    monkeypatch.setenv("MYSQL_DATABASE", "course_not_there")
    with pytest.raises(lesson.LessonError) as caught:
        lesson.run_step("pool_demo/step2_borrow_and_return")
    (line,) = caught.value._render_traceback_()
    assert "There is no database course_not_there" in line


def test_ready_and_restore(book, capsys, monkeypatch):
    lesson.ready()
    lesson.restore("student", "stu")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Ready: the database answers."
    assert second == "restored: student, stu"
    monkeypatch.setenv("MYSQL_PASSWORD", "wrong")
    for tool in (lesson.ready, lesson.restore):
        with pytest.raises(lesson.LessonError, match="refuses user"):
            tool()


def test_an_error_without_a_sentence_of_ours_keeps_its_traceback(book):
    with pytest.raises(lesson.LessonError) as caught:
        lesson.restore("no_such_table")
    first, *rest = caught.value._render_traceback_()
    assert first.startswith("The tables cannot be restored: ")
    assert "no_such_table" in first
    assert rest


def test_show_error_prints_the_last_line_of_a_traceback(capsys):
    with lesson.show_error():
        int("seven")
    with lesson.show_error():
        raise LookupError
    with lesson.show_error():
        pass
    assert capsys.readouterr().out.splitlines() == [
        "ValueError: invalid literal for int() with base 10: 'seven'",
        "LookupError",
        "No error.",
    ]


def test_show_error_lets_an_interrupt_through():
    with pytest.raises(KeyboardInterrupt), lesson.show_error():
        raise KeyboardInterrupt


def test_an_old_python_is_told_so(capsys, monkeypatch):
    monkeypatch.setattr("sys.version_info", (3, 9, 2, "final", 0))
    lesson.check_python()
    lesson.check_packages()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("NOT OK  This is Python 3.9.2 and the course needs 3.11 or newer")
    assert second.startswith("NOT OK")


def test_a_missing_or_old_package_is_named(capsys, monkeypatch):
    monkeypatch.setattr(
        "importlib.metadata.version", lambda name: missing(name) if name == "rich" else "0.9.3"
    )
    lesson.check_packages()
    printed = capsys.readouterr().out
    assert "NOT OK  PyMySQL is 0.9.3 and the course needs 1.2 or newer" in printed
    assert "NOT OK  rich is not installed for this Python" in printed


def missing(name):
    raise lesson.importlib.metadata.PackageNotFoundError(name)


def test_a_port_that_cannot_be_had_is_one_sentence(capsys, monkeypatch):
    def refuse(*_args, **_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.create_server", refuse)
    lesson.check_port()
    assert capsys.readouterr().out.startswith("NOT OK  No port of 127.0.0.1 can be used")
