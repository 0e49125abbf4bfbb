"""The figures of the lessons: they are what the command makes, can be read, and are shown somewhere."""

import re
import subprocess
import sys
from functools import cache
from io import BytesIO
from itertools import product
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageChops

from course.database import target
from course.ground.place import ROOT
from course.notebooks import drawings, figures
from demos.instruments import chinese
from tests.support.contrast import contrast

from .conftest import LESSONS, read

FOLDER = ROOT / "lessons" / "authors" / "figures"
DRAWN = ["without_pool.svg", "with_pool.svg", "polling.svg", "long_polling.svg"]
TABLES = [f"table_after_{name}.svg" for name in ("insert", "insertmany", "update", "delete")]
PICTURES = ["group_chat_two.png", "group_chat_three.png", "private_chat.png"]
TRANSLATED = [f"zh/{name}" for name in DRAWN]
SVG = "{http://www.w3.org/2000/svg}"


@cache
def prose():
    cells = [cell for path in LESSONS for cell in read(path).cells]
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_these_are_the_figures():
    found = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*")]
    assert sorted(found) == sorted([*DRAWN, *TABLES, *PICTURES, *TRANSLATED])


def test_the_tables_are_what_step_5_prints_on_this_server(book):
    found = figures.tables(target.run_demo("demos.pool_demo.step5_mysqlhelp"))
    lettered = {name: chinese.lettered(text) for name, text in found.items()}
    assert lettered == {name: (FOLDER / name).read_text("utf-8") for name in TABLES}


@pytest.mark.parametrize("name", [*DRAWN, *TABLES, *TRANSLATED])
def test_a_drawing_carries_its_chinese_letters(name):
    text = (FOLDER / name).read_text("utf-8")
    assert text == chinese.lettered(text), "python3 -m course lessons figures"
    assert bool(chinese.letters(text)) == ("@font-face" in text)


@pytest.mark.parametrize("name", DRAWN)
def test_a_diagram_in_another_language_is_what_the_command_makes(name):
    made = chinese.lettered(drawings.translated(FOLDER / name, "zh"))
    assert (FOLDER / "zh" / name).read_text("utf-8") == made, "python3 -m course lessons figures"
    assert all(
        re.search("[\u3400-\u9fff]", words) for words in drawings.words(FOLDER / "zh" / name)
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("insert", ["4", "小甜甜", "20", "女"]),
        ("insertmany", ["5", "赵丽颖", "21", "女", "6", "Angelababy", "22", "女"]),
        ("update", ["杨颖"]),
        ("delete", []),
    ],
)
def test_a_table_marks_what_is_new(name, words):
    root = ElementTree.parse(FOLDER / f"table_after_{name}.svg")
    assert [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "new"] == words


def test_a_table_marks_what_is_gone():
    root = ElementTree.parse(FOLDER / "table_after_delete.svg")
    gone = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "gone"]
    assert gone == ["6", "杨颖", "22", "女"]


def test_output_that_is_not_of_step_5_is_refused():
    with pytest.raises(figures.CourseError, match="printed 0 tables"):
        figures.tables("1. selectall\n   student:\n")


@pytest.mark.parametrize("name", [*DRAWN, *TABLES])
def test_a_drawing_is_well_formed_and_says_what_it_shows(name):
    root = ElementTree.parse(FOLDER / name).getroot()
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text and description.text
    assert "http" not in (FOLDER / name).read_text("utf-8").replace(SVG[1:-1], "")


@pytest.mark.parametrize("name", [*DRAWN, *TABLES])
def test_text_can_be_read_in_both_themes(name):
    text = (FOLDER / name).read_text("utf-8")
    for theme in text.split("@media (prefers-color-scheme: dark)", 1):
        colours = dict(re.findall(r"--(\w+): (#\w{6});", theme))
        for words, behind in product(("ink", "soft", "good", "bad"), ("paper", "panel")):
            assert contrast(colours[words], colours[behind]) >= 4.5, (words, behind)


def test_all_drawings_have_the_same_look():
    looks = {ElementTree.parse(FOLDER / name).find(f"{SVG}style").text for name in DRAWN + TABLES}
    assert len(looks) == 1


# Texts that leave the picture, or lie on another text.
MISPLACED = """() => {
    const inside = document.querySelector("svg").getBoundingClientRect();
    const texts = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    return texts.filter(([, one], place) => one.left < inside.left || one.right > inside.right
        || one.top < inside.top || one.bottom > inside.bottom
        || texts.slice(place + 1).some(([, two]) => one.left < two.right && two.left < one.right
            && one.top + 3 < two.bottom && two.top + 3 < one.bottom)).map(([words]) => words);
}"""


def test_no_text_leaves_a_drawing_or_lies_on_another(new_page):
    page = new_page()
    for name in [*DRAWN, *TABLES, *TRANSLATED]:
        page.set_content((FOLDER / name).read_text("utf-8"))
        assert page.locator("text").count() > 5, name
        assert page.evaluate(MISPLACED) == [], name


def test_the_command_makes_them_all_and_a_picture_taken_again_is_the_same(browser, book, tmp_path):
    """But for the odd edge: letters are not always drawn alike."""
    folder = tmp_path / "new"
    command = [sys.executable, "-m", "course", "lessons", "figures", "--out", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    assert sorted(files) == sorted(done.stdout.split())
    assert sorted(files) == sorted([*TABLES, *PICTURES, *TRANSLATED])
    assert all(files[name] == (FOLDER / name).read_bytes() for name in TRANSLATED)
    for name in PICTURES:  # letters are those of this machine
        committed = (FOLDER / name).read_bytes()
        assert files[name][16:24] == committed[16:24]  # width and height
        assert 20_000 < len(files[name]) < 150_000
        assert len(committed) < 150_000
    again = figures.photographed(browser, figures.SCENES["private_chat"])
    first, second = (
        Image.open(BytesIO(picture)).convert("L") for picture in (files["private_chat.png"], again)
    )
    assert first.size == second.size
    differing = sum(ImageChops.difference(first, second).histogram()[32:])
    assert differing < first.width * first.height / 1000


@pytest.mark.parametrize("name", [*DRAWN, *TABLES, *PICTURES])
def test_each_figure_is_shown_in_a_lesson_with_words_for_who_does_not_see_it(name):
    (alternative, *_) = re.findall(rf"!\[([^\]]*)\]\(authors/figures/{re.escape(name)}\)", prose())
    assert len(alternative.split()) >= 4


def test_every_picture_that_a_lesson_shows_exists():
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", prose()):
        assert (ROOT / "lessons" / name).is_file(), name
