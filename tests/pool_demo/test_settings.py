"""settings.py: environment, option file, defaults."""

import os
import subprocess
import sys

import pymysql
import pytest

from course.database.target import NAMES
from course.ground.place import ROOT
from demos.pool_demo.settings import POOL_LIMITS, Settings, SettingsError, connect_args, load


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No MYSQL_* in the environment, and no option file yet."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    return monkeypatch


@pytest.fixture
def option_file(tmp_path):
    file = tmp_path / "my.cnf"
    file.write_text(
        "[client]\nhost = 127.0.0.1\nport = 4001\nsocket = /tmp/a.sock\nuser = course\n"
        'password = "p%s#x"\ndefault-character-set = utf8mb4\n\n[mysql]\ndatabase = other\n',
        encoding="utf-8",
    )
    return file


def test_defaults_are_the_source_s():
    assert load() == Settings("127.0.0.1", 3306, None, "root", "", "book", "utf8mb4")


def test_environment(bare):
    bare.setenv("MYSQL_HOST", "db.example")
    bare.setenv("MYSQL_PORT", "3307")
    bare.setenv("MYSQL_USER", "u")
    bare.setenv("MYSQL_PASSWORD", "p")
    bare.setenv("MYSQL_DATABASE", "d")
    assert load() == Settings("db.example", 3307, None, "u", "p", "d")


def test_settings_are_read_when_load_is_called(bare):
    assert load().database == "book"
    bare.setenv("MYSQL_DATABASE", "later")
    assert load().database == "later"


def test_option_file(option_file):
    assert load() == Settings("127.0.0.1", 4001, "/tmp/a.sock", "course", "p%s#x", "other")


def test_one_name_in_the_environment_turns_the_option_file_off(bare, option_file):
    bare.setenv("MYSQL_DATABASE", "mine")
    assert load() == Settings(database="mine")


def test_an_empty_name_in_the_environment_is_not_set(bare, option_file):
    bare.setenv("MYSQL_HOST", "")
    assert load().port == 4001


def test_a_broken_option_file_is_one_sentence(option_file):
    option_file.write_text("no section\n")
    with pytest.raises(SettingsError, match=r"my\.cnf cannot be read: .+") as caught:
        load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("port", ["x", "0", "-1", "65536", "3306.0", "²"])
def test_a_bad_port_is_one_sentence(bare, port):
    bare.setenv("MYSQL_PORT", port)
    with pytest.raises(SettingsError, match=r"MYSQL_PORT is .* from 1 to 65535"):
        load()


def test_127_0_0_1_means_tcp(bare):
    bare.setenv("MYSQL_HOST", "127.0.0.1")
    bare.setenv("MYSQL_UNIX_SOCKET", "/tmp/b.sock")
    arguments = connect_args()
    assert (arguments["host"], arguments["port"]) == ("127.0.0.1", 3306)
    assert "unix_socket" not in arguments
    assert load().address == "127.0.0.1:3306"


def test_localhost_means_the_socket(bare):
    bare.setenv("MYSQL_HOST", "localhost")
    bare.setenv("MYSQL_UNIX_SOCKET", "/tmp/b.sock")
    assert connect_args()["unix_socket"] == "/tmp/b.sock"
    assert load().address == "/tmp/b.sock"


def test_localhost_without_a_socket_means_tcp(bare):
    bare.setenv("MYSQL_HOST", "localhost")
    assert connect_args()["host"] == "localhost"


def test_a_socket_without_a_host_means_localhost(bare):
    bare.setenv("MYSQL_UNIX_SOCKET", "/tmp/b.sock")
    assert load().host == "localhost"
    assert connect_args()["unix_socket"] == "/tmp/b.sock"


def test_changes_replace_and_add():
    arguments = connect_args(database=None, autocommit=True)
    assert arguments["database"] is None
    assert arguments["autocommit"] is True


def test_the_password_is_not_in_the_repr():
    assert "hunter2" not in repr(Settings(password="hunter2"))


def test_any_password_can_be_sent(bare):
    bare.setenv("MYSQL_PASSWORD", "密码€")
    pymysql.Connection(**connect_args(), defer_connect=True)


def test_pool_limits_are_the_source_s():
    assert POOL_LIMITS == {
        "mincached": 10,
        "maxcached": 10,
        "maxshared": 20,
        "maxconnections": 100,
        "blocking": True,
        "maxusage": None,
        "setsession": None,
    }


def test_settings_is_also_a_module_of_its_folder():
    code = "import settings; print(settings.load().database, settings.ROOT)"
    folder = ROOT / "demos" / "pool_demo"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "MYSQL_DATABASE": "here"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"here {ROOT}"
