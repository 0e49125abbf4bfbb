"""A9: quotas: how often one person, and one address, may do a thing.

They belong to the person: more pages, or a new connection for each message, bring no more. And
they belong to the address, so that a hundred names bring little more than a few.
"""

from collections.abc import Hashable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from time import monotonic

from demos.group_chat.bucket import Bucket

PEOPLE = 30  # behind one address, such as a class: it has as much as so many people
TIDY = 1.0  # seconds between looks which buckets are full again
MOST = 100_000  # buckets; who comes when there are as many, shares one with all others who do


class Quotas:
    """How often a thing may be done by each person and from each address.

    A bucket that is full again is like a new one, and is forgotten. So the memory depends on who
    did something just now, and not on who was ever here.
    """

    def __init__(self, rate: float, burst: float, people: float = PEOPLE) -> None:
        """Begin with nobody.

        Args:
            rate: times a second for a person, on average.
            burst: times at once.
            people: an address may do it as often as so many people.
        """
        self.rate, self.burst, self._people = rate, burst, people
        self._buckets: dict[Hashable, Bucket] = {}
        self._others = Bucket(rate * people, burst * people)
        self._tidied = monotonic()

    def wait(self, person: Hashable, address: str, cost: float = 1) -> float:
        """Take what an act costs and return 0.0; else take nothing, and return seconds to wait.

        Args:
            person: who does it, such as the id of a user.
            address: from where.
            cost: what it costs; a cost beyond `burst` is paid by a full bucket, which then owes.
        """
        buckets = self._bucket(("person", person), 1), self._bucket(place(address), self._people)
        missing = max(bucket.missing(cost) for bucket in buckets)
        if not missing:
            for bucket in buckets:
                bucket.take(cost)
        return missing

    def __len__(self) -> int:
        """Return how many buckets there are."""
        return len(self._buckets)

    def _bucket(self, who: Hashable, people: float) -> Bucket:
        found = self._buckets.get(who)
        if found:
            return found
        if monotonic() - self._tidied > TIDY:
            self._forget_full_ones()
        if len(self._buckets) >= MOST:
            return self._others
        return self._buckets.setdefault(who, Bucket(self.rate * people, self.burst * people))

    def _forget_full_ones(self) -> None:
        found = list(self._buckets.items())
        self._buckets = {who: one for who, one in found if one.missing(one.burst)}
        self._tidied = monotonic()


@lru_cache(1000)
def place(address: str | None) -> str:
    """Return what stands for an address: an IPv6 customer has a whole network of them (a /64)."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return str(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)
