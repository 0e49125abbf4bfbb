"""Debian and Ubuntu packages, unpacked into the course's own folder without any right to install.

apt works on lists and a cache of its own in a temporary folder, and dpkg unpacks the files without registering
them: the system stays exactly as it was, for root too. Signatures are checked by apt as always.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def apt() -> Iterator["Apt"]:
    """Have apt with folders of its own for a block; they are deleted in the end."""
    # apt dislikes spaces in its folders, and the course's own may have some.
    home = Path(tempfile.mkdtemp(prefix="course-apt-"))
    try:
        yield Apt(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def unpack(names: list[str], target: Path, what: str) -> Path:
    """Unpack some packages; see `Apt.unpack`."""
    with apt() as fetcher:
        return fetcher.unpack(names, target, what)


class Apt:
    """Fetches packages; it reads the package lists once, when they are first needed."""

    def __init__(self, home: Path) -> None:
        """Keep lists and packages below `home`."""
        self.home = home
        self._listing: subprocess.CompletedProcess[str] | None = None

    def unpack(self, names: list[str], target: Path, what: str, alone: bool = False) -> Path:
        """Unpack the packages, and those they need that the system lacks, below `target`.

        Args:
            names: the packages.
            target: the folder, replaced if it is there.
            what: what is fetched, in words for the user.
            alone: leave out what the packages need.

        Returns:
            `target`. It appears complete or not at all.

        Raises:
            CourseError: no such package, no network, or no room.
        """
        if not is_here():
            raise CourseError(f"{what} is missing and this system has no apt to fetch it with.")
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".unpack-", dir=target.parent))
        try:
            with say.progress(f"Fetching {what}") as progress:
                debs = self._download(names, what, alone, progress)
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
            shutil.rmtree(new, ignore_errors=True)
        return target

    def _download(
        self, names: list[str], what: str, alone: bool, progress: say.Progress
    ) -> list[Path]:
        if self._listing is None:
            progress.advance("reading package lists")
            for folder in ("state/lists/partial", "cache/archives/partial", "log"):
                (self.home / folder).mkdir(parents=True)
            (self.home / "apt.conf").write_text(APT_CONFIG.format(home=self.home), "utf-8")
            self._listing = self._apt("apt-get", "update")
        missing = names if alone else self._with_needed(names, what)
        progress.advance(f"downloading {len(missing)} packages")
        basket = Path(tempfile.mkdtemp(prefix="debs-", dir=self.home))
        fetched = self._apt("apt-get", "download", *missing, cwd=basket)
        debs = sorted(basket.glob("*.deb"))
        if fetched.returncode != 0 or len(debs) < len(missing):
            output = self._listing.stderr + fetched.stderr
            raise CourseError(f"apt cannot fetch {what}: {_cure(output)}.", _tail(output))
        return debs

    def _with_needed(self, names: list[str], what: str) -> list[str]:
        assert self._listing
        wanted = self._apt(
            "apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", *names
        )
        files = [line.split()[1] for line in wanted.stdout.splitlines() if line.startswith("'")]
        if wanted.returncode != 0 or not files:
            output = self._listing.stderr + wanted.stderr
            raise CourseError(f"apt cannot fetch {what}: {_cure(output)}.", _tail(output))
        # A file's name begins with the package's name, up to the first underscore.
        return [name.split("_")[0] for name in files]

    def _apt(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        settings = {"APT_CONFIG": str(self.home / "apt.conf"), "LC_ALL": "C"}
        return _run(list(command), cwd=cwd or self.home, env={**os.environ, **settings})


def libraries(program: Path) -> dict[str, str]:
    """Return the setting with which a program unpacked outside the system's folders finds its libraries."""
    home = next((folder for folder in program.parents if folder.name == "usr"), None)
    home = home or program.parent.parent
    if home in (Path("/usr"), Path("/")):
        return {}
    # Packages put libraries below /usr/lib and below /lib; the sound library has a folder of its own there.
    folders = [*home.glob("lib/*-linux-gnu*"), *home.parent.glob("lib/*-linux-gnu*")]
    found = [*folders, *(folder / "pulseaudio" for folder in folders)]
    existing = [str(folder) for folder in found if folder.is_dir()]
    return {"LD_LIBRARY_PATH": os.pathsep.join(existing)} if existing else {}


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
        return "the disk is full; free about 1 GB and run the same command again"
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
