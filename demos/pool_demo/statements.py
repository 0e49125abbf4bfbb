"""A7: what a statement does to the session it runs in, as far as its text tells.

A pool must know two things before it lends a connection for a statement: may it be repeated on
another connection, and does it leave something behind? When in doubt: no, and yes.
"""

import re
from functools import lru_cache

_READS = {"select", "show", "explain", "describe", "desc"}
_WRITES = {"insert", "update", "delete", "replace"}

# Words that may stand before a bracket and leave nothing behind. `get_lock` is not among them, and
# nor is a function of your own, which may do anything.
_HARMLESS = set(
    """values value in and or not exists on using as over by set where from join select having all
    any some case when then else between like distinct partition into interval if ifnull nullif
    coalesce isnull greatest least count sum avg min max group_concat std stddev variance
    abs ceil ceiling floor round truncate mod power pow sqrt sign rand
    concat concat_ws char_length character_length length lower upper trim ltrim rtrim left right
    mid substring substr substring_index replace repeat reverse lpad rpad locate instr field
    format hex unhex md5 sha1 sha2 char cast convert json_extract json_object json_array
    now curdate current_date curtime current_timestamp utc_timestamp date time year month day hour
    minute second date_add date_sub datediff timestampdiff date_format unix_timestamp from_unixtime
    sleep version database user connection_id row_number rank dense_rank lag lead
    first_value last_value""".split()  # noqa: SIM905 - a list of words reads as words
)
# `insert into student(name, age)`: a table's name and its columns.
_TABLE = re.compile(r"\binto\s+[\w.`]+\s*\(", re.IGNORECASE)
_CALL = re.compile(r"([\w.`$]+)\s*\(")
# User variables, comments, several statements, sequences, and `select ... into`.
_DOUBTFUL = re.compile(r"@|/\*|--|#|;\s*\S|\b(next|previous|nextval|lastval)\b", re.IGNORECASE)
_INTO = re.compile(r"\binto\b", re.IGNORECASE)


@lru_cache(maxsize=1000)
def is_repeatable(sql: str) -> bool:
    """Say whether the statement only reads, so that running it twice is the same as once."""
    return first_word(sql) in _READS and leaves_nothing(sql) and not _INTO.search(sql)


@lru_cache(maxsize=1000)
def leaves_nothing(sql: str) -> bool:
    """Say whether the session is afterwards as it was before.

    False for `set`, `use`, `create temporary table`, `lock tables`, `prepare`, `call` and all that
    is not on our list, and for user variables and functions we do not know.
    """
    if first_word(sql) not in _READS | _WRITES or _DOUBTFUL.search(sql):
        return False
    called = _CALL.findall(_TABLE.sub("into (", sql))
    return all(name.lower() in _HARMLESS for name in called)


def first_word(sql: str) -> str:
    """Return the statement's first word in small letters: `select`."""
    found = re.match(r"[\s(]*([a-z]+)", sql, re.IGNORECASE)
    return found[1].lower() if found else ""
