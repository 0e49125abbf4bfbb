"""What was made of an edition: `.course/edition-zh.json`, with a digest of each lesson as it was handed out.

Standard library only: the command line imports it before anything is installed.
"""

import hashlib
import json
from pathlib import Path

from course.ground import language, optionfile, place


def file() -> Path:
    """Return where the record of the chosen language is."""
    return place.state() / f"edition-{language.chosen()}.json"


def record() -> dict[str, str]:
    """Return the record; an empty one if there is none that can be read."""
    return place.record(file())


def keep(more: dict[str, str]) -> None:
    """Add to the record."""
    file().parent.mkdir(parents=True, exist_ok=True)
    optionfile.write_private(file(), json.dumps({**record(), **more}, indent=1))


def digest(text: str) -> str:
    """Return what stands for a text in the record."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_as_made(lesson: Path) -> bool:
    """Say whether a lesson of the edition is, letter for letter, what we wrote."""
    try:
        return record().get(lesson.name) == digest(lesson.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
