"""A1, A4: make the picture from a load's notes: a lane for each connection and each caller.

Every note is counted, but the picture has only a column for every 10 ms. A column shows the state
of each lane at that moment. So 50,000 notes a second give a page as many columns as 50 notes do.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from demos.pool_demo.live.timeline import What
from demos.pool_demo.live.waits import Waits
from demos.pool_demo.live.ways_that_note import Note

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


@dataclass(slots=True)
class Lane:
    """A connection: its place on the page, counted from the top, its state, and since when.

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
    """The state of all lanes, and a count of each kind of event."""

    def __init__(self, now: int) -> None:
        """Begin at this time, in nanoseconds, without any lane."""
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
        self._handlers: dict[What, Callable[[int, int, int], None]] = {  # when, caller, number
            What.ASKS: self._asks,
            What.WAITS: self._waits,
            What.BORROWED: self._borrowed,
            What.REFUSED: self._refused,
            What.RETURNED: self._returned,
            What.CONNECTS: self._connects,
            What.GIVES_UP: self._gives_up,
            What.OPENED: self._opened,
            What.CLOSED: self._closed,
            What.QUERIES: partial(self._is_busy, "q"),
            What.PINGS: partial(self._is_busy, "p"),
            What.ROLLS_BACK: partial(self._is_busy, "r"),
            What.IS_DONE: self._is_done,
        }

    def fold(self, notes: Iterable[Note], until: int) -> None:
        """Add notes, and draw the columns up to `until`."""
        for when, what, caller, number in notes:
            while when >= self._next:
                self._draw()
            self.counts[what] += 1
            self._handlers[what](when, caller, number or 0)
        while until >= self._next:
            self._draw()
        self.until = max(until, self.until)

    def take(self) -> list[tuple[str, str]]:
        """Return the columns since the last call, oldest first.

        A column has a letter for each connection and each caller. A capital: a new connection.
        """
        columns, self.columns = self.columns, []
        return columns

    def now(self) -> Counter[State]:
        """Return how many connections are in each state."""
        return Counter(lane.state for lane in self._all())

    def waiting(self) -> int:
        """Return how many callers have asked and have no connection yet."""
        return len(self._asked)

    def longest_wait(self) -> int:
        """Return the longest wait, in nanoseconds, of those who still wait."""
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

    def _asks(self, when: int, caller: int, number: int) -> None:
        if caller:
            self._asked[caller] = when
            self._callers += NOBODY * (caller - len(self._callers))
            self._callers[caller - 1] = WAITING

    def _waits(self, when: int, caller: int, number: int) -> None:
        # Somebody waits again if somebody else was quicker; that is one wait.
        if caller not in self._in_line:
            self._in_line.add(caller)
            self.counts["waited"] += 1

    def _borrowed(self, when: int, caller: int, number: int) -> None:
        asked = self._answered(caller)
        if asked is not None:
            self.waits.add(when, when - asked)
        self._rests(number, "o", when)
        self._holds[caller] = number

    def _refused(self, when: int, caller: int, number: int) -> None:
        self._answered(caller)

    def _answered(self, caller: int) -> int | None:
        """End a caller's wait; return when it has asked."""
        self._in_line.discard(caller)
        asked = self._asked.pop(caller, None)
        if asked is not None:
            self._callers[caller - 1] = NOBODY
        return asked

    def _returned(self, when: int, caller: int, number: int) -> None:
        self._holds.pop(caller, None)
        self._rests(number, "i", when)

    # -- connections -------------------------------------------------------------------------------

    def _connects(self, when: int, caller: int, number: int) -> None:
        if self._free:
            row = heapq.heappop(self._free)
        else:
            row = len(self._rows)
            self._rows.append(NOBODY)
            self.labels.append(0)
        self._new.add(row)
        self.connecting[caller] = Lane(row, caller, 0, "c", when, when)
        self._rows[row] = "c"

    def _gives_up(self, when: int, caller: int, number: int) -> None:
        if lane := self.connecting.pop(caller, None):
            self._leave(lane, when)

    def _opened(self, when: int, caller: int, number: int) -> None:
        lane = self.connecting.pop(caller)
        lane.number = self.labels[lane.row] = number
        self.lanes[number] = lane
        # A caller who has one already gets this one in its place: the pool's fail-over.
        self._rests(number, "o" if caller in self._holds else "i", when)

    def _closed(self, when: int, caller: int, number: int) -> None:
        if lane := self.lanes.pop(number, None):
            self._leave(lane, when)
            self.closed.append((when, number))

    def _is_busy(self, state: State, when: int, caller: int, number: int) -> None:
        if lane := self.lanes.get(number):
            self._change(lane, state, when)

    def _is_done(self, when: int, caller: int, number: int) -> None:
        if lane := self.lanes.get(number):
            self._change(lane, lane.rest, when)

    # -- lanes -------------------------------------------------------------------------------------

    def _leave(self, lane: Lane, when: int) -> None:
        self.spent[lane.state] += max(0, when - lane.since)
        self._rows[lane.row] = NOBODY
        heapq.heappush(self._free, lane.row)

    def _rests(self, number: int, rest: State, when: int) -> None:
        if lane := self.lanes.get(number):
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
