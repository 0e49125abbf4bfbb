"""A1, A4: what is drawn: a lane for each connection and for each caller, out of a load's notes.

Every note is counted. What is drawn is sampled: a column every 10 ms says what each lane was doing
at that moment. So a page gets as many columns from 50,000 notes a second as from 50.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from demos.pool_demo.waits import Waits
from demos.pool_demo.watched import Note

COLUMN = 10_000_000  # nanoseconds from one column to the next
REMEMBERED = 10_000  # connections that are closed, for the comparison with the server

# What a connection is doing, as a letter of a column; "." is a lane without a connection.
State = Literal["c", "i", "o", "q", "p", "r"]
STATES: dict[State, str] = {
    "c": "connecting",
    "i": "idle",
    "o": "checked out",
    "q": "in a query",
    "p": "being pinged",
    "r": "rolled back",
}
NOBODY, WAITING = ".", "w"
_BUSY: dict[str, State] = {"queries": "q", "pings": "p", "rolls back": "r"}


@dataclass(slots=True)
class Lane:
    """A connection: its place on the page, from above, and what it has been doing since when.

    `number` is the server's, 0 while it connects. `rest` is what it does when no answer is due.
    """

    row: int
    caller: int
    number: int
    state: State
    since: int
    opened: int
    rest: State = "i"


class Picture:
    """What all lanes are doing, and how often everything has happened."""

    def __init__(self, now: int) -> None:
        """Begin without a lane at this time, in nanoseconds."""
        self.until = now
        self.counts: Counter[str] = Counter()
        self.spent: dict[State, int] = dict.fromkeys(STATES, 0)  # nanoseconds of all connections
        self.waits = Waits()
        self.lanes: dict[int, Lane] = {}  # open connections by their number
        self.connecting: dict[int, Lane] = {}  # by caller
        self.closed: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)  # when, number
        self.labels: list[int] = []  # each row's connection, the present or the last one
        self.columns: list[tuple[str, str]] = []  # connections, callers
        self._rows: list[str] = []
        self._callers: list[str] = []
        self._free: list[int] = []
        self._new: set[int] = set()  # rows with a connection that is in no column yet
        self._asked: dict[int, int] = {}
        self._in_line: set[int] = set()
        self._holds: dict[int, int] = {}
        self._next = now + COLUMN

    def fold(self, notes: Iterable[Note], until: int) -> None:
        """Take in notes, and draw up to `until`."""
        for when, what, caller, number in notes:
            while when >= self._next:
                self._draw()
            self.counts[what] += 1
            if what in _BUSY:
                if lane := self.lanes.get(number or 0):
                    self._change(lane, _BUSY[what], when)
            elif what == "is done":
                if lane := self.lanes.get(number or 0):
                    self._change(lane, lane.rest, when)
            elif what == "asks":
                self._asks(when, caller)
            elif what == "waits":
                self._waits(caller)
            elif what == "borrowed":
                self._answered(when, caller)
                self._rests(number, "o", when)
                self._holds[caller] = number or 0
            elif what == "returned":
                self._holds.pop(caller, None)
                self._rests(number, "i", when)
            elif what == "connects":
                self._connects(when, caller)
            elif what == "opened":
                self._opened(when, caller, number or 0)
            elif what == "closed":
                self._closed(when, number or 0)
            elif what == "gives up":
                if lane := self.connecting.pop(caller, None):
                    self._leave(lane, when)
            elif what == "refused":
                self._answered(when, caller, counts=False)
        while until >= self._next:
            self._draw()
        self.until = max(until, self.until)

    def take(self) -> list[tuple[str, str]]:
        """Return the columns since the last call, oldest first.

        A letter for each connection, a capital where another one begins; and one for each caller.
        """
        columns, self.columns = self.columns, []
        return columns

    def now(self) -> Counter[State]:
        """Return how many connections are doing what."""
        return Counter(lane.state for lane in self._all())

    def waiting(self) -> int:
        """Return how many callers have asked and have no connection yet."""
        return len(self._asked)

    def longest_wait(self) -> int:
        """Return for how many nanoseconds somebody has been waiting who still is."""
        return max(0, self.until - min(self._asked.values(), default=self.until))

    def shares(self) -> dict[State, float]:
        """Return the share of each state in the time of all connections so far."""
        spent = dict(self.spent)
        for lane in self._all():
            spent[lane.state] += max(0, self.until - lane.since)
        total = sum(spent.values()) or 1
        return {state: time / total for state, time in spent.items()}

    def _all(self) -> list[Lane]:
        return [*self.lanes.values(), *self.connecting.values()]

    # -- callers -----------------------------------------------------------------------------------

    def _asks(self, when: int, caller: int) -> None:
        if caller:
            self._asked[caller] = when
            self._callers += NOBODY * (caller - len(self._callers))
            self._callers[caller - 1] = WAITING

    def _waits(self, caller: int) -> None:
        # Somebody waits again if somebody else was quicker; that is one wait.
        if caller not in self._in_line:
            self._in_line.add(caller)
            self.counts["waited"] += 1

    def _answered(self, when: int, caller: int, counts: bool = True) -> None:
        self._in_line.discard(caller)
        if caller in self._asked:
            asked = self._asked.pop(caller)
            self._callers[caller - 1] = NOBODY
            if counts:
                self.waits.add(when, when - asked)

    # -- connections -------------------------------------------------------------------------------

    def _connects(self, when: int, caller: int) -> None:
        if self._free:
            row = heapq.heappop(self._free)
        else:
            row = len(self._rows)
            self._rows.append(NOBODY)
            self.labels.append(0)
        self._new.add(row)
        self.connecting[caller] = Lane(row, caller, 0, "c", when, when)
        self._rows[row] = "c"

    def _opened(self, when: int, caller: int, number: int) -> None:
        lane = self.connecting.pop(caller)
        lane.number = self.labels[lane.row] = number
        self.lanes[number] = lane
        # A caller who has one already gets this one in its place: the pool's fail-over.
        lane.rest = "o" if caller in self._holds else "i"
        self._change(lane, lane.rest, when)

    def _closed(self, when: int, number: int) -> None:
        if lane := self.lanes.pop(number, None):
            self._leave(lane, when)
            self.closed.append((when, number))

    def _leave(self, lane: Lane, when: int) -> None:
        self.spent[lane.state] += max(0, when - lane.since)
        self._rows[lane.row] = NOBODY
        heapq.heappush(self._free, lane.row)

    def _rests(self, number: int | None, rest: State, when: int) -> None:
        if lane := self.lanes.get(number or 0):
            lane.rest = rest
            self._change(lane, rest, when)

    def _change(self, lane: Lane, state: State, when: int) -> None:
        if state != lane.state:
            self.spent[lane.state] += max(0, when - lane.since)
            lane.state, lane.since = state, when
            self._rows[lane.row] = state

    def _draw(self) -> None:
        rows = self._rows
        if self._new:
            rows = [state.upper() if row in self._new else state for row, state in enumerate(rows)]
            self._new.clear()
        self.columns.append(("".join(rows), "".join(self._callers)))
        self._next += COLUMN
