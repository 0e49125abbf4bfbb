"""A0: Before the first request.

Source: A0 names a hook for work that runs once, before_first_request. Flask 2.3 removed it.

See: the error that Python raises for that hook today. Then three ways to prepare an app. Each has
eight clients that come at the same time. You see how often and when each way prepared.

Try: set CLIENTS to 1. Which way looks right now, but is wrong?

New: step 1 prepares nothing. Work such as opening a pool or reading a file should run once.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask

from demos.flask_recap.naive.removed_hook import before_first_request
from demos.flask_recap.prepare import Setup, at_creation, with_a_flag, with_a_lock

CLIENTS = 8
TAKES = 0.2  # seconds that the preparation takes


def trial(way: Callable[[Flask, Setup], None]) -> tuple[int, int]:
    """Return how often an app prepared: before the first client, and after all clients."""
    done: list[float] = []

    def setup() -> None:
        time.sleep(TAKES)
        done.append(time.monotonic())

    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "hello")
    way(app, setup)
    before, meet = len(done), Barrier(CLIENTS)

    def visit() -> None:
        client = app.test_client()
        meet.wait()
        assert client.get("/").status_code == 200

    with ThreadPoolExecutor(CLIENTS) as visitors:
        for visitor in [visitors.submit(visit) for _ in range(CLIENTS)]:
            visitor.result()
    return before, len(done)


def main() -> None:
    """Try the old hook, and the three ways."""
    try:
        before_first_request(Flask(__name__), lambda: None)
    except AttributeError as error:
        print(f"before_first_request: AttributeError: {error}\n")
    found = {way.__name__: trial(way) for way in (with_a_flag, with_a_lock, at_creation)}
    for name, (before, after) in found.items():
        times = "once" if after == 1 else "more than once"
        when = "before the first client" if before else "during the first requests"
        print(f"{name:<12} prepared {times}, {when}")
    good = [name for name, (_, after) in found.items() if after == 1]
    print(f"\nConclusion: of {len(found)} ways, {' and '.join(good)} prepared once.")


if __name__ == "__main__":
    main()
