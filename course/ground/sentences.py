"""Sentences in another language: gettext catalogues (.po), and sentences that have values in them.

The English text stands in the code, once. A sentence with values is written there as an f-string, and its entry in the
catalogue is that f-string: "{asked} requests for {count} messages". A sentence that is about to be shown is looked up as a
whole; if it is not there, it is compared with the entries that have places for values.

Standard library only, as sentences are shown before anything is installed. Babel, which finds the sentences in the code and
brings the catalogues up to date, is needed by authors only: course/translations/extraction.py.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HOLE = re.compile(r"\{([^{}]+)\}")
LEAST = 4  # letters outside the holes, for an entry to be compared with
FEWEST = 2  # the same, for those who ask for less
WORD = 2  # characters at its beginning by which an entry is found
# Between sentences; the second, if they were added to one without its full stop: ". Your function also received ...".
BORDERS = (r"(?<=[.!?]) (?=[A-Z])", r"(?=\. [A-Z])")


def read(file: Path) -> dict[str, str]:
    """Return what a catalogue has: translations by their English text, without those that are not done or in doubt."""
    found = {}
    for block in re.split(r"\n\s*\n", file.read_text("utf-8")):
        lines = [line for line in block.splitlines() if not line.startswith("#~")]
        if any(line.startswith("#,") and "fuzzy" in line for line in lines):
            continue
        text = dict(_fields(line for line in lines if not line.startswith("#")))
        if text.get("msgid") and text.get("msgstr"):
            found[text["msgid"]] = text["msgstr"]
    return found


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the fields of an entry; a text may go on over several lines, each in quotes."""
    name = ""
    parts: list[str] = []
    for line in lines:
        word, quote, rest = line.partition('"')
        if word.strip():
            yield name, "".join(parts)
            name, parts = word.strip(), []
        if quote:
            parts.append(ast.literal_eval(quote + rest))
    yield name, "".join(parts)


@dataclass(frozen=True)
class _Template:
    """An entry with places for values."""

    english: str
    translated: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        literals = HOLE.split(self.english)[::2]
        return re.compile("(.*?)".join(map(re.escape, literals)), re.DOTALL)

    @property
    def holes(self) -> list[str]:
        return HOLE.findall(self.english)

    @cached_property
    def weight(self) -> int:
        """How many letters stand outside the holes."""
        return sum(map(str.isalpha, HOLE.sub("", self.english)))

    @cached_property
    def end(self) -> str:
        """What stands behind the last hole."""
        return HOLE.split(self.english)[-1]


class Sentences:
    """The sentences of one language."""

    def __init__(self, entries: dict[str, str]) -> None:
        """Take the translations by their English text."""
        self._whole = {key: text for key, text in entries.items() if not HOLE.search(key)}
        templates = (_Template(key, text) for key, text in entries.items() if HOLE.search(key))
        self._by_start: dict[str, list[_Template]] = {}  # most begin with a word
        self._others: list[_Template] = []
        self._known: dict[tuple[str, int], str | None] = {}  # what was compared before
        for one in templates:
            if one.weight < FEWEST:
                continue
            start = HOLE.split(one.english)[0][:WORD]
            several = self._by_start.setdefault(start, []) if len(start) == WORD else self._others
            several.append(one)

    def translated(self, text: str, least: int = LEAST) -> str:
        """Return a text in this language; what no entry has stays as it is.

        Args:
            text: one or several lines.
            least: letters outside the places for values that an entry must have, to be compared with.
        """
        found = self._found(text, least)
        if found is not None:
            return found
        if "\n" in text:
            return "\n".join(self.translated(line, least) for line in text.split("\n"))
        core = text.strip(" ")
        if core != text:  # layout at its ends belongs to no sentence
            return text.replace(core, self.translated(core, least), 1) if core else text
        for border in BORDERS:
            several = [one for one in re.split(border, text) if one]
            parts = [self._found(one, least) or self._found(f" {one}", least) for one in several]
            if len(parts) > 1 and None not in parts:
                return "".join(part.strip(" ") for part in parts if part)
        return text

    def _found(self, text: str, least: int) -> str | None:
        if text in self._whole and (least <= LEAST or len(text) >= least):
            return self._whole[text]
        if (text, least) not in self._known:
            self._known[text, least] = self._compared(text, least)
        return self._known[text, least]

    def _compared(self, text: str, least: int) -> str | None:
        # "10.1 wrong: expected 3, your function returned 2" is like several entries: the one that leaves least as it
        # was has understood it.
        found = (
            self._filled(template, values)
            for template in self._candidates(text)
            if template.weight >= least
            and text.endswith(template.end)  # a quick look before the slow one
            and (values := template.pattern.fullmatch(text)) is not None
        )
        return min(found, key=lambda said: sum(map(str.isascii, said)), default=None)

    def _filled(self, template: _Template, found: re.Match[str]) -> str:
        values = dict(zip(template.holes, found.groups(), strict=True))
        return HOLE.sub(
            lambda hole: self.translated(values.get(hole[1], hole[0])), template.translated
        )

    def _candidates(self, text: str) -> Iterable[_Template]:
        """Return the entries that a text may be, the most exact one first."""
        several = [*self._by_start.get(text[:WORD], ()), *self._others]
        return sorted(several, key=lambda one: -one.weight)
