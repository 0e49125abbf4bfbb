"""A6: where the demos connect, seen on the server itself.

python -m demos.pool_demo.where              one line: server, version, address, user, database
python -m demos.pool_demo.where --my-cnf     the same as an option file for the mysql client
python -m demos.pool_demo.where --rights     one line: whether the user may do what the demos do
"""

import os
import sys

import pymysql
from pymysql.constants import ER

from demos.instruments.screen import run
from demos.pool_demo.settings import Settings, load


def describe(settings: Settings) -> str:
    """Return one line about the server the settings lead to. Raises pymysql.OperationalError."""
    # Without the database: the seed makes that, and the question here is who answers.
    # Some servers of other protocols wait for the client to speak first.
    arguments = settings.connect_args(database=None, connect_timeout=10, read_timeout=10)
    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute("select version()")
        (version,) = cursor.fetchone() or ("",)
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    number = version.partition("-")[0]
    return (
        f"{kind} {number} at {settings.address}, user {settings.user}, database {settings.database}"
    )


def my_cnf(settings: Settings) -> str:
    """Return the settings in the format of MySQL's option files."""
    values = {
        "host": settings.host,
        "port": settings.port,
        "socket": settings.unix_socket,
        "user": settings.user,
        "password": settings.password,
    }
    # The client's quotes, so that a # or a blank in a password stays part of it.
    lines = [f'{name} = "{value}"' for name, value in values.items() if value]
    return "\n".join(
        [
            "[client]",
            *lines,
            f"default-character-set = {settings.charset}",
            "[mysql]",
            f'database = "{settings.database}"',
        ]
    )


def try_rights(settings: Settings) -> str:
    """Make, fill, read, change and drop a table with a new name; return one line about it.

    Raises pymysql.MySQLError 1044 or 1142 where the user may not.
    """
    probe = f"rights_of_{os.getpid()}"
    try:
        connection = pymysql.connect(**settings.connect_args(autocommit=True))
    except pymysql.OperationalError as error:
        if error.args[0] != ER.BAD_DB_ERROR:
            raise
        return try_right_to_make_it(settings, probe)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create table {probe} (id int primary key)")
        try:
            for statement in (
                f"insert into {probe} values (1)",
                f"update {probe} set id = 2",
                f"select id from {probe}",
                f"delete from {probe}",
                f"alter table {probe} add name varchar(9)",
                f"create index by_name on {probe} (name)",
            ):
                cursor.execute(statement)
        finally:
            cursor.execute(f"drop table {probe}")
    return f"user {settings.user} may make, fill, change and drop tables in {settings.database}"


def try_right_to_make_it(settings: Settings, probe: str) -> str:
    """Return one line about a database that is not there. Raises pymysql.MySQLError 1044."""
    with pymysql.connect(**settings.connect_args(database=None)) as connection:
        try:
            # The server looks for the right first, and then for the database.
            connection.cursor().execute(f"create table `{settings.database}`.{probe} (id int)")
        except pymysql.OperationalError as error:
            if error.args[0] == ER.TABLEACCESS_DENIED_ERROR:
                raise pymysql.OperationalError(ER.DBACCESS_DENIED_ERROR, *error.args[1:]) from error
            if error.args[0] != ER.BAD_DB_ERROR:
                raise
    return f"the database {settings.database} is not there; the seed makes it"


def main() -> None:
    """Print what the command line asks for."""
    ask = {"--my-cnf": my_cnf, "--rights": try_rights}.get(" ".join(sys.argv[1:]), describe)
    print(ask(load()))


if __name__ == "__main__":
    run(main)
