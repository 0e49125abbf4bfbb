"""The option file of the private server, in the format of MySQL's own `my.cnf`, readable by its owner only."""

import configparser
import os
from pathlib import Path

USER = "course"
DATABASE = "book"


def read(path: Path) -> dict[str, str]:
    """Return `host`, `port`, `socket`, `user`, `password`, `database`; empty if there is no readable file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {key: value for section in parser.values() for key, value in section.items()}


def write(path: Path, *, port: int, socket: str, password: str, database: str) -> None:
    """Write the option file at one stroke."""
    text = f"""\
# Written by `python3 -m course`; both the mysql client and the demos read it.
[client]
host = 127.0.0.1
port = {port}
socket = {socket}
user = {USER}
password = {password}
default-character-set = utf8mb4

[mysql]
database = {database}
"""
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, complete or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    new.replace(path)
