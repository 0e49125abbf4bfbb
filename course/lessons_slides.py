"""`python3 -m course lessons slides NAME`: a lesson as slides, in one file that needs no network.

A slide begins with each cell of prose; the code and the outputs below belong to it. Where the prose asks for a
prediction, the outputs stay hidden until the next key.
"""

import sys
from pathlib import Path

from nbformat import NotebookNode

from course import lessons, lessons_pages, lessons_run, say


def slides(notebook: NotebookNode) -> list[str]:
    """Return the HTML of each slide."""
    found: list[list[str]] = []
    hide = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" or not found:
            found.append([])
            hide = lessons_pages.asks(cell)
        shown = lessons_pages.cell(cell)
        if cell.cell_type == "code" and hide:
            shown = shown.replace('<div class="output">', '<div class="output answer" hidden>')
        found[-1].append(shown)
    return ["\n".join(parts) for parts in found]


def write(lesson: lessons.Lesson, folder: Path) -> Path:
    """Write the slides of a lesson and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    notebook = lessons_run.read(lesson.path)
    sections = "\n".join(
        f'<section class="slide" tabindex="-1" hidden>\n{one}\n</section>'
        for one in slides(notebook)
    )
    body = (
        f'<main>\n{sections}\n</main>\n<footer>\n<button id="back" aria-label="Back">←</button>\n'
        '<output id="place" aria-live="polite"></output>\n'
        '<button id="next" aria-label="Next">→</button>\n</footer>\n'
        f"<script>\n{lessons_pages.asset('slides.js')}</script>"
    )
    file = folder / f"{lesson.name}.html"
    text = lessons_pages.page(lesson.title, lessons_pages.alone(body), "slides.css")
    file.write_text(text, "utf-8")
    return file


if __name__ == "__main__":
    say.prepare()
    name, target = sys.argv[1:]
    write(lessons.find(name), Path(target))
