"""What a lock file names, put into the virtual environment: by uv, or by pip where uv does not run.

uv itself comes as a hashed wheel that pip downloads (`requirements-uv.lock`), from wherever pip is configured to
look, and asks there too. It installs in seconds what takes pip a minute, and is the tool that writes the lock files.
COURSE_INSTALLER=pip does without it.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from course.ground import debian, language, pip_settings, place, say, together
from course.ground.errors import CourseError

UV_LOCK = "requirements-uv.lock"

# MB to download and MB on disk, on Linux; of the other lock files what they add to the first one.
UV_SIZE = (17, 38)
SIZES = {"requirements.lock": (111, 333), "requirements-test.lock": (75, 260)}

# Settings of the user's own pip that are about other environments than ours.
PIP_NAMES = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_REQUIREMENT",
    "PIP_DEST",
    "PIP_PYTHON",
    "PIP_NO_DEPS",
    "PIP_DRY_RUN",
    "PIP_LOG",
)

CERTIFICATE = (
    "the package index has a certificate that nobody here trusts (a proxy may have put its own in place): name the "
    "file with its authority in PIP_CERT, and in SSL_CERT_FILE for all other programs, and run the same command again"
)
NO_NETWORK = "no network: connect and run the same command again (only the first start needs it)"
CAUSES = {
    "No space left on device": "the disk is full; free about 700 MB and run the same command again",
    "Disk quota exceeded": "your disk quota is used up; free about 700 MB and run the same command again",
    "Permission denied": "the folder is not writable for you; clone the course into a folder of your own",
    "Read-only file system": "the folder is not writable; clone the course into a folder of your own",
    "DO NOT MATCH THE HASHES": "a downloaded file is not the one that was recorded, so nothing was trusted; "
    "check the network's proxy and run the same command again",
    "Hash mismatch": "a downloaded file is not the one that was recorded, so nothing was trusted; "
    "check the network's proxy and run the same command again",
    "CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
    "invalid peer certificate": CERTIFICATE,
    "certificate verify failed": CERTIFICATE,
    "Failed to establish a new connection": NO_NETWORK,
    "NewConnectionError": NO_NETWORK,
    "NameResolutionError": NO_NETWORK,
    "Cannot connect to proxy": NO_NETWORK,
    "tcp connect error": NO_NETWORK,
    "dns error": NO_NETWORK,
    "operation timed out": NO_NETWORK,
    "Read timed out": NO_NETWORK,
    "No matching distribution found": "the package index has no such version or cannot be reached; connect, "
    "or check pip's own settings with `pip config list`, and run the same command again",
}
UNKNOWN = "see the lines below, mend that and run the same command again"


def install(names: list[str]) -> None:
    """Install what lock files in the repo's folder name.

    Raises:
        CourseError: no pip to be had, no network, disk full, or a package that does not match its hash.
    """
    uv = None if os.environ.get("COURSE_INSTALLER") == "pip" else _uv()
    if uv and _with_uv(uv, names):
        return
    for name in names:
        _with_pip(name)


def cure(output: str) -> str:
    """Turn what failed into cause and cure, in words that end the sentence."""
    for sign, words in CAUSES.items():
        if sign.lower() in output.lower():
            return words
    return UNKNOWN


def _uv() -> Path | None:
    """Return uv in the version of its lock file; None where it does not run."""
    lock = place.ROOT / UV_LOCK
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = place.state() / "tools/uv"
    stamp = folder / "lock.sha256"
    if not (stamp.exists() and stamp.read_text("ascii") == digest):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as new:
            wheel = _download(lock, Path(new))
            if wheel is None:
                return None
            with zipfile.ZipFile(wheel) as archive:
                (name,) = [one for one in archive.namelist() if one.endswith("/scripts/uv")]
                program = Path(archive.extract(name, new))
            program.chmod(0o755)
            program.replace(folder / "uv")
        stamp.write_text(digest, "ascii")
    try:
        done = together.run([folder / "uv", "--version"])
    except OSError:
        return None
    return folder / "uv" if done.returncode == 0 else None


def _download(lock: Path, folder: Path) -> Path | None:
    """Let pip download uv's wheel; return None if there is none for this platform."""
    command = [
        *_pip(download=True),
        "download",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--dest",
        folder,
        "-r",
        lock,
    ]
    with say.progress(f"Fetching uv, which installs the packages ({UV_SIZE[0]} MB)"):
        done = together.run(command, env=_pip_environment())
        if done.returncode == 0:
            return next(folder.glob("uv-*.whl"))
        output = done.stdout + done.stderr
        # An index that has no such wheel is one thing, an index that cannot be asked another.
        words = cure(output)
        if words in (UNKNOWN, CAUSES["No matching distribution found"]):
            return None
        raise CourseError(f"pip could not download {lock.name}: {words}.", _tail(output))


