"""Lessons as HTML: cells, pages and links. Nothing on a page comes from another machine.

Markdown and colours are nbconvert's. Its HTML exporter would need a template as long as `cell` and `outputs` are, and twice
the time, because it reads each page that it has written once more.
"""

import base64
import mimetypes
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from html import escape, unescape
from itertools import groupby
from pathlib import Path

from nbconvert.filters import Highlight2HTML, markdown2html
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from course.ground import language, place
from course.notebooks import lessons
from course.notebooks.reading_time import ASK, guesses

ASSETS = Path(__file__).parent / "look"
LONG_WORD = 24  # letters: on a phone, a longer word of code may not fit into a line
PHONE_LINE = 34  # letters of a line of code on a phone
SHORT = 12  # letters of code that stay in one line of prose
TERM = 6  # letters of a Chinese word, at most

PAGE = """\
<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, body: str, *styles: str) -> str:
    """Return a whole page; `styles` are files of `course/notebooks/look`."""
    sheets = [asset("chinese.css"), asset("lessons.css"), _highlighting(), *map(asset, styles)]
    lang = language.HTML[language.chosen()]
    if language.chosen() != language.USUAL:
        body = _close(body)
    return PAGE.format(lang=lang, title=escape(title), style="\n".join(sheets), body=body)


def asset(name: str) -> str:
    """Return the text of a file of `course/notebooks/look`."""
    return (ASSETS / name).read_text("utf-8")


def cell(one: NotebookNode) -> str:
    """Return a cell with its outputs; the student's cell for a guess is its question only."""
    if one.cell_type == "markdown":
        return f'<div class="prose" id="{one.id}">{markdown(one.source)}</div>'
    if guesses(one):
        question = language.translated(one.source.partition("\n")[0].removeprefix("# "))
        yours = language.translated("Your guess:")
        words = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(question))
        return f'<p class="guess" id="{one.id}"><b>{yours}</b> {words}</p>'
    return f'<div class="code" id="{one.id}">{code(one.source)}</div>\n{outputs(one)}'


def code(source: str) -> str:
    """Return Python as coloured HTML."""
    return _in_lines(Highlight2HTML()(source, language="ipython3"))  # type: ignore[no-untyped-call]


def outputs(one: NotebookNode) -> str:
    """Return the outputs of a code cell; "" if it has none. They are folded if they answer a prediction."""
    parts = "\n".join(_outputs(one))
    shown = f'<div class="output">{parts}</div>' if parts else ""
    if shown and one.metadata.get("jupyter", {}).get("outputs_hidden"):
        return folded(language.translated("Show what ran"), shown)
    return shown


