"""A7: what the first word of a statement shows. The rest only the server can know.

The first word is certain, and quick to find, even in a long statement.
"""

import re

_READS = {"select", "show", "explain", "describe", "desc"}
_QUERIES = _READS | {"with", "values", "table"}
_PLAIN = _QUERIES | {"insert", "update", "delete", "replace"}
_WORD = re.compile(r"[\s(]*([a-z]*)", re.IGNORECASE)


def first_word(sql: str) -> str:
    """Return the statement's first word in small letters: `select`. Comments are passed over.

    Empty if there is none, or if it stands in a comment that the server executes.
    """
    at = 0
    while True:
        found = _WORD.match(sql, at)
        assert found  # even nothing matches
        word, at = found[1], found.end()
        if word:
            return word.lower()
        if sql.startswith("/*", at) and not sql.startswith(("/*!", "/*M!"), at):
            end, length = sql.find("*/", at + 2), 2
        elif sql.startswith(("#", "-- ", "--\n", "--\t"), at):
            end, length = sql.find("\n", at), 1
        else:
            return ""
        if end < 0:
            return ""
        at = end + length


def is_read(sql: str) -> bool:
    """Say whether the statement is a read; a function in it may still write."""
    return first_word(sql) in _READS


def is_query(sql: str) -> bool:
    """Say whether the statement asks for rows; what begins with `with` may still write."""
    return first_word(sql) in _QUERIES


def can_be_undone(sql: str) -> bool:
    """Say whether a reset of the session undoes what the statement may have done to it.

    It does not for `use` and `set role`, which a procedure may run, too. And it comes late for a
    lock that others wait for.
    """
    return first_word(sql) in _PLAIN and "get_lock" not in sql.lower()
