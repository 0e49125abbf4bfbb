"""The data directory: made once, complete or not at all, and never opened by a server that would harm it."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from course.database.program import Program
from course.ground import place, tether
from course.ground.errors import CourseError

ROOM_NEEDED = 150 * 2**20  # bytes; the directory itself takes about 25 MB, MySQL's about 100

TIME_LIMIT = 180.0  # seconds; it takes one or two

# Small files: the course's tables hold a few rows, and a class may hold fifty checkouts on one disk.
SMALL_MARIADB = [
    "--innodb-log-file-size=8M",
    "--innodb-data-file-path=ibdata1:2M:autoextend",
    "--innodb-autoextend-increment=1",
]
SMALL_MYSQL = [
    "--innodb-redo-log-capacity=16M",
    "--performance-schema=OFF",  # no lesson looks at it
    "--secure-file-priv=NULL",
    "--mysqlx=OFF",
]

# The scripts a MariaDB server ships, in the order in which its own installer feeds them to it.
SYSTEM_SCRIPTS = [
    "*_system_tables.sql",
    "*_performance_tables.sql",
    "*_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "*_sys_schema.sql",
]


def options(program: Program, data: Path) -> list[str]:
    """Return the options every start of the server needs, the first one included."""
    # A server unpacked from a package looks for its files where the package would have put them.
    share = _share(program)
    here = (
        [f"--lc-messages-dir={share}", f"--character-sets-dir={share / 'charsets'}"]
        if share
        else []
    )
    small = SMALL_MARIADB if program.kind == "MariaDB" else SMALL_MYSQL
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    return [
        "--no-defaults",
        f"--basedir={program.home}",
        f"--datadir={data}",
        *here,
        *small,
        *as_root,
    ]


def prepare(program: Program, state: Path) -> Path:
    """Return a data directory that this program may open; make one if there is none.

    Raises:
        CourseError: no room, initialising failed, or the directory belongs to another server or a newer version.
    """
    data = state / "data"
    if not data.exists():
        _initialise(program, state, data)
    made_by = stamp(state)
    if is_foreign(program, state):
        version = ".".join(map(str, made_by.get("version", ["?"])))
        raise CourseError(
            f"the data in {place.shown(data)} was written by {made_by.get('kind', 'an unknown server')} {version} and "
            f"the server here is {program.title}: install that version again, or start afresh with "
            "python3 -m course db reset (the old data is kept beside it)."
        )
    if list(program.version[:2]) != made_by["version"]:
        write_stamp(state, version=list(program.version[:2]))
    return data


def stamp(state: Path) -> dict[str, Any]:
    """Return what is known of the data directory: `kind`, `version` (major, minor), `seeded`."""
    return place.record(state / "data.json")


def write_stamp(state: Path, **changes: object) -> None:
    """Change what is known of the data directory, at one stroke."""
    new = state / "data.json.new"
    new.write_text(json.dumps({**stamp(state), **changes}), "utf-8")
    new.replace(state / "data.json")


def is_foreign(program: Program, state: Path) -> bool:
    """Say whether the data directory, if any, is one that this program must not open."""
    made_by = stamp(state)
    return (state / "data").exists() and (
        made_by.get("kind") != program.kind
        or tuple(made_by.get("version", ())) > program.version[:2]
    )


def set_aside(state: Path) -> Path:
    """Move the data directory out of the way and return its new name; nothing is deleted."""
    number = 1
    while (state / f"data.old.{number}").exists():
        number += 1
    return (state / "data").rename(state / f"data.old.{number}")


def _initialise(program: Program, state: Path, data: Path) -> None:
    free = shutil.disk_usage(state).free
    if free < ROOM_NEEDED:
        raise CourseError(
            f"the disk is full: the database needs about {ROOM_NEEDED >> 20} MB below {place.shown(state)} and "
            f"{free >> 20} MB are free; free some and run the same command again."
        )
    for leftover in state.glob("data.new-*"):  # of a start that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix="data.new-", dir=state))
    # A starting server deletes the temporary tables it finds, those of another start included:
    # so each start has a folder for them that nobody else uses.
    with tempfile.TemporaryDirectory(prefix="course-") as own:
        _fill(program, new, state, own)
    write_stamp(state, kind=program.kind, version=list(program.version[:2]), seeded=False)
    new.rename(data)


def _fill(program: Program, new: Path, state: Path, tmpdir: str) -> None:
    command = [str(program.path), *options(program, new), f"--tmpdir={tmpdir}"]
    script = b""
    if program.kind == "MariaDB":
        command.append("--bootstrap")
        script = _bootstrap(program)
    else:
        # The first start's init file removes the account that this makes.
        command.append("--initialize-insecure")
    server = tether.start(
        command,
        env={**os.environ, **program.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output = server.communicate(script, timeout=TIME_LIMIT)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
        raise CourseError(
            f"{program.title} did not make its data directory within {TIME_LIMIT:.0f} s: the machine may be "
            "overloaded; run the same command again."
        ) from None
    if server.returncode != 0:
        raise CourseError(
            f"{program.title} could not make its data directory below {place.shown(state)}: {cause(output)}.",
            "\n".join(output.splitlines()[-12:]),
        )


def _bootstrap(program: Program) -> bytes:
    """Return the SQL that makes MariaDB's system tables, and no account without a password."""
    share = _share(program)
    if share is None:
        raise CourseError(
            f"{program.title} lies in {program.home} without its SQL scripts: install the whole package "
            "(Debian, Ubuntu: mariadb-server-core) or remove it, so that the course fetches its own."
        )
    scripts = [next(iter(sorted(share.glob(pattern))), None) for pattern in SYSTEM_SCRIPTS]
    parts = [path.read_bytes() for path in scripts if path]
    # The server reads a statement a line in this mode.
    before = b"create database mysql;\nuse mysql;\nset @auth_root_socket=null;\n"
    after = b"delete from mysql.global_priv where User <> 'mariadb.sys';\ndelete from mysql.proxies_priv;\n"
    return before + b"\n".join(parts) + b"\n" + after


def _share(program: Program) -> Path | None:
    """Return the folder with the server's messages, character sets and SQL scripts."""
    folders = [program.home / "share" / name for name in ("mysql", "mariadb", ".")]
    if program.kind == "MySQL":
        return next((folder for folder in folders if (folder / "charsets").exists()), None)
    return next((folder for folder in folders if list(folder.glob("*_system_tables.sql"))), None)


def cause(log: str) -> str:
    """Return cause and cure, as read off a server's log, in words that end a sentence."""
    causes = {
        r"No space left on device|disk is full|Error code 28\b|errno: 28|error: 28\b|OS error 28": "the disk is full; "
        "free some space and run the same command again",
        r"Address already in use|Bind on TCP/IP port": "its port is taken; run the same command again, or name a free "
        "one with python3 -m course db start --port N",
        r"Permission denied|Operation not permitted|Errcode: 13\b": "it may not write there (on Ubuntu, AppArmor keeps "
        "the system's mysqld out of home directories); remove it from the search path, so that the course fetches its own",
        r"[Dd]owngrade|newer version|Unsupported redo log|not supported.*upgrade|[Uu]pgrade after a crash": "the data was "
        "written by another version; start afresh with python3 -m course db reset (the old data is kept beside it)",
        r"Unable to lock|Can't lock aria": "another server has the data open; end it and run the same command again",
    }
    for pattern, words in causes.items():
        if re.search(pattern, log):
            return words
    return "see the end of its log below; python3 -m course doctor says what is missing"
