"""`python3 -m course`: JupyterLab and the database come up together and go together."""

import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from course.database import keeper
from course.ground import place
from course.notebooks import start_page, trust
from course.verbs import lab
from tests.support.processes import alive, descendants
from tests.support.waiting import eventually, within

from .conftest import Course, copy_of, read_until


class Running:
    """A running `python3 -m course`."""

    def __init__(self, course: Course, **environment: str):
        self.course = course
        self.process = course.start("--port", str(keeper.free_port()), **environment)
        self.said = read_until(self.process, "Ctrl-C")
        found = re.search(r"(http://127\.0\.0\.1:\d+)/lab/tree/start\.md\?token=(\S+)", self.said)
        assert found, self.said
        self.url, self.token = found.groups()
        self.pids = [
            *descendants(self.process.pid),
            course.status.keeper_pid,
            course.status.server_pid,
        ]

    def get(self, path: str, token: str = "") -> int:
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"token {token or self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def start_kernel(self) -> int:
        """Start a kernel and return its process."""
        request = urllib.request.Request(
            self.url + "/api/kernels", data=b"{}", headers={"Authorization": f"token {self.token}"}
        )
        before = set(descendants(self.process.pid))
        with urllib.request.urlopen(request, timeout=60):
            pass
        assert eventually(lambda: set(descendants(self.process.pid)) - before)
        (pid, *_) = set(descendants(self.process.pid)) - before
        return pid


@pytest.fixture
def running(course: Course):
    started = Running(course)
    yield started
    started.process.kill()  # all that it has started ends with it
    started.process.communicate(timeout=60)


def stop(running: Running, number: signal.Signals) -> str:
    """Send a signal; return what is said to it. Nothing of JupyterLab is left, nor is what it started."""
    started = [*descendants(running.process.pid), running.start_kernel()]
    running.process.send_signal(number)
    _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 0, errors
    assert not any(map(alive, started))
    return errors


def test_it_prints_what_a_user_needs_until_ctrl_c_stops_everything_in_order(running: Running):
    status = running.course.status
    assert f"127.0.0.1:{status.port}" in running.said
    assert "python3 -m course db shell" in running.said
    assert running.get("/lab") == 200
    assert running.get("/api/contents/", "wrong") == 403
    assert running.course.sql("select count(*) from student") == "3"
    errors = stop(running, signal.SIGINT)
    assert errors.index("JupyterLab is stopped") < errors.index("The database is stopped")
    assert not any(map(alive, running.pids))


def test_kill_9_leaves_nothing(running: Running, kill):
    kernel = running.start_kernel()
    kill(running.process.pid)
    assert eventually(lambda: not any(map(alive, [*running.pids, kernel])))


def test_database_that_died_is_started_again_until_sigterm_stops_everything_in_order(
    running: Running, kill
):
    before = running.course.status
    kill(before.server_pid)

    def is_new():
        now = running.course.status
        return now and now.server_pid != before.server_pid

    assert eventually(is_new, seconds=60)
    assert running.course.status.port == before.port
    assert running.course.sql("select count(*) from student") == "3"
    errors = stop(running, signal.SIGTERM)
    assert errors.index("JupyterLab is stopped") < errors.index("The database is stopped")
    assert running.course.is_gone()


def test_database_that_somebody_stopped_stays_stopped_and_sighup_stops_the_rest(running: Running):
    running.course.run("db", "stop")
    heard = iter(running.process.stderr.readline, "")
    assert within(60, lambda: any("db start" in line for line in heard))
    assert running.course.is_gone()
    assert running.course.run("db", "start").returncode == 0, "until somebody starts it again"
    stop(running, signal.SIGHUP)
    assert running.course.status, "whose server it is now"


def test_lab_that_dies_is_said(running: Running, kill):
    kill(running.pids[0])
    _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert "JupyterLab ended by itself" in errors and "Traceback" not in errors
    assert running.course.is_gone()


