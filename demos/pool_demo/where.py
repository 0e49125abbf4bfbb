"""A6: where the demos connect, seen on the server itself.

python -m demos.pool_demo.where              one line: server, version, address, user, database
python -m demos.pool_demo.where --my-cnf     the same as an option file for the mysql client
"""

import sys

import pymysql

from demos.pool_demo.settings import Settings, load
from demos.pool_demo.show import run


def describe(settings: Settings) -> str:
    """Return one line about the server the settings lead to. Raises pymysql.OperationalError."""
    # Without the database: the seed makes that, and the question here is who answers.
    arguments = settings.connect_args(database=None, connect_timeout=10)
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


def main() -> None:
    """Print what the command line asks for."""
    settings = load()
    print(my_cnf(settings) if sys.argv[1:] == ["--my-cnf"] else describe(settings))


if __name__ == "__main__":
    run(main)
