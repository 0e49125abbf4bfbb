"""The private server's life: started once, shared, gone with its last user, and no committed row lost."""

import json
import random
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from course.database import keeper, server
from tests.support.processes import alive
from tests.support.waiting import eventually, within

from .conftest import Course

ROWS = "韩雪\n舒畅\n唐嫣"


def test_first_command_initialises_starts_and_seeds(new_course: Course):
    assert new_course.sql("select name from student order by id") == ROWS


def test_start_leaves_the_temporary_tables_of_other_servers_alone(
    new_course: Course, tmp_path: Path
):
    # Two first starts at the same moment once failed: each removed the other's temporary tables.
    anothers = tmp_path / "#sql-temptable-2cbc-1-1d.MAI"
    anothers.touch()
    done = new_course.run("db", "shell", "-e", "select 1", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert anothers.exists()


def test_server_ends_with_the_last_command(course: Course):
    course.sql("select 1")
    assert course.is_gone()


def test_second_command_adopts_the_running_server(course: Course):
    first = course.start("db", "shell")
    assert eventually(lambda: course.status, seconds=60)
    pid = course.status.server_pid
    second = course.start("db", "shell", "--batch", "--skip-column-names", "--unbuffered")
    second.stdin.write("select 42;\n")
    second.stdin.flush()
    assert within(60, second.stdout.readline) == "42\n"
    first.communicate(timeout=60)
    # The first one is gone, and the server goes on for the second.
    second.stdin.write("select 43;\n")
    second.stdin.flush()
    assert within(60, second.stdout.readline) == "43\n"
    assert course.status.server_pid == pid
    second.communicate(timeout=60)
    assert eventually(course.is_gone)


def test_many_commands_at_once_share_one_server(course: Course):
    commands = [course.start("db", "shell", "--batch", "-N", "--unbuffered") for _ in range(6)]
    for command in commands:
        command.stdin.write("select @@pid_file;\n")
        command.stdin.flush()
    answers = {within(120, command.stdout.readline) for command in commands}  # all are there still
    for command in commands:
        command.communicate(timeout=120)
    assert [command.returncode for command in commands] == [0] * 6
    assert len(answers) == 1
    assert course.is_gone()


def test_db_start_stays_until_db_stop(course: Course):
    assert course.run("db", "start").returncode == 0
    pid = course.status.server_pid
    course.sql("select 1")
    assert course.status.server_pid == pid
    assert course.run("db", "start").returncode == 0, "starting twice is the same as once"
    assert course.status.server_pid == pid
    assert course.run("db", "stop").stdout == "Stopped.\n"
    assert course.is_gone()
    assert course.run("db", "stop").stdout == "It was not running.\n"


def test_db_start_lets_a_running_server_stay(course: Course):
    shell = course.start("db", "shell")
    assert eventually(lambda: course.status, seconds=60)
    course.run("db", "start")
    shell.communicate(timeout=60)
    assert course.status, "db start was asked to keep it"


def test_port_and_password_stay_the_same(course: Course):
    course.run("db", "start")
    first = course.status
    course.run("db", "stop")
    course.run("db", "start")
    assert (course.status.port, course.status.password) == (first.port, first.password)


def test_only_this_machine_and_this_user_can_reach_it(course: Course):
    course.run("db", "start")
    status = course.status
    for file in ("my.cnf", "init.sql", "keeper.json"):
        assert stat.S_IMODE((course.state / file).stat().st_mode) == 0o600, file
    assert stat.S_IMODE(course.state.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(status.socket).parent.stat().st_mode) == 0o700
    sockets = psutil.Process(status.server_pid).net_connections("tcp")
    listening = [one.laddr for one in sockets if one.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", status.port)], "127.0.0.1 and nothing else"


def test_there_is_no_account_without_a_password(course: Course):
    course.run("db", "start")
    accounts = course.sql("select concat(user, '@', host) from mysql.user").split()
    ours = ["course@localhost", "course@127.0.0.1"]
    system = [
        "mariadb.sys@localhost",
        "mysql.sys@localhost",
        "mysql.session@localhost",
        "mysql.infoschema@localhost",
    ]
    assert set(ours) <= set(accounts) <= {*ours, *system}
    for user in ("root", "course", ""):
        for place in (
            f"--socket={course.status.socket}",
            f"--port={course.status.port} --host=127.0.0.1",
        ):
            done = course.run(
                "db", "shell", f"--user={user}", "--password=", *place.split(), "-e", "select 1"
            )
            assert done.returncode != 0 and "Access denied" in done.stderr


def test_two_checkouts_never_meet(course: Course, tmp_path: Path, prepared: Path):
    other = Course(
        tmp_path / "other", {**course.environment, "COURSE_STATE_DIR": str(tmp_path / "other")}
    )
    try:
        course.run("db", "start")
        other.run("db", "start")
        mine, theirs = course.status, other.status
        assert (
            mine.port != theirs.port
            and mine.socket != theirs.socket
            and mine.password != theirs.password
        )
        course.sql("delete from student")
        assert other.sql("select name from student order by id") == ROWS
        crossed = course.run("db", "shell", f"--port={theirs.port}", "-e", "select 1")
        assert "Access denied" in crossed.stderr
    finally:
        server.stop(other.state)


def test_kill_9_of_the_command_leaves_nothing(course: Course, kill):
    shell = course.start("db", "shell")
    assert eventually(lambda: course.status, seconds=60)
    sockets = Path(course.status.socket).parent
    kill(shell.pid)
    assert eventually(course.is_gone)
    assert not sockets.exists()


def test_kill_9_of_the_keeper_takes_the_server_with_it(course: Course, kill):
    course.run("db", "start")
    course.sql("insert into stu (name, age) values ('小甜甜', 22)")
    status = course.status
    kill(status.keeper_pid)
    assert eventually(lambda: not alive(status.server_pid))
    assert course.sql("select name from stu") == "小甜甜"
    assert not Path(status.socket).parent.exists(), "the next command tidies up"


def test_a_stranger_with_the_number_of_a_server_that_is_gone_is_left_alone(course: Course, kill):
    """The record of an earlier start holds a number that another program has now, whose command line has our path."""
    course.run("db", "start")
    status = course.status
    kill(status.keeper_pid)
    assert eventually(lambda: not alive(status.server_pid))
    options = [f"--datadir={course.state / 'data'}", str(course.state / "data")]
    with subprocess.Popen(
        [sys.executable, "-c", "input()", *options], stdin=subprocess.PIPE
    ) as stranger:
        record = keeper.read_record(course.state) | {
            "pid": stranger.pid,
            "server_pid": stranger.pid,
        }
        (course.state / "keeper.json").write_text(json.dumps(record))
        assert course.sql("select 1") == "1"
        course.run("db", "stop")
        assert stranger.poll() is None
        stranger.communicate(b"\n", timeout=60)
        assert stranger.returncode == 0


def test_a_server_that_its_keeper_left_behind_is_ended(course: Course, kill, tmp_path):
    """Where no kernel ends it with the keeper; here another process stands for it, recorded as that server would be."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as orphan:
        record = {
            "server_pid": orphan.pid,
            "server_began": keeper.began_at(orphan.pid),
            "sockets": str(tmp_path / "gone"),
        }
        (course.state / "keeper.json").write_text(json.dumps(record))
        assert course.sql("select 1") == "1"
        assert orphan.wait(60) == -signal.SIGTERM


def test_who_connects_and_says_nothing_soon_loses_the_place(course: Course):
    """Other users of the machine reach the port, and can take all 400 places."""
    assert course.sql("select @@connect_timeout") == "3"


def test_kill_9_of_the_server_is_mended_by_the_next_command(course: Course, kill):
    course.run("db", "start")
    course.sql("insert into stu (name, age) values ('小甜甜', 22)")
    kill(course.status.server_pid)
    assert course.sql("select name from stu") == "小甜甜"


WRITER = """
import sys, pymysql
from demos.pool_demo.settings import connect_args
connection = pymysql.connect(**connect_args(autocommit=True))
cursor = connection.cursor()
for number in range(100_000):
    cursor.execute("insert into stu (name, age) values (%s, 1)", (str(number),))
    print(number, flush=True)
"""


@pytest.mark.parametrize(
    "victims", [("server_pid",), ("keeper_pid",), ("keeper_pid", "server_pid")]
)
def test_kill_9_under_load_loses_no_committed_row(course: Course, kill, victims):
    course.run("db", "start")
    course.sql("truncate stu")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        env={**course.environment, **course.status.as_environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    acknowledged: list[int] = []

    def read():
        for line in writer.stdout:
            acknowledged.append(int(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        wanted = random.randint(20, 400)
        assert eventually(lambda: len(acknowledged) >= wanted, seconds=60)
        status = course.status
        for victim in victims:
            pid = getattr(status, victim)
            if alive(pid):
                kill(pid)
        reader.join(60)
        writer.wait(60)
    finally:
        writer.kill()
    assert eventually(lambda: not alive(status.server_pid))
    course.run("db", "start")
    stored = {int(name) for name in course.sql("select name from stu").split()}
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + 1, "at most the one that was under way"


STAGES = {
    "before anything": lambda state: True,
    "initialising": lambda state: list(state.glob("data.new-*")),
    "starting": lambda state: "server_pid" in keeper.read_record(state),
    "seeding": lambda state: keeper.read_record(state).get("ready"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_kill_9_during_the_first_start_is_mended(new_course: Course, kill, stage):
    """Of the command and its keeper together, in each stage of a first start."""
    first = new_course.start("db", "start")
    assert eventually(lambda: STAGES[stage](new_course.state) or first.poll() is not None, 60)
    if first.poll() is None:
        kill(first.pid)
    record = keeper.read_record(new_course.state)
    if "pid" in record and alive(record["pid"]):
        kill(record["pid"])
    assert new_course.sql("select name from student order by id") == ROWS


def test_command_asked_to_stop_while_starting_leaves_nothing(new_course: Course):
    first = new_course.start("db", "shell", "-e", "select sleep(30)")
    assert eventually(lambda: keeper.read_record(new_course.state).get("server_pid"), seconds=60)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert eventually(new_course.is_gone)
