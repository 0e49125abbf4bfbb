"""The arrows of the house: who may import whom. Every Python file is read, whatever it is for."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter

import pytest

from course.ground.place import ROOT

FOLDERS = ["course", "demos", "bench", "lessons", "tests"]
FILES = [
    file
    for folder in FOLDERS
    for file in sorted((ROOT / folder).rglob("*.py"))
    if "mine" not in file.parts
]


def module_of(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def imported(file):
    """Return the modules of ours that a file imports, wherever in it, also for its types only."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            several = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (several & MODULES.keys()) | (
                {node.module} if several - MODULES.keys() else set()
            )
    return found & MODULES.keys()


@cache
def arrows():
    """Return what each module imports. Reading all files takes seconds, which a worker without these tests need not spend."""
    return {module: imported(file) - {module} for module, file in MODULES.items()}


def is_below(module, folder):
    return module == folder or module.startswith(f"{folder}.")


def wrong(inside, *allowed):
    """Return the arrows from a folder to what is neither allowed nor in the folder itself."""
    return sorted(
        f"{module} -> {other}"
        for module, others in arrows().items()
        if is_below(module, inside)
        for other in others
        if not any(is_below(other, one) for one in (inside, *allowed))
    )


def test_there_is_something_to_look_at():
    assert len(MODULES) > 350
    assert sum(map(len, arrows().values())) > 1000


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("demos.instruments", ["demos.pool_demo.settings"]),
        ("demos.flask_recap", ["demos.instruments"]),
        ("demos.pool_demo", ["demos.instruments"]),
        ("demos.group_chat", ["demos.instruments"]),
        ("demos.private_chat", ["demos.instruments", "demos.pool_demo", "demos.group_chat"]),
        ("course", []),  # it starts demos as processes, and imports none
        ("lessons", ["demos", "course"]),
        ("bench", ["demos", "course.ground"]),
    ],
)
def test_a_folder_imports_only_what_lies_below_it(folder, allowed):
    assert wrong(folder, *allowed) == []


# From the ground up: each imports from those before it, and from itself.
STOREYS = [
    ["course.ground"],
    ["course.database"],
    # What notebooks import.
    ["course.lesson", "course.demo", "course.messenger_client", "course.prediction"],
    ["course.notebooks"],
    ["course.translations"],
    ["course.exercise"],
    ["course.build"],
    ["course.practice"],
    ["course.stage"],
    ["course.verbs"],
    ["course.cli"],
    ["course.__main__"],
]


def storey(module):
    return next(
        (at for at, rooms in enumerate(STOREYS) if any(is_below(module, room) for room in rooms)),
        None,
    )


def test_every_module_of_course_is_on_a_storey():
    here = [module for module in MODULES if is_below(module, "course") and module != "course"]
    assert [module for module in here if storey(module) is None] == []


def test_nothing_in_course_imports_from_above():
    assert [
        f"{module} -> {other}"
        for module, others in arrows().items()
        for other in others
        if is_below(module, "course")
        and storey(other) is not None
        and storey(other) > storey(module)
    ] == []


GROUPS = [
    # Rules know no sockets; what is remembered knows no connection.
    ("demos.group_chat.rules", ["demos.instruments"]),
    ("demos.group_chat.connection", ["demos.instruments", "demos.group_chat.rules"]),
    ("demos.group_chat.memory", ["demos.instruments", "demos.group_chat.rules"]),
    ("demos.group_chat.wire_tap", ["demos.group_chat.connection", "demos.instruments.chinese"]),
    ("demos.pool_demo.lending", ["demos.pool_demo.settings"]),
]


@pytest.mark.parametrize(("room", "allowed"), GROUPS)
def test_a_room_of_a_demo_imports_only_what_lies_below_it(room, allowed):
    assert wrong(room, *allowed) == []


def test_no_step_imports_a_later_one():
    steps = [module for module in MODULES if "step" in module.rpartition(".")[2]]
    late = []
    for module in steps:
        demo, _, name = module.rpartition(".")
        late += [
            f"{module} -> {other}"
            for other in arrows()[module]
            if other.startswith(f"{demo}.step") and other.rpartition(".")[2] > name
        ]
    assert late == []


def test_the_sources_faults_are_imported_by_steps_and_by_each_other_only():
    """Tests, lessons and benchmarks may show them too."""
    found = [
        f"{module} -> {other}"
        for module, others in arrows().items()
        for other in others
        if is_below(module, "demos")
        and ".naive." in other
        and ".naive" not in module
        and not module.rpartition(".")[2].startswith("step")
    ]
    assert found == []


def test_there_is_no_circle():
    TopologicalSorter(arrows()).prepare()  # raises CycleError, which names the circle


def test_the_command_line_needs_the_standard_library_only():
    """It runs before anything is installed: without site-packages everything that it imports is there."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import course.cli"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_room_says_what_lives_there():
    silent = [
        str(file.relative_to(ROOT))
        for file in FILES
        if file.name == "__init__.py"
        and "tests" not in file.parts
        and not (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").strip()
    ]
    assert silent == []
