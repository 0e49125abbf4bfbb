"""The language in which the course speaks: English, or one for which there is a catalogue."""

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from course.ground import sentences

VARIABLE = "COURSE_LANG"
NAMES = {"en": "English", "zh": "中文"}  # each as its own readers call it
HTML = {"en": "en", "zh": "zh-CN"}  # as a page names its language
COLON = {"en": ": ", "zh": "："}  # between a label and what it stands for
AND = {"en": " and ", "zh": "、"}  # between names
USUAL = "en"
TRANSLATED = tuple(name for name in NAMES if name != USUAL)  # those of which an edition is made
# What the system says, in the order in which gettext asks.
LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
# Catalogues of labels, such as "all" or "text". What a program prints may be the same word, and is not to be translated.
LABELS = {"stage", "doctor", "figures"}

# Of whoever is answered at this moment: a server has readers of several languages at the same time.
_reader: ContextVar[str] = ContextVar("_reader", default="")


def chosen() -> str:
    """Return the language's short name: the reader's, else that of `COURSE_LANG`, else that of the locale, else `en`."""
    said = (
        _reader.get()
        or os.environ.get(VARIABLE)
        or next((os.environ[name] for name in LOCALE if os.environ.get(name)), "")
    )
    name = said.partition(":")[0]
    for mark in "_-.@":
        name = name.partition(mark)[0]
    return name.lower() if name.lower() in NAMES else USUAL


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Speak a language for a block, also what is started in it."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    reader = _reader.set(name)
    try:
        yield
    finally:
        _reader.reset(reader)
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def answer_in(name: str) -> None:
    """Speak a language to whoever is answered in this thread or greenlet; "" or a name without an edition: the usual one."""
    _reader.set(name if name in NAMES else "")


def choose(name: str) -> None:
    """Let this process and those that it starts speak a language."""
    os.environ[VARIABLE] = name


def others() -> dict[str, str]:
    """Return the languages besides the reader's, and what their own readers call them."""
    return {name: called for name, called in NAMES.items() if name != chosen()}


def colon() -> str:
    """Return what stands between a label and its words, in the reader's language."""
    return COLON[chosen()]


def listed(names: Iterable[str]) -> str:
    """Return names with what stands between them in the reader's language."""
    return AND[chosen()].join(names)


def refused() -> str:
    """Return a sentence if `COURSE_LANG` names a language without an edition; a locale without one means English."""
    said = os.environ.get(VARIABLE, "")
    if not said or said in NAMES:
        return ""
    return f"the course does not speak {said!r}: choose one of {', '.join(NAMES)} with --lang or {VARIABLE}."


def catalogues(name: str) -> Path:
    """Return where the catalogues of a language are."""
    return Path(__file__).resolve().parents[2] / "lessons" / "authors" / "translations" / name


def sentences_of(name: str, area: str) -> Path:
    """Return where the catalogue of sentences of an area, such as "course", is."""
    return catalogues(name) / "sentences" / f"{area}.po"


def translated(text: str, least: int = sentences.LEAST) -> str:
    """Return what the course says in the reader's language; the arguments are those of `Sentences.translated`."""
    return text if chosen() == USUAL else _sentences(chosen()).translated(text, least)


def entries(area: str) -> dict[str, str]:
    """Return a catalogue of labels in the reader's language, such as "stage": by their English text; empty for English."""
    name = chosen()
    return {} if name == USUAL else sentences.read(sentences_of(name, area))


@functools.cache
def _sentences(name: str) -> sentences.Sentences:
    entries = {}
    for file in sorted(catalogues(name).glob("sentences/*.po")):
        if file.stem not in LABELS:
            entries.update(sentences.read(file))
    return sentences.Sentences(entries)
