"""E2, E3, E4: what the source believes about the pool. Right: pool.py, steps 3b and 3c.

Each object holds the limits of a pool and the number of connections that the belief promises. The
limits of MAXIMUM_HOLDS are ours, because the source's own limits do not show that fault.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Belief:
    """A belief: the pool's limits, the promise in words, and the promised number of connections."""

    erratum: str
    words: str
    promised: int
    limits: dict[str, Any] = field(default_factory=dict)


ALL_SHARED = Belief(
    "E2",
    "connections are always shared, so three borrowers use one",
    1,
    {"maxshared": 1, "maxcached": 5},
)
ALL_CACHED = Belief(
    "E2",
    "maxcached is always 0, so the pool keeps every connection that comes back",
    7,
    {"maxshared": 1, "maxcached": 5},
)
ZERO_SHARES_ALL = Belief(
    "E3", "maxshared=0 shares all connections, so three borrowers use one", 1, {"maxshared": 0}
)
MAXIMUM_HOLDS = Belief(
    "E3",
    "maxconnections=2 means two connections at most",
    2,
    {"maxconnections": 2, "maxshared": 20, "blocking": False},
)
MINIMUM_HOLDS = Belief("E4", "mincached=2 keeps two connections at all times", 2, {"mincached": 2})
