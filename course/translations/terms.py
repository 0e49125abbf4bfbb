"""The term base: `lessons/glossary.md` says how each of its English terms is rendered."""

import functools
import re
from dataclasses import dataclass

from course.ground import place

GLOSSARY = place.ROOT / "lessons" / "glossary.md"
# Words that English also uses in other senses: in a sentence they need not be the term.
ALSO_PLAIN = {
    "blocking",
    "borrow",
    "build",
    "check",
    "claim",
    "connect",
    "create",
    "cure",
    "delete",
    "deliver",
    "fault",
    "from",
    "give back",
    "goal",
    "hint",
    "idle",
    "lock",
    "me",
    "meaning",
    "message",
    "now you",
    "online",
    "ours",
    "parameter",
    "post",
    "predict",
    "present",
    "process",
    "promise",
    "push",
    "read",
    "room",
    "section",
    "send",
    "share",
    "shared",
    "source",
    "stage",
    "step",
    "table",
    "then run",
    "update",
}


@dataclass(frozen=True)
class Term:
    """A row of the glossary: ways to write the term in English, and in Chinese."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]


@functools.cache
def every() -> tuple[Term, ...]:
    """Return the terms of the glossary, but for those that are plain English words, too."""
    found = []
    for row in re.findall(r"^\|(.+)\|$", GLOSSARY.read_text("utf-8"), re.MULTILINE):
        first, second, *_ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        if set(first) <= set("-: ") or first in ("term", "Chinese"):
            continue
        chinese, english = (
            (first, second) if re.search(r"[\u3400-\u9fff]", first) else (second, first)
        )
        words = [re.sub(r"\s*\(.*?\)|^to |^the |`", "", one).strip() for one in english.split(",")]
        kept = tuple(
            word for word in words if word.isascii() and word.lower() not in {*ALSO_PLAIN, ""}
        )
        kept = tuple(word for word in kept if "." not in word)
        if kept:
            found.append(Term(kept, tuple(re.split(r"[、，,]\s*", chinese))))
    return tuple(found)


def missing(english: str, translated: str) -> list[str]:
    """Return the terms that the English text uses and the translation renders in another way.

    Args:
        english: the words only, without code.
        translated: the translation.
    """
    # The start of a build has code without marks: lines set in, and names such as demos.pool_demo.
    plain = re.sub(r"^ {4}.*$|\w+(?:[./]\w+)+", " ", english, flags=re.MULTILINE)
    left, found = plain.lower(), []
    pairs = [(word, term) for term in every() for word in term.english]
    for word, term in sorted(pairs, key=lambda pair: -len(pair[0])):
        pattern = rf"(?<![\w-]){re.escape(word.lower())}(?:e?s)?(?![\w-])"
        left, times = re.subn(pattern, " ", left)
        if times and not any(one.replace("*", "").strip() in translated for one in term.chinese):
            found.append(f"{word} ({'、'.join(term.chinese)})")
    return found
