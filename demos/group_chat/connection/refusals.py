"""A10: requests that are refused: what the client is told, and what the log says about many."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import gevent

from demos.instruments.logs import log

PAUSE = 1.0  # seconds between two lines about one kind of refusal of one address


class Refusal(NamedTuple):
    """Why a request is refused: status and sentence for the client; the rest is for the log."""

    status: str
    sentence: str
    event: str
    details: Mapping[str, str] = MappingProxyType({})


class Tally:
    """Logs refusals. Of those of one kind and address it writes the first, then only counts."""

    def __init__(self) -> None:
        """Begin with none."""
        self._more: dict[tuple[str, str], int] = {}  # since the last line about this

    def log(self, event: str, address: str, **details: object) -> None:
        """Write a line; if there was one within PAUSE, count, and write the number afterwards."""
        this = event, address
        if this in self._more:
            self._more[this] += 1
        else:
            log(event, address=address, **details)
            self._begin(*this)

    def _begin(self, event: str, address: str) -> None:
        self._more[event, address] = 0
        gevent.spawn_later(PAUSE, self._sum_up, event, address)

    def _sum_up(self, event: str, address: str) -> None:
        if more := self._more.pop((event, address)):
            log(event, address=address, more=more)
            self._begin(event, address)
