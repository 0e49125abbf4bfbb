"""Every failure is one sentence with cause and cure, an exit code, and no traceback."""

import ast
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from course.database import target
from course.ground import place
from tests.private_chat.people import Person
from tests.support.nginx import make_certificate
from tests.support.processes import alive
from tests.support.waiting import eventually

from .conftest import Course, read_until, sentence


def test_old_python_gets_a_sentence():
    main = place.ROOT / "course" / "__main__.py"
    ast.parse(main.read_text("utf-8"), feature_version=(3, 4))  # an old one can read the file
    script = "import sys, runpy; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script, main], capture_output=True, text=True, check=False
    )
    assert "this is Python 3.9.2 and the course needs 3.11" in done.stderr
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_windows_gets_a_sentence():
    main = place.ROOT / "course" / "__main__.py"
    script = "import sys, runpy; sys.platform = 'win32'; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script, main], capture_output=True, text=True, check=False
    )
    assert "wsl --install" in done.stderr
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_no_server_and_no_way_to_get_one(new_course: Course, tmp_path: Path):
    if any(
        (Path(folder) / name).exists()
        for folder in ("/usr/sbin", "/usr/local/sbin")
        for name in ("mysqld", "mariadbd")
    ):
        pytest.skip("this system has a server of its own, which the course would use")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dnf").symlink_to("/bin/true")  # as on Fedora
    new_course.environment.pop("COURSE_MYSQLD")
    said = sentence(new_course.run("db", "start", PATH=str(tmp_path / "bin")))
    assert "no MariaDB or MySQL server" in said and "sudo dnf install mariadb-server" in said
    assert "MYSQL_HOST" in said and "compose.yaml" in said


def test_named_server_program_that_is_none(new_course: Course):
    said = sentence(new_course.run("db", "start", COURSE_MYSQLD="/bin/true"))
    assert "COURSE_MYSQLD names /bin/true" in said


