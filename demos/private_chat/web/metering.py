"""B4: how often a user may write, mark, join, and ask for lists, over all pages.

Each limit depends on the cost of the action: a message is stored, a mark is looked up, and a join
shows what the user has missed. group_chat/rules/quotas.py counts, for the user and for the address.
"""

from math import ceil

from flask import request
from werkzeug.exceptions import TooManyRequests

from demos.group_chat.rules.quotas import Quotas
from demos.private_chat.switchboard import User

RATE = 20.0  # messages a second of one user, on average
# For each user: times a second on average, and at once. With another rate of messages, all change.
TIMES = {
    "message": (RATE, 60.0),
    "mark": (20.0, 60.0),
    "join": (1.0, 60.0),
    "history": (10.0, 100.0),
    "friends": (5.0, 60.0),
}


class Meter:
    """Counts what users of one process do."""

    def __init__(self) -> None:
        """Begin with nobody, and with the usual rate."""
        self.set_rate(RATE)

    def set_rate(self, rate: float) -> None:
        """Let a user send `rate` messages a second, and do all else as much more or less often."""
        factor = rate / RATE
        self._quotas = {
            what: Quotas(times * factor, burst * max(1.0, factor))
            for what, (times, burst) in TIMES.items()
        }

    def wait(self, what: str, user: User, address: str, cost: float = 1) -> float:
        """Count it and return 0.0; or, if it is too much, return the seconds to wait."""
        return self._quotas[what].wait(user.id, address, cost)

    def count(self, what: str, user: User) -> None:
        """Count a request.

        Raises:
            TooManyRequests: it is too much.
        """
        wait = self.wait(what, user, request.remote_addr or "")
        if wait:
            raise TooManyRequests(retry_after=ceil(wait))


meter = Meter()
