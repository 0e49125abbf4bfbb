"""The sentences of the course, found in its code by Babel, and the catalogues (.po) brought up to date with them.

    course.po         what the command, the notebooks' helpers and the stage's server say
    stage.po          labels of the stage's pages, and what its scripts say
    doctor.po         the words at the beginning of the doctor's lines
    figures.po        what the diagrams of the lessons say
    exercises_02.po   hints and verdicts of a lesson's exercises
    programs.po       what programs say that the command runs for the reader, and the titles of the benchmarks
    lessons.po        claims and questions in the lessons' code cells
    builds.po         goals, hints and verdicts of the builds
    manifest.po       the texts of course.toml
    steps_pool_demo.po  the docstrings of a demo's steps, as the stage shows them

No sentence is marked in Python. What counts is every text of two words or more that is not a docstring, a pattern, an
answer to judge or an error for programmers. In pages and scripts, it is what `said(...)` is given.
"""

import ast
import functools
import io
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from course.ground import language, manifest, place, say
from course.notebooks import drawings

Reader = Callable[[Path], Iterable[str]]  # finds the sentences of a file

SKIPPED_KEYWORDS = {
    "wrong", "also_right", "mutant", "says", "also", "changes", "epilog", "description", "pattern"
}  # fmt: skip
SKIPPED_CALLS = {
    "Mutant", "ValueError", "TypeError", "RuntimeError", "AssertionError", "KeyError", "re.compile", "re.search",
    "re.sub", "re.findall", "re.fullmatch", "re.match", "re.finditer", "re.split", "execute", "ast.parse", "compile",
    "subprocess.run",
}  # fmt: skip
# One word is enough beside a value or an article: "Next: {exercise}", "{number} right. {why}", "a message", "a second {name}".
LABEL = re.compile(
    r"""^an?\ [a-z]+(?:\ \{[^}]*\})?$|^\ *(?:--\w+\ [a-z]+\ |[A-Z][a-z]+(?:\ \{[^}]*\})?:\ +\{|[A-Z][a-z]+\ {2,}\{)
    |^\{[^}]*\}\ [a-z]+[.:]\ \{|\ \((?:\{[^}]*\}\ [a-z]+|[a-z]+\ \{[^}]*\})\)$""",
    re.VERBOSE,
)
# Their words are passed on by commands and by the stage.
PROGRAMS = (
    "demos/instruments/screen.py",
    "demos/pool_demo/seed.py",
    "demos/pool_demo/settings.py",
    "demos/pool_demo/where.py",
)
# What these functions are given is shown, also if it is one word only.
DOORS = {"translated", "_say", "said", "progress", "advance"}
CODE = re.compile(
    r"""\(\?[:=!<P]|\\[bdswnS]|\.\*|\[[a-z]-|\w\||^(?:[<@/-]|\.(?!\ )|\#(?!\ ))|\n[ ]{4}|="|^\[
    |^\s*(?:select|insert|update|delete|create|drop|alter|grant|flush|(?-i:set|SET)|show|import|from|def|class)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def text_of(node: ast.AST) -> str | None:
    """Return a text as a catalogue has it: that of a literal, with the values of an f-string in braces."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _hole(part)
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        if left is None and right is None:
            return None
        return (_hole(node.left) if left is None else left) + (
            _hole(node.right) if right is None else right
        )
    return None


def _hole(part: ast.expr) -> str:
    """Return the place of a value: its expression, without what would end the place or break a line."""
    source = ast.unparse(part.value if isinstance(part, ast.FormattedValue) else part)
    return "{" + re.sub(r"[{}\s\"\\\\]+", " ", source).strip() + "}"


def of_python(file: Path) -> Iterator[str]:
    """Yield the sentences of a Python file."""
    yield from _walk(ast.parse(file.read_text("utf-8")))


def _walk(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.keyword) and node.arg in SKIPPED_KEYWORDS:
        return
    if isinstance(node, ast.Call) and {ast.unparse(node.func), _name(node.func)} & SKIPPED_CALLS:
        return
    text = text_of(node)
    if isinstance(node, ast.Call) and _name(node.func) in DOORS and node.args:
        said = text_of(node.args[0])
        if said is not None and re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}", "", said)):
            yield said
            return
    if text is not None:
        if is_sentence(text):
            yield text
        yield from _pieces(node)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _pieces(node: ast.AST) -> Iterator[str]:
    """Yield the sentences inside a text's values, such as {'come back' if wanted else 'stay away'}."""
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _walk(part.value)
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            yield from _walk(side) if text_of(side) is None else _pieces(side)


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", "") or getattr(function, "id", "")


def is_sentence(text: str) -> bool:
    """Say whether a text is for a reader: it has two words, and does not look like code."""
    words = re.findall(
        r"(?<![\w./`-])[A-Za-z][a-z']+(?![\w/`(=]|\.\w)", re.sub(r"\{[^}]*\}", " ", text)
    )
    return bool(LABEL.search(text)) or (len(words) >= 2 and " " in text and not CODE.search(text))


