"""A1, A4: what may be chosen for a load, and within which limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from demos.pool_demo.contestants import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED

WAYS = (RAW, RAW_NO_TLS, POOLED, TUNED, HELPER)
LIMITS: dict[str, tuple[int, int]] = {
    "clients": (1, 200),
    "size": (1, 200),
    "query": (0, 5000),
    "latency": (0, 500),
}


class Refused(Exception):
    """What was asked for cannot be done; the message is a sentence for the user."""


@dataclass(frozen=True)
class Choice:
    """What to run: so many `clients`, a pool of that `size`.

    `query` is how long one takes, and `latency` what is added to a round trip, in milliseconds.
    """

    way: str = POOLED
    clients: int = 8
    size: int = 3
    query: int = 100
    latency: int = 0

    @classmethod
    def read(cls, values: Mapping[str, object]) -> "Choice":
        """Return what a form says. Raises Refused for what is no choice."""
        way = values.get("way")
        if way not in WAYS:
            raise Refused(f"There is no way {way!r}: choose one of {', '.join(WAYS)}.")
        numbers = {}
        for name, (low, high) in LIMITS.items():
            value = values.get(name)
            if type(value) is not int or not low <= value <= high:
                raise Refused(f"{name} is {value!r}: choose a whole number from {low} to {high}.")
            numbers[name] = value
        return cls(str(way), **numbers)
