"""`python3 -m course lessons slides NAME`: a lesson as slides, in one file that needs no network.

A part of it begins with each cell of prose; the code and the outputs below belong to it, and so does prose that only
explains them. Where the prose asks for a prediction, what answers it stays hidden until the next key. The page itself,
`look/slides.js`, lays each part out on as many slides as it needs: only the browser knows what fits.
"""

import re
import sys
from pathlib import Path

from nbformat import NotebookNode

from course.database import target
from course.ground import language, place, say
from course.notebooks import execution, lessons, now_you, pages
from course.notebooks.reading_time import guesses


def parts(notebook: NotebookNode) -> list[str]:
    """Return the HTML of each part of a lesson."""
    # A class says its guesses, and does its exercises afterwards.
    cells = [c for c in notebook.cells if not (guesses(c) or c.id.startswith(now_you.MARK))]
    found: list[list[str]] = []
    hide = False
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        explains = after is None or after.cell_type == "markdown"
        is_prose = cell.cell_type == "markdown"
        if not found or (is_prose and not (explains and _only_explains(cell))):
            found.append([])
            hide = pages.asks(cell)
        shown = pages.cell(cell)
        if hide and is_prose and found[-1]:
            shown = shown.replace('<div class="prose"', '<div class="prose answer" hidden', 1)
        elif not is_prose:
            shown = re.sub(r"<details><summary>.*?</summary>|</details>", "", shown)
            if hide:
                shown = shown.replace('<div class="output">', '<div class="output answer" hidden>')
        found[-1].append(shown)
    return ["\n".join(one) for one in found]


def _only_explains(cell: NotebookNode) -> bool:
    """Say whether prose belongs to what stands before it: it opens no section and asks nothing."""
    return not cell.source.startswith("#") and not pages.asks(cell)


def write(lesson: lessons.Lesson, folder: Path) -> Path:
    """Write the slides of a lesson and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    said = language.translated
    name = f"{lesson.name}.html"
    notebook = execution.read(lesson.path)
    sections = "\n".join(
        f'<section class="slide" tabindex="-1">\n{one}\n</section>' for one in parts(notebook)
    )
    body = (
        f'<main>\n{sections}\n</main>\n<footer>\n<button id="back" aria-label="{said("Back")}">←</button>\n'
        f'<output id="place" data-of="{said("of")}" aria-live="polite"></output>\n'
        f'<button id="next" aria-label="{said("Next")}">→</button>\n{pages.switch(name)}\n</footer>\n'
        f"<script>\n{pages.asset('slides.js')}</script>"
    )
    file = folder / name
    text = pages.page(lesson.title, pages.alone(body), "slides.css")
    file.write_text(text, "utf-8")
    return file


def main(lesson: str, folder: Path) -> int:
    """Write the slides of a lesson in all languages; return the exit code."""
    files = []
    for name in language.NAMES:
        with language.speaking(name):
            files.append(write(lessons.find(lesson), place.of_reader(folder)))
    # Each file travels alone, with the letters that it shows.
    target.run_demo("demos.instruments.chinese", *map(str, files))
    return 0


if __name__ == "__main__":
    say.prepare()
    sys.exit(say.ending(lambda: main(sys.argv[1], Path(sys.argv[2]))))
