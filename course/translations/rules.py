"""What holds for each entry of a catalogue: it says the same as the English part, with the same code, links and numbers."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from course.ground import language, place

# Where the editions are, as a text names it.
_EDITIONS = "|".join(re.escape(place.lessons_in(name).name) for name in language.TRANSLATED)
_FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ID = re.compile(r"\b[ABEW]\d{1,2}\b")
_NUMBER = re.compile(r"(?<![A-Za-z\d_])\d+(?:[.,:]\d+)*")
BROKEN_LINE = "a line that is broken in a sentence"  # shown as a blank between Han characters
_HAN = r"[\u3400-\u9fff]"
_LATIN = r"[A-Za-z0-9`]"


def broken(english: str, translated: str) -> list[str]:
    """Return what of the English part is missing in its translation, or added: a sentence for each kind."""
    found = []
    for kind, count in KINDS.items():
        before, after = Counter(count(english)), Counter(count(translated))
        lost, new = [*(before - after).elements()], [*(after - before).elements()]
        if lost or new:
            said = [f"without {_quoted(lost)}"] * bool(lost) + [f"with {_quoted(new)}"] * bool(new)
            found.append(f"{kind}: {', '.join(said)}")
    return found


def _quoted(some: list[str]) -> str:
    shown = [one if len(one) < 60 else f"{one[:57]}..." for one in some[:8]]
    return " | ".join(shown) + (" | ..." if len(some) > 8 else "")


def _fences(text: str) -> Iterator[str]:
    # A comment is for the reader, too.
    return (re.sub(r" +# [^\n]*", "", found[0]) for found in _FENCE.finditer(text))


def _prose(text: str) -> str:
    """Return a text without its fenced blocks."""
    return _FENCE.sub("", text)


def _spans(text: str) -> Iterator[str]:
    # Each edition has a folder of its own.
    spans = (" ".join(found[2].split()) for found in _SPAN.finditer(_prose(text)))
    return (re.sub(rf"^(?:{_EDITIONS})/", f"{place.english().name}/", span) for span in spans)


def words(text: str) -> str:
    """Return the words of a text only: no code, no targets of links, no tags, no comments."""
    text = _SPAN.sub(" ` ", _prose(text))
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return _TAG.sub("", _LINK.sub("]", text))


def _numbers(text: str) -> Iterator[str]:
    # Markdown numbers the items of a list by itself.
    plain = re.sub(r"^\s*\d{1,2}\. ", "", _ID.sub("", words(text)), flags=re.MULTILINE)
    return (found[0].replace(",", "") for found in _NUMBER.finditer(plain))


def _headings(text: str) -> Iterator[str]:
    return (
        f"{found[1]} {found[2] or ''}".strip()
        for found in re.finditer(r"^(#+) (\d[\d.]*)?", _prose(text), re.MULTILINE)
    )


def _lines(pattern: str) -> Callable[[str], Iterator[str]]:
    return lambda text: (found[0] for found in re.finditer(pattern, _prose(text), re.MULTILINE))


def _links(text: str) -> Iterator[str]:
    # Each edition of the first page leads to the others.
    targets = (found[1] for found in _LINK.finditer(_SPAN.sub("", _prose(text))))
    return (re.sub(r"^README(?:\.\w\w)?\.md$", "README", target) for target in targets)


KINDS: dict[str, Callable[[str], Iterable[str]]] = {
    "code blocks": _fences,
    "code spans": _spans,
    "links": _links,
    "numbers": _numbers,
    "headings": _headings,
    "sections of the source": lambda text: _ID.findall(words(text)),
    "tags": lambda text: _TAG.findall(_SPAN.sub("", _prose(text))),
    "rows of tables": lambda text: ("row" for _ in re.finditer(r"^\|", _prose(text), re.MULTILINE)),
    "list items": _lines(r"^\s*(?:[-*]|\d{1,2}\.) "),
    "generated places": lambda text: re.findall(r"@minutes", text),
}


def badly_set(translated: str, *, in_lines: bool) -> list[str]:
    """Return places where a Chinese text is not set as it should be: blanks beside Han characters, punctuation.

    Args:
        translated: the text.
        in_lines: it is read as it stands, in an editor, so that sentences go on over several lines.
    """
    # A span of code counts by its outer marks only: what is inside may be Chinese data.
    text = _SPAN.sub("`", re.sub(r"<!--.*?-->", "", _prose(translated), flags=re.DOTALL))
    text = _LINK.sub("]", _TAG.sub("", text))
    shown = re.sub(r"\*\*|[*_\[\]](?=\S)|(?<=\S)[*\]]", "", text)
    found = []
    for said, where, pattern in (
        ("no blank between Han and Latin", shown, rf"{_HAN}{_LATIN}|{_LATIN}{_HAN}"),
        ("half-width punctuation after Han", shown, rf"{_HAN}[,;:?!](?!\w)"),
        ("half-width brackets around Han", shown, rf"\({_HAN}|{_HAN}\)"),
        # After the end of bold text there is one: Markdown would not see that end.
        (
            "a blank beside full-width punctuation",
            text,
            r"[，。；：？！、）] (?=[^\s|])|(?<=[^\s|]) [，。；：？！、（]",
        ),
        (BROKEN_LINE, text, rf"[\u3001-\u9fff，；：]\n(?={_HAN}|[“（])"),
    ):
        places = [
            where[max(0, one.start() - 8) : one.end() + 8] for one in re.finditer(pattern, where)
        ]
        if places and not (in_lines and said == BROKEN_LINE):
            found.append(f"{said}: {_quoted([' '.join(one.split()) for one in places])}")
    return found
