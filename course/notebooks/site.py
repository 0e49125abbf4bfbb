"""`python3 -m course lessons html`: all lessons as pages that need no network and no server.

index.html                          the lessons, their exercises, the course map
03_share_a_pool.html                a lesson; what answers a prediction is folded
03_share_a_pool-exercises.html      its exercises as they are handed out
03_share_a_pool-solutions.html      the same with their solutions, each folded
"""

import re
import shutil
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nbformat import NotebookNode

from course.ground import jupyter, language, manifest, place, say
from course.notebooks import execution, exercises, lessons, pages, readme_map

TITLE = "Connection pools and WebSockets with Flask, step by step"
WORK = (
    "Here you read them. You solve them in JupyterLab, in your own copy, where `check` tries your code: "
    "`python3 -m course` in a terminal starts it."
)

Links = list[
    tuple[str, str, str]
]  # of a page to its neighbours: `prev` or `next` or "", file, words


def write(folder: Path) -> Path:
    """Write the site and return its first page; what the folder holds besides stays."""
    folder.mkdir(parents=True, exist_ok=True)
    every = lessons.every()
    for before, lesson, after in zip([None, *every], every, [*every[1:], None], strict=False):
        _save(folder / f"{lesson.name}.html", lesson.title, _lesson(before, lesson, after))
        if (book := _book(lesson)).exists():
            tasks, solved = pages.exercises_page(lesson.name), _solutions_page(lesson)
            _save(
                folder / tasks,
                language.translated(f"Exercises: {lesson.title}"),
                _exercises(lesson, book),
            )
            _save(
                folder / solved,
                language.translated(f"Solutions: {lesson.title}"),
                _solutions(lesson),
            )
    glossary = (place.lessons() / "glossary.md").read_text("utf-8")
    _save(
        folder / "glossary.html",
        language.translated("Glossary"),
        _framed(pages.markdown(glossary), []),
    )
    _save(folder / "index.html", language.translated(TITLE), f"<main>\n{_index(every)}\n</main>")
    shutil.copy(jupyter.LETTERS, folder)
    lessons.copy_figures(folder)
    return folder / "index.html"


def _book(lesson: lessons.Lesson) -> Path:
    return exercises.folder("exercises") / lesson.path.name


def _solutions_page(lesson: lessons.Lesson) -> str:
    return f"{lesson.name}-solutions.html"


def _page_of(lesson: lessons.Lesson) -> str:
    return f"{lesson.name}.html"


# -- the pages -------------------------------------------------------------------------------------


def _lesson(
    before: lessons.Lesson | None, lesson: lessons.Lesson, after: lessons.Lesson | None
) -> str:
    links: Links = []
    if before:
        links.append(("prev", _page_of(before), before.heading))
    if _book(lesson).exists():
        links.append(("", pages.exercises_page(lesson.name), language.translated("Exercises")))
    if after:
        links.append(("next", _page_of(after), after.heading))
    return _framed("\n".join(map(pages.cell, execution.read(lesson.path).cells)), links)


def _exercises(lesson: lessons.Lesson, book: Path) -> str:
    """Return the tasks of a lesson with the code that is handed out."""
    links: Links = [
        ("prev", _page_of(lesson), lesson.heading),
        ("next", _solutions_page(lesson), language.translated("Solutions")),
    ]
    cells = execution.read(book).cells
    shown = [_task(cell) for cell in cells if _is_task(cell)]
    work = f'<div class="guess">{pages.markdown(language.translated(WORK))}</div>'
    return _framed("\n".join([_heading(f"Exercises: {lesson.title}"), work, *shown]), links)


def _solutions(lesson: lessons.Lesson) -> str:
    """Return the tasks of a lesson, each with its solution folded."""
    tasks = pages.exercises_page(lesson.name)
    links: Links = [
        ("prev", tasks, language.translated("Exercises")),
        ("", _page_of(lesson), lesson.heading),
    ]
    cells = execution.read(exercises.folder("solutions") / lesson.path.name).cells
    shown = list(_solved([cell for cell in cells if _is_task(cell)]))
    return _framed("\n".join([_heading(f"Solutions: {lesson.title}"), *shown]), links)


def _heading(words: str) -> str:
    return f"<h1>{escape(language.translated(words))}</h1>"


def _is_task(cell: NotebookNode) -> bool:
    """Say whether a cell belongs to the exercises themselves: neither set-up nor check."""
    return cell.id not in ("title", "setup", "bars", "progress") and not cell.id.endswith("-check")


def _task(cell: NotebookNode) -> str:
    """Return a cell of exercises; a task's heading is below the page's."""
    if cell.cell_type == "markdown":
        cell.source = re.sub(r"^### ", "## ", cell.source)
    return pages.cell(cell)


