"""The figures of the run sheet, `lessons/README.md`: what each section of a lesson takes.

They stand between two marks below the lesson's heading; the rest of the page is written by hand.
"""

import re
from pathlib import Path

from course.ground import place
from course.notebooks import exercises, lessons
from course.notebooks.reading_time import Section, settled

BEGIN, END = "<!-- minutes -->", "<!-- end of minutes -->"
# The table of a lesson, with its marks.
BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def file() -> Path:
    """Return where the run sheet is, in the reader's language."""
    return place.lessons() / "README.md"


def heading(lesson: lessons.Lesson) -> str:
    """Return the heading of a lesson's entry, such as `## 03 Share a pool`."""
    return f"## {lesson.heading}"


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


def renewed(
    page: str, lesson: lessons.Lesson, minutes: tuple[int, int], found: list[Section]
) -> str:
    """Return the page with a lesson's figures as they are now; an entry that is missing is begun.

    Args:
        page: the run sheet.
        lesson: the lesson of the figures.
        minutes: of the sections that have to be read, and of those that may be skipped.
        found: its sections.
    """
    kept = figures(page, lesson)
    rows = [f"| {one.title} | {settled(kept.get(one.title), one.minutes, 1)} |" for one in found]
    block = "\n".join(
        [BEGIN, "| section | minutes |", "|---|---|", *rows, "", _sum(lesson, minutes, found), END]
    )
    before = entry(page, lesson)
    if not before:
        return _with_entry(page, lesson, f"{heading(lesson)}\n\n{block}\n\n")
    if BLOCK.search(before):
        after = BLOCK.sub(lambda _: block, before, count=1)
    else:
        after = before.replace(f"{heading(lesson)}\n", f"{heading(lesson)}\n\n{block}\n", 1)
    return page.replace(before, after, 1)


def _with_entry(page: str, lesson: lessons.Lesson, new: str) -> str:
    """Return the page with an entry put before that of the next lesson."""
    for found in re.finditer(r"^## (\d\d) ", page, re.MULTILINE):
        if found[1] > lesson.number:
            return page[: found.start()] + new + page[found.start() :]
    return page.rstrip("\n") + "\n\n" + new.rstrip("\n") + "\n"


def renew_exercises() -> bool:
    """Write what the exercises of each lesson take, as their notebooks say now; return whether that was new."""
    before = page = file().read_text("utf-8")
    for lesson in lessons.every():
        kept = entry(page, lesson)
        if total := re.search(r"^(About .*?)( Its \d+ exercises .*)?$", kept, re.MULTILINE):
            page = page.replace(kept, kept.replace(total[0], total[1] + _exercises(lesson)))
    if page != before:
        file().write_text(page, "utf-8")
    return page != before


def _sum(lesson: lessons.Lesson, minutes: tuple[int, int], found: list[Section]) -> str:
    alone = f"About {minutes[0]} minutes in all, read alone."
    deeper = [section.title.partition(".")[0] for section in found if section.deeper]
    if len(deeper) == 1:
        alone += (
            f' The part "Going deeper", section {deeper[0]}, takes about'
            f" {minutes[1]} more and can be skipped."
        )
    elif deeper:
        alone += (
            f' The part "Going deeper", sections {deeper[0]} to {deeper[-1]}, takes about'
            f" {minutes[1]} more and can be skipped."
        )
    return alone + _exercises(lesson)


def _exercises(lesson: lessons.Lesson) -> str:
    each = [minutes for _, _, minutes in exercises.outline(lesson.path.name)]
    return f" Its {len(each)} exercises take about {sum(each)} more." if each else ""
