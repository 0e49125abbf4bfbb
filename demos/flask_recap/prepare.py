"""A0: three ways to prepare an app, instead of the hook that Flask 2.3 removed."""

from collections.abc import Callable
from threading import Lock

from flask import Flask

Setup = Callable[[], None]


def with_a_flag(app: Flask, setup: Setup) -> None:
    """Check before each request. Requests that come during the first preparation prepare too."""
    ready = False

    @app.before_request
    def prepare() -> None:
        nonlocal ready
        if not ready:
            setup()
            ready = True


def with_a_lock(app: Flask, setup: Setup) -> None:
    """Check before each request, one at a time. For work that cannot be done earlier."""
    ready, lock = False, Lock()

    @app.before_request
    def prepare() -> None:
        nonlocal ready
        with lock:
            if not ready:
                setup()
                ready = True


def at_creation(app: Flask, setup: Setup) -> None:
    """Prepare before the app is served. Flask's documentation advises this."""
    setup()