def _solved(cells: list[NotebookNode]) -> Iterator[str]:
    for cell in cells:
        if exercises.TAG not in cell.metadata.get("tags", []):
            yield _task(cell)
            continue
        number = cell.id.removeprefix("ex-").removesuffix("-code").replace("-", ".")
        code = f'<div class="code" id="{cell.id}">{pages.code(_answer(cell.source))}</div>'
        yield pages.folded(language.translated(f"Show the solution of {number}"), code)


def _answer(source: str) -> str:
    """Return a cell of solutions without what only authors need: the marks, and what is handed out instead."""
    lines = source.splitlines()
    said = [line.strip() for line in lines]
    end = said.index(exercises.END)
    given = said.index(exercises.INSTEAD) if exercises.INSTEAD in said else end
    kept = [*lines[:given], *lines[end:]]
    return "\n".join(line for line in kept if line.strip() not in (exercises.BEGIN, exercises.END))


def _index(every: list[lessons.Lesson]) -> str:
    rows = "\n".join(f"<li>{_entry(one)}</li>" for one in every)
    solved = " · ".join(
        f'<a href="{_solutions_page(one)}">{one.number}</a>' for one in every if _book(one).exists()
    )
    said = language.translated
    return (
        f"<h1>{said(TITLE)}</h1>\n<h2>{said('Lessons')}</h2>\n<ul>\n{rows}\n</ul>\n"
        f'<p><a href="glossary.html">{said("Glossary, Chinese and English")}</a></p>\n'
        f"<h2>{said('Course map')}</h2>\n{_map()}\n"
        f"<h2>{said('Solutions')}</h2>\n<p>{said('For when you have tried.')} {solved}</p>"
    )


def _entry(lesson: lessons.Lesson) -> str:
    """Return a lesson as the index lists it, with its exercises."""
    line = f'<a href="{_page_of(lesson)}">{escape(lesson.heading)}</a>'
    if lesson.minutes:
        minutes = language.translated(f"{lesson.minutes} minutes")
        line += f' <span class="whole">· {minutes}</span>'
    tasks = pages.exercises_page(lesson.name)
    each = "".join(
        f'<li><a href="{tasks}#{exercises.task_id(number)}">{number} {escape(title)}</a></li>'
        for number, title, _ in exercises.outline(lesson.path.name)
    )
    return f'{line}\n<ul class="exercises">{each}</ul>' if each else line


def _map() -> str:
    """Return the course map without what is not on the site: steps have no pages there, and tests no place."""
    lines = readme_map.table(manifest.read()).splitlines()
    kept = [" | ".join(re.split(r"\s*\|\s*", line)[:5]) + " |" for line in lines]
    steps = [re.sub(r"\[([^\]]+)\]\(demos/[^)]+\)", r"\1", line) for line in kept]
    return pages.markdown("\n".join(steps))


# -- the frame -------------------------------------------------------------------------------------


def _framed(main: str, links: Links) -> str:
    """Return the body of a page: the way home, and the links to its neighbours above and below."""
    home = f'<a href="index.html">{language.translated("All lessons")}</a>'
    pages_label = language.translated("Pages")
    again = language.translated("Pages, once more")
    top = f'<nav aria-label="{pages_label}">{home} {_row(links)}</nav>' if links else home
    foot = f'\n<footer><nav aria-label="{again}">{_row(links)}</nav></footer>' if links else ""
    return f"<header>{top}</header>\n<main>\n{_boxed(main)}\n</main>{foot}"


def _boxed(html: str) -> str:
    """Put each picture into a box: on a narrow page it scrolls there. A table that holds pictures has a box already."""
    return re.sub(
        r'<p>(?P<alone><img [^>]*>)</p>|(?:(?<=<div class="output">)|^)(?P<output><img [^>]*>)',
        lambda found: (
            f'<div class="wide picture" tabindex="0">{found["alone"] or found["output"]}</div>'
        ),
        html,
        flags=re.MULTILINE,
    )


def _row(links: Links) -> str:
    arrows = {"prev": ("← ", ""), "next": ("", " →"), "": ("", "")}
    return " ".join(
        f'<a{f" rel={rel}" if rel else ""} href="{file}">{arrows[rel][0]}{escape(words)}{arrows[rel][1]}</a>'
        for rel, file, words in links
    )


def _save(path: Path, title: str, body: str) -> None:
    languages = f'<nav class="languages" aria-label="{language.translated("Languages")}">{pages.switch(path.name)}</nav>\n'
    path.write_text(pages.page(title, languages + body, "letters.css", "site.css"), "utf-8")


def main(folder: Path) -> int:
    """Write the site in all languages; return the exit code."""
    for name in language.NAMES:
        with language.speaking(name):
            write(place.of_reader(folder))
    first = place.of_reader(folder) / "index.html"
    say.line(f"Written: {place.shown(first)}. Open it in a browser; it needs no network.")
    return 0


if __name__ == "__main__":
    say.prepare()
    sys.exit(say.ending(lambda: main(Path(sys.argv[1]))))