def _with_uv(uv: Path, names: list[str]) -> bool:
    """Install with uv; return False if it fails for a reason that pip may not have."""
    settings = pip_settings.read(Path(sys.base_prefix), place.venv())
    cache = _cache()
    where: list[str | Path] = ["--cache-dir", cache] if cache else []
    requirements: list[str | Path] = []
    for name in names:
        requirements += ["-r", place.ROOT / name]
    command: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--no-config",
        "--python",
        place.venv_python(),
        "--require-hashes",
        "--no-deps",
        # All indexes are asked, as pip does; the hashes say which file it has to be.
        "--index-strategy=unsafe-best-match",
        *(["--no-index"] if pip_settings.wants_no_index(settings) else []),
        *where,
        *requirements,
    ]
    output: list[str] = []
    try:
        with (
            say.progress(f"Installing the Python packages of {language.listed(names)}") as progress,
            together.saying(command, pip_settings.for_uv(settings)) as process,
        ):
            assert process.stdout
            for line in process.stdout:
                output.append(line)
                _follow(line, progress)
            if process.wait() == 0:
                return True
            said = "".join(output)
            words = cure(said)
            if words == UNKNOWN:
                say.note(f"uv gives up, so pip tries:\n{_tail(said)}")
                return False
            raise CourseError(
                f"uv could not install {language.listed(names)}: {words}.", _tail(said)
            )
    finally:
        if cache:
            shutil.rmtree(cache, ignore_errors=True)


def _follow(line: str, progress: say.Progress) -> None:
    """Show how far uv is. It names the large packages when it begins with one, and when it has it."""
    word, _, rest = line.strip().partition(" ")
    if word == "Downloading":
        progress.total += 1
    elif word == "Downloaded":
        progress.advance(f"large ones; {rest}")
    elif word == "Prepared":
        progress.advance("putting them in place")


def _cache() -> Path | None:
    """Return a folder for uv to use for once, where it may not write into the one that it would choose."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    usual = Path(os.environ.get("UV_CACHE_DIR") or home / "uv")
    try:
        usual.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=usual):
            return None
    except OSError:
        return place.state() / "tools/uv/cache"


def _with_pip(name: str) -> None:
    lock_file = place.ROOT / name
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
    with (
        say.progress(f"Installing the Python packages of {name} with pip", total) as progress,
        together.saying(command, _pip_environment()) as pip,
    ):
        assert pip.stdout
        for line in pip.stdout:
            output.append(line)
            if line.startswith(("Collecting ", "Requirement already", "Ignoring ")):
                progress.advance(line.split()[1].rstrip(":") if line.startswith("Coll") else "")
            elif line.startswith("Installing collected"):
                progress.advance("unpacking")
        if pip.wait() != 0:
            said = "".join(output)
            raise CourseError(f"pip could not install {name}: {cure(said)}.", _tail(said))


def _tail(output: str) -> str:
    lines = [line for line in output.splitlines() if not line.startswith("WARNING: Retrying")]
    return "\n".join(lines[-8:])


def _pip_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in PIP_NAMES}


def _pip(download: bool = False) -> list[str | Path]:
    """Return the start of a pip command for `.venv`, wherever a pip can be found on this machine.

    Args:
        download: it only has to download.
    """
    python: list[str | Path] = [place.venv_python(), "-I", "-X", "utf8"]
    if list(place.venv().glob("lib/python*/site-packages/pip/__main__.py")):
        return [*python, "-m", "pip"]
    # The system's own, if it has one, is compiled already; in a wheel it is compiled each time.
    if importlib.util.find_spec("pip"):
        mine: list[str | Path] = [sys.executable, "-X", "utf8", "-m", "pip"]
        return mine if download else [*mine, "--python", place.venv_python()]
    for folder in _wheel_folders():
        for wheel in sorted(folder.glob("pip-*.whl"), reverse=True):
            return [*python, wheel / "pip"]
    tools = debian.unpack(
        ["python3-pip-whl"], place.state() / "tools/pip", "pip (Debian's wheel of it)"
    )
    for wheel in tools.glob("usr/share/python-wheels/pip-*.whl"):
        return [*python, wheel / "pip"]
    raise CourseError(
        "this Python has no pip and none could be fetched: install it "
        "(Debian, Ubuntu: apt-get install python3-venv) and run the same command again."
    )


def _wheel_folders() -> Iterator[Path]:
    """Yield where a wheel of pip may lie."""
    # CPython ships one inside ensurepip; Debian and Ubuntu keep theirs in a package of its own.
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "_bundled"
    yield Path("/usr/share/python-wheels")
    yield place.state() / "tools/pip/usr/share/python-wheels"