def folded(summary: str, content: str) -> str:
    """Return a part of a page that is shown when somebody asks for it, or prints the page."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}</details>"


def markdown(source: str) -> str:
    """Return Markdown as HTML, with links that hold on a page of the site."""
    html = _in_lines(markdown2html(source))
    html = html.replace('<a class="anchor-link"', '<a class="anchor-link" aria-hidden="true"')
    html = re.sub(r"<thead>\s*<tr>\s*(?:<th[^>]*></th>\s*)+</tr>\s*</thead>", "", html)
    html = html.replace("<th></th>", "<td></td>")  # what heads nothing is no head
    html = re.sub(r"<table>(.*?)</table>", _table, html, flags=re.DOTALL)
    html = re.sub(r'<a href="([^"]+)">(.*?)</a>', _link, html)
    html = re.sub(r"(?<!\">)<code>(\d\d_\w+)\.ipynb</code>", _lesson, html)
    html = re.sub(r"<code>([^<\n]+)</code>", _short, html)
    # A path is broken after a slash, before anything else in it is. An option, a key and "turns/s" are not broken.
    return re.sub(
        r'<pre.*?</pre>|<code class="whole">.*?</code>|<[^>]+>'
        r"|(?P<whole>(?<![\w-])--?[a-z0-9][\w-]*|Ctrl-\w|\w+/s\b)|(?<=\w)(?P<slash>/)(?=\w)",
        _broken,
        html,
        flags=re.DOTALL,
    )


def _close(html: str) -> str:
    """Return Chinese HTML with the right blanks.

    None after a mark, which has its own: Markdown needs such a blank after `。**`. None that breaks `第 5 节` or `8 分钟`.
    """
    html = re.sub(
        r"<pre.*?</pre>|(?<=[，。：；！？、）])(?P<ends>(?:</\w+>)*) +(?=\S)",
        lambda found: found[0] if found["ends"] is None else found["ends"],
        html,
        flags=re.DOTALL,
    )
    return re.sub(
        r"<pre.*?</pre>|<[^>]+>|(?P<blank>(?<=第) (?=\d)|(?<=\d) (?=[一-鿿]|&#[2-4]\d{4};))",
        lambda found: "&nbsp;" if found["blank"] else found[0],
        html,
        flags=re.DOTALL,
    )


def _short(found: re.Match[str]) -> str:
    """Keep short code in one line."""
    kind = ' class="whole"' if len(unescape(found[1])) <= SHORT else ""
    return f"<code{kind}>{found[1]}</code>"


def _broken(found: re.Match[str]) -> str:
    """Say where a part of a text may be broken into two lines."""
    if found["slash"]:
        return "/<wbr>"
    return f'<span class="whole">{found[0]}</span>' if found["whole"] else found[0]


def switch(name: str) -> str:
    """Return links from a page to the same page in each other language; the editions lie in folders below the English one.

    Args:
        name: of the page's file.
    """
    up = "" if language.chosen() == language.USUAL else "../"
    return " ".join(
        f'<a class="language" lang="{language.HTML[one]}" hreflang="{language.HTML[one]}" '
        f'href="{up}{"" if one == language.USUAL else one + "/"}{name}">{called}</a>'
        for one, called in language.others().items()
    )


def alone(html: str) -> str:
    """Return HTML for a page that travels alone: with its pictures in it, without links to other pages."""
    html = re.sub(r'<a href="[\w-]+\.html(?:#[\w-]+)?">(.*?)</a>', r"\1", html)
    return re.sub(
        r'src="(authors/figures/[^"]+)"', lambda found: f'src="{_data_uri(found[1])}"', html
    )


def exercises_page(name: str) -> str:
    """Return the file with the tasks of a lesson, such as `03_share_a_pool-exercises.html`."""
    return f"{name}-exercises.html"


def _in_lines(html: str) -> str:
    """Return HTML in which highlighted code is in lines: see `_lines`."""
    highlighted = r'(<div class="[^"]*\bhighlight\b[^"]*"><pre>(?:<span></span>)?)(.*?)(</pre>)'
    return re.sub(
        highlighted,
        lambda found: found[1] + _lines(found[2].removesuffix("\n")) + found[3],
        html,
        flags=re.DOTALL,
    )


def _lines(html: str) -> str:
    """Return text in which each line is a block: what does not fit goes on below the line's own beginning."""

    def line(text: str) -> str:
        plain = _plain(text)
        indent = len(plain) - len(plain.lstrip(" "))
        shown = re.sub(r"(?:<[^>]+>|[^\s<])+", partial(_word, PHONE_LINE - indent), text)
        return f'<span class="line" style="--indent:{indent}ch">{shown or "<br>"}</span>'

    return "".join(map(line, html.split("\n")))


def _word(room: int, found: re.Match[str]) -> str:
    """Let a word of a line be broken after a point, a slash, a bracket or "=", if it is long or the first one; an arrow never.

    A long one would be broken anywhere. Below an indentation that stands alone, the first one would leave an empty line.
    """
    plain = _plain(found[0])
    if plain == "->":
        return f'<span class="whole">{found[0]}</span>'
    is_first = not _plain(found.string[: found.start()]).strip()
    if not is_first and len(plain) <= min(LONG_WORD, room):
        return found[0]
    return re.sub(
        r"=</span>|<[^>]+>|[./(\[]",
        lambda part: part[0] if part[0].startswith("<") else f"{part[0]}<wbr>",
        found[0],
    )


def _plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def asks(one: NotebookNode) -> bool:
    """Say whether a cell asks for a prediction."""
    return one.cell_type == "markdown" and language.translated(ASK) in one.source