@pytest.mark.parametrize("command", [["--port"], ["db", "start", "--port"]])
def test_port_taken(course: Course, command: list[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(course.run(*command, str(port)))
    assert "port" in said and "taken" in said
    assert eventually(course.is_gone)


def test_port_of_the_last_start_taken_means_another_one(course: Course):
    course.run("db", "start")
    port = course.status.port
    course.run("db", "stop")
    with socket.create_server(("127.0.0.1", port)):
        assert course.run("db", "start").returncode == 0
        assert course.status.port != port


def test_other_port_asked_while_it_runs(course: Course):
    course.run("db", "start")
    assert "stop it with python3 -m course db stop" in sentence(
        course.run("db", "start", "--port", "65000")
    )


def test_port_that_is_none(course: Course):
    done = course.run("db", "start", "--port", "99999")
    assert done.returncode == 2 and "a port is a number from 1 to 65535" in done.stderr


def test_disk_full_before_the_first_start(new_course: Course, small_disk):
    disk = small_disk(20)
    said = sentence(new_course.run("db", "start", COURSE_STATE_DIR=str(disk / "state")))
    assert "the disk is full" in said and "free some" in said


def test_disk_full_at_a_later_start(course: Course, small_disk):
    used = sum(file.stat().st_size for file in course.state.rglob("*"))
    disk = small_disk((used >> 20) + 30)
    course.state = shutil.copytree(course.state, disk / "state")
    filler = disk / "filler"
    filler.write_bytes(b"")
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    said = sentence(course.run("db", "start", COURSE_STATE_DIR=str(course.state)))
    assert "the disk is full" in said
    filler.unlink()
    assert course.run("db", "start", COURSE_STATE_DIR=str(course.state)).returncode == 0
    assert course.run("db", "stop", COURSE_STATE_DIR=str(course.state)).returncode == 0


def test_disk_full_while_a_step_runs(course: Course, small_disk):
    """The messenger goes on without its database, and has it back once there is room."""
    used = sum(file.stat().st_size for file in course.state.rglob("*"))
    disk = small_disk((used >> 20) + 40)
    course.state = shutil.copytree(course.state, disk / "state")
    step = course.start(
        "step",
        "private_chat/step5",
        "--port",
        "0",
        COURSE_STATE_DIR=str(course.state),
        SECRET_KEY="the tests' own",
    )
    try:
        found = re.search(r"Open (http://[^/]+)/login", read_until(step, "Open "))
        pupil = Person(SimpleNamespace(get=partial(_get, found[1])), "韩雪").log_in()
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        # Which statement ends a server on a full disk depends on the server; here it ends at once.
        os.kill(course.status.server_pid, signal.SIGKILL)
        heard = iter(step.stderr.readline, "")
        said = next(line for line in heard if "does not start" in line)
        assert "the disk is full" in said, said
        assert pupil.get("/login").status == 200, "the messenger is there"
        assert pupil.fetch("/friends").status == 503
        assert pupil.post("/logout").status == 503
        filler.unlink()
        assert any("was started again" in line for line in heard)
        assert eventually(lambda: pupil.fetch("/friends").status == 200)
        copied = pupil.twin()
        pupil.log_out()
        assert copied.fetch("/friends").status == 401
    finally:
        step.terminate()
        _, errors = step.communicate(timeout=60)
    assert step.returncode == 0, errors
    assert "Traceback" not in errors


def _get(url: str, path: str, method: str = "GET", body: str | None = None, **headers: str):
    """Ask a running step; a redirect is returned and not followed."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    with closing(connection):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        text = answer.read().decode()
    return SimpleNamespace(status=answer.status, headers=answer.headers, body=text)


def test_disk_full_while_packages_are_installed(small_disk):
    disk = small_disk(6)  # more than the environment takes without its packages
    environment = {
        **os.environ,
        "COURSE_VENV": str(disk / "venv"),
        "COURSE_STATE_DIR": str(disk / "state"),
        "TMPDIR": str(disk),  # a computer's only disk, so downloads fill it as well
    }
    done = Course(disk / "state", environment).run("setup")
    assert "the disk is full; free about" in sentence(done)


def test_folder_that_cannot_be_written(course: Course):
    said = sentence(course.run("db", "start", COURSE_STATE_DIR="/proc/nowhere"))
    assert "clone the course into a folder of your own" in said


def test_copies_that_cannot_be_written(course: Course):
    """What a command does as a process of its own says its failures alike."""
    assert "/proc/nowhere" in sentence(
        course.run("lessons", "slides", "00", "--out", "/proc/nowhere")
    )


def test_external_server_that_does_not_answer(course: Course):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = sentence(course.run("setup", MYSQL_HOST="127.0.0.1", MYSQL_PORT=str(port)))
    assert f"No MySQL server answers at 127.0.0.1:{port}" in said
    assert not (course.state / "keeper.json").exists() or course.is_gone(), "nothing is started"


@pytest.mark.parametrize("greeting", [b"SSH-2.0-somebody\r\n", b""])
def test_external_server_that_is_none(course: Course, greeting: bytes):
    """Another program has got the port of a server that is gone, and speaks its own language."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(60)
        address = {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(stranger.getsockname()[1])}
        asking = course.start("setup", **address)
        connection, _ = stranger.accept()
        with connection:
            connection.sendall(greeting)
            connection.shutdown(socket.SHUT_WR)
            _, said = asking.communicate(timeout=60)
    assert asking.returncode == 1 and "Traceback" not in said
    assert "the program that listens there is no MySQL server" in said
    assert f"unset {' '.join(target.NAMES)}" in said


def test_external_server_that_is_gone(course: Course):
    """The cure is a command that does not refuse: MYSQL_* have to go before one of our own can start."""
    said = sentence(course.run("db", "status", MYSQL_HOST="127.0.0.1", MYSQL_PORT="1"))
    assert said.endswith(f"unset {' '.join(target.NAMES)}") and "db start" not in said


def test_external_server_that_refuses_us(course: Course):
    course.run("db", "start")
    wrong = {**course.status.as_environment(), "MYSQL_PASSWORD": "wrong"}
    said = sentence(course.run("step", "pool_demo/step2", **wrong))
    assert "refuses user" in said and "MYSQL_PASSWORD" in said


def test_external_server_with_a_bad_port(course: Course):
    assert "a port is a number" in sentence(course.run("setup", MYSQL_PORT="seven"))


def test_external_server_is_neither_started_nor_stopped(course: Course, tmp_path: Path):
    course.run("db", "start")
    outside = course.status.as_environment()
    for action in ("start", "stop"):
        said = sentence(
            course.run("db", action, **outside, COURSE_STATE_DIR=str(tmp_path / "another"))
        )
        assert "not ours" in said and f"unset {' '.join(outside)}" in said
    assert course.status, "it is still there"


def test_external_server_is_seeded_once_and_never_wiped(course: Course, new_course: Course):
    course.run("db", "start")
    outside = {**course.status.as_environment(), "MYSQL_DATABASE": "another_name"}
    assert course.run("setup", **outside).returncode == 0
    course.sql("insert into another_name.student (name, age, gender) values ('赵丽颖', 21, '女')")
    assert course.run("setup", **outside).returncode == 0
    assert course.sql("select count(*) from another_name.student") == "4"
    assert course.run("db", "reset", **outside).returncode == 0
    assert course.sql("select count(*) from another_name.student") == "3"


def test_data_of_a_newer_version(course: Course):
    course.sql("insert into stu (name, age) values ('小甜甜', 22)")
    stamp = json.loads((course.state / "data.json").read_text("utf-8"))
    (course.state / "data.json").write_text(json.dumps({**stamp, "version": [99, 1]}), "utf-8")
    said = sentence(course.run("db", "start"))
    assert "99.1" in said and "python3 -m course db reset" in said
    done = course.run("db", "reset")
    assert done.returncode == 0 and "data.old.1" in done.stdout
    assert (course.state / "data.old.1").is_dir(), "set aside, not deleted"
    assert course.sql("select count(*) from student") == "3"


def test_server_that_dies_shows_the_tail_of_its_log(course: Course):
    for name in ("ibdata1", "mysql.ibd"):
        if (course.state / "data" / name).exists():
            (course.state / "data" / name).write_bytes(b"not what a server wrote")
    done = course.run("db", "start")
    assert "did not start" in sentence(done)
    assert "ERROR" in done.stderr, "the tail of its log"
    assert eventually(course.is_gone)


def test_server_that_hangs(course: Course):
    """A server that is there and does not answer is named as that; `db stop` ends it all the same."""
    course.run("db", "start")
    pid = course.status.server_pid
    os.kill(pid, 19)
    assert course.run("db", "stop").returncode == 0
    assert not alive(pid)


def nowhere() -> dict[str, str]:
    """Return settings that lead every download to a port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
    return {name: proxy for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")} | {
        "no_proxy": ""
    }


def test_no_network_for_the_packages(tmp_path: Path, course: Course):
    fresh = {"COURSE_VENV": str(tmp_path / "venv"), "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "1"}
    said = sentence(course.run("setup", **fresh, **nowhere()))
    assert "requirements-uv.lock" in said and "no network" in said


def test_no_network_for_uv(tmp_path: Path, course: Course):
    if not (uv := place.state() / "tools/uv").exists():
        pytest.skip("pip has installed this checkout's packages")
    shutil.copytree(uv, course.state / "tools/uv")
    fresh = {"COURSE_VENV": str(tmp_path / "venv"), "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    said = sentence(course.run("setup", **fresh, **nowhere()))
    assert "requirements.lock" in said and "no network" in said


@pytest.fixture
def strange_index(tmp_path: Path) -> Iterator[str]:
    """The address of a package index whose certificate nobody here trusts, as behind a proxy that opens TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = make_certificate(tmp_path)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as index:
        index.handle_error = lambda *_: None  # clients hang up in the handshake
        index.socket = context.wrap_socket(
            index.socket, server_side=True, do_handshake_on_connect=False
        )
        Thread(target=index.serve_forever).start()
        yield f"https://127.0.0.1:{index.server_port}/simple"
        index.shutdown()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_package_index_that_nobody_trusts(
    tmp_path: Path, course: Course, strange_index: str, installer: str
):
    if installer == "uv":
        if not (uv := place.state() / "tools/uv").exists():
            pytest.skip("pip has installed this checkout's packages")
        shutil.copytree(uv, course.state / "tools/uv")
    trusted = ("PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    settings = {
        "COURSE_INSTALLER": installer,
        "COURSE_VENV": str(tmp_path / "venv"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": strange_index,
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
        "UV_NO_CACHE": "1",
        **dict.fromkeys(trusted, ""),
    }
    said = sentence(course.run("setup", **settings))
    assert "has a certificate that nobody here trusts" in said and "in PIP_CERT" in said


def test_no_network_for_the_server(new_course: Course):
    if not shutil.which("apt-get"):
        pytest.skip("the server is fetched with apt")
    if any(
        (Path(folder) / name).exists()
        for folder in ("/usr/sbin", "/usr/local/sbin")
        for name in ("mysqld", "mariadbd")
    ):
        pytest.skip("this system has a server of its own, which the course would use")
    new_course.environment.pop("COURSE_MYSQLD")
    said = sentence(new_course.run("db", "start", **nowhere()))
    assert "no network" in said


def test_unknown_step(course: Course):
    assert "no step is called nonsense" in sentence(course.run("step", "nonsense"))


def test_step_that_could_be_several(course: Course):
    assert "could mean several steps" in sentence(course.run("step", "step"))


def test_settings_of_a_server_that_does_not_run(course: Course):
    assert "db start" in sentence(course.run("db", "env"))
