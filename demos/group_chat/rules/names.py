"""A10: nicknames: which ones are allowed, and which ones look the same.

Two standards decide this, and packages hold their tables. PRECIS (RFC 8264 to 8266) says which
characters a name may have. UTS #39 of Unicode says which texts look the same: they have the same
skeleton. Python's own tables are as old as Python, and those of `unicodedata2` are of this year.
"""

import json
import re
from functools import lru_cache
from importlib.resources import files

import unicodedata2
from precis_i18n import get_profile
from werkzeug.routing import BaseConverter

LENGTH = 32  # characters
_MARK_OF_DIRECTION = "\\u200e"  # as JSON writes it
_BLANK = "\u2800"  # a braille cell without dots: for the standard a symbol like any other
# Parts of characters, for dictionaries; no name is written with them.
_RADICALS = re.compile("[\u2e80-\u2fdf\u31c0-\u31ef]")
# Marks for any script, such as a dot below: they do not tell two names apart. Those of one script,
# such as vowels, do.
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")

# What emoji are made of (UTS #51), a letter for each kind. A joiner, a variant or a tag belongs
# into one of these; anywhere else it hides.
_KINDS = {
    "\u200d": "J",
    **dict.fromkeys("\ufe0e\ufe0f", "V"),
    **dict.fromkeys(map(chr, range(0x1F3FB, 0x1F400)), "T"),  # tones of skin
    **dict.fromkeys(map(chr, range(0xE0020, 0xE007F)), "G"),  # tags, in flags such as Scotland's
    "\U000e007f": "E",
    "\U0001f3f4": "F",
    **dict.fromkeys("0123456789#*", "D"),
    "\u20e3": "K",
}
_EMOJI = re.compile("FG+E|DVK|[SF]V?T?(?:J[SF]V?T?)*")

_allowed = get_profile("OpaqueString", unicodedata=unicodedata2)  # PRECIS's FreeformClass
_is_ignorable = _allowed.base.ucd.default_ignorable


class Anything(BaseConverter):
    """Part of an address: whatever it is, so that `problem` can say why it is no nickname."""

    regex = "(?s:.*)"
    part_isolating = False


def problem(name: str, reserved: frozenset[str]) -> str:
    """Return why a nickname is refused, as a sentence for the page; "" if it is fine.

    Args:
        name: the nickname from the socket's address.
        reserved: keys (see `key`) that nobody may take.
    """
    if len(name) > LENGTH:  # first, because all else takes as much time as the name is long
        return f"A nickname has at most {LENGTH} characters."
    if not key(name):
        return "A nickname cannot be empty."
    if name != name.strip() or "/" in name or re.search(r"\s\s", name):
        return "A nickname cannot begin or end with a space, or have two in a row, or a slash."
    if radical := _RADICALS.search(name):
        return f"{radical[0]} is only a part of a character; write the whole one."
    if any(unicodedata2.category(letter) in ("Cn", "Co", "Cs") for letter in name):
        return "A nickname cannot have characters that Unicode does not know."
    if _has_what_no_name_has(name):
        return "A nickname cannot have control characters, or others that nobody sees."
    if key(name) in reserved:
        return "This nickname is reserved, or looks like one that is."
    return ""


@lru_cache(1000)
def key(name: str) -> str:
    """Return what nicknames that look the same have in common: `Bob`, `ｂｏｂ` and `В0b`."""
    seen = "".join(letter for letter in name if not _is_ignorable(ord(letter)))
    text = unicodedata2.normalize("NFKC", seen.replace(_BLANK, " "))
    # Capitals look like other letters than small ones do: first as they are, then as small ones.
    for _ in range(2):
        text = _skeleton(text).casefold()
    return " ".join(_MARKS.sub("", _skeleton(text)).split())


def _has_what_no_name_has(name: str) -> bool:
    """Say whether a character is none of a name's, or is where it cannot be seen."""
    try:
        _allowed.enforce(_without_joiners_of_emoji(name))
    except UnicodeEncodeError:  # PRECIS's word for it
        return True
    return _BLANK in name


def _without_joiners_of_emoji(name: str) -> str:
    kinds = "".join(map(_kind, name))
    joined = {at for found in _EMOJI.finditer(kinds) for at in range(*found.span())}
    return "".join(
        letter for at, letter in enumerate(name) if not (at in joined and kinds[at] in "JVGE")
    )


def _kind(letter: str) -> str:
    symbol = unicodedata2.category(letter) == "So"
    return _KINDS.get(letter, "S" if symbol else "-")


def _skeleton(text: str) -> str:
    """Return a text in which each letter stands for all that look like it."""
    return "".join(map(_look, unicodedata2.normalize("NFD", text)))


@lru_cache(10_000)
def _look(letter: str) -> str:
    """Return what stands for a letter: of all that look alike the plainest, `rn` for an `m`."""
    alike = _alike(letter)
    several = sorted((one for one in alike if len(one) > 1), key=lambda one: (len(one), one))
    return "".join(map(_plainest, several[0] if several else letter))


def _plainest(letter: str) -> str:
    """Return the first Latin letter among those that look like this one, or the first of them."""
    singles = [one for one in _alike(letter) if len(one) == 1]
    usual = [one for one in singles if unicodedata2.normalize("NFKC", one) == one] or singles
    return min(usual, key=lambda one: (not (one.isascii() and one.isalpha()), one))


def _alike(letter: str) -> set[str]:
    """Return all that looks like a letter, itself included; some are of several letters."""
    found, look_at = {letter}, [letter]
    while look_at:
        new = {pair["c"] for pair in _confusable().get(look_at.pop(), ())} - found
        found |= new
        look_at += new
    return found


@lru_cache
def _confusable() -> dict[str, list[dict[str, str]]]:
    """Return for each character those that it is taken for: Unicode's confusables.txt.

    Read as data: the package itself says which letters are suspicious, and makes no skeletons.
    """
    text = (files("confusable_homoglyphs") / "confusables.json").read_text("utf-8")
    # Marks of direction are there for who reads the file.
    data: dict[str, list[dict[str, str]]] = json.loads(text.replace(_MARK_OF_DIRECTION, ""))
    return data
