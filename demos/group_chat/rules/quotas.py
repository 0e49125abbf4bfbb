"""A9: quotas: how often one person, and one address, may do something.

A person has one count for all pages and connections, so a new connection allows no more. An address
has a count, too, so a hundred names at one address are allowed little more than a few.
"""

import re
from collections.abc import Hashable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from time import monotonic

from demos.group_chat.rules.bucket import Bucket

PEOPLE = 30  # behind one address, such as a class: it has as much as so many people
TIDY = 1.0  # seconds between looks which buckets are full again
_WITH_PORT = re.compile(r"\[(.+)\](?::\d+)?|([\d.]+):\d+")
MOST = 100_000  # buckets; who comes when there are as many, shares one with all others who do


class Quotas:
    """Limits how often each person and each address may do something.

    A bucket that is full again is like a new one, so it is deleted. So the memory depends on the
    number of those who did something just now, and not on all who were ever here.
    """

    def __init__(self, rate: float, burst: float, people: float = PEOPLE) -> None:
        """Begin without any count.

        Args:
            rate: times a second for a person, on average.
            burst: times at once.
            people: an address may do it as often as this number of people.
        """
        self.rate, self.burst, self._people = rate, burst, people
        self._buckets: dict[Hashable, Bucket] = {}
        self._others = Bucket(rate * people, burst * people)
        self._tidied = monotonic()

    def wait(self, person: Hashable, address: str, cost: float = 1) -> float:
        """Pay for an act and return 0.0; if that is not possible, return the seconds to wait.

        Args:
            person: the person who does it, such as the id of a user.
            address: from where.
            cost: its price in tokens; a full bucket pays more than `burst`, and is then negative.
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
    """Return the key of an address: the whole network (/64) for IPv6, because a customer has one.

    The port, which some proxies add and which changes with each connection, is left out.
    """
    with_port = _WITH_PORT.fullmatch(address or "")
    try:
        found = ip_address(with_port[1] or with_port[2] if with_port else address or "")
    except ValueError:
        return str(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)
