"""The stage as a process: whom it answers, and that nothing of it is left, however it ends."""

import json
import re
import signal
import socket

import pytest

from tests.support.waiting import eventually

from .stages import Stage, left, opened

CHAT, CHILDREN = "group_chat/step4_nicknames", "pool_demo/step99b_leaves_children"
SEVERAL = "group_chat/step6_several_processes"
PATIENCE = 60.0  # seconds until processes are there, or gone


@pytest.fixture(scope="module")
def stage(tmp_path_factory, prepared, clean_environment):
    running = Stage(tmp_path_factory.mktemp("stage"), prepared, clean_environment)
    yield running
    running.close()


def token(stage: Stage) -> str:
    return re.search(r'data-token="([\w-]+)"', stage.ask("")[1])[1]


def start(stage: Stage, step: str, clients: int = 0) -> int:
    asked = {"step": step, "clients": clients}
    status, said = stage.ask(
        "runs", asked, X_Stage_Token=token(stage), Origin=f"http://{stage.host}"
    )
    assert status == 201, said
    return json.loads(said)["run"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "stage.course.localhost"])
def test_it_answers_to_its_own_names(stage, host):
    status, said = stage.ask("", Host=f"{host}:{stage.port}")
    assert status == 200 and "The stage" in said


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1:1", "ann.course.localhost:{port}", ""],
)
def test_another_name_is_refused(stage, host):
    """A stranger's name that leads to this machine (DNS rebinding) reads nothing, not even the token."""
    status, said = stage.ask("", Host=host.format(port=stage.port))
    assert status in (400, 403) and "data-token" not in said


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://hanxue.course.localhost:8700"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    ],
)
@pytest.mark.parametrize(
    ("path", "body"), [("map", None), ("events", None), ("runs", {"step": CHAT}), ("reset", {})]
)
def test_pages_of_other_origins_are_refused(stage, headers, path, body):
    status, said = stage.ask(path, body, X_Stage_Token=token(stage), **headers)
    assert status == 403, said
    assert "other origins" in said


@pytest.mark.parametrize(
    "given", [{}, {"X_Stage_Token": ""}, {"X_Stage_Token": "guessed"}, {"X_Stage_Token": "é"}]
)
@pytest.mark.parametrize("path", ["runs", "reset", "runs/1/stop", "runs/1/clients"])
def test_without_the_token_nothing_is_changed(stage, path, given):
    status, said = stage.ask(path, {"step": CHAT}, Origin=f"http://{stage.host}", **given)
    assert status == 403, said
    assert not stage.below("demos.")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("runs", {"step": "pool_demo/seed"}, 404),
        ("runs", {"step": "../course/stage"}, 404),
        ("runs", {"step": CHAT, "clients": 5}, 400),
        ("runs", {"step": CHAT, "clients": "two"}, 400),
        ("runs", {"step": CHAT, "clients": True}, 400),
        ("runs", {"step": CHAT, "options": "'"}, 409),
        ("runs", {"step": CHAT, "options": "\0"}, 400),
        ("runs", {"step": CHAT, "options": "\ud800"}, 400),
        ("runs", {"step": CHAT, "options": ["--port"]}, 400),
        ("runs", b"x" * 70_000, 413),
        ("runs", [], 400),
        ("runs", b"[" * 20_000, 400),
        ("runs/77/stop", {}, 404),
        ("steps/nowhere", None, 404),
        ("steps/../../README.md", None, 404),
        ("static/../stage.py", None, 404),
        ("runs/77/plots/0", None, 404),
    ],
)
def test_what_it_does_not_know_is_refused(stage, path, body, status):
    assert stage.ask(path, body, X_Stage_Token=token(stage))[0] == status


@pytest.mark.parametrize("cookie", ["", "stage-{port}=", "stage-{port}=guessed", "stage-1={key}"])
@pytest.mark.parametrize(
    ("path", "body"),
    [("", None), ("map", None), ("events", None), ("?key=guessed", None), ("runs", {"step": CHAT})],
)
def test_another_user_of_this_machine_has_no_key(stage, cookie, path, body):
    cookie = cookie.format(port=stage.port, key=stage.key)
    status, said = stage.ask(path, body, Cookie=cookie, X_Stage_Token=token(stage))
    assert status == 403 and "printed in the terminal" in said
    assert "data-token" not in said


def test_the_key_is_a_file_that_only_its_owner_reads_and_it_stays(stage):
    file = stage.course.state / "stage.key"
    assert file.read_text("utf-8") == stage.key
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_listens_on_loopback_only(stage):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", stage.port), 5).close()


def test_it_shows_nothing_of_its_own_in_frames_of_others(stage):
    _, page = stage.ask("")
    assert "://" not in re.sub(r"http://www\.w3\.org/2000/svg", "", page), (
        "no other machine is named"
    )


def test_a_second_run_of_a_running_step_is_refused(stage):
    run = start(stage, CHAT)
    again = stage.ask("runs", {"step": CHAT}, X_Stage_Token=token(stage))
    assert again[0] == 409 and "runs already" in json.loads(again[1])["error"]
    assert stage.ask(f"runs/{run}/stop", {}, X_Stage_Token=token(stage))[0] == 200
    assert eventually(lambda: not stage.below("demos."), PATIENCE)


@pytest.mark.parametrize("victim", ["the command", "its server", "both", "SIGTERM"])
def test_nothing_is_left_however_it_ends(tmp_path, prepared, clean_environment, kill, victim):
    running = Stage(tmp_path, prepared, clean_environment)
    start(running, CHAT, 1)
    start(running, CHILDREN)
    several = victim == "both"  # which leaves them to themselves
    if several:
        start(running, SEVERAL, 1)
    assert eventually(lambda: len(running.below("wire_tap")) == 1 + several, PATIENCE)
    assert eventually(lambda: len(running.below("group_chat.chat")) == 2 * several, PATIENCE)
    assert eventually(lambda: len(running.below("time.sleep(600)")) == 2, PATIENCE)
    pids, (server,) = running.pids, running.below("course.stage ")
    if victim == "SIGTERM":
        running.process.send_signal(signal.SIGTERM)
    if victim in ("its server", "both"):
        kill(server)
    if victim in ("the command", "both"):
        kill(running.process.pid)
    running.process.communicate(timeout=60)
    assert eventually(lambda: not left(pids), PATIENCE), left(pids)
    if victim == "its server":
        assert running.process.returncode == 1


def test_a_port_that_is_taken_is_one_sentence(course):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = course.run("stage", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot be used" in done.stderr and "Traceback" not in done.stderr


def test_the_usual_port_taken_means_another_one(course):
    from course.stage.web import USUAL_PORT

    try:
        taken = socket.create_server(("127.0.0.1", USUAL_PORT))
    except OSError:
        taken = None  # somebody has it already, which serves as well
    process = course.start("stage")
    said = opened(process)
    for _ in range(50):  # somebody impatient; whatever it does at each of these moments, it ends
        process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=60)
    finally:
        process.kill()
    if taken:
        taken.close()
    assert f":{USUAL_PORT}/" not in said and process.returncode == 0
