"""The drawn figures of the lessons, as SVG: two ways to a database, two ways to ask for news.

Text stays text, colours follow the reader's light or dark theme, and a screen reader gets title and description.
"""

from collections.abc import Mapping, Sequence
from html import escape

# Colours by theme: `paper` is behind everything and `panel` inside boxes; `ink` and `soft` write on both.
THEMES = {
    "light": {
        "paper": "#ffffff",
        "panel": "#e8f0fe",
        "ink": "#1f2328",
        "soft": "#57606a",
        "good": "#0b5cad",
        "bad": "#b3261e",
    },
    "dark": {
        "paper": "#16181d",
        "panel": "#263042",
        "ink": "#f0f3f6",
        "soft": "#b4bcc6",
        "good": "#8cc4ff",
        "bad": "#ff9d94",
    },
}
RULES = """\
text { font: 22px system-ui, sans-serif; fill: var(--ink); }
.title { font-size: 28px; font-weight: 600; }
.head, .new, .gone { font-weight: 600; }
.small { font-size: 19px; }
.soft { fill: var(--soft); }
.good, .new { fill: var(--good); }
.bad { fill: var(--bad); }
.gone { fill: var(--bad); text-decoration: line-through; }
.box { fill: var(--panel); stroke: var(--soft); stroke-width: 2; }
.line { stroke: var(--ink); stroke-width: 3; fill: none; }
.line.good { stroke: var(--good); fill: none; }
.line.bad { stroke: var(--bad); fill: none; }
.line.soft { stroke: var(--soft); stroke-width: 2; fill: none; }
.dashed { stroke-dasharray: 9 7; }
.tip { fill: context-stroke; }"""


