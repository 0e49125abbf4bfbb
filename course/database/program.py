"""The database server's program: find one, or fetch one."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from course.ground import debian, locks, place
from course.ground.errors import CourseError

OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}

# Homebrew and some distributions keep servers off the search path.
MORE_FOLDERS = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/usr/local/opt/mysql/bin",
    "/usr/local/mysql/bin",
]

# Ubuntu 22.04 has the server's core only under a name with its version.
DEBIAN_NAMES = ["mariadb-server-core", "mariadb-server-core-10.6"]


SIZE = (
    20,
    50,
)  # MB to download, package lists included, and MB on disk, where apt fetches a server


@dataclass(frozen=True)
class Client:
    """A command-line client: `mariadb` or `mysql`."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A server program that works here."""

    path: Path
    kind: str  # "MariaDB" or "MySQL"
    version: tuple[int, int, int]
    environment: dict[str, str] = field(default_factory=dict)  # for the server's process only

    @property
    def home(self) -> Path:
        """The folder the program was installed below, such as /usr."""
        return self.path.parent.parent

    @property
    def title(self) -> str:
        """The name to show, such as `MariaDB 10.11.19`."""
        return f"{self.kind} {'.'.join(map(str, self.version))}"


def private_folder() -> Path:
    """Return the folder that holds a server fetched for this checkout alone."""
    return place.state() / "server"


def find(kind: str = "") -> Program | None:
    """Return a server program that is already here, of the given kind if there is one.

    The order: the one `COURSE_MYSQLD` names, this checkout's own, any MariaDB, any MySQL.
    """
    named = os.environ.get("COURSE_MYSQLD")
    if named:
        return _try(Path(named))
    mine = list(private_folder().glob("usr/sbin/mariadbd"))
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *MORE_FOLDERS]
    # Debian's mysqld may be a MariaDB and the reverse never happens, so the name decides the order only.
    candidates = mine + [
        Path(folder) / name for name in ("mariadbd", "mysqld") for folder in folders if folder
    ]
    other = None
    for path in dict.fromkeys(candidates):
        program = _try(path) if path.exists() else None
        if program and program.kind == (kind or program.kind):
            return program
        other = other or program
    return other


def will_fetch() -> bool:
    """Say whether the next start has to fetch a server."""
    found = find()
    wanted = not (found and found.kind == "MariaDB") and not os.environ.get("COURSE_MYSQLD")
    return wanted and debian.is_here()


def ensure(kind: str = "") -> Program:
    """Return a server program; fetch one where none is here.

    Args:
        kind: the kind that wrote the data directory, or nothing if there is no data yet.

    Raises:
        CourseError: none is here and none can be fetched; the sentence names the options.
    """
    found = find(kind)
    if found and found.kind == (kind or "MariaDB"):
        return found
    if os.environ.get("COURSE_MYSQLD"):
        if found:
            return found
        raise CourseError(
            f"COURSE_MYSQLD names {os.environ['COURSE_MYSQLD']}, which is no MariaDB 10.6 or MySQL 8.0 or newer "
            "that runs here: correct it or unset it."
        )
    if debian.is_here():
        try:
            return _fetch()
        except CourseError:
            if not found:
                raise
    if found:
        return found
    raise CourseError(
        "no MariaDB or MySQL server is on this machine and the course cannot fetch one here: "
        f"{advice()}, or point MYSQL_HOST, MYSQL_USER, MYSQL_PASSWORD at a server you have "
        "(conda-forge's mysql-server or `docker compose up -d` with compose.yaml give you one)."
    )


def client() -> Client | None:
    """Return a command-line client, the one beside the chosen server first; None if there is none."""
    named = os.environ.get("COURSE_MYSQLD")
    home = Path(named).parent.parent if named else private_folder() / "usr"
    for name in ("mariadb", "mysql"):
        beside, found = home / "bin" / name, shutil.which(name)
        if beside.exists():
            return Client(beside, _libraries(beside))
        if found:
            return Client(Path(found))
    return None


def _fetch() -> Program:
    with locks.alone(
        place.state() / "fetch.lock", "Another course command is fetching; waiting for it."
    ):
        again = find()
        if again and again.kind == "MariaDB":
            return again
        with debian.apt() as apt:
            for name in DEBIAN_NAMES:
                pair = [name, name.replace("server", "client")]
                try:
                    apt.unpack(pair, private_folder(), "the MariaDB server")
                    break
                except debian.NoSuchPackageError:
                    if name == DEBIAN_NAMES[-1]:
                        raise
    (path,) = private_folder().glob("usr/sbin/mariadbd")
    program = _try(path)
    if program is None:
        raise CourseError(
            f"the MariaDB that apt fetched does not run here: remove {place.shown(private_folder())} and "
            "install mariadb-server with the system's own tools."
        )
    return program


def advice() -> str:
    """Return the one command that installs a server on this platform."""
    commands = {
        "brew": "run `brew install mariadb`",
        "dnf": "run `sudo dnf install mariadb-server`",
        "pacman": "run `sudo pacman -S mariadb`",
        "zypper": "run `sudo zypper install mariadb`",
        "apk": "run `sudo apk add mariadb`",
    }
    return next(
        (advice for tool, advice in commands.items() if shutil.which(tool)),
        "install MariaDB 10.6 or newer",
    )


def _libraries(path: Path) -> dict[str, str]:
    """Return the settings with which a program outside the system's folders finds what it loads."""
    settings = debian.libraries(path)
    # The client needs a plugin to log in to a MySQL server.
    plugins = [*path.parent.parent.glob("lib/*-linux-gnu*/libmariadb3/plugin")]
    if settings and plugins:
        settings["MARIADB_PLUGIN_DIR"] = os.pathsep.join(map(str, plugins))
    return settings


def _try(path: Path) -> Program | None:
    """Return the program if it runs here and is new enough."""
    environment = _libraries(path)
    try:
        answer = subprocess.run(
            [path, "--no-defaults", "--version"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Ver (\d+)\.(\d+)\.(\d+)", answer)
    if not found:
        return None
    major, minor, patch = map(int, found.groups())
    kind = "MariaDB" if "mariadb" in answer.lower() else "MySQL"
    if (major, minor) < OLDEST[kind]:
        return None
    return Program(path, kind, (major, minor, patch), environment)
