"""The screen: how a step starts, ends, and prints a table. No lesson teaches it."""

import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence

import pymysql
from pymysql.constants import CR, ER

from demos.pool_demo.settings import NAMES, SettingsError, is_named, load

_START = "Start one with: python3 -m course db start"
# The command above would refuse then.
_UNSET = f"Correct MYSQL_*, or use the course's own server: unset {' '.join(NAMES)}"
_FILL = f"Fill it with: {shlex.quote(sys.executable)} -m demos.pool_demo.seed --if-missing"
_WHO = "Set MYSQL_USER and MYSQL_PASSWORD to a user of it."
_GIVEN = (
    "Name one that you were given in MYSQL_DATABASE, or ask whoever runs the server for the right."
)
_RIGHT = (
    "Ask whoever runs the server for that right, or unset MYSQL_* to use the course's own server."
)
_ACCESS_BY_SYSTEM_ACCOUNT = 1698  # MariaDB's answer to root without sudo

# Errors of the server, or of its absence, that no step can work with: the cause and the cure.
_CURES: dict[int, str] = {
    CR.CR_CONN_HOST_ERROR: "No MySQL server answers at {at}. {start}",
    CR.CR_SERVER_LOST: "The connection to {at} ended: the server is gone, or the program that "
    "listens there is no MySQL server. {start}",
    ER.ACCESS_DENIED_ERROR: "The server at {at} refuses user {user} with this password. " + _WHO,
    _ACCESS_BY_SYSTEM_ACCOUNT: "The server at {at} refuses user {user} without sudo. " + _WHO,
    ER.DBACCESS_DENIED_ERROR: "User {user} may not use or make the database {database} at {at}. "
    + _GIVEN,
    ER.TABLEACCESS_DENIED_ERROR: "User {user} lacks a right on a table of {database} at {at}. "
    + _RIGHT,
    ER.SPECIFIC_ACCESS_DENIED_ERROR: "User {user} lacks a right on the whole server at {at}, such "
    "as to see or end connections of others. " + _RIGHT,
    ER.BAD_DB_ERROR: "There is no database {database} at {at}. " + _FILL,
    ER.NO_SUCH_TABLE: "The database {database} at {at} lacks a table. " + _FILL,
    ER.CON_COUNT_ERROR: "The server at {at} is full. Close other programs that use it.",
    ER.LOCK_WAIT_TIMEOUT: "Another program has a lock in {database}. End it and run this again.",
}


def run(main: Callable[[], None]) -> None:
    """Run a step in any terminal. Without a server it prints one sentence; exit code 1."""
    prepare()
    try:
        main()
    except SettingsError as error:
        sys.exit(str(error))
    except pymysql.MySQLError as error:
        sentence = explain(error)
        if not sentence:
            raise
        sys.exit(sentence)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def prepare() -> None:
    r"""If the terminal cannot show a character, show its escape, such as \u97e9."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def explain(error: pymysql.MySQLError) -> str:
    """Return cause and cure of an error that ends a step; "" for any other error."""
    settings = load()
    code = error.args[0] if error.args else 0
    if re.match("Packet sequence number", str(code)):  # so PyMySQL reads another's greeting
        code = CR.CR_SERVER_LOST
    return _CURES.get(code, "").format(
        at=settings.address,
        user=settings.user,
        database=settings.database,
        start=_UNSET if is_named() else _START,
    )


def table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as a table with a title; the keys of the first row are the columns."""
    # Imported here, because a step without a table starts faster without it.
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False)
    columns = list(rows[0]) if rows else ["(no rows)"]
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*(str(row[column]) for column in columns))
    print(title)
    width = None if sys.stdout.isatty() else 120
    Console(markup=False, emoji=False, highlight=False, width=width).print(grid)


def conclude(sentence: str) -> None:
    """Print the last sentence of a step: what it has shown."""
    print(f"\nConclusion: {sentence}")
