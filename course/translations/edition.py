"""An edition: lessons, exercises and pages as a reader of another language gets them, in `lessons-zh/`.

Each notebook is the English one with the words of its catalogue: same cells, same code, same outputs. It is made when the
course starts and something has changed. A notebook in which the reader has changed something is left alone; a new
version of it comes to lie beside it.

Standard library only: the command line imports it before anything is installed.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from course.ground import language, locks, manifest, optionfile, place
from course.notebooks import exercises, lessons, made, now_you, run_sheet, start_page
from course.translations import catalogue

Notebook = dict[str, Any]

STALE = "> *This part has changed since it was translated; here it is in English.*"
# Letters that a sentence must have outside its values, so that what a demo printed is not taken for one.
LEAST = 8


def make(name: str) -> list[str]:
    """Write what of the edition in a language is missing or old; return what to say. Called by wanted.py.

    Raises:
        OSError: it cannot be written.
    """
    with language.speaking(name):
        if made.record().get("inputs") == _inputs():
            return []
        lock = place.state() / "edition.lock"
        with locks.alone(lock, "Another command makes the lessons in this language; waiting."):
            said = [*_all()]
            made.keep({"inputs": _inputs()})
        return said


def _all() -> Iterator[str]:
    english, here = place.english(), place.lessons()
    of = {source.name: source for source in catalogue.sources(language.chosen())}
    books = here / "authors" / "exercises"
    (here / "authors" / "solutions").mkdir(parents=True, exist_ok=True)
    books.mkdir(exist_ok=True)
    for name in manifest.read().lessons:
        if (source := of.get(f"exercises/{name}")) is not None:
            says = Says(source)
            _write(books / f"{name}.ipynb", exercises.as_text(says.notebook(source.file)))
            solution = english / "authors" / "solutions" / f"{name}.ipynb"
            _write(
                here / "authors" / "solutions" / f"{name}.ipynb",
                exercises.as_text(says.notebook(solution)),
            )
    for name in manifest.read().lessons:
        notebook = Says(of[name]).notebook(of[name].file)
        book = books / f"{name}.ipynb"
        if book.exists():
            notebook["cells"] = now_you.renewed(notebook["cells"], book)[0]
        yield from _hand_out(here / f"{name}.ipynb", notebook)
    for build in manifest.read().builds:
        source = of[f"builds/{build.name}"]
        start = here / "authors" / "builds" / build.name / source.file.name
        start.parent.mkdir(parents=True, exist_ok=True)
        _write(start, Says(source).program())
    _write(here / "glossary.md", Says(of["glossary"]).page())
    _write(here / "README.md", _run_sheet(Says(of["run_sheet"])))
    _extensions(start_page.extensions())
    lessons.copy_figures(here)


# -- what a part says ------------------------------------------------------------------------------


class Says:
    """What the parts of one notebook or page say in the chosen language."""

    def __init__(self, source: catalogue.Source) -> None:
        """Read the English and its catalogue."""
        self.source = source
        self.english = catalogue.parts(source.file)
        self.entries = catalogue.read(source.catalogue)

    def part(self, name: str, english: str) -> str:
        """Return a part's words; in English, with a mark, where nobody has translated this text.

        Args:
            name: of the part.
            english: its text as it is now, with what is generated in it.
        """
        entry = self.entries.get(name)
        if entry is None or entry.hash != catalogue.hash_of(self.english[name]):
            mark = language.translated(STALE)
            heading = re.match(r"#+ .*\n*", english)
            rest = english[heading.end() :] if heading else english
            return f"{heading[0].strip() if heading else ''}\n\n{mark}\n\n{rest}".strip("\n")
        return _filled(entry.text, english)

    def notebook(self, file: Path) -> Notebook:
        """Return a notebook with these words: the one of the source, or that of its solutions."""
        notebook: Notebook = json.loads(file.read_text("utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown" and cell["id"] in self.english:
                text = self.part(cell["id"], "".join(cell["source"]))
                # A catalogue names the reader's own folder as the English does.
                text = text.replace("lessons/mine/", f"{place.lessons().name}/mine/")
                cell["source"] = text.splitlines(keepends=True)
            for output in cell.get("outputs", []):
                if output["output_type"] == "stream":
                    lines = "".join(output["text"]).splitlines(keepends=True)
                    output["text"] = [_printed(line) for line in lines]
        return notebook

    def program(self) -> str:
        """Return the program with these words in the comment at its top."""
        text = self.source.file.read_text("utf-8")
        begin, end, margin = catalogue.comment(text)
        words = self.part("start", self.english["start"])
        if margin:
            words = "".join(f"// {line}".rstrip() + "\n" for line in words.splitlines())
        else:
            words += "\n"
        return text[:begin] + words + text[end:]

    def page(self) -> str:
        """Return the page with these words."""
        english = catalogue.sections(self.source.file.read_text("utf-8"))
        return "\n\n".join(self.part(name, text) for name, text in english.items()) + "\n"


def _printed(line: str) -> str:
    """Return a line that a cell has printed, in the words that it has when a reader runs the cell."""
    if mark := re.match(
        r"(?:NOT OK|ok) +", line
    ):  # so the course has said it, in however few words
        return mark[0] + language.translated(line[mark.end() :])
    return language.translated(line, LEAST)


def _filled(text: str, english: str) -> str:
    """Return a translated part with the minutes that the English one has."""
    line = re.search(r"^\*\*Minutes:\*\* (.*)$", english, re.MULTILINE)
    takes = [line[1] if re.search(r"\D", line[1]) else f"{line[1]} minutes"] if line else []
    takes += re.findall(r"\*About (\d+) minutes?\.\*", english)
    for each in takes:
        text = text.replace(catalogue.MINUTES, language.translated(each), 1)
    # A solution does not say how long it takes.
    return re.sub(rf"^\*[^*\n]*{catalogue.MINUTES}[^*\n]*\*\s*", "", text, flags=re.MULTILINE)


def _run_sheet(says: Says) -> str:
    """Return the run sheet, with the minutes of the English one below the lessons' own headings."""
    english = catalogue.sections(says.source.file.read_text("utf-8"))
    whole = []
    for name, text in english.items():
        said = says.part(name, text)
        number = re.match(r"## (\d\d) ", text)
        if number:
            lesson = lessons.find(number[1])
            said = re.sub(r"\A## .*", lambda _: run_sheet.heading(lesson), said)  # noqa: B023
            said = said.replace(_table(said), _minutes(_table(text), lesson.name))
        whole.append(said)
    return "\n\n".join(whole) + "\n"


