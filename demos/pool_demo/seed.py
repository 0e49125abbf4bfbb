"""Put tables back to their starting state. All data comes from sql/seed.sql.

python -m demos.pool_demo.seed                 all tables
python -m demos.pool_demo.seed student stu     only these, and tables that refer to them
python -m demos.pool_demo.seed --if-missing    only tables that are not there; drops nothing
"""

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
from pymysql.constants import ER

from demos.instruments.screen import run
from demos.pool_demo.settings import ROOT, load, tls_arguments

SEED = ROOT / "sql" / "seed.sql"
LOCK_WAIT = 10  # seconds to wait for another program's transaction on a table


def restore(*tables: str, if_missing: bool = False) -> list[str]:
    """Restore tables of the configured database, all when none is named. Returns their names.

    A table that refers to a restored one by a foreign key is restored with it. The database is
    made if there is none. With `if_missing` only tables that are not there are made.
    Raises ValueError for a name that is not ours, and pymysql.OperationalError 1205 when another
    transaction holds a table for more than 10 seconds.
    """
    statements = _statements()
    ours = [table for table, sql in statements if sql.startswith("CREATE TABLE")]
    if unknown := set(tables) - set(ours):
        names = ", ".join(sorted(unknown))
        raise ValueError(f"there is no table {names} in seed.sql, but: {', '.join(ours)}")
    connection = _connect(statements)
    try:
        with connection.cursor() as cursor:
            chosen = set(tables or ours)
            if if_missing:
                cursor.execute("show tables")
                chosen -= {name for (name,) in cursor.fetchall()}
            else:
                _add_referring(chosen, statements)
            cursor.execute("set session lock_wait_timeout = %s", (LOCK_WAIT,))
            for table, sql in statements:
                if table in chosen:
                    cursor.execute(sql)
        connection.commit()
    finally:
        connection.close()
    return [table for table in ours if table in chosen]


@contextmanager
def restored(*tables: str) -> Iterator[None]:
    """Restore tables before a block and after it, even if it fails. For steps that write."""
    restore(*tables)
    try:
        yield
    finally:
        restore(*tables)


def _statements() -> list[tuple[str, str]]:
    """Split seed.sql into (table, statement); the table is "" for a statement about none."""
    lines = SEED.read_text(encoding="utf-8").splitlines()
    code = "\n".join(line.rstrip() for line in lines if not line.startswith("--"))
    found = []
    for sql in re.findall(r"\S.*?;$", code, flags=re.MULTILINE | re.DOTALL):
        about = re.match(r"(?:DROP TABLE IF EXISTS|CREATE TABLE|INSERT INTO) `(\w+)`", sql)
        found.append((about[1] if about else "", sql))
    return found


def _add_referring(chosen: set[str], statements: list[tuple[str, str]]) -> None:
    # seed.sql creates a table after those it refers to, so one pass finds chains too.
    for table, sql in statements:
        if chosen & set(re.findall(r"REFERENCES `(\w+)`", sql)):
            chosen.add(table)


def _connect(statements: list[tuple[str, str]]) -> pymysql.Connection:
    """Connect to the configured database; if there is none, make it first, as seed.sql does."""
    settings = load()
    arguments = settings.connect_args(**tls_arguments(settings, None))
    try:
        return pymysql.connect(**arguments)
    except pymysql.OperationalError as error:
        if error.args[0] != ER.BAD_DB_ERROR:
            raise
    name = settings.database.replace("`", "``")
    with pymysql.connect(**arguments | {"database": None}) as server, server.cursor() as cursor:
        for _, sql in statements:
            if sql.startswith("CREATE DATABASE"):
                cursor.execute(sql.replace("`book`", f"`{name}`"))
    return pymysql.connect(**arguments)


def main() -> None:
    """Restore what the command line names."""
    parser = argparse.ArgumentParser(description="Put tables back to their starting state.")
    parser.add_argument("tables", nargs="*", metavar="table", help="default: all tables")
    parser.add_argument("--if-missing", action="store_true", help="only make missing tables")
    options = parser.parse_args()
    try:
        names = restore(*options.tables, if_missing=options.if_missing)
    except ValueError as error:
        parser.error(str(error))
    print(f"Restored in {load().database}: {', '.join(names) or 'nothing'}.")


if __name__ == "__main__":
    run(main)
