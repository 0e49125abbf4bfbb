"""A1, A4: what a pool's messages inside its lock cost, when many callers share it.

done = measure()  # queries per second, by number of connections and choice
table(done)  # rows that compare them with what the lock and the connections allow
"""

from typing import Any

from demos.instruments.delay_proxy import DelayProxy
from demos.instruments.rounds import Callers
from demos.pool_demo.compared.ways import Pooled

CALLERS = 32
ROUND_TRIP = 0.005  # seconds
SECONDS = 0.4  # for each measurement

# Each argument that is switched off saves one round trip inside the lock.
CHOICES: dict[str, dict[str, Any]] = {
    "default": {},
    "no check": {"ping": 0},
    "no rollback": {"reset": False},
    "neither": {"ping": 0, "reset": False},
}
TRIALS = [*((8, choice) for choice in CHOICES), (16, "default"), (16, "neither")]

Done = dict[tuple[int, str], float]


def measure() -> Done:
    """Let the callers share a pool for each trial; return the queries per second."""
    with DelayProxy() as proxy, Callers(CALLERS) as callers:
        return {trial: _rate(proxy, callers, *trial) for trial in TRIALS}


def table(done: Done) -> list[dict[str, object]]:
    """Return a row for each trial, with the two limits: of the lock, and of the connections."""
    rows: list[dict[str, object]] = []
    for (size, choice), rate in done.items():
        inside = 2 - len(CHOICES[choice])  # round trips inside the lock
        rows.append(
            {
                "connections": size,
                "choice": choice,
                "round trips in the lock": inside,
                "the lock allows": f"{1 / (ROUND_TRIP * inside):.0f}" if inside else "any",
                "connections allow": f"{size / (ROUND_TRIP * (1 + inside)):.0f}",
                "measured": f"{rate:.0f}",
            }
        )
    return rows


def _rate(proxy: DelayProxy, callers: Callers, size: int, choice: str) -> float:
    proxy.set_round_trip(0)  # while the pool opens its connections
    pool = Pooled(proxy.settings, size, autocommit=True, **CHOICES[choice])
    proxy.set_round_trip(ROUND_TRIP)
    found = callers.run(pool.select, CALLERS, SECONDS).rate
    pool.close()
    return found
