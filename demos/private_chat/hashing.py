"""B3: hashes of passwords: they take long on purpose, so whoever wants one takes turns.

They are made on a thread of their own, one after the other, and stop nobody's messages. From one
address one log-in and one registration are in the line at a time: the others of that address wait
behind them, and whoever comes from elsewhere does not wait for those.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import gevent
from gevent.lock import Semaphore
from gevent.threadpool import ThreadPool
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.security import check_password_hash, generate_password_hash

from demos.private_chat.app import start_the_clock, stop_the_clock

P = ParamSpec("P")
T = TypeVar("T")
HASH = "scrypt:32768:8:1"  # takes about 32 MB and a twentieth of a second, on purpose
PATIENCE = 20.0  # seconds until somebody hears that there are too many
# What an unknown user's password is compared with, so that the answer takes as long. No password
# is known that has this hash.
_NOBODY = f"{HASH}$nobody${'0' * 128}"

_thread = ThreadPool(1)
_lines: dict[str, list[Semaphore]] = {}  # for each line its turn, once for each who is in it


def hashed(password: str, line: str) -> str:
    """Return the hash of a new password.

    Args:
        password: as it was typed.
        line: who waits for whom, such as an address.

    Raises:
        ServiceUnavailable: it would take too long.
    """
    return _in_turn(line, generate_password_hash, password, HASH)


def fits(password: str, kept: str | None, line: str) -> bool:
    """Say whether a password is the one whose hash is kept; None: there is no such user.

    Raises:
        ServiceUnavailable: it would take too long.
    """
    return _in_turn(line, check_password_hash, kept or _NOBODY, password) and kept is not None


def _in_turn(line: str, work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    # Who waits here waits for other people, and not for the database.
    clock = stop_the_clock()
    try:
        with gevent.Timeout(PATIENCE, ServiceUnavailable(retry_after=5)), _turn(line):
            return _thread.apply(work, args, kw)
    finally:
        if clock:
            start_the_clock()


@contextmanager
def _turn(line: str) -> Iterator[None]:
    waiting = _lines.setdefault(line, [])
    turn = waiting[0] if waiting else Semaphore()
    waiting.append(turn)
    try:
        with turn:
            yield
    finally:
        waiting.pop()
        if not waiting:
            del _lines[line]
