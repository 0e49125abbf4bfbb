"""A10: how much one visitor may do, over all connections.

A visitor is a person, whom the nickname identifies, or an address, which a whole classroom may
share. A new connection does not start a new count, neither for a person nor for an address.
"""

from collections import Counter, OrderedDict

from demos.group_chat.rules.bucket import Bucket

RATE = 10.0  # messages a second that one person may send on average
BURST = 30.0  # and at once
PEOPLE = 50  # behind one address: a classroom with one router
TABS = 4  # that each of them opens, or loads again, at the same time
REQUESTS = 28  # to open the messenger twice: each time the page, what it needs, and two lists
PATIENCE = 6.0  # seconds that a request waits for its turn, at most
REMEMBERED = 10_000  # visitors; the one who has done nothing for longest is forgotten first


class Limits:
    """A bucket for each visitor."""

    def __init__(self, rate: float, burst: float) -> None:
        """Allow each visitor `burst` acts at once, and `rate` a second on average."""
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        """Return how many visitors are remembered."""
        return len(self._buckets)

    def of(self, visitor: str) -> Bucket:
        """Return the bucket of a visitor; it is the same one for all connections."""
        if visitor not in self._buckets:
            self._buckets[visitor] = Bucket(self._rate, self._burst)
        self._buckets.move_to_end(visitor)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return self._buckets[visitor]


class Gate:
    """Counts for each address the connections that are open, those that come, and all requests."""

    def __init__(self, people: int) -> None:
        """Allow what `people` behind one address need, when all load the page again as well."""
        self._most = TABS * people
        self._coming = Limits(rate=people / 5, burst=self._most)
        self._asking = Limits(rate=people, burst=REQUESTS * people)
        self._open: Counter[str] = Counter()

    def ask(self, address: str) -> float | None:
        """Count a request; return the seconds until its turn, or None if that is too late."""
        bucket = self._asking.of(address)
        wait = bucket.missing()
        if wait > PATIENCE:
            return None
        bucket.take()
        return wait

    def enter(self, address: str) -> bool:
        """Let a connection in, and count it; False if there are too many."""
        if self._open[address] >= self._most or self._coming.of(address).wait():
            self._forget(address)
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Note that a connection which was let in has ended."""
        self._open[address] -= 1
        self._forget(address)

    def _forget(self, address: str) -> None:
        """Keep no number for an address without a connection."""
        if not self._open[address]:
            del self._open[address]
