"""A10: how much one visitor may do, over all connections: who leaves and comes back goes on.

A visitor is a person, known by the nickname, or an address, behind which there may be a whole
classroom. A new connection brings nothing new: neither for a person nor for an address.
"""

import ipaddress
from collections import Counter, OrderedDict

from demos.group_chat.bucket import Bucket

PEOPLE = 50  # behind one address: a classroom with one router
TABS = 4  # that each of them opens, or loads again, at the same time
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
    """Counts the connections of each address: those that are open, and those that come."""

    def __init__(self, people: int) -> None:
        """Allow what `people` behind one address need, when all load the page again as well."""
        self._most = TABS * people
        self._coming = Limits(rate=people / 5, burst=self._most)
        self._open: Counter[str] = Counter()

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


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the first half, which one household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
