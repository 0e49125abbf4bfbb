"""README, CONTRIBUTING and the files for other machines say what is true."""

import json
import re

import yaml

from course import place

SECTIONS = [f"A{number}" for number in range(13)] + [f"B{number}" for number in range(1, 8)]


def read(name: str) -> str:
    return (place.ROOT / name).read_text("utf-8")


def test_course_map_has_one_row_for_each_section():
    rows = re.findall(r"^\| ([AB]\d+) \|", read("README.md"), re.MULTILINE)
    # The table of departures names sections too; the map comes first.
    assert rows[: len(SECTIONS)] == SECTIONS


def test_every_step_is_in_the_course_map():
    page = read("README.md")
    steps = [file.relative_to(place.ROOT) for file in place.ROOT.glob("demos/*/step*.py")]
    assert steps
    assert [str(step) for step in steps if f"({step})" not in page] == []


def test_compose_waits_for_tcp():
    service = yaml.safe_load(read("compose.yaml"))["services"]["mysql"]
    assert service["image"] == "mysql:8.4"
    assert "--protocol=tcp" in service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), (
        "never visible from another machine"
    )


def test_workflow_covers_every_python_and_server():
    jobs = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]
    matrix = jobs["services"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert matrix["database"] == ["mysql:8.4", "mysql:9", "mariadb:10.11", "mariadb:11.8"]
    assert {entry["database"] for entry in matrix["include"]} == set(matrix["database"])
    assert "services" not in jobs["two-commands"]


def test_dev_container_and_binder_use_what_is_there():
    container = json.loads(read(".devcontainer/devcontainer.json"))
    assert container["postCreateCommand"] == "python3 -m course setup --test"
    assert (place.ROOT / ".binder" / read(".binder/requirements.txt").split()[1]).exists()


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
