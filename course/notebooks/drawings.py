"""The diagrams of the lessons in another language: the English ones with the words of `figures.po`.

They are kept in `lessons/authors/figures/zh/`, as they carry the letters of their words, which only a package can put into
them: `python3 -m course lessons figures` makes them. Standard library only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from course.ground import language
from course.notebooks import lessons

WORDS = re.compile(r"(<(?:title|desc|text)\b[^>]*>)([^<]+)")
TABLES = "table_after_"  # these show what a step prints, in every language


def diagrams() -> list[Path]:
    """Return the English diagrams."""
    return [file for file in sorted(lessons.FIGURES.glob("*.svg")) if TABLES not in file.name]


def words(file: Path) -> Iterator[str]:
    """Yield what a diagram says: its title, its description and its labels."""
    yield from (found[2] for found in WORDS.finditer(file.read_text("utf-8")))


def translated(file: Path, name: str) -> str:
    """Return a diagram in a language, with the letters of the English one."""
    with language.speaking(name):
        said = language.entries("figures")
    return WORDS.sub(lambda found: found[1] + said.get(found[2], found[2]), file.read_text("utf-8"))
