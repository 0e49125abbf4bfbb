"""Programs of others that tests and a few steps use: a browser, Redis, Node with `ws`, nginx.

Each is found where this machine has it, or fetched once for this checkout alone; the system never changes.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from course.ground import debian, locks, place
from course.ground.errors import CourseError


@dataclass(frozen=True)
class Tool:
    """A program that works here."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)  # for the tool's process only


@dataclass(frozen=True)
class Recipe:
    """How a tool is found, proven and fetched."""

    title: str
    variable: str  # in the environment: names a program of the user's own
    names: tuple[str, ...] = ()  # below one of the folders that are searched, or a whole path
    proof: tuple[str, ...] = ()  # a tool that works answers these arguments with exit code 0
    packages: tuple[str, ...] = ()  # of Debian and Ubuntu
    alone: bool = False  # the packages need nothing of what they ask for
    unpacked: str = ""  # what they put where, below their folder


RECIPES = {
    "fonts": Recipe(
        title="a font with Chinese letters",
        variable="FONTCONFIG_FILE",
        packages=("fonts-dejavu-core", "fonts-wqy-microhei"),
        alone=True,
        unpacked="fonts.conf",
    ),
    "chromium": Recipe(
        title="the Chromium browser",
        variable="COURSE_CHROMIUM",
        # The first has no window to draw: a page costs a quarter of the time.
        names=(
            "chromium-headless-shell",
            "chromium",
            "chromium-browser",
            "google-chrome",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        ),
        proof=("--version",),
        packages=("chromium-headless-shell",),
        unpacked="usr/lib/chromium/chromium-headless-shell",
    ),
    "redis-server": Recipe(
        title="Redis",
        variable="COURSE_REDIS_SERVER",
        names=("redis-server", "valkey-server"),
        proof=("--version",),
        packages=("redis-server",),
        unpacked="usr/bin/redis-server",
    ),
    # Playwright is a program for Node and brings one, which needs a library that a bare system lacks.
    "playwright": Recipe(
        title="a library for Playwright",
        variable="PLAYWRIGHT_NODEJS_PATH",
        names=("playwright/driver/node",),
        proof=("--version",),
        packages=("libatomic1",),
        alone=True,
    ),
    # Debian's own Node works below /usr only; the one of Playwright works anywhere.
    "node": Recipe(
        title="Node with its package ws",
        variable="COURSE_NODE",
        names=("node", "nodejs", "playwright/driver/node"),
        proof=("-e", "require('ws')"),
        packages=("node-ws", "libatomic1"),
        alone=True,
    ),
    "nginx": Recipe(
        title="nginx",
        variable="COURSE_NGINX",
        names=("nginx",),
        proof=("-v",),
        packages=("nginx",),
        unpacked="usr/sbin/nginx",
    ),
}

# Some systems keep these off the search path.
MORE_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"]

# The same letters in every screenshot, also where the system has no fonts at all.
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family>
    <prefer><family>DejaVu Sans</family><family>WenQuanYi Micro Hei</family></prefer></alias>
  <alias><family>system-ui</family>
    <prefer><family>DejaVu Sans</family><family>WenQuanYi Micro Hei</family></prefer></alias>
  <alias><family>monospace</family>
    <prefer><family>DejaVu Sans Mono</family><family>WenQuanYi Micro Hei Mono</family></prefer></alias>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
</fontconfig>
"""


def find(name: str) -> Tool | None:
    """Return the tool if it works here.

    The order: the one its variable names (`COURSE_CHROMIUM`, ...), the system's, this checkout's own.
    """
    return next((tool for tool, complaint in _tries(name) if not complaint), None)


def ensure(name: str) -> Tool:
    """Return the tool; fetch it if it is missing.

    Raises:
        CourseError: it is not here and cannot be fetched.
    """
    found = find(name)
    if found is None:
        for failure in ensure_all([name]).values():
            raise failure
        found = find(name)
    assert found
    return found


def ensure_all(names: Iterable[str]) -> dict[str, CourseError]:
    """Fetch those of the tools that are missing; return what failed by name, nothing if all are here."""
    failures: dict[str, CourseError] = {}
    missing = [name for name in names if find(name) is None]
    if missing:
        place.state().mkdir(parents=True, exist_ok=True)
        lock = place.state() / "fetch.lock"
        with (
            locks.alone(lock, "Another course command is fetching; waiting for it."),
            debian.apt() as apt,
        ):
            for name in missing:
                try:
                    _fetch(name, apt)
                except CourseError as error:
                    failures[name] = error
    return failures


def _fetch(name: str, apt: debian.Apt) -> None:
    recipe = RECIPES[name]
    cure = f"install it with the system's own tools, or name one in {recipe.variable}."
    named = os.environ.get(recipe.variable)
    if named and recipe.unpacked:
        raise CourseError(f"{recipe.variable} names {named}, which does not work here: correct it.")
    if not debian.is_here():
        raise CourseError(f"{recipe.title} is not on this machine: {cure}")
    if find(name) is None:  # another command may have fetched it while we waited
        folder = apt.unpack([*recipe.packages], _folder(name), recipe.title, recipe.alone)
        if name == "fonts":
            (folder / recipe.unpacked).write_text(FONTS, "utf-8")
        if find(name) is None:
            complaints = "\n".join(complaint for _, complaint in _tries(name))
            raise CourseError(
                f"{recipe.title} as apt fetched it does not work here: {cure}", complaints
            )


def _folder(name: str) -> Path:
    return place.state() / "tools" / name


def _tries(name: str) -> Iterator[tuple[Tool, str]]:
    """Yield the programs that are here, in order, and what speaks against each: nothing if it works."""
    recipe = RECIPES[name]
    named = os.environ.get(recipe.variable)
    for path in [Path(named)] if named else _candidates(name):
        if path.is_file():
            tool = Tool(path, _settings(name, path))
            yield tool, _complaint(tool, recipe)


def _candidates(name: str) -> list[Path]:
    recipe = RECIPES[name]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [Path(folder) for folder in MORE_FOLDERS]
    folders += place.venv().glob("lib/python3*/site-packages")
    found = [folder / known for known in recipe.names for folder in folders]
    if recipe.unpacked:
        found.append(_folder(name) / recipe.unpacked)
    return list(dict.fromkeys(found))


def _settings(name: str, path: Path) -> dict[str, str]:
    """Return the settings with which the program finds what was fetched for it."""
    settings = debian.libraries(path)
    if path.match("playwright/driver/node"):
        settings |= debian.libraries(_folder(name) / "usr/bin/node")
    if name == "chromium":
        fonts = find("fonts")
        if fonts:
            settings["FONTCONFIG_FILE"] = str(fonts.path)
    if name == "node":
        # Debian's Node looks there by itself, others do not.
        folders = [Path("/usr/share/nodejs"), _folder("node") / "usr/share/nodejs"]
        packages = [os.environ.get("NODE_PATH", ""), *map(str, filter(Path.is_dir, folders))]
        settings["NODE_PATH"] = os.pathsep.join(filter(None, packages))
    return settings


def _complaint(tool: Tool, recipe: Recipe) -> str:
    if not recipe.proof:
        return ""
    try:
        done = subprocess.run(
            [tool.path, *recipe.proof],
            env={**os.environ, **tool.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return f"{tool.path} ended with {done.returncode}: {done.stderr.strip()[-300:]}"
