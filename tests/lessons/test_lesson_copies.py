"""Copies of the lessons for class: without outputs, as pages, as slides."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from course.ground.place import ROOT
from course.notebooks import execution, exercises, lessons, now_you, reading_time
from demos.instruments import chinese
from tests.support.axe import faults
from tests.support.pages import CONTRASTS

LESSONS = lessons.every()
PHONE = {"width": 360, "height": 740}
HALL = {"width": 1280, "height": 720}
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
PICTURES = os.environ.get(
    "LESSON_SCREENSHOTS"
)  # a folder: CONTRIBUTING.md says how to look at all pages


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
        copy, kept = (execution.read(path) for path in (tmp_path / lesson.path.name, lesson.path))
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
    notebook = execution.read(lessons.find("00").path)
    setup = next(cell for cell in notebook.cells if cell.id == "setup")
    setup.source = "raise RuntimeError('no')"
    lesson = lessons.Lesson(tmp_path / "00_broken.ipynb")
    execution.write(notebook, lesson.path)
    before = lesson.path.read_bytes()
    with pytest.raises(
        execution.CourseError, match="00_broken failed and stays as it was"
    ) as caught:
        execution.renew(lesson)
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


def every_page(folder):
    """The pages of the site, in both languages."""
    return sorted([*folder.glob("*.html"), *folder.glob("zh/*.html")])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = course("html", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return {path.name: Links(path.read_text("utf-8")) for path in folder.glob("*.html")}, folder


def test_site_has_every_lesson_and_the_course_map(site):
    pages, folder = site
    wanted = {f"{lesson.name}.html" for lesson in LESSONS} | {"glossary.html"}
    books = [book.stem for book in exercises.books()]
    wanted |= {f"{book}-{kind}.html" for book in books for kind in ("exercises", "solutions")}
    assert set(pages) == wanted | {"index.html"}
    assert wanted <= {link.partition("#")[0] for link in pages["index.html"].links}
    index = (folder / "index.html").read_text("utf-8")
    for section in [f"A{number}" for number in range(13)] + [
        f"B{number}" for number in range(1, 8)
    ]:
        assert f"<td>{section}</td>" in index


def test_pages_have_chinese_letters_beside_them(site):
    _, folder = site
    for page in every_page(folder):
        (letters,) = re.findall(r"@font-face [^}]*url\((.+?)\)", page.read_text("utf-8"))
        assert (page.parent / letters).read_bytes() == chinese.FILE.read_bytes()


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
        code = [cell for cell in execution.read(lesson.path).cells if cell.cell_type == "code"]
        assert [cell.id for cell in code if cell.id not in pages[f"{lesson.name}.html"].ids] == []
    text = (folder / "02_connect_raw_pymysql.html").read_text("utf-8")
    assert "in the table: [&#x27;Eve&#x27;, &#x27;Mallory&#x27;]" in text


def test_names_are_code_and_a_file_that_the_site_does_not_have_is_no_link(site):
    _, folder = site
    asked = (folder / "08_message_one_person.html").read_text("utf-8")
    assert re.search(
        r'<p class="guess"[^>]*><b>Your guess:</b> Which <code>from_user</code>', asked
    )
    last = (folder / "11_run_it_for_real.html").read_text("utf-8")
    assert "<code>deploy/<wbr>README.md</code> describes" in last


def test_code_on_a_phone_has_no_empty_lines_of_its_own(site, new_page):
    """Neither code that is shown nor code that a cell printed, as in lesson 04."""
    _, folder = site
    window = new_page(viewport=PHONE)
    for name in ("03_share_a_pool", "04_compare_honestly"):
        window.goto((folder / f"{name}.html").as_uri())
        window.evaluate(OPEN_ALL)
        late = window.evaluate("""() => [...document.querySelectorAll(".line")].filter((line) => {
            const text = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
            while (text.nextNode()) if (text.currentNode.data.trim()) break;
            if (!text.currentNode?.data?.trim()) return false;
            const range = document.createRange();
            range.setStart(text.currentNode, text.currentNode.data.search(/\\S/));
            range.setEnd(text.currentNode, text.currentNode.data.search(/\\S/) + 1);
            return range.getClientRects()[0].top - line.getBoundingClientRect().top > 10;
        }).map((line) => line.textContent)""")
        assert late == [], name


def test_the_site_s_exercises_are_those_of_the_course_and_solutions_are_folded(site):
    pages, folder = site
    for book in exercises.books():
        for number in exercises.numbers(book):
            part = f"ex-{number.replace('.', '-')}"
            task = f"{book.stem}-exercises.html#{part}"
            assert task in pages["index.html"].links
            assert task in pages[f"{book.stem}.html"].links, "Now you leads there"
            assert part in pages[f"{book.stem}-exercises.html"].ids
        handed_out = (folder / f"{book.stem}-exercises.html").read_text("utf-8")
        solved = (folder / f"{book.stem}-solutions.html").read_text("utf-8")
        assert handed_out.count("<details>") == 0
        assert solved.count("<details>") == len(exercises.numbers(book))
        assert exercises.INSTEAD not in re.sub("<.*?>", "", solved)


def test_what_answers_a_prediction_is_folded_until_somebody_asks_or_prints(site, new_page):
    _, folder = site
    window = new_page((folder / "03_share_a_pool.html").as_uri(), viewport=HALL)
    guess = window.locator("#pool-import-guess")
    assert re.fullmatch(r"Your guess: How many connections.*\?", guess.inner_text())
    answer = window.get_by_text("2 connections opened by the import", exact=True)
    assert not answer.is_visible()
    window.emulate_media(media="print")
    assert answer.is_visible()
    window.emulate_media(media="screen")
    window.locator("#pool-import + details summary").focus()
    window.keyboard.press("Enter")
    assert answer.is_visible()


def test_pages_of_the_site_have_no_fault_that_axe_finds(site, new_page):
    _, folder = site
    window = new_page(viewport=HALL)
    for name in (
        "index",
        *(f"06_open_a_websocket{kind}" for kind in ("", "-exercises", "-solutions")),
    ):
        window.goto((folder / f"{name}.html").as_uri())
        window.evaluate(OPEN_ALL)
        assert faults(window) == [], name


GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 29)"}


@pytest.mark.parametrize("edition", ["English", "Chinese"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_fits_a_phone_and_each_text_can_be_read(site, new_page, scheme, edition):
    """Nothing comes from elsewhere: `new_page` complains of an address or an error on the console."""
    _, folder = site
    window = new_page(viewport=PHONE, color_scheme=scheme)
    pages = [one for one in every_page(folder) if ("zh" in one.parts) == (edition == "Chinese")]
    assert len(pages) > 30
    for page in pages:
        window.goto(page.as_uri())
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
        ground = window.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == GROUND[scheme], page
        window.evaluate(OPEN_ALL)
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
        broken = "[...document.images].filter((one) => !one.complete || !one.naturalWidth).length"
        assert window.evaluate(broken) == 0, page
        found = window.evaluate(CONTRASTS)
        assert [text for text, contrast, size in found if contrast < 4.5 or size < 13] == [], page


def test_pictures_are_no_smaller_on_a_phone_than_their_letters_allow(site, new_page):
    _, folder = site
    window = new_page(viewport=PHONE)
    for name, least in (("06_open_a_websocket", 600), ("05_wrap_in_mysqlhelp", 300)):
        window.goto((folder / f"{name}.html").as_uri())
        window.evaluate(OPEN_ALL)
        widths = window.evaluate("[...document.images].map((one) => one.clientWidth)")
        assert min(widths) >= least, name


def test_columns_of_a_printed_table_are_in_line_whatever_the_letters(site, new_page):
    _, folder = site
    window = new_page((folder / "02_connect_raw_pymysql.html").as_uri(), viewport=HALL)
    ends = window.evaluate("""() => {
        const table = [...document.querySelectorAll("pre.table")].at(-1);
        const text = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
        const ends = [];
        while (text.nextNode()) for (const found of text.currentNode.data.matchAll(/(?<= )22(?=\\s*\\n)/g)) {
            const range = document.createRange();
            range.setStart(text.currentNode, found.index);
            range.setEnd(text.currentNode, found.index + 2);
            ends.push(range.getBoundingClientRect().right);
        }
        return ends;
    }""")
    assert len(ends) > 2
    # The step prints two tables: with parameters (three ages of 22) and by % (one).
    assert max(ends[:3]) - min(ends[:3]) < 1


def test_chinese_pages_have_no_blank_behind_a_mark_that_has_its_own(site):
    _, folder = site
    for page in folder.glob("zh/*.html"):
        prose = re.sub(
            r"<pre.*?</pre>|<style>.*?</style>", "", page.read_text("utf-8"), flags=re.DOTALL
        )
        assert re.findall(r"[，。：；！？](?:</\w+>)* \S.{,20}", prose) == [], page


def test_a_table_without_heads_has_no_empty_row(site):
    _, folder = site
    changes = (folder / "05_wrap_in_mysqlhelp.html").read_text("utf-8")
    assert "table_after_insert.svg" in changes
    for page in every_page(folder):
        for head in re.findall(r"<thead>.*?</thead>", page.read_text("utf-8"), re.DOTALL):
            assert re.sub(r"<[^>]+>|\s", "", head), page


@pytest.mark.skipif(not PICTURES, reason="LESSON_SCREENSHOTS names no folder for the pictures")
@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("light", {"viewport": HALL, "color_scheme": "light"}),
        ("dark", {"viewport": HALL, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "color_scheme": "light"}),
    ],
)
def test_picture_of_each_page(site, new_page, name, look):
    _, folder = site
    window = new_page(**look)
    for page in every_page(folder):
        window.goto(page.as_uri())
        window.evaluate(OPEN_ALL)
        file = f"{page.stem}-{name}.png"
        window.screenshot(
            path=Path(PICTURES, page.parent.relative_to(folder), file), full_page=True
        )


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


def test_slides_are_one_file_for_each_language(slides):
    page = Links(slides.read_text("utf-8"))
    others = [link for link in page.links if not link.startswith(("https://", "#"))]
    assert others == [f"zh/{slides.name}"], "but the same slides in the other language"
    assert [source for source in page.loaded if not source.startswith("data:")] == []
    for file in (slides, slides.parent / "zh" / slides.name):
        text = file.read_text("utf-8")
        assert text == chinese.lettered(text)
        assert len(chinese.OWN.search(text)[0]) < 300_000


def test_slides_turn_by_keys_and_show_answers_late(slides, new_page):
    window = new_page(slides.as_uri(), viewport=HALL)
    count = int(place(window).removeprefix("1 of "))
    asked = window.locator("#commit-predict")
    while not asked.is_visible():
        window.keyboard.press("ArrowRight")
    answer = window.locator("#commit-run + .answer")
    assert answer.is_hidden()
    while window.locator("#commit-run").is_hidden():
        window.keyboard.press("ArrowRight")
    here = place(window)
    assert answer.is_hidden()
    window.keyboard.press("ArrowRight")
    assert answer.is_visible()
    assert "others see    ['小甜甜']" in answer.inner_text()
    shown_at = place(window)
    window.keyboard.press("ArrowRight")
    assert place(window) != shown_at
    while place(window) != here:
        window.keyboard.press("ArrowLeft")
    window.keyboard.press("End")
    assert place(window) == f"{count} of {count}"
    window.keyboard.press("ArrowRight")
    assert place(window) == f"{count} of {count}"
    window.keyboard.press("Home")
    window.get_by_role("button", name="Next").click()
    window.reload()
    assert place(window) == f"2 of {count}"


def test_space_reads_what_is_higher_than_a_slide_to_its_end(slides, new_page):
    window = new_page(slides.as_uri(), viewport={"width": 800, "height": 300})
    tall = window.locator(".tall:visible").first
    while not tall.is_visible():
        window.keyboard.press("ArrowRight")
    before, pressed = place(window), 0
    while place(window) == before:
        window.keyboard.press(" ")
        pressed += 1
    assert pressed > 1


def test_a_window_of_another_size_has_the_same_block_on_its_slide(slides, new_page):
    window = new_page(slides.as_uri(), viewport=HALL)
    section = window.get_by_role("heading", name="5. The cure: parameters")
    while not section.is_visible():
        window.keyboard.press("ArrowRight")
    before = place(window)
    window.set_viewport_size({"width": 800, "height": 300})
    window.wait_for_function(
        "before => document.getElementById('place').textContent !== before", arg=before
    )
    assert section.is_visible()


def test_slides_are_readable_from_the_back_row(slides, new_page):
    window = new_page(slides.as_uri(), viewport=HALL)
    sizes = window.evaluate(
        "[...document.querySelectorAll('p, li, td, pre')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 20


# What is wrong with the slides of a page, as sentences: all answers shown, each slide in its turn.
MEASURE = """() => slides.flatMap(({ part, blocks }, at) => {
  show(at);
  reveal();
  const [frame, style] = [part.getBoundingClientRect(), getComputedStyle(part)];
  const ends = (one) => one.getBoundingClientRect();
  const cut = [...part.querySelectorAll("*")].filter(
    (one) => ends(one).right > frame.right + 1 && !one.closest(".wide, pre.table"));
  const low = blocks.filter((one) => ends(one).bottom > frame.bottom - parseFloat(style.paddingBottom) + 1);
  const name = (word) => (one) => `slide ${at + 1}: ${one.tagName} ${word}: ${one.textContent.slice(0, 60)}`;
  const last = blocks.slice(-1).filter((one) => one.matches("h1, h2, h3") || one.nextElementSibling?.matches(".output > .highlight"));
  return [...cut.map(name("is cut at the right")), ...low.map(name("is cut at the bottom")),
    ...last.map(name("names what is on the next slide"))];
})"""

# Sentences that are alone on a slide although the slide before or after it has room for them.
LONELY = """() => {
  const lonely = ({ blocks }) => blocks.length === 1 && blocks[0].matches("p") && !blocks[0].querySelector("img");
  const high = (blocks) => blocks.reduce((sum, one) => sum + one.offsetHeight, 0);
  const heights = slides.map(({ blocks }, at) => { show(at); reveal(); return high(blocks); });
  return slides.flatMap((one, at) => [slides[at - 1], slides[at + 1]]
    .filter((other) => lonely(one) && other?.part === one.part)
    .filter((other) => heights[at] + heights[slides.indexOf(other)] < 0.8 * one.part.clientHeight)
    .map(() => one.blocks[0].textContent));
}"""


@pytest.mark.skipif(not PICTURES, reason="LESSON_SCREENSHOTS names no folder for the pictures")
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_picture_of_each_slide(lesson, tmp_path, new_page):
    from course.notebooks import slides

    window = new_page(slides.write(lesson, tmp_path).as_uri(), viewport=HALL)
    for at in range(window.evaluate("slides.length")):
        window.evaluate("(at) => { show(at); reveal(); }", at)
        window.screenshot(path=Path(PICTURES) / f"{lesson.number}-slide-{at + 1:02}.png")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_nothing_of_a_slide_is_cut_and_no_sentence_is_alone(lesson, tmp_path, new_page):
    from course.notebooks import slides

    window = new_page(slides.write(lesson, tmp_path).as_uri(), viewport=HALL)
    assert window.evaluate(MEASURE) == []
    assert window.evaluate(LONELY) == []


def test_slides_of_every_lesson_can_be_made(tmp_path):
    from course.notebooks import slides

    for lesson in LESSONS:
        text = slides.write(lesson, tmp_path).read_text("utf-8")
        assert "authors/figures/" not in re.sub(
            r"<code>.*?</code>", "", " ".join(Links(text).loaded)
        )
        for cell in execution.read(lesson.path).cells:
            left_out = reading_time.guesses(cell) or cell.id.startswith(now_you.MARK)
            assert (f'id="{cell.id}"' in text) is not left_out, cell.id
        assert "predict(" not in text
