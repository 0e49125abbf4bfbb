"""The virtual environment `.venv`: exactly the hashed versions of the lock files.

It is made once and stamped; a warm start compares stamps and starts no process. A moved folder, another Python
or a changed lock file makes the stamp wrong, and the next command mends what is needed.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from course import debian, locks, place, say
from course.errors import CourseError

COURSE, TEST = "requirements.lock", "requirements-test.lock"
BENCH, BENCH_C = "requirements-bench.lock", "requirements-bench-c.lock"

# JupyterLab asks at its first start whether to fetch news; a classroom may be offline.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
}

# A kernel that starts explains what a student can meet before a lesson's tools are there.
KERNEL_SETTINGS = """c = get_config()
c.InteractiveShellApp.extensions = ["course.kernel"]
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


def missing(*lock_names: str) -> list[str]:
    """Return what `ensure` would do, as short phrases; empty when all is in place."""
    wanted = _wanted(lock_names)
    stamp = _stamp()
    if not _is_usable(stamp):
        return [f"no usable {place.shown(place.venv())}"]
    if stamp.get("files") != _files():
        return ["its settings are of another version of the course"]
    return [
        f"{name} is not installed" for name in wanted if stamp["locks"].get(name) != wanted[name]
    ]


def _wanted(lock_names: tuple[str, ...]) -> dict[str, str]:
    """Return the digest of each lock file that is asked for; the course's own always is."""
    files = {name: place.ROOT / name for name in (COURSE, *lock_names)}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def _stamp() -> dict:  # type: ignore[type-arg]  # JSON
    try:
        stamp = json.loads((place.venv() / "course.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _identity() -> dict[str, str]:
    # A virtual environment works only where it was made, and only with the Python it was made for.
    return {"path": place.text(place.venv()), "python": place.text(place.venv_python().resolve())}


def _files() -> str:
    """Return a digest of the files that `_finish` writes."""
    return hashlib.sha256(
        repr((LAB_SETTINGS, KERNEL_SETTINGS, COURSE_COMMAND)).encode()
    ).hexdigest()


def _is_usable(stamp: dict) -> bool:  # type: ignore[type-arg]  # JSON
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
        for name, digest in wanted.items():
            if done.get(name) != digest:
                _install(place.ROOT / name)
                done[name] = digest
        _finish(folder)
        _warm_up()
        new = folder / "course.json.new"
        new.write_text(json.dumps({**_identity(), "files": _files(), "locks": done}), "utf-8")
        new.replace(folder / "course.json")
    except OSError as error:
        raise CourseError(
            f"{place.shown(folder)} cannot be made ({error}): {_cure(str(error))}."
        ) from None


def _create(folder: Path) -> None:
    if place.venv_python().exists():
        return
    python = Path(getattr(sys, "_base_executable", None) or sys.executable)
    if importlib.util.find_spec("venv"):
        command = [str(python), "-I", "-m", "venv", "--without-pip", str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            raise CourseError(
                f"{place.shown(folder)} cannot be made: {_cure(done.stderr)}.", done.stderr
            )
        return
    # A Python stripped of its venv module still understands the three things that make an environment.
    packages = (
        folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    )
    packages.mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    place.venv_python().symlink_to(python)
    (folder / "pyvenv.cfg").write_bytes(
        b"home = " + os.fsencode(python.parent) + b"\ninclude-system-site-packages = false\n"
    )


def _install(lock_file: Path) -> None:
    text = lock_file.read_text("utf-8")
    total = sum("==" in line and not line.startswith(" ") for line in text.splitlines())
    command = [
        *_pip(),
        "install",
        "--require-hashes",
        "--no-deps",
        "--no-input",
        "--disable-pip-version-check",
        "--no-warn-script-location",
        "--progress-bar=off",
        "--no-compile",  # takes a third of the time; Python compiles what is imported, and only that
        "-r",
        lock_file,
    ]
    output: list[str] = []
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PIP_USER", "PIP_TARGET")
    }
    with say.progress(f"Installing the Python packages of {lock_file.name}", total) as progress:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        ) as pip:
            assert pip.stdout
            for line in pip.stdout:
                output.append(line)
                if line.startswith(("Collecting ", "Requirement already", "Ignoring ")):
                    progress.advance(line.split()[1].rstrip(":") if line.startswith("Coll") else "")
                elif line.startswith("Installing collected"):
                    progress.advance("unpacking")
        if pip.returncode != 0:
            tail = "".join(line for line in output if not line.startswith("WARNING: Retrying"))
            raise CourseError(
                f"pip could not install {lock_file.name}: {_cure(''.join(output))}.",
                "\n".join(tail.splitlines()[-8:]),
            )


def _cure(output: str) -> str:
    """Turn what failed into cause and cure, in words that end the sentence."""
    causes = {
        "No space left on device": "the disk is full; free about 700 MB and run the same command again",
        "Disk quota exceeded": "your disk quota is used up; free about 700 MB and run the same command again",
        "Permission denied": "the folder is not writable for you; clone the course into a folder of your own",
        "Read-only file system": "the folder is not writable; clone the course into a folder of your own",
        "DO NOT MATCH THE HASHES": "a downloaded file is not the one that was recorded, so nothing was trusted; "
        "check the network's proxy and run the same command again",
        "Failed to establish a new connection": "no network; connect and run the same command again "
        "(only the first start needs it)",
        "No matching distribution found": "the package index has no such version or cannot be reached; connect, "
        "or check pip's own settings with `pip config list`, and run the same command again",
    }
    for sign, cure in causes.items():
        if sign.lower() in output.lower():
            return cure
    return "see the lines below, mend that and run the same command again"


def _pip() -> list[str | Path]:
    """Return the start of a pip command for `.venv`, wherever a pip can be found on this machine."""
    python: list[str | Path] = [place.venv_python(), "-I", "-X", "utf8"]
    if list(place.venv().glob("lib/python*/site-packages/pip/__main__.py")):
        return [*python, "-m", "pip"]
    for folder in _wheel_folders():
        for wheel in sorted(folder.glob("pip-*.whl"), reverse=True):
            return [*python, wheel / "pip"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-X", "utf8", "-m", "pip", "--python", place.venv_python()]
    tools = debian.unpack(
        ["python3-pip-whl"], place.state() / "tools/pip", "pip (Debian's wheel of it)"
    )
    for wheel in tools.glob("usr/share/python-wheels/pip-*.whl"):
        return [*python, wheel / "pip"]
    raise CourseError(
        "this Python has no pip and none could be fetched: install it "
        "(Debian, Ubuntu: apt-get install python3-venv) and run the same command again."
    )


def _wheel_folders() -> list[Path]:
    # CPython ships a pip wheel inside ensurepip; Debian and Ubuntu keep theirs in a package of its own.
    folders = [
        Path("/usr/share/python-wheels"),
        place.state() / "tools/pip/usr/share/python-wheels",
    ]
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.origin:
        folders.insert(0, Path(spec.origin).parent / "_bundled")
    return folders


def _warm_up() -> None:
    """Let matplotlib list the machine's fonts now, not in the middle of somebody's first plot."""
    subprocess.run(
        [place.venv_python(), "-c", "import matplotlib.font_manager"],
        capture_output=True,
        check=False,
    )


def _finish(folder: Path) -> None:
    """Make `course` and the demos importable in any folder, and JupyterLab quiet and offline."""
    (packages,) = folder.glob("lib/python*/site-packages")
    # As bytes: whichever encoding a terminal has when this line is read, it is the same folder.
    line = f"import os, sys; sys.path.append(os.fsdecode({os.fsencode(place.ROOT)!r}))\n"
    (packages / "course-repo.pth").write_text(line, "ascii")
    command = folder / "bin" / "course"
    command.write_text(COURSE_COMMAND, "ascii")
    command.chmod(0o755)
    settings = folder / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(LAB_SETTINGS), "utf-8")
    settings = folder / "etc" / "ipython"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS, "ascii")