def _outputs(one: NotebookNode) -> Iterator[str]:
    for output in one.get("outputs", []):
        data = output.get("data", {})
        if output.output_type == "stream":
            yield _printed(output.text)
        elif output.output_type == "error":
            yield _printed(output.evalue)
        elif "image/svg+xml" in data:  # as a picture, so that the names in it stay in it
            picture = base64.b64encode(data["image/svg+xml"].encode()).decode()
            label = escape(data["text/plain"].partition("\n")[0])
            yield f'<img alt="{label}" src="data:image/svg+xml;base64,{picture}">'
        elif "text/html" in data:
            yield data["text/html"]
        elif "text/markdown" in data:
            yield markdown(data["text/markdown"])
        else:
            yield _printed(data.get("text/plain", ""))


def _printed(text: str) -> str:
    """Return text that a cell printed: its lines are broken where the page ends, but for those of a table."""
    text = text.rstrip("\n")
    if "──" not in text:
        return f"<pre>{_lines(escape(text))}</pre>"
    parts = re.split(r"\n{2,}", text)
    return "\n".join(
        f'<pre class="table" tabindex="0">{_aligned(part)}</pre>'
        if "──" in part
        else f"<pre>{_lines(escape(part))}</pre>"
        for part in parts
    )


def _aligned(text: str) -> str:
    """Return a printed table in which Chinese letters are as wide as two others, in every font: so its columns are in line."""
    runs = [
        (is_wide, "".join(run))
        for is_wide, run in groupby(text, lambda one: unicodedata.east_asian_width(one) in "WF")
    ]
    return "".join(
        f'<span class="wide-letters" style="--letters:{len(run)}">{run}</span>'
        if is_wide and after.startswith("  ")  # a column follows
        else escape(run)
        for (is_wide, run), (_, after) in zip(runs, [*runs[1:], (False, "")], strict=True)
    )


def _table(found: re.Match[str]) -> str:
    """Put a table into a box in which it scrolls; one with long texts in many columns is never narrower than they need."""
    columns = len(re.findall(r"<th\b", found[1]))
    kind = "wide roomy" if columns > 4 and re.search(r"<td[^>]*>[^<]{40}", found[1]) else "wide"
    cells = re.sub(r"<td>([\d.,]+(?: \([\d.,-]+\))?)</td>", r'<td class="whole">\1</td>', found[1])
    # Chinese words are broken at any letter, if nobody says that it is a word.
    cells = re.sub(
        rf"<td>(?=[^<]*[一-鿿])([^<、]{{1,{TERM}}}(?:、[^<、]{{1,{TERM}}})*)</td>",
        r'<td class="term">\1</td>',
        cells,
    )
    return f'<div class="{kind}" tabindex="0"><table>{cells}</table></div>'


def _link(found: re.Match[str]) -> str:
    """Keep links to other sites, lead those to lessons to their pages, and name other files."""
    target, words = found[1], found[2]
    if target.startswith(("http://", "https://", "#")):
        return f'<a href="{target}">{words}</a>'
    file = target.partition("#")[0]
    name = Path(file).name
    if file.startswith("mine/"):  # the student's own: here is what is handed out
        part = target.partition("#cell-id=")[2]
        return f'<a href="{exercises_page(Path(name).stem)}#{part}">{words}</a>'
    if name in {one.path.name for one in lessons.every()}:
        return f'<a href="{Path(name).stem}.html">{words}</a>'
    if name == "glossary.md":
        return f'<a href="glossary.html">{words}</a>'
    if file.removeprefix("../") == "README.md":
        return f'<a href="index.html">{words}</a>'
    shown = escape(re.sub(r"^(\.\./)+", "", file))
    if re.sub("<[^>]+>", "", words) == shown:
        return f"<code>{shown}</code>"
    if language.chosen() == language.USUAL:
        return f"{words} (<code>{shown}</code>)"
    return f"{words}（<code>{shown}</code>）"


def _lesson(found: re.Match[str]) -> str:
    known = {one.name for one in lessons.every()}
    return f'<a href="{found[1]}.html">{found[0]}</a>' if found[1] in known else found[0]


def _data_uri(path: str) -> str:
    kind = mimetypes.guess_type(path)[0]
    content = base64.b64encode((place.lessons() / path).read_bytes()).decode("ascii")
    return f"data:{kind};base64,{content}"


def _highlighting() -> str:
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