def test_the_browser_opens_on_the_start_page_and_opening_a_lesson_changes_nothing(
    running: Running, new_page
):
    signed = running.course.state / "jupyter" / "data" / "looked_at.json"
    assert eventually(signed.exists, seconds=60)
    lesson, mine = (
        place.ROOT / "lessons/06_open_a_websocket.ipynb",
        place.mine() / ("01_recap_flask.ipynb"),
    )
    before = lesson.read_bytes(), mine.read_bytes()
    page = new_page(f"{running.url}/?token={running.token}")
    start = page.locator(".jp-MarkdownViewer")
    expect(start.get_by_role("heading", name="The map")).to_be_visible()

    # What a student has no use for is not listed.
    listed = page.locator(".jp-DirListing-itemText")
    expect(listed.filter(has_text="06_open_a_websocket")).to_be_visible()
    assert not {"authors", "LICENSE", "README.md"} & set(listed.all_inner_texts())

    # Links lead on inside JupyterLab: to an exercise at its heading, and to a lesson.
    start.get_by_role("link", name="1.1 A view").click()
    expect(page.get_by_role("heading", name="1.1 A view")).to_be_in_viewport()
    until_idle(page)
    tab(page, "start.md").click()
    start.get_by_role("link", name="Start the finished messenger").click()  # far down its notebook
    expect(page.get_by_role("heading", name=start_page.messenger())).to_be_in_viewport(ratio=1)
    tab(page, "start.md").click()
    start.get_by_role("link", name="06 Open a WebSocket").click()
    opened = page.locator(".jp-NotebookPanel:visible")
    expect(opened.get_by_role("heading", name="Open a WebSocket")).to_be_visible()
    until_idle(page)

    # Pictures of the authors' part are there; drawings are, before anything has run, as far as the lesson is as git has it.
    pictures = opened.locator(".jp-MarkdownOutput img")
    expect(pictures.first).to_have_js_property("complete", True)
    assert pictures.evaluate_all("all => all.map(one => one.naturalWidth)").count(0) == 0
    if lesson in trust.trusted():
        expect(page.get_by_title("Notebook trusted")).to_be_visible()
        drawing = opened.locator(".jp-RenderedSVG").first
        for _ in range(60):  # cells far below are drawn when they come near
            if drawing.count():
                break
            opened.locator(".jp-WindowedPanel-outer").evaluate("it => it.scrollBy(0, 400)")
            page.wait_for_timeout(100)
        expect(drawing.locator("svg, img")).to_be_visible()

    # Names in prose, code and outputs have Chinese letters, whatever fonts the machine has.
    assert running.get("/static/letters.ttf") == 200
    fonts = "[...document.fonts].map(one => one.family.replaceAll('\"', ''))"
    assert "Course Han" in page.evaluate(fonts)
    for kind in (".jp-RenderedMarkdown", ".jp-InputArea-editor .cm-content"):
        used = opened.locator(kind).first.evaluate("one => getComputedStyle(one).fontFamily")
        assert used.replace('"', "").startswith("Own Han, Course Han, "), kind

    # Nothing is to be saved.
    assert page.locator(".lm-TabBar-tab.jp-mod-dirty").all_inner_texts() == []
    assert (lesson.read_bytes(), mine.read_bytes()) == before

    # A page that was written anew is read anew when its tab comes to the front. Other tests start the course meanwhile,
    # which writes the page as it was.
    new = start.get_by_role("heading", name="The new map")

    def is_read_anew() -> bool:
        text = start_page.file().read_text("utf-8")
        start_page.file().write_text(text.replace("## The map", "## The new map"), "utf-8")
        tab(page, lesson.name).click()
        tab(page, "start.md").click()
        page.wait_for_timeout(500)
        return new.is_visible()

    try:
        assert eventually(is_read_anew, seconds=60)
    finally:
        start_page.write()


def tab(page, name: str):
    """Return the tab of a document."""
    return page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(has_text=name)


def until_idle(page) -> None:
    """Wait until the kernel of the notebook in front has said who it is, and has nothing to do."""
    status = page.locator(".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator")
    expect(status).to_have_attribute("data-status", "idle")


def test_usual_port_taken_means_another_one_and_a_sentence(course: Course):
    try:
        taken = socket.create_server(("127.0.0.1", lab.USUAL_PORT))
    except OSError:
        taken = None  # somebody has it already, which serves as well
    process = course.start()
    try:
        line = within(60, process.stderr.readline)
        assert f"Port {lab.USUAL_PORT} is taken" in line
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        if taken:
            taken.close()


def test_three_checkouts_at_once_find_three_ports(
    tmp_path: Path, prepared: Path, clean_environment: dict[str, str]
):
    """Each asks whether the usual port is free, and a moment later two find it taken."""
    started = []
    for name in ("one", "two", "three"):
        state = copy_of(prepared, tmp_path / name / ".course")
        started.append(Course(state, {**clean_environment, "COURSE_STATE_DIR": str(state)}).start())
    try:
        said = [read_until(process, "Ctrl-C") for process in started]
        addresses = {re.search(r"http://127\.0\.0\.1:\d+/lab", text)[0] for text in said}
        assert len(addresses) == 3
    finally:
        for process in started:
            process.send_signal(signal.SIGINT)
        for process in started:
            process.communicate(timeout=60)


@pytest.mark.timeout(1500)  # it installs everything
def test_fresh_clone_runs_with_the_two_commands(tmp_path: Path, clean_environment: dict[str, str]):
    """The README's two commands, as a new user types them, in a folder with a space and Chinese letters."""
    home = tmp_path / "neuer Kurs 课程"
    subprocess.run(["git", "clone", "--quiet", place.ROOT, home], check=True, timeout=60)
    # What is not committed yet belongs to what is tested.
    changed = subprocess.run(
        ["git", "ls-files", "-z", "--modified", "--others", "--exclude-standard"],
        cwd=place.ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for name in filter(None, changed.stdout.split("\0")):
        if (place.ROOT / name).exists():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place.ROOT / name, home / name)
        else:
            (home / name).unlink(missing_ok=True)
    if (types := place.ROOT / ".mypy_cache").exists():  # what mypy has found out is the same there
        shutil.copytree(types, home / types.name)
    environment = {
        name: value for name, value in clean_environment.items() if name != "COURSE_MYSQLD"
    }
    environment |= {"VIRTUAL_ENV": "", "LC_ALL": "C"}

    process = subprocess.Popen(
        ["python3", "-m", "course"],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    said = read_until(process, "Ctrl-C", seconds=1000)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "/lab/tree/start.md?token=" in said

    # Two files of the suite: one reads settings, one needs the suite's own server.
    some = [f"tests/pool_demo/test_{name}.py" for name in ("settings", "witness")]
    done = subprocess.run(
        ["python3", "-m", "course", "test", *some, "-n", "0"],
        cwd=home,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=1000,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* passed|\.\.\.", done.stdout)
    # From any folder inside, in a terminal that knows ASCII only: the package's path, or the
    # activated environment.
    environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for command in (
        ["python3", "../../course"],
        [home / ".venv/bin/python3", "-m", "course"],
        [home / ".venv/bin/course"],
    ):
        listed = subprocess.run(
            [*command, "step"],
            cwd=home / "demos/pool_demo",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "step2_borrow_and_return" in listed.stdout, listed.stderr
