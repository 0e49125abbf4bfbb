"""README, CONTRIBUTING and the files for other machines say what is true."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import yaml

from course import cli
from course.ground import place
from course.stage import web
from course.verbs import lab
from tests.course.conftest import Course
from tests.support.nginx import BINDER, CODESPACES


def read(name: str) -> str:
    return (place.ROOT / name).read_text("utf-8")


def test_compose_waits_for_tcp():
    service = yaml.safe_load(read("compose.yaml"))["services"]["mysql"]
    assert service["image"] == "mysql:8.4"
    assert "--protocol=tcp" in service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), (
        "never visible from another machine"
    )


def test_workflow_covers_every_server_the_suite_and_macos():
    jobs = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]
    matrix = jobs["services"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.14"]
    assert matrix["database"] == ["mysql:8.4", "mysql:9", "mariadb:10.11", "mariadb:11.8"]
    assert {entry["database"] for entry in matrix["include"]} == set(matrix["database"])
    assert "services" not in jobs["two-commands"]
    assert jobs["macos"]["runs-on"] == "macos-latest"
    commands = {
        name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()
    }
    # Style and types are looked at once.
    assert [name for name in jobs if "python3 -m course test" in commands[name]] == ["two-commands"]
    for name in ("services", "macos"):
        (tests,) = [run for run in commands[name] if " -m pytest " in run]
        files = re.findall(r"tests/\S+", tests)
        assert files
        assert all((place.ROOT / file).exists() for file in files)


def test_dev_container_uses_what_is_there():
    container = json.loads(read(".devcontainer/devcontainer.json"))
    for verb in ("updateContentCommand", "postStartCommand"):
        python, dash_m, course, *arguments = shlex.split(container[verb])
        assert (python, dash_m, course) == ("python3", "-m", "course")
        cli._parser().parse_args(arguments)
    assert set(container["forwardPorts"]) == {lab.USUAL_PORT, web.USUAL_PORT, 5000}
    settings = container["customizations"]["vscode"]["settings"]
    assert container["containerEnv"].keys() == {"COURSE_STATE_DIR", "COURSE_VENV", "COURSE_PROXY"}
    assert container["containerEnv"]["COURSE_PROXY"] == CODESPACES["COURSE_PROXY"]
    python = Path(settings["python.defaultInterpreterPath"])
    assert python.parent.parent == Path(container["containerEnv"]["COURSE_VENV"])


def test_binder_builds_and_starts(course: Course, tmp_path: Path):
    """Both of Binder's scripts run on a copy of the checkout, beside packages that are here already."""
    home, prefix = tmp_path / "binder", tmp_path / "prefix"
    unwanted = shutil.ignore_patterns("__pycache__", "mine")
    for part in (".binder", "course", "demos", "lessons", "sql"):
        shutil.copytree(place.ROOT / part, home / part, ignore=unwanted)
    for file in [
        place.ROOT / "pyproject.toml",
        place.ROOT / "course.toml",
        *place.ROOT.glob("requirements*.lock"),
    ]:
        shutil.copy(file, home)
    environment = {
        **course.environment,
        "COURSE_VENV": str(place.venv()),
        "NB_PYTHON_PREFIX": str(prefix),
        "PATH": os.pathsep.join([str(place.venv() / "bin"), os.environ["PATH"]]),
    }

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(home / ".binder/postBuild")
    assert list((home / "lessons/mine").glob("*.ipynb"))
    kernel = json.loads((prefix / "share/jupyter/kernels/python3/kernel.json").read_text("utf-8"))
    assert f"export COURSE_PROXY='{BINDER['COURSE_PROXY']}'" in read(".binder/start").splitlines()
    # What a notebook would run in that kernel, once Binder has started its own server.
    code = "from course.lesson import ready; ready(); print('ready')"
    said = run(home / ".binder/start", kernel["argv"][0], "-c", code)
    assert said.endswith("ready\n")
    run("python3", "-m", "course", "db", "stop")


def test_lock_files_hold_hashes_and_no_address():
    names = sorted(file.name for file in place.ROOT.glob("requirements*.lock"))
    assert "requirements.lock" in names and "requirements-bench.lock" in names
    for name in names:
        lines = read(name).splitlines()
        assert not [line for line in lines if "://" in line]
        packages = [line for line in lines if not line.startswith(" ")]
        assert packages
        assert all(re.match(r"[\w.-]+(\[\w+\])?==[\w.]+ ", line) for line in packages)
        assert sum("--hash=sha256:" in line for line in lines) >= len(packages)


def test_every_dependency_says_why():
    for line in read("pyproject.toml").splitlines():
        if re.match(r'    "[A-Za-z][\w.\[\]-]*>=', line):
            assert re.search(r"# \w+", line), line


def test_promises_name_tests_that_are_there():
    known = {
        name
        for file in (place.ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    for page in (place.ROOT / "docs").glob("promises*.md"):
        named = set(re.findall(r"`(test_\w+)`", page.read_text("utf-8")))
        assert named and named <= known, (page.name, named - known)
