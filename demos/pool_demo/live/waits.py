"""A1: how long callers wait. Every wait is counted, and the memory for it does not grow.

Waits of nearly the same length are counted in one box. The lengths in a box differ by at most 3 %,
so a percentile is exact to 3 %. The boxes of the last few seconds are kept.
"""

from collections import Counter, deque

SECOND = 1_000_000_000
FINE = 5  # 2 ** 5 boxes for each doubling of the wait


class Waits:
    """The waits of the last few seconds."""

    def __init__(self, seconds: int = 5) -> None:
        """Remember so many seconds."""
        self._seconds: deque[tuple[int, Counter[int]]] = deque(maxlen=seconds)

    def add(self, when: int, length: int) -> None:
        """Count a wait that ended at `when`; both in nanoseconds."""
        second = when // SECOND
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][box(length)] += 1

    def percentiles(self, now: int, percents: tuple[int, ...]) -> list[float | None]:
        """Return the time that so many percent of the waits did not exceed; None without waits."""
        oldest = now // SECOND - (self._seconds.maxlen or 0)
        total: Counter[int] = Counter()
        for second, boxes in self._seconds:
            if second > oldest:
                total.update(boxes)
        count = total.total()
        if not count:
            return [None for _ in percents]
        found = []
        for percent in percents:
            place = -(-count * percent // 100)
            for number in sorted(total):
                place -= total[number]
                if place <= 0:
                    found.append(middle(number))
                    break
        return list(found)


def box(length: int) -> int:
    """Return the number of the box of a length, from the number of its halvings and the rest."""
    length = max(length, 1)
    halved = max(length.bit_length() - FINE - 1, 0)
    return (halved << (FINE + 1)) + (length >> halved)


def middle(number: int) -> float:
    """Return the length in the middle of a box."""
    halved, left = number >> (FINE + 1), number & ((1 << (FINE + 1)) - 1)
    return (left + 0.5) * (1 << halved) if halved else float(left)
