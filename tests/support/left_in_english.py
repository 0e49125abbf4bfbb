"""English that a reader of the Chinese edition would meet."""

import re

from course.ground import language

# What stays as it is: code, the values that a program had, and what Python or a library says about an error.
SPOKEN_BY_PROGRAMS = re.compile(
    r"""
    python3?\ -m\ [\w ./]+ | sudo\ apt-get\ install\ [\w-]+ | `[^`]*` | '[^'\n]*' | "[^"\n]*" | “[^”]*” | \bselect\ [^：]*
    | 抛出了\ .*?(?=，位置在|$)
    | \b\w*(?:Error|Exception|Timeout)[：:][^，。]*
    | received\ \d{4}\ .* | no\ close\ frame\ received\ or\ sent  # of a WebSocket's end
    """,
    re.VERBOSE,
)
# Three words, or an article with its noun, such as "a message" in the place of a value.
SENTENCE = r"\b[A-Za-z][a-z']*(?: [A-Za-z][a-z']*){2,}|\b(?:an?|the) [a-z]{2,}"


def left(said: str) -> list[str]:
    """Return the English sentences in a Chinese text, outside code and quotation marks."""
    return re.findall(SENTENCE, SPOKEN_BY_PROGRAMS.sub(" ", said))


def left_of(said: str) -> list[str]:
    """Return what stays English of a sentence of the course, when it is said to a reader of the Chinese edition."""
    with language.speaking("zh"):
        return left(language.translated(said))
