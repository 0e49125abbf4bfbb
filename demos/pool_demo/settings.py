"""A6: where the server is, and the limits of the pool. The source calls this module DB_config.

The first of these that exists is used, and only this one:

1. the environment: MYSQL_HOST, MYSQL_PORT, MYSQL_UNIX_SOCKET, MYSQL_USER, MYSQL_PASSWORD and
   MYSQL_DATABASE, if any of them is set and not empty (a missing one has the source's default);
2. the option file that the course's private server writes, `.course/my.cnf`;
3. the source's defaults: 127.0.0.1, port 3306, user root, empty password, database `book`.

This module reads nothing when it is imported: `load()` reads each time it is called.
COURSE_MENDS_SERVER=1 says that the program that started this one restarts the server if it ends.
`python -m demos.pool_demo.where` prints which server the settings lead to.
"""

import configparser
import os
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Tls = bool | ssl.SSLContext | None

# A6: the source's limits, as PooledDB spells them.
POOL_LIMITS: dict[str, Any] = {
    "mincached": 10,  # connections opened at the start
    "maxcached": 10,  # idle connections kept when borrowers return them
    "maxshared": 20,  # shares nothing with PyMySQL, but raises maxconnections to 20 or more (E3)
    "maxconnections": 100,  # borrowed at the same time, at most
    "blocking": True,  # at the maximum: wait. False: raise TooManyConnectionsError
    "maxusage": None,  # statements before a connection is replaced. None: no limit
    "setsession": None,  # statements to run once on each new connection. None: none
}
# The source also passes use_unicode=True, which is PyMySQL's default today.

# What the environment may say: MYSQL_HOST and so on.
NAMES = {
    f"MYSQL_{name.upper()}": name
    for name in ("host", "port", "unix_socket", "user", "password", "database")
}


class SettingsError(Exception):
    """A setting has a value that cannot be used. The message is one sentence for the user."""


@dataclass(frozen=True)
class Settings:
    """Where the server is and who we are there (A6). The defaults are the source's.

    `port` counts only over TCP; `unix_socket`, a path, only when `host` is `localhost`.
    """

    host: str = "127.0.0.1"
    port: int = 3306
    unix_socket: str | None = None
    user: str = "root"
    password: str = field(default="", repr=False)
    database: str = "book"
    charset: str = "utf8mb4"  # the source's "utf8" has no room for an emoji (E6)

    @property
    def uses_socket(self) -> bool:
        """Whether connections go through the unix socket. The rule is the mysql client's."""
        return self.host == "localhost" and self.unix_socket is not None

    @property
    def address(self) -> str:
        """The server's address for a message: `host:port`, or the path of the unix socket."""
        return str(self.unix_socket) if self.uses_socket else f"{self.host}:{self.port}"

    def connect_args(self, **changes: object) -> dict[str, Any]:
        """Return the keywords for `pymysql.connect` or a pool; `changes` adds or replaces some."""
        keywords: dict[str, Any] = {"host": self.host, "port": self.port}
        if self.uses_socket:
            keywords = {"unix_socket": self.unix_socket}
        keywords["user"] = self.user
        keywords["password"] = self.password.encode()  # PyMySQL encodes a str as Latin-1
        keywords["database"] = self.database
        keywords["charset"] = self.charset
        return keywords | changes


def load() -> Settings:
    """Read the settings as they are now. Raises SettingsError."""
    return _settings(_environment() or _option_file())


def connect_args(**changes: object) -> dict[str, Any]:
    """Return `load().connect_args(**changes)`. Raises SettingsError."""
    return load().connect_args(**changes)


def tls_arguments(settings: Settings, tls: Tls) -> dict[str, Any]:
    """Return the arguments for the choice: False off, True verified, None as fits the address.

    None means off on this machine and on elsewhere, without a check of the certificate, which most
    MySQL servers have signed themselves. An SSLContext is used as it is.
    """
    here = settings.uses_socket or settings.host in ("localhost", "127.0.0.1", "::1")
    if tls is False or (tls is None and here):
        return {"ssl_disabled": True}
    return {"ssl": tls if isinstance(tls, ssl.SSLContext) else shared_context(verify=bool(tls))}


@lru_cache
def shared_context(verify: bool) -> ssl.SSLContext:
    """Return the process's one TLS context. Building it takes far longer than connecting (A1)."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def option_file() -> Path:
    """Return the path of the private server's option file. COURSE_STATE_DIR moves its folder."""
    return Path(os.environ.get("COURSE_STATE_DIR") or ROOT / ".course") / "my.cnf"


def is_named() -> bool:
    """Whether the environment says where the server is, and not the option file or the source."""
    return bool(_environment())


def comes_back() -> bool:
    """Whether the server is one that you may shut down: it is started again at once."""
    return os.environ.get("COURSE_MENDS_SERVER") == "1"


def _environment() -> dict[str, str]:
    found = {name: os.environ.get(variable, "") for variable, name in NAMES.items()}
    return {name: value for name, value in found.items() if value}


def _option_file() -> dict[str, str]:
    # Raw, because a % in a my.cnf is a % and nothing else.
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False)
    try:
        text = option_file().read_text(encoding="utf-8", errors="surrogateescape")
        parser.read_string(text)
    except FileNotFoundError:
        return {}
    except (OSError, configparser.Error) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"The option file {option_file()} cannot be read: {reason}") from error
    found = {
        "host": parser.get("client", "host", fallback=None),
        "port": parser.get("client", "port", fallback=None),
        "unix_socket": parser.get("client", "socket", fallback=None),
        "user": parser.get("client", "user", fallback=None),
        "password": parser.get("client", "password", fallback=None),
        "database": parser.get("mysql", "database", fallback=None),
    }
    return {name: value.strip("'\"") for name, value in found.items() if value}


def _settings(found: dict[str, str]) -> Settings:
    values: dict[str, Any] = dict(found)
    port = found.get("port", "3306")
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise SettingsError(f"MYSQL_PORT is {port!r}, and a port is a number from 1 to 65535.")
    values["port"] = int(port)
    # A socket without a host means this machine, through the socket.
    if "unix_socket" in found:
        values.setdefault("host", "localhost")
    return Settings(**values)
