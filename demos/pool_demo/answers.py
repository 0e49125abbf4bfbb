"""A7: a statement and its whole answer: all its results, and every error in them."""

from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CR
from pymysql.cursors import RE_INSERT_VALUES, DictCursor

from demos.pool_demo.lender import Raw, hang_up

Row = dict[str, Any]


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

    After an answer of the server, an error too, the connection is good. After anything else,
    such as Ctrl-C in mid-answer, nobody could tell the rest of it from the next one.
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


def run_many(raw: Raw, sql: str, params: list[Any]) -> None:
    """Run a statement for each of `params`, in one packet where the rows alone differ."""
    if not _only_rows_differ(sql):
        for param in params:
            run_on(raw, sql, param)
        return
    try:
        raw.cursor().executemany(sql, params)
    except BaseException:
        hang_up_unless_settled(raw)
        raise


def _only_rows_differ(sql: str) -> bool:
    """Say whether PyMySQL can put many rows into the one `values(...)` of this statement."""
    found = RE_INSERT_VALUES.match(sql)
    try:
        return found is not None and bool((found[1] + (found[3] or "")) % ())
    except (TypeError, ValueError):  # parameters elsewhere: `on duplicate key update age = %s`
        return False


def hang_up_unless_settled(raw: Raw) -> None:
    """Close a connection on which the rest of an answer may still come."""
    if not raw.settled:
        hang_up(raw)
