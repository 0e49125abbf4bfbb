"""The figures of the run sheet, `lessons/README.md`: what each section of a lesson takes.

They stand between two marks below the lesson's heading; the rest of the page is written by hand.
"""

import re

from course import exercises, lessons
from course.lessons_minutes import EXERCISE, Section, settled

BEGIN, END = "<!-- minutes -->", "<!-- end of minutes -->"
PAGE = lessons.FOLDER / "README.md"


def heading(lesson: lessons.Lesson) -> str:
    """Return the heading of a lesson's entry, such as `## 03 Share a pool`."""
    return f"## {lesson.number} {lesson.title}"


def entry(page: str, lesson: lessons.Lesson) -> str:
    """Return a lesson's entry on the page, from its heading on; "" if there is none."""
    found = re.search(
        rf"^{re.escape(heading(lesson))}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    return found[0] if found else ""


def figures(page: str, lesson: lessons.Lesson) -> dict[str, int]:
    """Return the minutes that the page gives for each section of a lesson, by its title."""
    rows = re.findall(r"^\| (.+) \| (\d+) \|$", entry(page, lesson), re.MULTILINE)
    return {title: int(minutes) for title, minutes in rows}


def renewed(page: str, lesson: lessons.Lesson, total: int, found: list[Section]) -> str:
    """Return the page with a lesson's figures as they are now; an entry that is missing is begun."""
    kept = figures(page, lesson)
    rows = [f"| {one.title} | {settled(kept.get(one.title), one.minutes, 1)} |" for one in found]
    block = "\n".join(
        [BEGIN, "| section | minutes |", "|---|---|", *rows, "", _sum(lesson, total), END]
    )
    before = entry(page, lesson)
    if not before:
        return _with_entry(page, lesson, f"{heading(lesson)}\n\n{block}\n\n")
    marks = re.compile(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if marks.search(before):
        after = marks.sub(lambda _: block, before, count=1)
    else:
        after = before.replace(f"{heading(lesson)}\n", f"{heading(lesson)}\n\n{block}\n", 1)
    return page.replace(before, after, 1)


def _with_entry(page: str, lesson: lessons.Lesson, new: str) -> str:
    """Return the page with an entry put before that of the next lesson."""
    for found in re.finditer(r"^## (\d\d) ", page, re.MULTILINE):
        if found[1] > lesson.number:
            return page[: found.start()] + new + page[found.start() :]
    return page.rstrip("\n") + "\n\n" + new.rstrip("\n") + "\n"


def _sum(lesson: lessons.Lesson, total: int) -> str:
    book = exercises.folder("exercises") / lesson.path.name
    count = len(exercises.numbers(book)) if book.exists() else 0
    more = f" Its {count} exercises take about {count * EXERCISE} more." if count else ""
    return f"About {total} minutes in all, read alone.{more}"