def of_notebook(file: Path) -> Iterator[str]:
    """Yield the claims and questions of a lesson's code cells."""
    for cell in json.loads(file.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        if re.search(r"^predict\(", source, re.MULTILINE):
            yield source.partition("\n")[0].removeprefix("# ")
        for node in ast.walk(ast.parse(re.sub(r"^[%!]", "#", source, flags=re.MULTILINE))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "claim":
                said = text_of(node.args[1])
                if said:
                    yield said


def of_docstring(file: Path) -> Iterator[str]:
    """Yield the paragraphs of a step's docstring, each in one line, without the word before its colon."""
    doc = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    for at, block in enumerate(re.split(r"\n\s*\n", doc)):
        label, colon, words = block.partition(": ")
        text = words if at and colon and label.isalpha() else block
        yield " ".join(text.split()).removesuffix("." if at == 0 else "")


def of_page(file: Path) -> Iterator[str]:
    """Yield what a page or a script gives to `said`."""
    method = {".html": "jinja2", ".js": "javascript"}[file.suffix]
    with file.open("rb") as source:
        for _, said, _, _ in extract(method, source, keywords={"said": None}):
            yield str(said)


def of_labels(file: Path) -> Iterator[str]:
    """Yield what a Python file gives to `label`: single words, which may be values elsewhere."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and _name(node.func) == "label":
            yield text_of(node.args[0]) or ""


def of_title(file: Path) -> Iterator[str]:
    """Yield the first line of a program's docstring."""
    yield manifest.first_line(file)


def of_manifest(file: Path) -> Iterator[str]:
    """Yield the texts of course.toml that a reader meets."""
    said = tomllib.loads(file.read_text("utf-8"))

    def texts(value: object, key: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, one in value.items():
                yield from texts(one, name)
        elif isinstance(value, list):
            for one in value:
                yield from texts(one, key)
        elif isinstance(value, str) and key in MANIFEST_TEXTS:
            yield value

    yield from texts(said)


MANIFEST_TEXTS = {"teaches", "title", "goals", "takes"}


@functools.cache
def areas() -> dict[str, list[tuple[Path, Reader]]]:
    """Return the files of each catalogue, with what finds the sentences in them."""
    root, authors = place.ROOT, place.english() / "authors"
    benchmarks = sorted([*root.glob("bench/*.py"), *root.glob("bench/*/*.py")])
    found: dict[str, list[tuple[Path, Reader]]] = {
        "course": [
            (file, of_python)
            for file in sorted((root / "course").rglob("*.py"))
            if file.parent.name != "translations" or file.stem == "edition"
        ],
        "programs": [
            *((root / file, of_python) for file in PROGRAMS),
            *((file, of_title) for file in benchmarks if "__main__" in file.read_text("utf-8")),
        ],
        "stage": [
            (file, of_page)
            for file in sorted((root / "course" / "stage" / "page").iterdir())
            if file.suffix in (".html", ".js")
        ],
        "doctor": [(root / "course" / "verbs" / "doctor.py", of_labels)],
        "figures": [(file, drawings.words) for file in drawings.diagrams()],
        "lessons": [(file, of_notebook) for file in sorted(place.english().glob("[0-9]*.ipynb"))],
        "builds": [
            (file, of_python)
            for file in sorted((authors / "builds").rglob("*.py"))
            if not file.name.startswith(("solution", "second", "start"))
        ],
        "manifest": [(manifest.FILE, of_manifest)],
    }
    for file in sorted((authors / "checks").glob("*.py")):
        name = file.stem if file.stem.startswith("exercises_") else "exercises"
        found.setdefault(name, []).append((file, of_python))
    said = manifest.read()
    for step in [*said.steps, *said.programs]:
        of_demo = found.setdefault(f"steps_{step.path.partition('/')[0]}", [])
        of_demo.append((root / step.file, of_docstring))
    return found


def template(area: str) -> Catalog:
    """Return an area's sentences, untranslated."""
    new = Catalog(project="course", charset="utf-8", fuzzy=False)
    for file, sentences in areas()[area]:
        where = file.relative_to(place.ROOT).as_posix()
        for text in sentences(file):
            # Without its line, as that would change the catalogue with each change of the code.
            new.add(text, locations=[(where, None)])  # type: ignore[list-item]
    return new


def update(name: str, area: str) -> Catalog:
    """Bring an area's catalogue up to date: new sentences come untranslated, changed ones in doubt ("fuzzy").

    Args:
        name: of the language.
        area: whose sentences, such as "course".
    """
    file, old = language.sentences_of(name, area), read(name, area)
    old.update(template(area), no_fuzzy_matching=False, update_header_comment=False)
    new = io.BytesIO()
    write_po(new, old, width=0, omit_header=True, ignore_obsolete=True, include_previous=True)
    # A file that stays as it is keeps its time: an edition is made anew when that changes.
    if not file.exists() or file.read_bytes() != new.getvalue():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(new.getvalue())
    return old


def undone(name: str, area: str) -> list[str]:
    """Return the sentences of an area that its catalogue in a language has not, or only in doubt."""
    old = read(name, area)
    return [
        str(message.id)
        for message in template(area)
        if message.id
        and (message.id not in old or not old[message.id].string or old[message.id].fuzzy)
    ]


def read(name: str, area: str) -> Catalog:
    """Return an area's catalogue in a language; an empty one if there is none yet."""
    file = language.sentences_of(name, area)
    if not file.exists():
        return Catalog(locale=name, charset="utf-8", fuzzy=False)
    return read_po(io.BytesIO(file.read_bytes()), locale=name)


def main(arguments: list[str]) -> int:
    """Say which sentences are missing; with `--update`, first bring the catalogues up to date."""
    missing = 0
    for area in areas():
        for name in language.TRANSLATED:
            if "--update" in arguments:
                update(name, area)
            for sentence in undone(name, area):
                say.line(f"{area}.po: not translated: {sentence}")
                missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    say.prepare()
    sys.exit(main(sys.argv[1:]))
