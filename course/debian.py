"""Debian and Ubuntu packages, unpacked into the course's own folder without any right to install.

apt works on lists and a cache of its own in a temporary folder, and dpkg unpacks the files without registering
them: the system stays exactly as it was, for root too. Signatures are checked by apt as always.
"""

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from course import say
from course.errors import CourseError

APT_CONFIG = """\
Dir::State "{home}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{home}/cache";
Dir::Log "{home}/log";
APT::Sandbox::User "";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""


def is_here() -> bool:
    """Say whether this system has apt and dpkg."""
    return all(map(shutil.which, ("apt-get", "dpkg")))


def unpack(names: list[str], target: Path, what: str) -> Path:
    """Unpack the packages, and those they need that the system lacks, below `target`.

    Returns:
        `target`. It appears complete or not at all.

    Raises:
        CourseError: no such package, no network, or no room.
    """
    if not is_here():
        raise CourseError(f"{what} is missing and this system has no apt to fetch it with.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # apt dislikes spaces in its folders, and the course's own may have some.
    home = Path(tempfile.mkdtemp(prefix="course-apt-"))
    new = Path(tempfile.mkdtemp(prefix=".unpack-", dir=target.parent))
    try:
        with say.progress(f"Fetching {what}") as progress:
            debs = _download(names, what, home, progress)
            progress.advance("unpacking")
            for deb in debs:
                done = _run(["dpkg", "-x", deb, new])
                if done.returncode != 0:
                    raise CourseError(
                        f"{what} cannot be unpacked: {_cure(done.stderr)}.", _tail(done.stderr)
                    )
            shutil.rmtree(target, ignore_errors=True)
            new.chmod(0o755)
            new.rename(target)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(new, ignore_errors=True)
    return target


def _download(names: list[str], what: str, home: Path, progress: say.Progress) -> list[Path]:
    for folder in ("state/lists/partial", "cache/archives/partial", "log"):
        (home / folder).mkdir(parents=True)
    (home / "apt.conf").write_text(APT_CONFIG.format(home=home), "utf-8")
    apt = partial(
        _run, cwd=home, env={**os.environ, "APT_CONFIG": str(home / "apt.conf"), "LC_ALL": "C"}
    )

    progress.advance("reading package lists")
    listing = apt(["apt-get", "update"])
    wanted = apt(["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", *names])
    files = [line.split()[1] for line in wanted.stdout.splitlines() if line.startswith("'")]
    if wanted.returncode != 0 or not files:
        output = listing.stderr + wanted.stderr
        raise CourseError(f"apt cannot fetch {what}: {_cure(output)}.", _tail(output))

    progress.advance(f"downloading {len(files)} packages")
    # A file's name begins with the package's name, up to the first underscore.
    fetched = apt(["apt-get", "download", *[name.split("_")[0] for name in files]])
    debs = sorted(home.glob("*.deb"))
    if fetched.returncode != 0 or len(debs) < len(files):
        raise CourseError(
            f"apt cannot fetch {what}: {_cure(fetched.stderr)}.", _tail(fetched.stderr)
        )
    return debs


def _run(
    command: list[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _cure(output: str) -> str:
    if "No space left" in output or "enough free space" in output:
        return "the disk is full; free about 300 MB and run the same command again"
    if any(
        sign in output
        for sign in ("Temporary failure resolving", "Could not resolve", "Could not connect")
    ):
        return "no network; connect and run the same command again (only the first start needs it)"
    return "see the lines below, mend that and run the same command again"


def _tail(output: str) -> str:
    return "\n".join(
        [line for line in output.splitlines() if line.startswith(("E:", "W:", "dpkg"))][-4:]
    )
