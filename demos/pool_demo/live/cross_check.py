"""A4, A5: compare the picture of the connections with the server's process list.

A look at the process list takes a moment, and notes arrive a moment later. The server learns a
moment later that a connection has closed. So a look is compared only when the picture has moved on
a little. A difference counts only if it lasted all that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from demos.instruments.witness import Seen
from demos.pool_demo.live.lanes import STATES, Lane, Picture

IDLE = "Sleep"  # the process list's word


@dataclass(frozen=True)
class Look:
    """The load's connections in the process list, between two moments, in nanoseconds.

    `others` are this account's connections to the database that are not the load's.
    """

    began: int
    ended: int
    seen: Sequence[Seen]
    others: int = 0


@dataclass(frozen=True)
class Difference:
    """A connection whose picture does not agree with the server, and the difference."""

    number: int
    what: str


def differences(look: Look, picture: Picture, slack: int) -> list[Difference]:
    """Return the connections that the picture shows wrongly at the moment of the look.

    Args:
        look: what the process list contained.
        picture: with all notes until `look.ended + slack`.
        slack: nanoseconds that a change may take to be seen on both sides.
    """
    before = look.began - slack
    seen = {one.id: one for one in look.seen}
    steady = {number: lane for number, lane in picture.lanes.items() if lane.opened <= before}
    found = [
        Difference(number, "drawn, but the server has no such connection")
        for number in steady
        if number not in seen
    ]
    found += [
        Difference(number, _difference(lane, seen[number]))
        for number, lane in steady.items()
        if number in seen and lane.since <= before and _difference(lane, seen[number])
    ]
    found += [
        Difference(number, "the server has it, but it is not drawn")
        for number in _not_drawn(look, picture, before)
    ]
    return sorted(found, key=lambda one: one.number)


def _difference(lane: Lane, seen: Seen) -> str:
    is_busy = lane.state in "qpr"
    if is_busy == (seen.command != IDLE):
        return ""
    return f"drawn {STATES[lane.state]}, and the server says {seen.command}"


def _not_drawn(look: Look, picture: Picture, before: int) -> list[int]:
    just_closed = {number for when, number in picture.closed if when >= before}
    unknown = [one.id for one in look.seen if one.id not in picture.lanes]
    unknown = [number for number in unknown if number not in just_closed]
    # Who still connects does not know the number yet that the server has given already.
    excused = sum(lane.opened <= look.ended for lane in picture.connecting.values())
    return unknown[: max(0, len(unknown) - excused)]


@dataclass(frozen=True)
class Verdict:
    """The result of all looks so far; `differences` and `at_server` are those of the last look.

    `wrong` looks had a difference. `problem` is why the server cannot be asked, or "".
    """

    looks: int = 0
    wrong: int = 0
    at_server: int = 0
    others: int = 0
    differences: tuple[Difference, ...] = ()
    problem: str = ""

    def after(self, look: Look, found: Sequence[Difference]) -> "Verdict":
        """Return the verdict after one more look."""
        wrong = self.wrong + bool(found)
        return Verdict(self.looks + 1, wrong, len(look.seen), look.others, tuple(found))
