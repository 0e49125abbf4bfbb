"""A1, A4: the values that a user may choose for a load, and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from demos.pool_demo.compared.ways import HELPER, POOLED, RAW, RAW_NO_TLS, TUNED

WAYS = (RAW, RAW_NO_TLS, POOLED, TUNED, HELPER)
LIMITS: dict[str, tuple[int, int]] = {
    "clients": (1, 200),
    "size": (1, 200),
    "query": (0, 5000),
    "latency": (0, 500),
}


class Refused(Exception):
    """The request cannot be fulfilled; the message is a sentence for the user."""


@dataclass(frozen=True)
class Choice:
    """The load to run: the number of `clients`, and the `size` of the pool.

    `query` is the time of one query, and `latency` is added to a round trip, in milliseconds.
    """

    way: str = POOLED
    clients: int = 8
    size: int = 3
    query: int = 100
    latency: int = 0

    @classmethod
    def read(cls, values: Mapping[str, object]) -> "Choice":
        """Return the choice in a form. Raises Refused if a value is not allowed."""
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
