"""The smaller commands: step, db shell and env, doctor, and how they print."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from course.ground import manifest, place, tools
from demos.instruments import fonts
from tests.support.left_in_english import left
from tests.support.processes import alive
from tests.support.waiting import eventually, within

from .conftest import Course, read_until


def test_steps_are_listed_with_their_titles(course: Course):
    listed = course.run("step").stdout
    for step in manifest.read().steps:
        assert f"{step.name} " in listed

        assert step.title in listed


def test_builds_are_listed_and_another_name_is_one_sentence(course: Course):
    listed = course.run("build").stdout
    for build in manifest.read().builds:
        assert re.search(
            rf"{build.name} .*0 of {len(build.goals)} goals +\d+ to \d+ minutes +{build.title}",
            listed,
        )
    refused = course.run("build", "chess")
    assert refused.returncode == 1
    assert (
        refused.stderr == "course: no build is called chess: python3 -m course build lists them.\n"
    )


@pytest.mark.parametrize(
    "name",
    ["pool_demo/step2", "step2_borrow", "demos/pool_demo/step2_borrow_and_return.py", "borrow"],
)
def test_step_is_found_by_any_clear_name(course: Course, name: str):
    done = course.run("step", name)
    assert done.returncode == 0, done.stderr
    assert [line.count("'name'") for line in done.stdout.splitlines()] == [1, 1, 1]
    assert "韩雪" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminal_without_chinese_gets_escapes(course: Course, encoding: str):
    done = course.run("step", "pool_demo/step2", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert r"\u97e9\u96ea" in done.stdout


def test_exit_code_of_a_step_is_passed_on(course: Course):
    assert course.run("step", "pool_demo/step2", MYSQL_PORT="1").returncode == 1


def test_env_is_understood_by_a_shell(course: Course):
    course.run("db", "start")
    exports = course.run("db", "env").stdout
    script = f"{exports}\n'{sys.executable}' -m demos.pool_demo.where"
    done = subprocess.run(
        ["sh", "-c", script], cwd=place.ROOT, capture_output=True, text=True, check=True
    )
    assert f"127.0.0.1:{course.status.port}" in done.stdout


def test_own_server_is_known_by_its_address_and_account(course: Course):
    """A shell that holds what `db env` printed uses all commands as one that does not."""
    course.run("db", "start")
    mine = course.status.as_environment()
    assert course.run("db", "status", **mine).stdout.startswith("Running at")
    assert course.run("db", "reset", **mine).stdout == "The seed is restored.\n"
    assert course.run("db", "stop", **mine).stdout == "Stopped.\n"
    # Its socket is another one at the next start, which is a start of the same server; so is its port if that is taken.
    with socket.create_server(("127.0.0.1", int(mine["MYSQL_PORT"]))):
        assert course.run("db", "start", **mine).returncode == 0
    assert course.status.port != int(mine["MYSQL_PORT"])
    assert course.status.socket != mine["MYSQL_UNIX_SOCKET"]
    assert "private" in course.run("setup", **mine).stdout


def test_shell_reads_standard_input_and_takes_options(course: Course):
    done = course.run("db", "shell", "--table", stdin="select name from student where id = 1;")
    assert "| 韩雪" in done.stdout
    assert course.run("db", "shell", "-e", "no sql at all").returncode == 1
    for option in (("--lang", "zh"), ("--lang=zh",)):
        assert course.run(*option, "db", "shell", "-e", "select 1 as one").stdout == "one\n1\n"
    assert "invalid choice: 'fr'" in course.run("--lang", "fr", "db", "shell").stderr


@pytest.mark.parametrize(
    "words",
    [["--help"], ["exercises", "-h"], ["build", "pool", "--wrong"], ["--port", "x"]],
)
def test_what_a_command_takes_is_said_in_the_readers_language(course: Course, words: list[str]):
    done = course.run("--lang", "zh", *words)
    said = done.stdout + done.stderr
    assert said.startswith("用法：python3 -m course ")
    assert re.findall(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", said) == [], "an English sentence"


def test_reset_restores_the_seed(course: Course):
    course.sql("delete from student; insert into stu (name, age) values ('小甜甜', 22)")
    assert course.run("db", "reset").stdout == "The seed is restored.\n"
    assert course.sql("select count(*) from student; select count(*) from stu").split() == [
        "3",
        "0",
    ]


def test_a_restart_keeps_a_students_rows(course: Course):
    course.sql("insert into student (name, age, gender) values ('赵丽颖', 21, '女')")
    course.run("step", "pool_demo/step2")
    assert course.sql("select count(*) from student") == "4"


def test_status_says_how_it_is(course: Course):
    assert course.run("db", "status").returncode == 1
    course.run("db", "start")
    done = course.run("db", "status")
    assert done.returncode == 0
    assert str(course.status.port) in done.stdout and course.status.socket in done.stdout
    assert course.status.password not in done.stdout


def test_doctor_is_content_when_all_is_there(course: Course):
    course.run("db", "start")
    done = course.run("doctor")
    assert done.returncode == 0, done.stdout
    assert "MISSING" not in done.stdout


def test_doctor_names_what_is_missing_and_its_cure(course: Course, tmp_path):
    done = course.run(
        "doctor", COURSE_VENV=str(tmp_path / "none"), COURSE_STATE_DIR=str(tmp_path / "empty")
    )
    assert done.returncode == 1
    assert (
        done.stdout.count("MISSING")
        == done.stdout.count("mend it with: python3 -m course setup")
        == 2
    )


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "doctor",
        "step",
        "step borrow_nothing",
        "bench",
        "lessons",
        "lessons run nothing",
        "exercises",
        "exercises next",
        "build",
        "build chess",
        "build pool",
        "build pool --hint",
        "db start",
        "db status",
        "db --help",
        "--port x",
    ],
)
def test_a_chinese_reader_gets_no_english(course: Course, line: str):
    done = course.run("--lang", "zh", *line.split())
    said = done.stdout + done.stderr
    assert re.search("[一-鿿]", said) and not left(said)


def test_doctor_begins_its_lines_in_the_readers_language(course: Course, tmp_path):
    """Its labels are single words, of which nothing else says whether they are translated."""
    for state in ({}, {"COURSE_STATE_DIR": str(tmp_path / "empty")}):
        *lines, _ = course.run("--lang", "zh", "doctor", **state).stdout.splitlines()
        labels = [" ".join(line.split()[:2]) for line in lines if not line.startswith(" ")]
        assert len(labels) > 5
        assert not [one for one in labels if re.search("[A-Za-z]", one.replace("Python", ""))]


def test_doctor_names_a_font_with_chinese_characters_or_the_cure(course: Course):
    said = course.run("doctor").stdout
    cure = "a browser of this machine shows boxes until you install one (Debian and Ubuntu: sudo"
    assert (cure in said) != bool(re.search("(?<!none) has Chinese characters", said))


def test_a_font_is_searched_for_chinese_characters(tmp_path):
    broken, latin = (
        tmp_path / "broken.ttf",
        Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf",
    )
    broken.write_bytes(b"no font")
    assert fonts.with_chinese([str(broken), str(latin)]) == ""
    (chinese,) = tools.ensure("fonts").path.parent.rglob("wqy-microhei.ttc")
    assert fonts.with_chinese([str(broken), str(latin), str(chinese)]) == "WenQuanYi Micro Hei"


def test_doctor_tries_the_rights_on_another_server(course: Course, clean_environment):
    course.run("db", "start")
    as_owner = course.status.as_environment()
    named = {**clean_environment, "COURSE_STATE_DIR": str(course.state.parent / "another")}
    visitor = Course(course.state.parent / "another", named)
    assert "may make, fill, change and drop tables" in visitor.run("doctor", **as_owner).stdout
    course.sql("create user reader identified by 'Only-reads-1'; grant select on book.* to reader")
    as_reader = {**as_owner, "MYSQL_USER": "reader", "MYSQL_PASSWORD": "Only-reads-1"}
    done = visitor.run("doctor", **as_reader)
    assert done.returncode == 1
    assert "reader lacks a right on a table" in done.stdout and "unset MYSQL_HOST" in done.stdout
    # Who may read everything is told that a database is not there, and may not make it all the same.
    course.sql("grant select on *.* to reader")
    done = visitor.run("doctor", **{**as_reader, "MYSQL_DATABASE": "not_there"})
    assert done.returncode == 1
    assert "reader may not use or make the database not_there" in done.stdout


def test_doctor_finds_a_password_that_others_can_read(course: Course):
    course.run("db", "start")
    (course.state / "my.cnf").chmod(0o644)
    done = course.run("doctor")
    assert done.returncode == 1 and "chmod 600" in done.stdout


def test_help_names_every_verb():
    done = subprocess.run(
        [sys.executable, "-m", "course", "--help"],
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for verb in ("setup", "test", "step", "doctor", "db"):
        assert f"\n    {verb} " in done.stdout


@pytest.mark.parametrize("in_kernel", [True, False])
def test_tethered_child_dies_with_its_parent(in_kernel: bool):
    """The kernel does it on Linux, a watcher elsewhere; both work here, in whichever folder."""
    if in_kernel and sys.platform != "linux":
        pytest.skip("only Linux has this in the kernel")
    script = f"""
