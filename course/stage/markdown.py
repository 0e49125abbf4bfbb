"""Simple Markdown as runs of text, which a page puts into elements: ["strong", "Show."]."""

import re

Runs = list[list[str]]

MARKS = (("strong", "**"), ("code", "`"), ("em", "*"))


def blocks(markdown: str) -> list[dict[str, object]]:
    """Return paragraphs and list items, each with its `kind` and its `runs`."""
    found: list[dict[str, object]] = []
    for block in re.split(r"\n\s*\n|\n(?=- )", markdown.strip()):
        text = " ".join(block.split())
        kind = "item" if text.startswith("- ") else "paragraph"
        found.append({"kind": kind, "runs": inline(text.removeprefix("- "))})
    return found


def inline(text: str) -> Runs:
    """Return the runs of one paragraph; "text" is the kind of most."""
    return [_run(part) for part in re.split(r"(\*\*.+?\*\*|`.+?`|\*\w.*?\*)", text) if part]


def _run(text: str) -> list[str]:
    for kind, mark in MARKS:
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return [kind, text[len(mark) : -len(mark)]]
    return ["text", text]
