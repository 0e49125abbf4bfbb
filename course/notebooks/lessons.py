"""The lessons: the notebooks of `lessons/`, in the manifest's order."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from course.ground import manifest, place
from course.ground.errors import CourseError

# Those of other languages are in folders below it.
FIGURES = place.english() / "authors" / "figures"
MEASURE = "--measure"  # take new figures of lessons also where nothing else is new


@dataclass(frozen=True)
class Lesson:
    """One notebook of `lessons/`."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `03_share_a_pool`."""
        return self.path.stem

    @property
    def number(self) -> str:
        """Such as `03`."""
        return self.name[:2]

    @property
    def english(self) -> Path:
        """The English notebook: the same one, or the one of which an edition was made."""
        return place.english() / self.path.name

    @property
    def prose(self) -> str:
        """All its Markdown cells."""
        return _prose(self.path)

    @property
    def title(self) -> str:
        """Its heading."""
        return self.prose.partition("\n")[0].removeprefix("# ")

    @property
    def heading(self) -> str:
        """Its number and its title, such as "03 Share a pool"."""
        return f"{self.number} {self.title}"

    @property
    def minutes(self) -> int | None:
        """What its first cell says; None if it has never been run by `lessons run`."""
        found = re.search(r"^\*\*Minutes:\*\* (\d+)\b", _prose(self.english), re.MULTILINE)
        return int(found[1]) if found else None

    @property
    def deeper(self) -> int | None:
        """The minutes of the part that may be skipped, as the first cell says; None if there is none."""
        found = re.search(r"^\*\*Minutes:\*\* \d+, and (\d+) ", _prose(self.english), re.MULTILINE)
        return int(found[1]) if found else None


def _prose(notebook: Path) -> str:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def every() -> list[Lesson]:
    """Return the lessons in order, in the reader's language."""
    return [Lesson(place.lessons() / f"{name}.ipynb") for name in manifest.read().lessons]


def find(words: str) -> Lesson:
    """Return the one lesson that the words name: such as `03`, `3` or `03_share_a_pool`.

    Raises:
        CourseError: no lesson or several have that name.
    """
    name = Path(words).name.removesuffix(".ipynb")
    number = name.zfill(2) if name.isdecimal() else name
    lessons = every()
    exact = [one for one in lessons if number in (one.name, one.number)]
    found = exact or [one for one in lessons if name in one.name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CourseError(f"no lesson is called {words}: python3 -m course lessons lists them.")
    raise CourseError(
        f"{words} could mean several lessons: name one of {', '.join(one.name for one in found)}."
    )


def copy_figures(folder: Path) -> None:
    """Copy the figures to where the lessons in a folder look for them: those of the reader's language, else the English ones."""
    where = folder / "authors" / "figures"
    for source in dict.fromkeys([FIGURES, place.of_reader(FIGURES)]):
        for file in source.glob("*.*"):
            where.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, where)


def chosen(words: list[str]) -> list[Lesson]:
    """Return the lessons that are named, or all if none is."""
    return [find(word) for word in words] or every()
