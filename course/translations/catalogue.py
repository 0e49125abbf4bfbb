"""Catalogues: what a notebook or a page says in another language, cell by cell.

    <!-- cell needs 0f3a5c7e9b1d -->

    ## 1. 连接需要什么
    ...

The comment names the English cell and has a hash of the text that was translated, so that a change of it is seen.
A page has no cells: its parts are what stands below each of its `## ` headings.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from course.ground import language, manifest, place
from course.ground.errors import CourseError
from course.notebooks import now_you, readme_map, run_sheet

MARK = re.compile(r"^<!-- cell ([\w-]+)(?: ([0-9a-f]{12}))? -->$", re.MULTILINE)
MINUTES = "@minutes"  # in a catalogue, for minutes that the English text has

# What is generated in an English text, and what stands for it in a catalogue.
_GENERATED = (
    (re.compile(r"^\*\*Minutes:\*\* .*$", re.MULTILINE), f"**Minutes:** {MINUTES}"),
    (re.compile(r"^\*About \d+ minutes?\.\*"), f"*About {MINUTES} minutes.*"),
    (re.compile(r"(?<=\n\n)\*About \d+ minutes?\.\*"), f"*About {MINUTES} minutes.*"),
    *((one.BLOCK, f"{one.BEGIN}\n{one.END}") for one in (run_sheet, readme_map)),
)


@dataclass(frozen=True)
class Source:
    """An English notebook or page, and where its catalogue is."""

    name: str  # what a command calls it, such as `02_connect_raw_pymysql` or `exercises/02_connect_raw_pymysql`
    file: Path
    catalogue: Path


@dataclass(frozen=True)
class Entry:
    """A translated cell: the text, and the hash of the English that it renders; "" where nobody has looked yet."""

    text: str
    hash: str


def sources(name: str) -> list[Source]:
    """Return all that is translated into a language, in the order in which a student meets it."""
    english, here = place.english(), language.catalogues(name)
    files = {
        "glossary": english / "glossary.md",
        "run_sheet": english / "README.md",
    }
    for lesson in manifest.read().lessons:
        files[lesson] = english / f"{lesson}.ipynb"
        book = english / "authors" / "exercises" / f"{lesson}.ipynb"
        if book.exists():
            files[f"exercises/{lesson}"] = book
    for build in manifest.read().builds:
        start = english / "authors" / "builds" / build.name / f"start{Path(build.file).suffix}"
        files[f"builds/{build.name}"] = start
    return [
        Source("README", readme_map.README, place.in_language(readme_map.README, name)),
        *(Source(called, file, here / f"{called}.md") for called, file in files.items()),
    ]


def parts(file: Path) -> dict[str, str]:
    """Return what of a notebook or page is translated: the text of each part, by its id.

    What is generated from elsewhere is left out, or has its mark in its place.
    """
    text = file.read_text("utf-8")
    kinds = {".ipynb": _cells, ".md": sections, ".py": _task, ".js": _task}
    found = kinds[file.suffix](text)
    for pattern, instead in _GENERATED:
        found = {name: pattern.sub(instead, part) for name, part in found.items()}
    return found


def _cells(text: str) -> dict[str, str]:
    return {
        cell["id"]: "".join(cell["source"])
        for cell in json.loads(text)["cells"]
        if cell["cell_type"] == "markdown" and not cell["id"].startswith(now_you.MARK)
    }


def sections(page: str) -> dict[str, str]:
    """Return the sections of a page by the words of their headings; `top` is what stands before the first."""
    found = {}
    for part in re.split(r"^(?=## )", page, flags=re.MULTILINE):
        heading = re.match(r"## (.*)", part)
        name = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-") if heading else "top"
        found[name] = part.strip("\n")
    return found


def _task(text: str) -> dict[str, str]:
    """Return the comment at the top of a program, which says what to build."""
    begin, end, margin = comment(text)
    return {"start": re.sub(rf"^{margin}", "", text[begin:end], flags=re.MULTILINE).strip("\n")}


def comment(program: str) -> tuple[int, int, str]:
    """Return where the comment at the top of a program begins and ends, and what each of its lines begins with."""
    if program.startswith('"""'):
        return 3, program.index('"""', 3), ""
    end = re.match(r"(?://.*\n)*", program)
    return 0, end.end() if end else 0, "// ?"


def hash_of(english: str) -> str:
    """Return the hash of an English part, as a catalogue keeps it."""
    return hashlib.sha256(english.encode()).hexdigest()[:12]


def read(catalogue: Path) -> dict[str, Entry]:
    """Return the entries of a catalogue in its order; none if there is no such file.

    Raises:
        CourseError: two entries have the same name.
    """
    if not catalogue.exists():
        return {}
    found: dict[str, Entry] = {}
    text = catalogue.read_text("utf-8")
    for pattern, instead in _GENERATED:  # README.zh.md has its course map
        text = pattern.sub(instead, text)
    marks = [*MARK.finditer(text)]
    for at, mark in enumerate(marks):
        end = marks[at + 1].start() if at + 1 < len(marks) else len(text)
        if mark[1] in found:
            raise CourseError(f"{place.shown(catalogue)} has two entries for {mark[1]}: keep one.")
        found[mark[1]] = Entry(text[mark.end() : end].strip("\n"), mark[2] or "")
    return found


def stamp(catalogue: Path, names: dict[str, str]) -> None:
    """Write into the marks of entries which English text they render.

    Args:
        catalogue: the file.
        names: the English texts of the entries to stamp, by their names.
    """

    def stamped(mark: re.Match[str]) -> str:
        english = names.get(mark[1])
        return mark[0] if english is None else f"<!-- cell {mark[1]} {hash_of(english)} -->"

    catalogue.write_text(MARK.sub(stamped, catalogue.read_text("utf-8")), "utf-8")
