"""`python3 -m course doctor`: what was found, what is missing, and the one command that mends it."""

import os
import platform
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from course.database import datadir, program, server, target
from course.ground import debian, environment, language, place, say, tools
from course.ground.errors import CourseError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    what: str
    found: str
    cure: str = ""


def run() -> int:
    """Print all findings; returns 0 if nothing is missing, else 1. It changes nothing."""
    good = True
    for finding in _findings():
        good = good and finding.good
        found = language.translated(finding.found)
        state = say.padded(label("ok") if finding.good else label("MISSING"), 7)
        say.line(f"{state}  {say.padded(finding.what, 12)} {found}")
        if not finding.good:
            say.line(f"{'':<22}mend it with: {finding.cure}")
    say.line("All is well." if good else "Something is missing; the lines above say what mends it.")
    return 0 if good else 1


def label(word: str) -> str:
    """Return a word at the beginning of a line, in the reader's language."""
    return language.entries("doctor").get(word, word)


def _findings() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding(True, "Python", f"{platform.python_version()}, {system}")
    if blocked := _blocked():
        yield blocked
        return
    yield _packages()
    yield from (_external() if target.is_external() else _private())
    yield from _tools()
    yield from _fonts()
    yield _room()
    yield _port()


def _blocked() -> Finding | None:
    """Say that nothing can be made or used here, so that there is nothing else to look for; None if it can."""
    state = place.state()
    folder = next(one for one in (state, *state.parents) if os.access(one, os.F_OK))
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return None
    cure = "git clone  (the course, into a folder of your own)"
    return Finding(False, label("folder"), f"{place.shown(state)} cannot be written", cure)


def _packages() -> Finding:
    missing = environment.missing()
    if missing:
        return Finding(False, label("packages"), "; ".join(missing), "python3 -m course setup")
    return Finding(
        True, label("packages"), f"{place.shown(place.venv())} holds what {environment.COURSE} says"
    )


def _external() -> Iterator[Finding]:
    try:
        yield Finding(True, label("server"), f"{target.check_external()}, named by MYSQL_*")
        yield Finding(
            True, label("rights"), target.run_demo("demos.pool_demo.where", "--rights").strip()
        )
    except (CourseError, OSError) as error:
        yield Finding(
            False,
            label("server"),
            str(error),
            f"{target.unset()}  (or correct them)",
        )


def _private() -> Iterator[Finding]:
    state = place.state()
    found = program.find(datadir.stamp(state).get("kind", ""))
    if found:
        yield Finding(True, label("server"), f"{found.title}, {place.shown(found.path)}")
    else:
        cure = "python3 -m course setup" if debian.is_here() else program.advice()
        yield Finding(False, label("server"), "no MariaDB or MySQL program is here", cure)
    if found and datadir.is_foreign(found, state):
        made_by = datadir.stamp(state)
        text = f"written by {made_by.get('kind')} {made_by.get('version')}, which {found.title} must not open"
        yield Finding(False, label("data"), text, "python3 -m course db reset")
    elif server.has_seed(state):
        yield Finding(True, label("data"), f"{place.shown(state / 'data')} is seeded")
    else:
        yield Finding(False, label("data"), "no seeded data directory", "python3 -m course setup")
    running = server.status(state)
    yield Finding(
        True, label("running"), running.where if running else "no; the next command starts it"
    )
    option_file = state / "my.cnf"
    if option_file.exists():
        mode = stat.S_IMODE(option_file.stat().st_mode)
        yield Finding(
            mode == 0o600,
            label("password"),
            f"{place.shown(option_file)} has mode {mode:04o}",
            f"chmod 600 '{option_file}'",
        )


def _tools() -> Iterator[Finding]:
    here = {name: tools.find(name) for name in ("chromium", "redis-server", "node", "nginx")}
    shown = [place.shown(tool.path) for tool in here.values() if tool]
    missing = [name for name, tool in here.items() if not tool]
    if shown:
        yield Finding(True, label("tools"), ", ".join(shown))
    if missing:
        text = f"not here: {', '.join(missing)} (the first command that uses them fetches them)"
        yield Finding(True, label("tools"), text)


def _fonts() -> Iterator[Finding]:
    """Say whether a browser of this machine can show Chinese; nothing before the set-up."""
    if environment.missing():
        return
    name = target.run_demo("demos.instruments.fonts")
    yield Finding(
        True,  # the reader's browser may be on another machine
        label("fonts"),
        f"{name} has Chinese characters"
        if name
        else "none has Chinese characters: the lessons bring theirs, but in the chats and on the stage "
        "a browser of this machine shows boxes until you install one "
        "(Debian and Ubuntu: sudo apt-get install fonts-wqy-microhei)",
    )


def _room() -> Finding:
    folder = place.ROOT
    free = shutil.disk_usage(folder).free
    text = f"{free >> 20} MB free in {folder}"
    return Finding(free > datadir.ROOM_NEEDED, label("disk"), text, "free some space there")


def _port() -> Finding:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            return Finding(
                False, label("network"), f"127.0.0.1 cannot be used ({error})", "ip link set lo up"
            )
    return Finding(
        True,
        label("network"),
        "127.0.0.1 can be used; nothing else is needed once the set-up is done",
    )
