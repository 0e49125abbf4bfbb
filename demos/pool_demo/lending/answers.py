"""A7: a statement and its whole answer: all its results, and every error in them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from demos.pool_demo.lending.lender import Raw, hang_up
from demos.pool_demo.lending.statements import first_word

Row = dict[str, Any]

# `values (%s, %s)`. What has matched is not given back (`*+`), or the time would grow with the
# square of the length.
_VALUES = re.compile(r"\bvalues?\s*+(\((?:\s*+%(?:\([^()]++\))?s\s*+[,)])++)", re.IGNORECASE)


@dataclass(slots=True)
class Answer:
    """The first result of a statement: its rows, how many it returned or touched, the new key."""

    rows: list[Row]
    count: int
    key: int  # 0 if there is none


def run_on(raw: Raw, sql: str, param: Any = None) -> Answer:  # noqa: ANN401 - what `checked` let by
    """Run a statement; return its first result once all of them have arrived.

    A procedure answers with several results, and each may be an error, which is raised.
    """
    cursor = ask(raw, sql, param)
    try:
        answer = Answer(list(cursor.fetchall()), cursor.rowcount, cursor.lastrowid or 0)
        while not raw.settled and cursor.nextset():
            pass
    except BaseException:
        hang_up_unless_settled(raw)
        raise
    return answer


def ask(raw: Raw, sql: str, param: Any = None, kind: type[Any] = DictCursor) -> Any:  # noqa: ANN401
    """Send a statement; return the cursor with the first result.

    After an answer of the server, even an error, the connection can be used again. After anything
    else, such as Ctrl-C inside an answer, the rest of it could look like the next answer.
    """
    if not raw.open:
        raise pymysql.InterfaceError(CR.CR_SERVER_LOST, "the transaction ended with its connection")
    if raw._result is not None and raw._result.unbuffered_active:
        raise pymysql.ProgrammingError(
            0, "a stream is open in this transaction: end its block first"
        )
    cursor = raw.cursor(kind)
    try:
        cursor.execute(sql, param)
    except BaseException:
        hang_up_unless_settled(raw)
        raise
    return cursor


@contextmanager
def read_slowly(raw: Raw, cursor: Any, to_the_end: bool) -> Iterator[Any]:  # noqa: ANN401
    """Give the cursor of a stream to a block, and end the stream with the block.

    Args:
        raw: the connection.
        cursor: reads its rows as they arrive.
        to_the_end: read what the block has left, with all further results and the errors in them.
            Otherwise, and after Ctrl-C, the connection closes: it is quicker.
    """
    try:
        yield cursor
        if to_the_end:
            _read_the_rest(raw, cursor)
    except Exception:  # the block's own, and that is the one to be heard
        if to_the_end and raw.open and not raw.settled:
            with suppress(pymysql.MySQLError):
                _read_the_rest(raw, cursor)
        raise
    finally:
        hang_up_unless_settled(raw)
        cursor.connection = None  # closed, for PyMySQL


def _read_the_rest(raw: Raw, cursor: Any) -> None:  # noqa: ANN401
    """Read all rows and results. The cursor's own `close` would stop at the second result."""
    is_more = True
    while is_more:
        raw._result._finish_unbuffered_query()
        is_more = cursor.nextset()
    raw.settled = raw.open


def run_many(raw: Raw, sql: str, params: list[Any]) -> None:
    """Run a statement for each of `params`, in one packet where the rows alone differ."""
    parts = _around_the_row(sql)
    if parts is None:
        for param in params:
            run_on(raw, sql, param)
        return
    cursor = raw.cursor()
    try:
        cursor._do_execute_many(*parts, params, cursor.max_stmt_length, raw.encoding)
    except BaseException:
        hang_up_unless_settled(raw)
        raise


def _around_the_row(sql: str) -> tuple[str, str, str] | None:
    """Cut an insert into what stands before, in and behind the one row of its `values(...)`.

    None if parameters stand elsewhere, too: many rows are many statements then.
    """
    rows = list(_VALUES.finditer(sql))
    if not rows or first_word(sql) not in ("insert", "replace"):
        return None
    found = rows[-1]
    before, behind = sql[: found.start(1)], sql[found.end() :].strip().removesuffix(";")
    if not found[1].endswith(")") or (behind and first_word(behind) not in ("on", "as")):
        return None
    try:
        return before % (), found[1], f" {behind}" % ()
    except (TypeError, ValueError):
        return None


def hang_up_unless_settled(raw: Raw) -> None:
    """Close a connection on which the rest of an answer may still come."""
    if not raw.settled:
        hang_up(raw)
