"""Copies of the lessons for class: without outputs, as pages, as slides."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from course import lessons, lessons_run
from course.place import ROOT

LESSONS = lessons.every()
PHONE = {"width": 360, "height": 740}
HALL = {"width": 1280, "height": 720}


def course(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "course", "lessons", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


# -- the list ----------------------------------------------------------------------------------------


def test_without_a_verb_the_lessons_are_listed():
    done = course()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for lesson, line in zip(LESSONS, lines, strict=False):
        assert line.split()[0] == lesson.name
        assert lesson.title in line
        if lesson.minutes:
            assert f"{lesson.minutes} min" in line


def test_the_list_shows_what_is_solved(tmp_path):
    (tmp_path / "progress.json").write_text('{"3.1": {"right": true, "hints": 0}}', "utf-8")
    done = course(COURSE_STATE_DIR=str(tmp_path))
    (line,) = [line for line in done.stdout.splitlines() if "03_share_a_pool" in line]
    assert re.search(r"\b1 of \d exercises$", line)


@pytest.mark.parametrize(
    ("words", "name"),
    [("3", "03_share_a_pool"), ("03", "03_share_a_pool"), ("share", "03_share_a_pool")],
)
def test_a_lesson_is_found_by_a_part_of_its_name(words, name):
    assert lessons.find(words).name == name


def test_an_unknown_lesson_is_one_sentence():
    for verb in ("run", "clean", "slides"):
        done = course(verb, "99")
        assert done.returncode == 1
        assert done.stderr == (
            "course: no lesson is called 99: python3 -m course lessons lists them.\n"
        )


# -- without outputs ---------------------------------------------------------------------------------


def test_clean_copies_have_the_same_cells_and_no_outputs(tmp_path):
    assert course("clean", "--out", str(tmp_path)).returncode == 0
    for lesson in LESSONS:
        copy, kept = (lessons_run.read(path) for path in (tmp_path / lesson.path.name, lesson.path))
        assert [cell.source for cell in copy.cells] == [cell.source for cell in kept.cells]
        code = [cell for cell in copy.cells if cell.cell_type == "code"]
        assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []


def test_a_clean_copy_of_one_lesson_runs_where_it_lies(tmp_path, play):
    assert course("clean", "00", "--out", str(tmp_path)).returncode == 0
    (copy,) = tmp_path.glob("*.ipynb")
    assert play(copy, folder=tmp_path).errors == []


def test_the_lessons_are_never_replaced_by_their_copies():
    done = course("clean", "--out", "lessons")
    assert done.returncode == 1
    assert "the copies would replace the lessons" in done.stderr


def test_a_run_that_fails_keeps_the_notebook(tmp_path, book):
    notebook = lessons_run.read(lessons.find("00").path)
    notebook.cells[1].source = "raise RuntimeError('no')"
    lesson = lessons.Lesson(tmp_path / "00_broken.ipynb")
    lessons_run.write(notebook, lesson.path)
    before = lesson.path.read_bytes()
    with pytest.raises(
        lessons_run.CourseError, match="00_broken failed and stays as it was"
    ) as caught:
        lessons_run.renew(lesson)
    assert "RuntimeError: no" in caught.value.details
    assert lesson.path.read_bytes() == before


# -- as pages ----------------------------------------------------------------------------------------


class Links(HTMLParser):
    """What a page links to, what it loads, and the names of its own parts."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids.append(found.get("id"))
        if tag == "a":
            self.links.append(found["href"])
        elif found.get("src") or (tag == "link" and found.get("href")):
            self.loaded.append(found.get("src") or found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = course("html", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return {path.name: Links(path.read_text("utf-8")) for path in folder.glob("*.html")}, folder


def test_site_has_every_lesson_and_the_course_map(site):
    pages, folder = site
    wanted = {f"{lesson.name}.html" for lesson in LESSONS}
    assert set(pages) == wanted | {"index.html", "glossary.html"}
    assert wanted | {"glossary.html"} <= set(pages["index.html"].links)
    index = (folder / "index.html").read_text("utf-8")
    for section in [f"A{number}" for number in range(13)] + [
        f"B{number}" for number in range(1, 8)
    ]:
        assert f"<td>{section}</td>" in index


def test_every_link_leads_to_a_page_of_the_site_or_another_site(site):
    pages, folder = site
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            file, _, part = link.partition("#")
            assert not file or (folder / file).is_file(), (name, link)
            assert not part or part in pages[file or name].ids, (name, link)
        for source in page.loaded:
            assert source.startswith("data:") or (folder / source).is_file(), (name, source)


def test_site_shows_what_the_notebooks_keep(site):
    pages, folder = site
    for lesson in LESSONS:
        code = [cell for cell in lessons_run.read(lesson.path).cells if cell.cell_type == "code"]
        assert [cell.id for cell in code if cell.id not in pages[f"{lesson.name}.html"].ids] == []
    text = (folder / "02_connect_raw_pymysql.html").read_text("utf-8")
    assert "in the table: [&#x27;Eve&#x27;, &#x27;Mallory&#x27;]" in text


def test_site_works_on_a_phone_and_in_the_dark(site, new_page):
    """Nothing comes from elsewhere: `new_page` complains of an address or an error on the console."""
    pages, folder = site
    window = new_page(viewport=PHONE, color_scheme="dark")
    for name in sorted(pages):
        window.goto((folder / name).as_uri())
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert (
            window.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"
        )
        broken = "[...document.images].filter((one) => !one.complete || !one.naturalWidth).length"
        assert window.evaluate(broken) == 0, name


def test_site_is_walked_by_its_links(site, new_page):
    _, folder = site
    window = new_page((folder / "index.html").as_uri())
    window.get_by_role("link", name="00 Check your set-up").click()
    for lesson in LESSONS[1:]:
        window.get_by_role("navigation").get_by_role("link", name=lesson.title).last.click()
        assert window.title() == lesson.title
    window.get_by_role("link", name="All lessons").click()
    assert window.url.endswith("/index.html")


# -- as slides ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    done = course("slides", "02", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return folder / "02_connect_raw_pymysql.html"


def place(window):
    return window.locator("#place").inner_text()


def test_slides_are_one_file_without_links_to_others(slides):
    page = Links(slides.read_text("utf-8"))
    assert [link for link in page.links if not link.startswith(("https://", "#"))] == []
    assert [source for source in page.loaded if not source.startswith("data:")] == []


def test_slides_turn_by_keys_and_show_answers_late(slides, new_page):
    window = new_page(slides.as_uri(), viewport=HALL)
    prose = [
        c for c in lessons_run.read(lessons.find("02").path).cells if c.cell_type == "markdown"
    ]
    assert place(window) == f"1 of {len(prose)}"
    asked = [cell.id for cell in prose].index("commit-predict")
    for _ in range(asked):
        window.keyboard.press("ArrowRight")
        while window.locator(".slide:visible .answer:visible").count():
            window.keyboard.press("ArrowRight")
    assert place(window) == f"{asked + 1} of {len(prose)}"
    answer = window.locator(".slide:visible .answer")
    assert window.get_by_text("Who sees her").is_visible()
    assert answer.is_hidden()
    window.keyboard.press("ArrowRight")
    assert answer.is_visible()
    assert "others see    ['小甜甜']" in answer.inner_text()
    window.keyboard.press("ArrowRight")
    assert place(window) == f"{asked + 2} of {len(prose)}"
    window.keyboard.press("ArrowLeft")
    assert place(window) == f"{asked + 1} of {len(prose)}"
    window.keyboard.press("End")
    assert place(window) == f"{len(prose)} of {len(prose)}"
    window.keyboard.press("ArrowRight")
    assert place(window) == f"{len(prose)} of {len(prose)}"
    window.keyboard.press("Home")
    window.get_by_role("button", name="Next").click()
    window.reload()
    assert place(window) == f"2 of {len(prose)}"


def test_space_reads_a_long_slide_to_its_end(slides, new_page):
    window = new_page(slides.as_uri(), viewport={"width": 800, "height": 300})
    before = place(window)
    pressed = 0
    while place(window) == before:
        window.keyboard.press(" ")
        pressed += 1
    assert pressed > 1


def test_slides_are_readable_from_the_back_row(slides, new_page):
    window = new_page(slides.as_uri(), viewport=HALL)
    sizes = window.evaluate(
        "[...document.querySelectorAll('p, li, td, pre')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 20
    for _ in range(40):
        assert window.evaluate(
            "(() => { const one = document.querySelector('.slide:not([hidden])');"
            " return one.scrollWidth <= one.clientWidth; })()"
        )
        window.keyboard.press("ArrowRight")


def test_slides_of_every_lesson_can_be_made(tmp_path):
    from course import lessons_slides

    for lesson in LESSONS:
        text = lessons_slides.write(lesson, tmp_path).read_text("utf-8")
        assert "figures/" not in re.sub(r"<code>.*?</code>", "", " ".join(Links(text).loaded))
        cells = json.loads(lesson.path.read_text("utf-8"))["cells"]
        assert text.count('class="slide"') == sum(c["cell_type"] == "markdown" for c in cells)
