"""Are two runs of a lesson alike? The outputs of each code cell as lines of text, and which of them a new run keeps.

Equal is what every run must show. Two tags exempt a cell from that:

- `timing`: it shows figures of this machine. Its lines without a digit must be equal, and one of them
  is a sentence, the cell's claim in words: who wins, by roughly what. Whether the figures bear it out
  is not a matter of this comparison: a busy machine can belie a true claim.
- `plot`: it shows a picture. The picture may differ, its text may not, but for `timing`.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from course.lesson import NOT_THIS_TIME

TAGS = {"timing", "plot"}


def tags(cell: NotebookNode) -> set[str]:
    """Return a cell's tags."""
    return set(cell.metadata.get("tags", []))


def text(cell: NotebookNode) -> str:
    """Return what a cell printed and displayed, as plain text; an error as its last line."""
    return "".join(f"{part}\n" for part in _parts(cell, "text/plain"))


def lines(cell: NotebookNode, database: str = "book") -> list[str]:
    """Return the lines of a cell's outputs that have to be equal in every run, in whatever database."""
    # A server's own messages name itself and the database.
    said = "\n".join(_parts(cell, "text/markdown", "text/plain")).replace(database, "book")
    said = re.sub(r"MariaDB|MySQL", "(MariaDB or MySQL)", said)
    # Python 3.14 says more about a key that cannot be one.
    said = re.sub(r"cannot use .* as a dict key \((unhashable type: .*)\)", r"\1", said)
    if tags(cell) & TAGS:
        said = said.replace(NOT_THIS_TIME, "")
    return [
        line
        for line in said.splitlines()
        if not ("timing" in tags(cell) and any(map(str.isdigit, line)))
    ]


def pictures(cell: NotebookNode) -> list[str]:
    """Return the media types of a cell's pictures."""
    return [kind for output in outputs(cell) for kind in output.get("data", {}) if "image/" in kind]


def outputs(cell: NotebookNode) -> list[NotebookNode]:
    """Return the outputs of a cell; none if it is prose."""
    return list(cell.get("outputs", []))


def keep_figures(kept: NotebookNode, new: NotebookNode) -> None:
    """Give a new run the outputs of the kept one where only figures of the machine differ.

    So a run on another machine changes no file that a reader has not changed. What a cell's figures did not bear out
    is not kept. Figures come from one run: if one cell that measures has to be new, all of them are. A picture that now
    carries letters, or no longer does, is new alone.
    """
    pairs = [(b, a) for b, a in zip(kept.cells, new.cells, strict=True) if a.cell_type == "code"]
    measured = [pair for pair in pairs if tags(pair[1]) & TAGS]
    one_run = all(_only_figures_differ(before, after) for before, after in measured)
    for before, after in pairs:
        stays = _only_figures_differ(before, after) and (one_run or not tags(after) & TAGS)
        if stays and _fonts(before) == _fonts(after):
            after.outputs = before.outputs


def _only_figures_differ(before: NotebookNode, after: NotebookNode) -> bool:
    return (
        lines(before) == lines(after)
        and sorted(pictures(before)) == sorted(pictures(after))
        and text(before).count("\n") == text(after).count("\n")
        and NOT_THIS_TIME not in text(before)
    )


def _fonts(cell: NotebookNode) -> int:
    """Return how many fonts a cell's pictures carry."""
    found = [output.get("data", {}).get("image/svg+xml", "") for output in outputs(cell)]
    return "".join(found).count("@font-face")


def _parts(cell: NotebookNode, *kinds: str) -> Iterator[str]:
    """Yield the text of each output, in the first of the media types that it has."""
    for output in outputs(cell):
        if output.output_type == "stream":
            yield output.text.removesuffix("\n")
        elif output.output_type == "error":
            yield f"{output.ename}: {output.evalue}"
        else:
            yield next((output.data[kind] for kind in kinds if kind in output.data), "")
