"""`python3 -m course lessons figures`: make anew what can be made of the lessons' figures, in `lessons/authors/figures/`.

Tables come from what step 5 of the pool demo prints, and pages are photographed in Chromium while the demo runs. Whoever
repeats it gets the same pictures, but for the fonts of the machine. The diagrams there are sources: edit them by hand. The
command puts the Chinese letters that they show into them, and into the tables, and writes the diagrams in other languages.
"""

import base64
import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jinja2 import Template
from playwright.sync_api import Browser, Page, ViewportSize, expect

from course.database import target
from course.demo import Demo
from course.ground import chromium, language, say, tools
from course.ground.errors import CourseError
from course.notebooks import drawings, pages

WINDOW: ViewportSize = {"width": 420, "height": 600}
NOON = "2026-03-02T12:00:00Z"  # the pages' clock stands still
DESK = """<main style="display: flex; gap: 12px; padding: 12px; width: max-content; background: #8b929c">{}</main>"""


@dataclass(frozen=True)
class Line:
    """Something that is said: by whom, and to whom if not to everybody."""

    who: str
    text: str
    to: str = ""


@dataclass(frozen=True)
class Scene:
    """A picture of a demo: its windows from left to right, by nickname, and what is said in them."""

    step: str
    windows: tuple[str, ...]
    lines: tuple[Line, ...]


HELLO = (Line("韩雪", "大家好！"), Line("舒畅", "你好，韩雪。"))
SCENES = {
    "group_chat_two": Scene("group_chat/step4_nicknames", ("韩雪", "舒畅"), HELLO),
    "group_chat_three": Scene(
        "group_chat/step4_nicknames",
        ("韩雪", "舒畅", "唐嫣"),
        (*HELLO, Line("唐嫣", "我也来了。"), Line("韩雪", "欢迎，唐嫣！")),
    ),
    "private_chat": Scene(
        "private_chat/step1_by_name",
        ("韩雪", "舒畅", "唐嫣"),
        (
            Line("韩雪", "舒畅，这句话只给你。", "舒畅"),
            Line("舒畅", "收到，唐嫣看不见。", "韩雪"),
            Line("唐嫣", "有人在吗？", "韩雪"),
        ),
    ),
}

Row = dict[str, str]


def tables(printed: str) -> dict[str, str]:
    """Return figures 3 to 6 by file name, without their letters: the table after each change that step 5 has made.

    Args:
        printed: by `demos.pool_demo.step5_mysqlhelp`.

    Raises:
        CourseError: the step does not print its six operations, each with the table after it.
    """
    blocks = re.findall(r"^\d\. (.+)\n +-> .*\n((?:.+\n)+)", printed, re.MULTILINE)
    if len(blocks) != 6:
        raise CourseError(f"step 5 printed {len(blocks)} tables and not 6: look at what it prints.")
    states = [(call, _rows(text)) for call, text in blocks]
    found = {}
    for (_, was), (call, rows) in pairwise(states[1:]):
        name = re.sub(r"\W.*", "", call)
        found[f"table_after_{name}.svg"] = _drawn(call, was, rows)
    return found


def _drawn(caption: str, was: list[Row], rows: list[Row]) -> str:
    """Draw a table after a change, as SVG: new rows are marked +, changed ones ±, and those that are gone −."""
    before, after = ({row["id"]: row for row in state} for state in (was, rows))
    lines = []
    for key, row in (before | after).items():
        look = "gone" if key not in after else "new" if key not in before else ""
        changed = set() if look else row.items() - before[key].items()
        mark = {"gone": "−", "new": "+"}.get(look, "±" if changed else "")
        cells = [(cell[1], "new" if cell in changed else look) for cell in row.items()]
        lines.append((mark, cells))
    template = Template(
        pages.asset("table.svg"), autoescape=True, trim_blocks=True, keep_trailing_newline=True
    )
    description = "; ".join(", ".join(row.values()) for row in rows)
    drawn: str = template.render(
        caption=caption, description=description, columns=list(was[0]), lines=lines
    )
    return drawn


def _rows(text: str) -> list[Row]:
    lines = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    cells = [line for line in lines if len(line) == 4]
    return [dict(zip(cells[0], line, strict=True)) for line in cells[1:]]


def photographed(browser: Browser, scene: Scene) -> bytes:
    """Play a scene on a running demo and return the picture of its windows, a PNG."""
    demo = Demo(scene.step.replace("/", "."), "--port", "0")
    try:
        pages = {name: _join(browser, demo.page, name) for name in scene.windows}
        for line in scene.lines:
            _say(pages, line)
        shots = [page.screenshot(animations="disabled") for page in pages.values()]
    finally:
        demo.end()
    sheet = browser.new_page()
    images = [base64.b64encode(shot).decode() for shot in shots]
    sheet.set_content(
        DESK.format("".join(f'<img src="data:image/png;base64,{one}">' for one in images))
    )
    picture = sheet.locator("main").screenshot()
    for context in browser.contexts:
        context.close()
    return picture


def _join(browser: Browser, url: str, name: str) -> Page:
    page = browser.new_page(
        viewport=WINDOW, timezone_id="UTC", locale="en-GB", color_scheme="light"
    )
    page.clock.set_fixed_time(NOON)
    page.goto(url)
    nickname = page.get_by_role("textbox", name="Nickname")
    nickname.fill(name)
    nickname.press("Enter")
    expect(page.get_by_role("status").first).to_have_text(f"Connected as {name}")
    return page


def _say(pages: dict[str, Page], line: Line) -> None:
    page = pages[line.who]
    if line.to:
        page.get_by_role("textbox", name="To").fill(line.to)
    message = page.get_by_role("textbox", name="Message")
    message.fill(line.text)
    message.press("Enter")
    for name, other in pages.items():
        if not line.to or name in (line.who, line.to):
            expect(other.get_by_role("log")).to_contain_text(line.text)
    page.evaluate("document.activeElement.blur()")  # no cursor that blinks


def main(folder: Path) -> int:
    """Make all figures in a folder; return the exit code."""
    names = ["chromium", "fonts", "playwright"]
    for failure in tools.ensure_all(names).values():
        raise failure
    folder.mkdir(parents=True, exist_ok=True)
    with target.database():
        printed = target.run_demo("demos.pool_demo.step5_mysqlhelp")
    for name, text in tables(printed).items():
        (folder / name).write_text(text, "utf-8")
        say.line(name)
    for language_name in language.TRANSLATED:
        (folder / language_name).mkdir(exist_ok=True)
        for file in drawings.diagrams():
            name = f"{language_name}/{file.name}"
            (folder / name).write_text(drawings.translated(file, language_name), "utf-8")
            say.line(name)
    target.run_demo("demos.instruments.chinese", *map(str, sorted(folder.rglob("*.svg"))))
    with chromium.launched(tools.ensure("chromium"), tools.ensure("playwright")) as browser:
        for name, scene in SCENES.items():
            (folder / f"{name}.png").write_bytes(photographed(browser, scene))
            say.line(f"{name}.png")
    return 0


if __name__ == "__main__":
    say.prepare()
    sys.exit(say.ending(lambda: main(Path(sys.argv[1]))))
