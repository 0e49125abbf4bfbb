"""The run sheet for instructors, the minutes of each lesson, and the glossary."""

import re

import pytest

from course.ground import place
from course.ground.place import ROOT
from course.notebooks import execution, exercises, lessons, reading_time, run_sheet

from .conftest import read

LESSONS = lessons.every()
PARTS = r"\*\*Show\.\*\* \S.*^\*\*Stumbles\.\*\*\n\n- \S.*^\*\*Drop when late\.\*\* \S"
SECTIONS = {f"A{number}" for number in range(13)} | {f"B{number}" for number in range(1, 8)}
RUN = "python3 -m course lessons run writes the figures"

SHEET = run_sheet.file().read_text("utf-8")


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.name)
def lesson(request):
    return request.param


def test_lesson_has_an_entry_with_all_parts(lesson):
    entry = run_sheet.entry(SHEET, lesson)
    assert re.search(PARTS, entry, re.MULTILINE | re.DOTALL), run_sheet.heading(lesson)


def test_the_entries_are_those_of_the_lessons_in_order():
    headings = re.findall(r"^## \d\d .*$", SHEET, re.MULTILINE)
    assert headings == [run_sheet.heading(lesson) for lesson in LESSONS]


def test_sections_and_minutes_are_those_of_the_lesson(lesson):
    """Without the cells' run time, which the test of the run adds: here it is a few seconds."""
    found = reading_time.sections(read(lesson.path), {})
    figures = run_sheet.figures(SHEET, lesson)
    assert list(figures) == [section.title for section in found], RUN
    for section in found:
        assert abs(figures[section.title] - section.minutes) < 2, (section.title, RUN)
    assert lesson.minutes, RUN
    assert abs(lesson.minutes - reading_time.total(found)) <= 5, RUN
    assert abs((lesson.deeper or 0) - reading_time.total(found, deeper=True)) <= 5, RUN
    assert f"About {lesson.minutes} minutes" in run_sheet.entry(SHEET, lesson)


def test_a_lesson_says_how_long_its_exercises_take(lesson):
    """In its first cell, beside its own minutes."""
    first = read(lesson.path).cells[0].source
    practice = execution.exercises_of(lesson)
    expected = execution.with_minutes(first, lesson.minutes, lesson.deeper or 0, practice)
    assert first == expected, RUN


def test_a_part_that_may_be_skipped_has_minutes_of_its_own(lesson):
    skipped = [one.title for one in reading_time.sections(read(lesson.path), {}) if one.deeper]
    assert bool(skipped) == bool(lesson.deeper), RUN
    if skipped:
        first, last = (title.partition(".")[0] for title in (skipped[0], skipped[-1]))
        which = f"sections {first} to {last}" if first != last else f"section {first}"
        assert (
            f'The part "Going deeper", {which}, takes about {lesson.deeper} more'
        ) in run_sheet.entry(SHEET, lesson), RUN


def test_no_lesson_is_longer_than_it_may_be(lesson):
    """Neither by the rounded figure, nor by the model: that one is without the cells' run time, which is seconds."""
    assert lesson.minutes <= reading_time.LONGEST
    assert reading_time.total(reading_time.sections(read(lesson.path), {})) <= reading_time.LONGEST


def test_exercises_are_named_apart(lesson):
    book = exercises.folder("exercises") / lesson.path.name
    if book.exists():
        each = exercises.minutes(book)
        sentence = f"Its {len(each)} exercises take about {sum(each.values())} more."
        assert sentence in run_sheet.entry(SHEET, lesson), RUN


@pytest.mark.parametrize(
    ("kept", "found", "step", "figure"),
    [
        (None, 22.4, 5, 20),
        (None, 22.6, 5, 25),
        (20, 23.7, 5, 20),  # near enough: no file changes
        (20, 23.8, 5, 25),
        (3, 2.3, 1, 3),
        (3, 2.2, 1, 2),
        (None, 0.1, 1, 1),
    ],
)
def test_a_figure_stays_while_the_model_is_near(kept, found, step, figure):
    assert reading_time.settled(kept, found, step) == figure


def test_an_entry_is_begun_and_then_kept():
    lesson = LESSONS[0]
    sections = [reading_time.Section("1. Python", 130), reading_time.Section("Summary", 20)]
    once = run_sheet.renewed("# Run sheet\n", lesson, (5, 0), sections)
    assert run_sheet.figures(once, lesson) == {"1. Python": 2, "Summary": 1}
    page = once + "\n**Show.** It.\n\n## 99 Another\n"
    sections[0].seconds = 200
    twice = run_sheet.renewed(page, lesson, (5, 0), sections)
    assert twice == page.replace("| 1. Python | 2 |", "| 1. Python | 3 |")


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if re.match(r"\| [^-]*[\u4e00-\u9fff]", line)
    ]


def glossary(part):
    """The rows of a part of the glossary, by its heading."""
    _, _, text = (place.english() / "glossary.md").read_text("utf-8").partition(f"## {part}\n")
    return rows(text.partition("\n## ")[0])


def test_glossary_explains_each_term_of_the_course_in_one_sentence():
    terms = glossary("Terms of this course")
    assert len({term for term, *_ in terms}) == len(terms) > 30
    for term, chinese, meaning in terms:
        assert re.search(r"[\u4e00-\u9fff]", chinese), term
        assert re.fullmatch(r"[A-Z`][^.]*(\.[^ ][^.]*)*\.", meaning), meaning


def test_glossary_has_one_row_for_each_word():
    words = glossary("Words of the subject")
    assert len({chinese for chinese, *_ in words}) == len(words)
    for _, english, meaning, sections in words:
        assert english
        assert re.fullmatch(r"[A-Z].*\.", meaning), meaning
        sections = sections.removesuffix(" *")  # not a word of the source's
        assert set(sections.split(", ")) <= SECTIONS, sections


def test_words_of_a_lesson_are_in_the_glossary(lesson):
    known = {
        word: english.split(", ")
        for chinese, english, *_ in glossary("Words of the subject")
        for word in chinese.split("、")
    }
    text = lesson.prose
    used = rows(text[text.index("## Words") :])
    assert used
    for chinese, english, _ in used:
        assert chinese in known, f"{chinese} ({english}) is not in lessons/glossary.md"
        assert set(english.split(", ")) <= set(known[chinese]), (chinese, english, known[chinese])


def test_the_sheet_names_what_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", SHEET):
        assert (ROOT / "lessons" / target).exists()
