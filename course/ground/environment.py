"""The virtual environment `.venv`: exactly the hashed versions of the lock files.

It is made once and stamped; a warm start compares stamps and starts no process. A moved folder, another Python
or a changed lock file makes the stamp wrong, and the next command mends what is needed.
"""

import atexit
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from course.ground import locks, packages, place, say, tether, together
from course.ground.errors import CourseError

COURSE, TEST = "requirements.lock", "requirements-test.lock"
BENCH, BENCH_C = "requirements-bench.lock", "requirements-bench-c.lock"

LAB_SETTINGS = {
    # JupyterLab asks at its first start whether to fetch news; a classroom may be offline.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # The start page and the glossary are there to be read.
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    # Light or dark as the reader's system is; the pictures of the lessons follow.
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
}

# The other dress of notebooks is not served (course/verbs/lab.py), so no button leads to it.
LAB_PAGE = {"disabledExtensions": {"@jupyter-notebook/lab-extension": True}}

# A kernel that starts explains what a student can meet before a lesson's tools are there.
KERNEL_SETTINGS = """c = get_config()
c.InteractiveShellApp.extensions = ["course.ground.kernel"]
"""

COURSE_COMMAND = """#!/bin/sh
exec "$(dirname "$0")/python3" -m course "$@"
"""


def ensure(*lock_names: str) -> None:
    """Make `.venv` hold what the lock files say (default: what a course user needs).

    Raises:
        CourseError: no pip to be had, no network, disk full, or a package that does not match its hash.
    """
    wanted = _wanted(lock_names)
    if _is_current(wanted):
        return
    with locks.alone(
        place.state() / "setup.lock", "Another course command is setting up; waiting for it."
    ):
        if not _is_current(wanted):
            _build(wanted)


def run(module: str, *arguments: str) -> int:
    """Run one of our modules with the environment's Python; return the exit code.

    Raises:
        CourseError: see `ensure`.
    """
    ensure()
    command = [str(place.venv_python()), "-m", module, *arguments]
    # Where the terminal lacks Chinese letters the module shows escapes.
    mine = {**os.environ, "PYTHONIOENCODING": ":backslashreplace"}
    return subprocess.run(command, cwd=place.ROOT, env=mine, check=False).returncode


def missing(*lock_names: str) -> list[str]:
    """Return what `ensure` would do, as short phrases; empty when all is in place."""
    stamp = _stamp()
    if not _is_usable(stamp):
        return [f"no usable {place.shown(place.venv())}"]
    if stamp.get("files") != _files():
        return ["its settings are of another version of the course"]
    return [f"{name} is not installed" for name in lacking(*lock_names)]


def lacking(*lock_names: str) -> list[str]:
    """Return the lock files whose packages `ensure` would install."""
    wanted, stamp = _wanted(lock_names), _stamp()
    done = stamp["locks"] if _is_usable(stamp) else {}
    return [name for name, digest in wanted.items() if done.get(name) != digest]


def _wanted(lock_names: tuple[str, ...]) -> dict[str, str]:
    """Return the digest of each lock file that is asked for; the course's own always is."""
    files = {name: place.ROOT / name for name in (COURSE, *lock_names)}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def _stamp() -> dict[str, Any]:
    return place.record(place.venv() / "course.json")


def _identity() -> dict[str, str]:
    # A virtual environment works only where it was made, and only with the Python it was made for.
    return {"path": place.text(place.venv()), "python": place.text(place.venv_python().resolve())}


def _files() -> str:
    """Return a digest of the files that `_finish` writes."""
    return hashlib.sha256(
        repr((LAB_SETTINGS, LAB_PAGE, KERNEL_SETTINGS, COURSE_COMMAND, _path_file(b""))).encode()
    ).hexdigest()


def _is_usable(stamp: dict[str, Any]) -> bool:
    return place.venv_python().exists() and all(
        stamp.get(key) == value for key, value in _identity().items()
    )


