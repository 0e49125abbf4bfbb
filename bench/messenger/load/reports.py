"""What recipients confirm: at once, and then no more than one report in a fifth of a second.

The page does the same (demos/private_chat/static/single.js).
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator

INTERVAL = 0.2  # seconds between two reports of one page


class Reports:
    """Ids that pages have got and not confirmed yet. A page is known by a number, its place."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ids: defaultdict[int, list[int]] = defaultdict(list)
        self._last: dict[int, float] = {}
        self._due: list[tuple[float, int]] = []  # a heap: when a page reports

    def add(self, place: int, number: int, now: float) -> None:
        """Let a page confirm a message, now or soon."""
        if not self._ids[place]:
            last = self._last.get(place, -math.inf)
            heapq.heappush(self._due, (max(now, last + INTERVAL), place))
        self._ids[place].append(number)

    def next(self) -> float:
        """Return when the next report is due; infinity if there is none."""
        return self._due[0][0] if self._due else math.inf

    def take(self, now: float, early: bool = False) -> Iterator[tuple[int, list[int]]]:
        """Yield place and ids of each report that is due, or, early, of all."""
        while self._due and (early or self.next() <= now):
            _, place = heapq.heappop(self._due)
            self._last[place] = now
            yield place, self._ids.pop(place)