def _table(entry: str) -> str:
    """Return the table of minutes of an entry, between its marks."""
    found = run_sheet.BLOCK.search(entry)
    return found[0] if found else run_sheet.BEGIN


def _minutes(table: str, name: str) -> str:
    """Return a lesson's table of minutes with the headings of its translation."""
    titles = dict(
        zip(
            _headings(place.english() / f"{name}.ipynb"),
            _headings(place.lessons() / f"{name}.ipynb"),
            strict=False,
        )
    )
    lines = []
    for line in table.splitlines():
        row = re.match(r"\| (.+) \| (.+) \|$", line)
        head = language.translated(line) if row else line
        if head != line:
            lines.append(head)
        elif row:
            words = titles.get(row[1]) or language.translated(row[1])
            lines.append(f"| {words} | {language.translated(row[2])} |")
        else:
            sentences = re.split(r"(?<=\.)(?= )", line)
            lines.append("".join(map(language.translated, sentences)))
    return "\n".join(lines)


def _headings(file: Path) -> list[str]:
    cells = json.loads(file.read_text("utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def _extensions(folder: Path) -> None:
    """Write JupyterLab's extensions with what they say in the place of a folded output."""
    shutil.copytree(start_page.EXTENSIONS, folder, dirs_exist_ok=True)
    file = folder / "folded-answers" / "static" / "folded_answers.js"
    words = "run the cell to see"
    said = language.translated(words)
    _write(file, file.read_text("utf-8").replace(words, said))


# -- files -----------------------------------------------------------------------------------------


def _hand_out(file: Path, notebook: Notebook) -> Iterator[str]:
    """Write a lesson unless its reader has changed it; then write it beside, and say so."""
    notebook["metadata"]["course"] = {"sources": _sources(notebook)}
    text = exercises.as_text(notebook)
    if file.exists() and made.record().get(file.name) == made.digest(text):
        return  # as it was handed out last; what the reader did with it stays
    if file.exists() and not _is_untouched(file):
        file = file.with_suffix(".new.ipynb")
        yield language.translated(
            f"{place.shown(file)} is a new version of a lesson; yours stays as you left it."
        )
    optionfile.write_private(file, text)
    made.keep({file.name.replace(".new", ""): made.digest(text)})


def _is_untouched(file: Path) -> bool:
    """Say whether a notebook has the cells that were handed out; having run them does not count."""
    try:
        notebook = json.loads(file.read_text("utf-8"))
        return bool(notebook["metadata"]["course"]["sources"] == _sources(notebook))
    except (ValueError, KeyError, TypeError):
        return False


def _sources(notebook: Notebook) -> str:
    return made.digest(
        json.dumps([[c["cell_type"], "".join(c["source"])] for c in notebook["cells"]])
    )


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text("utf-8") != text:
        optionfile.write_private(file, text)


def _inputs() -> str:
    """Return a digest of names, sizes and times of all files that an edition is made of."""
    folders: list[Callable[[], Iterator[Path]]] = [
        lambda: place.english().glob("*.*"),
        lambda: (place.english() / "authors" / "exercises").iterdir(),
        lambda: (place.english() / "authors" / "solutions").iterdir(),
        lambda: language.catalogues(language.chosen()).rglob("*.*"),
        lambda: lessons.FIGURES.rglob("*.*"),
        lambda: Path(__file__).parent.glob("*.py"),
    ]
    looked = []
    for files in folders:
        for file in sorted(files()):
            state = file.stat()
            looked.append((str(file.relative_to(place.ROOT)), state.st_size, state.st_mtime_ns))
    # What the reader does with a lesson is no reason to make anything; that a file is gone is one.
    there = [one.name for one in lessons.every() if one.path.exists()]
    return made.digest(repr((looked, there)))