def _is_current(wanted: dict[str, str]) -> bool:
    stamp = _stamp()
    return (
        _is_usable(stamp)
        and stamp.get("files") == _files()
        and all(stamp["locks"].get(name) == digest for name, digest in wanted.items())
    )


def _build(wanted: dict[str, str]) -> None:
    folder, stamp = place.venv(), _stamp()
    try:
        if stamp and not _is_usable(stamp):
            say.note(f"{place.shown(folder)} was moved or its Python is gone: making it again.")
            shutil.rmtree(folder)
            stamp = {}
        _create(folder)
        done = stamp.get("locks", {})
        if new := {name: digest for name, digest in wanted.items() if done.get(name) != digest}:
            packages.install([*new])
            done |= new
        _finish(folder)
        _warm_up()
        file = folder / "course.json.new"
        file.write_text(json.dumps({**_identity(), "files": _files(), "locks": done}), "utf-8")
        file.replace(folder / "course.json")
    except OSError as error:
        raise CourseError(
            f"{place.shown(folder)} cannot be made ({error}): {packages.cure(str(error))}."
        ) from None


def _create(folder: Path) -> None:
    if place.venv_python().exists():
        return
    python = Path(getattr(sys, "_base_executable", None) or sys.executable)
    if importlib.util.find_spec("venv"):
        command = [str(python), "-I", "-m", "venv", "--without-pip", str(folder)]
        done = together.run(command)
        if done.returncode != 0:
            said = done.stdout + done.stderr
            raise CourseError(
                f"{place.shown(folder)} cannot be made: {packages.cure(said)}.", said[-800:]
            )
        return
    # A Python stripped of its venv module still understands the three things that make an environment.
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "lib" / library / "site-packages").mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    place.venv_python().symlink_to(python)
    (folder / "pyvenv.cfg").write_bytes(
        b"home = " + os.fsencode(python.parent) + b"\ninclude-system-site-packages = false\n"
    )


def _warm_up() -> None:
    """Let Matplotlib list the machine's fonts now, beside the rest, and not in the middle of somebody's first plot."""
    listing = tether.start(
        [place.venv_python(), "-c", "import os; os.nice(10); import matplotlib.font_manager"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    @atexit.register
    def finish() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            listing.wait()


def _purelib() -> Path:
    """Return where that Python looks for packages; conda has more than one folder of the likely name."""
    asked = "import os, sys, sysconfig; print(os.path.relpath(sysconfig.get_path('purelib'), sys.prefix))"
    done = together.run([place.venv_python(), "-I", "-c", asked])
    if done.returncode != 0:
        raise CourseError(
            f"the Python of {place.shown(place.venv())} does not run: remove that folder and run the same command "
            "again.",
            done.stderr[-800:],
        )
    return place.venv() / done.stdout.strip()


def _path_file(root: bytes) -> str:
    """Return what every Python of the environment does first: the repo is on its path, Matplotlib writes into `.course`."""
    # As bytes: whichever encoding a terminal has when this line is read, it is the same folder.
    folders = f"root = os.fsdecode({root!r})"
    matplotlib = "os.path.join(os.environ.get('COURSE_STATE_DIR') or os.path.join(root, '.course'), 'matplotlib')"
    return (
        f"import os, sys; {folders}; sys.path.append(root); "
        f"os.environ.setdefault('MPLCONFIGDIR', os.path.abspath({matplotlib}))\n"
    )


def _finish(folder: Path) -> None:
    """Make `course` and the demos importable in any folder, and JupyterLab quiet and offline."""
    (_purelib() / "course-repo.pth").write_text(_path_file(os.fsencode(place.ROOT)), "ascii")
    command = folder / "bin" / "course"
    command.write_text(COURSE_COMMAND, "ascii")
    command.chmod(0o755)
    settings = folder / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(LAB_SETTINGS), "utf-8")
    settings = folder / "etc" / "jupyter" / "labconfig"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "page_config.json").write_text(json.dumps(LAB_PAGE), "utf-8")
    settings = folder / "etc" / "ipython"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS, "ascii")