import subprocess, time

from course.ground import tether

said = tether.start(["echo", "hello"], in_kernel={in_kernel}, cwd="/", stdout=subprocess.PIPE)
assert said.communicate()[0] == b"hello\\n" and said.returncode == 0
child = tether.start(["sh", "-c", "echo $$; exec sleep 60"], in_kernel={in_kernel}, cwd="/")
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=place.ROOT, stdout=subprocess.PIPE, text=True
    )
    pid = int(within(60, parent.stdout.readline))
    parent.kill()
    parent.communicate(timeout=60)
    assert eventually(lambda: not alive(pid))


def test_ctrl_c_while_a_child_starts_is_not_lost():
    """What a handler raises while Python forks is dropped; here the signal comes at that very moment."""
    if sys.platform != "linux":
        pytest.skip("only on Linux is there work to do in a new child")
    script = """
import os, signal

import psutil

from course.ground import tether

os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    tether.start(["sleep", "60"])
except KeyboardInterrupt:
    print("ended, with", len(psutil.Process().children()), "children")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place.ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("ended, with 0 children\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_step_ends_with_its_command(course: Course, number: signal.Signals):
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ties a process to the one that started it")
    command = course.start("step", "group_chat/step1", "--port", "0")
    address = re.search(r"127\.0\.0\.1:(\d+)", read_until(command, "Open "))
    command.send_signal(number)
    command.communicate(timeout=60)  # the step holds these pipes too
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(address[1])))


def test_the_sources_own_programs_run_by_their_whole_name(course: Course):
    command = course.start("step", "group_chat/naive/chat", "--port", "0")
    assert "/ws" in read_until(command, "Open http://127.0.0.1:")
    command.send_signal(signal.SIGTERM)
    command.communicate(timeout=60)
    assert "naive" not in course.run("step").stdout
