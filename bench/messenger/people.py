"""The benchmark's own database, the people in it, and their log-ins."""

import http.client
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pymysql
from werkzeug.security import generate_password_hash

from bench.chat.servers import ServerError
from bench.messenger.load.pairs import User
from demos.group_chat.rules import names
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.seed import restore
from demos.pool_demo.settings import connect_args, load, tls_arguments
from demos.pool_demo.where import describe

PASSWORD = "let-me-learn"  # the seed's
SEEDED = ("韩雪", "舒畅", "唐嫣", "小甜甜")  # their hashes have the full cost
_CHEAP = generate_password_hash(PASSWORD, "scrypt:256:8:1")  # checked in no time
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@contextmanager
def own_database() -> Iterator[None]:
    """Have a seeded database of our own for a block, and a key that signs cookies.

    It lies beside the student's, which is left alone, and is dropped at the end. What a killed run
    left behind is replaced.

    Raises:
        pymysql.MySQLError: there is no server, or this user may not make a database there.
    """
    settings, before = load(), dict(os.environ)
    name = f"{settings.database}_bench"
    os.environ |= {
        "MYSQL_HOST": settings.host,
        "MYSQL_PORT": str(settings.port),
        "MYSQL_UNIX_SOCKET": settings.unix_socket or "",
        "MYSQL_USER": settings.user,
        "MYSQL_PASSWORD": settings.password,
        "MYSQL_DATABASE": name,
        "SECRET_KEY": secrets.token_hex(32),
    }
    try:
        restore()
        yield
    finally:
        MysqlHelp.close_all()
        # No TLS context: whoever has pressed Ctrl-C waits for this.
        arguments = connect_args(database=None, **tls_arguments(load(), None))
        with pymysql.connect(**arguments) as server, server.cursor() as cursor:
            cursor.execute(f"drop database if exists `{name.replace('`', '``')}`")
        os.environ.clear()
        os.environ.update(before)


def enrol(count: int) -> list[str]:
    """Make so many users, friends by twos, whose passwords take no time to check. Returns names."""
    db = MysqlHelp()
    found = [f"p{number:04d}" for number in range(count)]
    db.insertmany(
        "insert into userinfo(name, name_key, password) values(%s, %s, %s)",
        [(name, names.key(name), _CHEAP) for name in found],
    )
    rows = db.selectall("select id, name from userinfo")
    ids = {row["name"]: row["id"] for row in rows}
    pairs = [sorted((ids[one], ids[other])) for one, other in zip(*[iter(found)] * 2, strict=True)]
    db.insertmany(
        "insert into friendships(low_id, high_id, state, actor_id) values(%s, %s, 'accepted', %s)",
        [(low, high, low) for low, high in pairs],
    )
    return found


def empty() -> None:
    """Remove all messages, so that each server begins with the same table."""
    MysqlHelp().execute("truncate table messages")


def check_stored(said: int) -> None:
    """Raise ServerError unless the table holds so many messages."""
    row = MysqlHelp().selectone("select count(*) n from messages")
    assert row
    if row["n"] != said:
        raise ServerError(f"{said} messages were acknowledged and {row['n']} are stored")


def described() -> str:
    """Return name and version of the database, and how safe a commit is there."""
    name = describe(load()).partition(" at ")[0]
    row = MysqlHelp().selectone("select @@innodb_flush_log_at_trx_commit flushes")
    assert row
    return f"{name}, innodb_flush_log_at_trx_commit={row['flushes']}"


def log_in(url: str, name: str, address: str) -> str:
    """Log in through the form, as a browser does from this address; return the cookie.

    The server has to run with `--proxies 1`: wrong passwords count by address.

    Raises:
        ServerError: the server does not let this user in.
    """
    headers = {"X-Forwarded-For": address, "Accept": "text/html"}
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as link:
        link.request("GET", "/login", headers=headers)
        answer = link.getresponse()
        token, cookie = _TOKEN.search(answer.read().decode()), _cookie(answer)
        if not token:
            raise ServerError(f"the log-in page answers {answer.status}")
        form = {"csrf_token": token[1], "username": name, "password": PASSWORD}
        headers |= {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        link.request("POST", "/login", urlencode(form), headers)
        answer = link.getresponse()
        answer.read()
        if (answer.status, answer.getheader("Location")) != (302, "single"):
            raise ServerError(f"a log-in was answered with {answer.status}")
        return _cookie(answer)


def _cookie(answer: http.client.HTTPResponse) -> str:
    cookies = SimpleCookie(answer.getheader("Set-Cookie", ""))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())


def log_in_all(url: str, users: Sequence[str]) -> list[User]:
    """Log everybody in; return names and cookies. Raises ServerError."""
    places = range(len(users))
    addresses = [f"10.0.{place >> 8}.{place & 255}" for place in places]
    return [(name, log_in(url, name, at)) for name, at in zip(users, addresses, strict=True)]


@contextmanager
def logging_in(url: str, rate: float) -> Iterator[list[float]]:
    """Let so many people a second log in during a block, at the full cost of a password.

    Yields a list that holds, after the block, how many seconds each log-in took.

    Raises:
        ServerError: one of them was not let in.
    """
    ended = threading.Event()
    found: list[float] = []
    begun: list[Future[float]] = []
    with ThreadPoolExecutor(len(SEEDED) + 1) as threads:
        try:
            threads.submit(_knock, url, rate, threads, begun, ended)
            yield found
        finally:
            ended.set()
    found += [one.result() for one in begun]


def _knock(
    url: str,
    rate: float,
    threads: ThreadPoolExecutor,
    begun: list["Future[float]"],
    ended: threading.Event,
) -> None:
    start = time.monotonic()
    while not ended.wait(max(0.0, start + len(begun) / rate - time.monotonic())):
        number = len(begun)
        begun.append(threads.submit(_timed, url, number))


def _timed(url: str, number: int) -> float:
    began = time.monotonic()
    log_in(url, SEEDED[number % len(SEEDED)], f"10.1.{number >> 8 & 255}.{number & 255}")
    return time.monotonic() - began
