"""Where things are: the repo, its virtual environment, and the private server's state."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from course.ground import language

ROOT = Path(__file__).resolve().parents[2]


def venv() -> Path:
    """Return the virtual environment's folder: `.venv`, or `COURSE_VENV`."""
    return Path(os.environ.get("COURSE_VENV") or ROOT / ".venv").absolute()


def venv_python() -> Path:
    """Return the Python of the virtual environment."""
    return venv() / "bin" / "python3"


def state() -> Path:
    """Return the folder of everything the course writes: `.course`, or `COURSE_STATE_DIR`.

    The second is for file systems that cannot hold a database or a lock, such as a network folder.
    """
    return Path(os.environ.get("COURSE_STATE_DIR") or ROOT / ".course").absolute()


def english() -> Path:
    """Return the folder of the lessons as they are written, of which the editions in other languages are made."""
    return ROOT / "lessons"


def lessons_in(name: str) -> Path:
    """Return the folder of the lessons in a language: `lessons`, or an edition such as `lessons-zh`."""
    return english() if name == language.USUAL else ROOT / f"lessons-{name}"


def lessons() -> Path:
    """Return the folder of the lessons in the reader's language."""
    return lessons_in(language.chosen())


def in_language(page: Path, name: str) -> Path:
    """Return where a page is in a language, such as `README.zh.md`: beside the English one."""
    return page if name == language.USUAL else page.with_suffix(f".{name}{page.suffix}")


def of_reader(folder: Path) -> Path:
    """Return where the pages of the reader's language are: in this folder, which has the English ones, or below it in `zh`."""
    return folder if language.chosen() == language.USUAL else folder / language.chosen()


def mine() -> Path:
    """Return the folder of the student's own notebooks: `lessons/mine`, or `COURSE_MINE`.

    JupyterLab shows the first only; the second is for who works with another program, and for tests.
    """
    return Path(os.environ.get("COURSE_MINE") or lessons() / "mine").absolute()


def short_temporary() -> Path:
    """Return the folder for temporary files, or /tmp where that has a long name or blanks in it.

    A socket's path may have 107 bytes at the most, and apt takes a blank for the end of a name.
    """
    usual = tempfile.gettempdir()
    plain = len(os.fsencode(usual)) <= 60 and not any(map(str.isspace, usual))
    return Path(usual if plain or not os.access("/tmp", os.W_OK) else "/tmp")


def record(path: Path) -> dict[str, Any]:
    """Return what the course has noted in a file of JSON; nothing if there is none that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def text(path: Path) -> str:
    """Return a path as the same text in every locale, for files that outlive this process."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def shown(path: Path) -> str:
    """Return a path as a user would type it: relative to the current folder when it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
