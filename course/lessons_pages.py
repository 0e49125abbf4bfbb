"""Lessons as HTML: cells, pages and links. Nothing on a page comes from another machine."""

import base64
import mimetypes
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nbconvert.filters import Highlight2HTML, markdown2html
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from course import lessons
from course.lessons_minutes import ASK

ASSETS = Path(__file__).parent / "pages"

PAGE = """\
<!doctype html>
<html lang="en">
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
    """Return a whole page; `styles` are files of `course/pages`."""
    sheets = [asset("lessons.css"), _highlighting(), *map(asset, styles)]
    return PAGE.format(title=escape(title), style="\n".join(sheets), body=body)


def asset(name: str) -> str:
    """Return the text of a file of `course/pages`."""
    return (ASSETS / name).read_text("utf-8")


def cell(one: NotebookNode) -> str:
    """Return a cell with its outputs."""
    if one.cell_type == "markdown":
        return f'<div class="prose" id="{one.id}">{markdown(one.source)}</div>'
    shown = Highlight2HTML()(one.source, language="ipython3")  # type: ignore[no-untyped-call]
    return f'<div class="code" id="{one.id}">{shown}</div>\n{outputs(one)}'


def outputs(one: NotebookNode) -> str:
    """Return the outputs of a code cell; "" if it has none."""
    parts = "\n".join(_outputs(one))
    return f'<div class="output">{parts}</div>' if parts else ""


def markdown(source: str) -> str:
    """Return Markdown as HTML, with links that hold on a page of the site."""
    html: str = markdown2html(source)
    html = html.replace('<a class="anchor-link"', '<a class="anchor-link" aria-hidden="true"')
    html = re.sub(
        r"<table>(.*?)</table>", r'<div class="wide"><table>\1</table></div>', html, flags=re.DOTALL
    )
    html = re.sub(r'<a href="([^"]+)">(.*?)</a>', _link, html)
    return re.sub(r"(?<!\">)<code>(\d\d_\w+)\.ipynb</code>", _lesson, html)


def alone(html: str) -> str:
    """Return HTML for a page that travels alone: with its pictures in it, without links to other pages."""
    html = re.sub(r'<a href="\w+\.html">(.*?)</a>', r"\1", html)
    return re.sub(r'src="(figures/[^"]+)"', lambda found: f'src="{_data_uri(found[1])}"', html)


def asks(one: NotebookNode) -> bool:
    """Say whether a cell asks for a prediction."""
    return one.cell_type == "markdown" and ASK in one.source


def _outputs(one: NotebookNode) -> Iterator[str]:
    for output in one.get("outputs", []):
        data = output.get("data", {})
        if output.output_type == "stream":
            yield f"<pre>{escape(output.text)}</pre>"
        elif output.output_type == "error":
            yield f"<pre>{escape(output.evalue)}</pre>"
        elif "image/svg+xml" in data:
            yield data["image/svg+xml"]
        elif "image/png" in data:
            picture = data["image/png"].replace("\n", "")
            label = escape(f"Plot of the cell {one.id}")
            yield f'<img alt="{label}" src="data:image/png;base64,{picture}">'
        elif "text/html" in data:
            yield data["text/html"]
        elif "text/markdown" in data:
            yield markdown(data["text/markdown"])
        else:
            yield f"<pre>{escape(data.get('text/plain', ''))}</pre>"


def _link(found: re.Match[str]) -> str:
    """Keep links to other sites, lead those to lessons to their pages, and name other files."""
    target, words = found[1], found[2]
    if target.startswith(("http://", "https://", "#")):
        return f'<a href="{target}">{words}</a>'
    file = target.partition("#")[0]
    name = Path(file).name
    if name in {one.path.name for one in lessons.every()}:
        return f'<a href="{Path(name).stem}.html">{words}</a>'
    if name == "glossary.md":
        return f'<a href="glossary.html">{words}</a>'
    if name == "README.md":
        return f'<a href="index.html">{words}</a>'
    shown = file.removeprefix("../")
    return f"{words} (<code>{escape(shown)}</code>)"


def _lesson(found: re.Match[str]) -> str:
    known = {one.name for one in lessons.every()}
    return f'<a href="{found[1]}.html">{found[0]}</a>' if found[1] in known else found[0]


def _data_uri(path: str) -> str:
    kind = mimetypes.guess_type(path)[0]
    content = base64.b64encode((lessons.FOLDER / path).read_bytes()).decode("ascii")
    return f"data:{kind};base64,{content}"


def _highlighting() -> str:
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
