"""A10: nicknames: which ones are allowed, and which ones are the same."""

import unicodedata

from werkzeug.routing import BaseConverter

LENGTH = 32  # characters
_JOINER = "\u200d"  # holds emoji such as 👩‍👧 together

# Letters and marks that nobody sees: fillers of other scripts, variants inside emoji such as ❤️.
_UNSEEN = [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0]
_UNSEEN += [ord(_JOINER), *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
_SEEN_ONLY = dict.fromkeys(_UNSEEN)


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
    if not key(name).strip():
        return "A nickname cannot be empty."
    if len(name) > LENGTH:
        return f"A nickname has at most {LENGTH} characters."
    if any(_is_hidden(letter) for letter in name):
        return "A nickname cannot have control characters."
    if name != name.strip() or "/" in name:
        return "A nickname cannot begin or end with a space, or have a slash."
    if key(name) in reserved:
        return "This nickname is reserved."
    return ""


def key(name: str) -> str:
    """Return what two nicknames that look the same have in common: `Bob` and `ｂｏｂ`."""
    return unicodedata.normalize("NFKC", name.translate(_SEEN_ONLY)).casefold()


def _is_hidden(letter: str) -> bool:
    # C: control characters, marks that turn the reading direction, halves; Zl, Zp: line breaks.
    kind = unicodedata.category(letter)
    return letter != _JOINER and (kind.startswith("C") or kind in ("Zl", "Zp"))
