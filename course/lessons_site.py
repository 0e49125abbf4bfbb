"""`python3 -m course lessons html`: all lessons as pages that need no network and no server."""

import re
import shutil
import sys
from html import escape
from pathlib import Path

from course import lessons, lessons_pages, lessons_run, place, say

TITLE = "Connection pools and WebSockets with Flask, step by step"


def write(folder: Path) -> Path:
    """Write the site and return its first page; what the folder holds besides stays."""
    folder.mkdir(parents=True, exist_ok=True)
    every = lessons.every()
    for before, lesson, after in zip([None, *every], every, [*every[1:], None], strict=False):
        _save(folder / f"{lesson.name}.html", lesson.title, _lesson(before, lesson, after))
    glossary = (lessons.FOLDER / "glossary.md").read_text("utf-8")
    _save(folder / "glossary.html", "Glossary", _framed(lessons_pages.markdown(glossary)))
    _save(folder / "index.html", TITLE, _framed(_index(every)))
    figures = lessons.FOLDER / "figures"
    if figures.is_dir():
        shutil.copytree(figures, folder / "figures", dirs_exist_ok=True)
    return folder / "index.html"


def _lesson(
    before: lessons.Lesson | None, lesson: lessons.Lesson, after: lessons.Lesson | None
) -> str:
    cells = "\n".join(map(lessons_pages.cell, lessons_run.read(lesson.path).cells))
    links = [
        f'<a rel="{rel}" href="{other.name}.html">{escape(f"{other.number} {other.title}")}</a>'
        for rel, other in (("prev", before), ("next", after))
        if other
    ]
    return _framed(f'{cells}\n<nav aria-label="Lessons">{" ".join(links)}</nav>')


def _index(every: list[lessons.Lesson]) -> str:
    rows = "\n".join(
        f'<li><a href="{one.name}.html">{escape(f"{one.number} {one.title}")}</a>'
        f"{f' · {one.minutes} minutes' if one.minutes else ''}</li>"
        for one in every
    )
    return (
        f"<h1>{TITLE}</h1>\n<h2>Lessons</h2>\n<ul>\n{rows}\n</ul>\n"
        f'<p><a href="glossary.html">Glossary</a>, Chinese and English</p>\n'
        f"<h2>Course map</h2>\n{course_map()}"
    )


def course_map() -> str:
    """Return the course map of README: section, what it teaches, steps and lessons."""
    page = (place.ROOT / "README.md").read_text("utf-8")
    table = re.search(r"^## Course map\n.*?^(\|.*?)\n\n", page, re.MULTILINE | re.DOTALL)
    lines = table[1].splitlines() if table else []
    kept = [" | ".join(re.split(r"\s*\|\s*", line)[:5]) + " |" for line in lines]
    steps = [re.sub(r"\[([^\]]+)\]\(demos/[^)]+\)", r"\1", line) for line in kept]
    return lessons_pages.markdown("\n".join(steps))


def _framed(main: str) -> str:
    home = '<header><a href="index.html">All lessons</a></header>'
    return f"{home}\n<main>\n{main}\n</main>"


def _save(path: Path, title: str, body: str) -> None:
    path.write_text(lessons_pages.page(title, body, "site.css"), "utf-8")


if __name__ == "__main__":
    say.prepare()
    first = write(Path(sys.argv[1]))
    say.line(f"Written: {place.shown(first)}. Open it in a browser; it needs no network.")
