"""Debian and Ubuntu packages, unpacked into the course's own folder without any right to install.

apt works on lists and a cache of its own in a temporary folder, and dpkg unpacks the files without registering
them: the system stays exactly as it was, for root too. Signatures are checked by apt as always.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course.ground import place, say, together
from course.ground.errors import CourseError

APT_CONFIG = """\
Dir::State "{home}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{home}/cache";
Dir::Log "{home}/log";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""


# What apt says, in its versions 2 and 3, and what that means.
CAUSES = {
    (
        "No space left",
        "enough free space",
    ): "the disk is full; free about 1 GB and run the same command again",
    (
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Unable to connect to",
        "Network is unreachable",
        "Connection timed out",
    ): "no network; connect and run the same command again (only the first start needs it)",
    (
        "is not valid yet",
        "is expired",
    ): "the package lists are of another time than this machine's clock says; set the clock if it is wrong, else the "
    "mirror is stale: name another one in apt's sources, and run the same command again",
    (
        "Certificate verification failed",
        "certificate verify failed",
        "The certificate is NOT trusted",
    ): "the package mirror has a certificate that this machine does not trust (a proxy may have put its own in "
    "place); add its authority to the system's (update-ca-certificates) and run the same command again",
}
UNKNOWN = "see the lines below, mend that and run the same command again"


def is_here() -> bool:
    """Say whether this system has apt and dpkg."""
    return all(map(shutil.which, ("apt-get", "dpkg")))


_sharing = threading.Lock()
_shared: "Apt | None" = None
_sharers = 0


class NoSuchPackageError(CourseError):
    """The package lists are here, and none of them has that package."""


@contextmanager
def apt() -> Iterator["Apt"]:
    """Have apt with folders of its own for a block; they are deleted in the end.

    Blocks at the same time, in whichever threads, share one: the package lists are read once for all.
    """
    global _shared, _sharers
    with _sharing:
        if _shared is None:
            _shared = Apt(Path(tempfile.mkdtemp(prefix="course-apt-", dir=place.short_temporary())))
        mine = _shared
        _sharers += 1
    try:
        yield mine
    finally:
        with _sharing:
            _sharers -= 1
            if _sharers == 0:
                _shared = None
                shutil.rmtree(mine.home, ignore_errors=True)


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
        self._lock = threading.Lock()  # apt does one thing at a time

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
                with self._lock:
                    debs = self._download(names, what, alone, progress)
                progress.advance("unpacking")
                for deb in debs:
                    done = together.run(["dpkg", "-x", deb, new])
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
        missing, size = (names, 0) if alone else self._with_needed(names, what)
        megabytes = f", {size / 1e6:.0f} MB" if size else ""
        progress.advance(f"downloading {len(missing)} packages{megabytes}")
        basket = Path(tempfile.mkdtemp(prefix="debs-", dir=self.home))
        fetched = self._apt("apt-get", "download", *missing, cwd=basket)
        debs = sorted(basket.glob("*.deb"))
        if fetched.returncode != 0 or len(debs) < len(missing):
            output = self._listing.stderr + fetched.stderr
            raise CourseError(f"apt cannot fetch {what}: {_cure(output)}.", _tail(output))
        return debs

    def _with_needed(self, names: list[str], what: str) -> tuple[list[str], int]:
        """Return these packages and those that they need and the system lacks, and their size in bytes."""
        assert self._listing
        wanted = self._apt(
            "apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", *names
        )
        # An address in quotes, the file's name, its size, its digest.
        files = [line.split()[1:3] for line in wanted.stdout.splitlines() if line.startswith("'")]
        if wanted.returncode != 0 or not files:
            output = self._listing.stderr + wanted.stderr
            words = _cure(output)
            unknown = words == UNKNOWN and "Unable to locate package" in wanted.stderr
            kind = NoSuchPackageError if unknown else CourseError
            raise kind(f"apt cannot fetch {what}: {words}.", _tail(output))
        # A file's name begins with the package's name, up to the first underscore.
        return [name.split("_")[0] for name, _ in files], sum(int(size) for _, size in files)

    def _apt(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        settings = {"APT_CONFIG": str(self.home / "apt.conf"), "LC_ALL": "C"}
        return together.run(list(command), cwd=cwd or self.home, env={**os.environ, **settings})


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


def _cure(output: str) -> str:
    """Turn what apt or dpkg has said into cause and cure, in words that end the sentence."""
    for signs, words in CAUSES.items():
        if any(sign in output for sign in signs):
            return words
    return UNKNOWN


def _tail(output: str) -> str:
    return "\n".join(
        [line for line in output.splitlines() if line.startswith(("E:", "W:", "dpkg"))][-4:]
    )
