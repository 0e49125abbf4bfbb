"""B3: hashes of passwords. A hash takes long on purpose, so the requests for one take turns.

A separate thread computes them one after the other, so messages do not wait. On Linux it has a
lower priority than the thread that serves everybody. Log-ins with a browser that the user has used
before come first. Other log-ins are next, and registrations are last. Only one request of each kind
from one address is in the queue. The others of that address wait for it, and requests from other
addresses do not.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import ParamSpec, TypeVar

import gevent
from gevent.lock import Semaphore
from gevent.threadpool import ThreadPool
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.security import check_password_hash, generate_password_hash

from demos.group_chat.connection.turns import OneByOne
from demos.private_chat.web.app import start_the_clock, stop_the_clock

P = ParamSpec("P")
T = TypeVar("T")
HASH = "scrypt:32768:8:1"  # takes about 32 MB and a twentieth of a second, on purpose
NICE = 10  # steps of priority that the thread is below the others: on a full processor, a tenth
PATIENCE = 20.0  # seconds until somebody hears that there are too many
# What an unknown user's password is compared with, so that the answer takes as long. No password
# is known that has this hash.
_NOBODY = f"{HASH}$nobody${'0' * 128}"


class Rank(IntEnum):
    """Who waits for whom: the smaller number comes first."""

    KNOWN, LOG_IN, REGISTER = range(3)


Line = tuple[Rank, str]  # one waits behind the others of the same rank and address

_NICENESS = os.getpriority(os.PRIO_PROCESS, 0) + NICE  # Linux takes 19 if it is more
_thread, _turns = ThreadPool(1), OneByOne()
_lines: dict[Line, list[Semaphore]] = {}  # for each line its turn, once for each who is in it


def hashed(password: str) -> str:
    """Return the hash of a new password; the caller has its turn (`in_turn`)."""
    return _in_thread(generate_password_hash, password, HASH)


def fits(password: str, kept: str | None) -> bool:
    """Say whether a password matches the stored hash; None: no such user. See `hashed`."""
    return _in_thread(check_password_hash, kept or _NOBODY, password) and kept is not None


@contextmanager
def in_turn(line: Line) -> Iterator[None]:
    """Wait for one's turn, then have it for a block.

    Args:
        line: who waits for whom.

    Raises:
        ServiceUnavailable: it takes too long.
    """
    # Who waits here waits for other people, and not for the database.
    clock = stop_the_clock()
    try:
        too_long = gevent.Timeout(PATIENCE, ServiceUnavailable(retry_after=5))
        with too_long, _turn(line), _turns.turn(line[0]):
            yield
    finally:
        if clock:
            start_the_clock()


def _in_thread(work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    found: T = _thread.apply(_politely, (work, *args), kw)
    return found


def _politely(work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """Work at a low priority. Linux has one for each thread; elsewhere the process has one."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # 0: of this thread
    return work(*args, **kw)


@contextmanager
def _turn(line: Line) -> Iterator[None]:
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
