"""A token bucket: a limit for the average rate, and a limit for how many at once."""

from time import monotonic


class Bucket:
    """Counts what one client does. Full at the start; each act takes one token out of it."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        """Make a full bucket of `burst` tokens; `rate` tokens a second flow in."""
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, monotonic()

    def wait(self) -> float:
        """Take a token and return 0.0; if there is none, return the seconds until there is."""
        missing = self.missing()
        if not missing:
            self.take()
        return missing

    def missing(self, cost: float = 1) -> float:
        """Return the seconds until there are `cost` tokens, or it is full; 0.0: that is now."""
        now = monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return max(0.0, min(cost, self.burst) - self._tokens) / self.rate

    def take(self, cost: float = 1) -> None:
        """Take tokens, also more than there are: then the bucket owes them."""
        self._tokens -= cost