class Drawing:
    """An SVG picture in the making: every method adds one thing to it."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        """Begin with paper; sizes are in the picture's own units, which text of 22 is made for."""
        self._size = width, height
        self._names = title, description
        self._things: list[str] = []

    def box(self, x: int, y: int, width: int, height: int, *lines: str, look: str = "") -> None:
        """Draw a box with its lines of text in the middle."""
        self._things.append(
            f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'
        )
        first = y + height // 2 + 8 - 14 * (len(lines) - 1)
        for place, line in enumerate(lines):
            self.text(x + width // 2, first + 28 * place, line, look)

    def text(self, x: int, y: int, words: str, look: str = "", anchor: str = "middle") -> None:
        """Write one line; `anchor` says which end of it is at `x`: start, middle or end."""
        look = f' class="{look}"' if look else ""
        self._things.append(
            f'<text{look} x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def line(
        self, x1: int, y1: int, x2: int, y2: int, look: str = "", tips: Sequence[str] = ("end",)
    ) -> None:
        """Draw a line with a tip at its `end`, at its `start`, at both or at none."""
        marks = "".join(f' marker-{tip}="url(#tip)"' for tip in tips)
        self._things.append(
            f'<path class="{f"line {look}".strip()}" d="M{x1} {y1} L{x2} {y2}"{marks}/>'
        )

    def svg(self) -> str:
        """Return the file's text."""
        width, height = self._size
        title, description = (escape(name) for name in self._names)
        head = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
role="img" aria-labelledby="title description">
<title id="title">{title}</title>
<desc id="description">{description}</desc>
<style>
{_variables(THEMES["light"])}
@media (prefers-color-scheme: dark) {{ {_variables(THEMES["dark"])} }}
{RULES}
</style>
<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" \
orient="auto-start-reverse"><path class="tip" d="M0 0 L10 5 L0 10 z"/></marker>
<rect width="{width}" height="{height}" style="fill: var(--paper)"/>
"""
        return head + "\n".join(self._things) + "\n</svg>\n"


def _variables(colours: Mapping[str, str]) -> str:
    return "svg { " + " ".join(f"--{name}: {value};" for name, value in colours.items()) + " }"


def without_pool() -> Drawing:
    """Figure 1: every request opens a connection."""
    drawing = Drawing(
        960,
        500,
        "Every request opens a connection",
        "Four requests. Each one connects to the database server, queries and closes. "
        "100,000 visits a day are 100,000 connections, each used once.",
    )
    drawing.text(480, 50, "Every request opens a connection", "title")
    drawing.box(730, 90, 210, 330, "database", "server", look="head")
    for place in range(4):
        y = 90 + 90 * place
        drawing.box(20, y, 170, 60, f"request {place + 1}")
        drawing.line(190, y + 30, 724, y + 30, "bad")
        drawing.text(457, y + 18, "connect, query, close", "bad")
    drawing.text(480, 468, "100,000 visits a day: 100,000 connections, each used once", "soft")
    return drawing


def with_pool() -> Drawing:
    """Figure 2: requests borrow from a pool."""
    drawing = Drawing(
        960,
        500,
        "Requests borrow from a pool",
        "Four requests and a pool 连接池 with two connections, which stay open to the database server. Two requests "
        "have borrowed a connection and will give it back. The other two wait in a queue.",
    )
    drawing.text(480, 50, "Requests borrow from a pool 连接池", "title")
    drawing.box(730, 90, 210, 330, "database", "server", look="head")
    drawing.box(420, 90, 190, 330)
    drawing.text(515, 124, "pool", "head")
    for place, name in enumerate("AB"):
        y = 90 + 90 * place
        drawing.box(20, y, 170, 60, f"request {place + 1}")
        drawing.box(435, y + 60, 160, 60, f"connection {name}")
        drawing.line(194, y + 30, 429, y + 84, "good", tips=("start", "end"))
        drawing.line(595, y + 90, 730, y + 90, "good", tips=())
        drawing.text(668, y + 78, "stays open", "good small")
    drawing.text(305, 104, "borrow, give back", "good small")
    for place in (2, 3):
        drawing.box(20, 90 + 90 * place, 170, 60, f"request {place + 1}")
        drawing.line(190, 120 + 90 * place, 414, 340 + 30 * (place - 2), "dashed")
    drawing.text(515, 362, "queue", "head")
    drawing.text(305, 300, "wait", "small")
    drawing.text(480, 468, "100,000 visits a day: as many connections as the pool has", "soft")
    return drawing


def polling() -> Drawing:
    """Figure 7: the browser asks again and again."""
    drawing = _two_lives(
        "Polling 轮询",
        "The browser asks the server at a fixed interval. Twice the answer is: nothing. Then a message "
        "arrives at the server. The browser gets it with the answer to its next request: up to one interval late.",
    )
    for y, answer, look in (
        (124, "nothing", "bad"),
        (236, "nothing", "bad"),
        (368, "the message", "good"),
    ):
        drawing.line(250, y, 704, y + 12)
        drawing.text(480, y - 8, "anything new?")
        drawing.line(710, y + 34, 256, y + 46, look)
        drawing.text(480, y + 66, answer, look)
    drawing.line(210, 124, 210, 236, "soft", tips=("start", "end"))
    drawing.text(200, 187, "one interval", "small soft", "end")
    _arrival(drawing, 322)
    drawing.line(760, 334, 760, 402, "bad", tips=("start", "end"))
    drawing.text(772, 374, "it waits", "bad small", "start")
    drawing.text(480, 508, "Ask often: empty answers. Ask seldom: late messages.", "soft")
    return drawing


def long_polling() -> Drawing:
    """Figure 8: the server holds the request until there is something to say."""
    drawing = _two_lives(
        "Long polling 长轮询",
        "The browser asks, and the server holds the request open until a message arrives; then it answers at once. "
        "The browser asks again. When nothing comes for long, the answer is empty, and the browser asks again.",
    )
    for y, end, answer, look in (
        (124, 216, "the message", "good"),
        (310, 402, "nothing, time is up", "bad"),
    ):
        drawing.line(250, y, 704, y + 12)
        drawing.text(480, y - 8, "anything new?")
        drawing.box(704, y + 12, 12, end - y - 12)
        drawing.text(690, y + 58, "the request is held", "small soft", "end")
        drawing.line(704, end, 256, end + 12, look)
        drawing.text(480, end + 32, answer, look)
    _arrival(drawing, 216)
    footer = "Quick, but one open request for each user, and a new one for each answer."
    drawing.text(480, 508, footer, "soft")
    return drawing


def _two_lives(title: str, description: str) -> Drawing:
    drawing = Drawing(960, 540, title, description)
    drawing.text(480, 46, title, "title")
    for x, name in ((250, "browser"), (710, "server")):
        drawing.text(x, 80, name, "head")
        drawing.line(x, 92, x, 470, "soft dashed", tips=())
    return drawing


def _arrival(drawing: Drawing, y: int) -> None:
    drawing.line(900, y, 716, y, "good")
    drawing.text(730, y - 10, "a message arrives", "good small", "start")


def table(
    caption: str, was: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, str]]
) -> Drawing:
    """Draw a table after a change: what is new or changed is marked `+`, what is gone `-` and struck through.

    Args:
        caption: says what was done.
        was: the rows before, with the column `id`; all have the columns of the first.
        rows: the rows after.
    """
    columns, before = list(was[0]), {row["id"]: row for row in was}
    after = {row["id"]: row for row in rows}
    everyone = [*before, *(key for key in after if key not in before)]
    lefts = [70, 150, 340, 430]
    drawing = Drawing(
        560,
        114 + 40 * len(everyone),
        caption,
        "; ".join(", ".join(row.values()) for row in rows),
    )
    drawing.text(24, 42, caption, "head", "start")
    for left, column in zip(lefts, columns, strict=True):
        drawing.text(left, 86, column, "soft", "start")
    drawing.line(60, 98, 540, 98, "soft", tips=())
    for place, key in enumerate(everyone):
        y = 130 + 40 * place
        row = after.get(key, before.get(key, {}))
        look = "gone" if key not in after else "new" if key not in before else ""
        mark = {"gone": "−", "new": "+"}.get(look, "")
        for left, column in zip(lefts, columns, strict=True):
            changed = not look and row[column] != before[key][column]
            mark = "±" if changed else mark
            drawing.text(left, y, row[column], "new" if changed else look, "start")
        if mark:
            drawing.text(30, y, mark, "bad head" if look == "gone" else "good head", "start")
    return drawing


DIAGRAMS = {
    "without_pool": without_pool,
    "with_pool": with_pool,
    "polling": polling,
    "long_polling": long_polling,
}
