"""What the stage shows of a step's code: what its docstring says, and its files, with the new lines marked."""

import ast
import difflib
import re
from functools import lru_cache
from pathlib import Path

from pygments.lexers import PythonLexer  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, String, Token  # type: ignore[import-untyped]

from course.ground import language, place
from course.stage import markdown

# The few kinds of words that get a colour of their own; the first that fits.
KINDS = {
    Comment: "comment",
    String: "string",
    Number: "number",
    Keyword: "keyword",
    Name.Decorator: "decorator",
    Name.Function: "name",
    Name.Class: "name",
    Name.Builtin: "builtin",
}


def paragraphs(path: str) -> list[dict[str, object]]:
    """Return what a step's docstring says below its title, in the reader's language, paragraph by paragraph.

    Each has its `label`, such as "See", which the page translates, and its `runs` of text.
    """
    text = ast.get_docstring(_tree(_read(f"demos/{path}.py"))) or ""
    found: list[dict[str, object]] = []
    for block in re.split(r"\n\s*\n", text)[1:]:
        label, colon, words = block.partition(": ")
        known = colon and label.isalpha()
        said = " ".join((words if known else block).split())
        found.append(
            {"label": label if known else "", "runs": markdown.inline(language.translated(said))}
        )
    return found


def files(path: str, before: str | None) -> list[dict[str, object]]:
    """Return a step's files: its own, and the modules of the demos that it imports.

    Args:
        path: of the step, such as "pool_demo/step2_borrow_and_return".
        before: the step before it, if there is one.

    Returns:
        For each file its `path`, whether it is the `step` itself, whether the step before has it not (`new`), and of the
        step itself its `lines`.
    """
    mine = f"demos/{path}.py"
    former = f"demos/{before}.py" if before else None
    known = {former, *_imports(former)} if former else None
    found: list[dict[str, object]] = [
        {"path": mine, "step": True, "new": False, "lines": lines(mine, former)}
    ]
    for module in _imports(mine):
        found.append(
            {"path": module, "step": False, "new": known is not None and module not in known}
        )
    return found


def is_shown(path: str) -> bool:
    """Say whether a path is that of a Python file of the demos."""
    return path in {str(file.relative_to(place.ROOT)) for file in place.ROOT.glob("demos/**/*.py")}


def lines(path: str, former: str | None = None) -> list[dict[str, object]]:
    """Return the lines of a file but for its docstring: `number`, `runs` of text, and whether it is `new`.

    Args:
        path: from the course's folder, such as "demos/pool_demo/pool.py".
        former: the file that has not the new ones; without it none is new.
    """
    source = _read(path)
    shown = source.splitlines()
    marked = _new(_read(former).splitlines(), shown) if former else set()
    begin = _after_docstring(source)
    return [
        {"number": index + 1, "new": index in marked and bool(shown[index].strip()), "runs": runs}
        for index, runs in enumerate(_highlighted(source))
        if begin <= index < len(shown)
    ]


def _new(before: list[str], after: list[str]) -> set[int]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    kept = {
        start + offset for _, start, size in matcher.get_matching_blocks() for offset in range(size)
    }
    return set(range(len(after))) - kept


def _after_docstring(source: str) -> int:
    """Return the index of the first line after the docstring and the blank lines below it."""
    body = _tree(source).body
    if not body or ast.get_docstring(_tree(source)) is None:
        return 0
    index = body[0].end_lineno or 0
    lines = source.splitlines()
    while index < len(lines) and not lines[index].strip():
        index += 1
    return index


@lru_cache(maxsize=512)
def _highlighted(source: str) -> list[markdown.Runs]:
    """Return each line as runs of text with their kind ("" for most)."""
    lines: list[markdown.Runs] = [[]]
    for token, text in PythonLexer(stripnl=False).get_tokens(source):
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append([_kind(token), part])
    return lines


@lru_cache(maxsize=512)
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _kind(token: Token) -> str:
    return next((kind for parent, kind in KINDS.items() if token in parent), "")


def _imports(path: str) -> list[str]:
    """Return the demos' modules that a file imports, anywhere in it, in order."""
    found: list[str] = []
    for node in ast.walk(_tree(_read(path))):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("demos."):
            # `from demos.group_chat import names` names a module, or something in a package.
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("demos.")]
        for name in names:
            module = f"{name.replace('.', '/')}.py"
            if (place.ROOT / module).is_file() and module not in found:
                found.append(module)
    return found


def _read(path: str) -> str:
    return Path(place.ROOT / path).read_text("utf-8")
