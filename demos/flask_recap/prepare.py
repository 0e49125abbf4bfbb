"""A0: three ways to prepare an app, in the place of the hook that Flask 2.3 has removed."""

from collections.abc import Callable
from threading import Lock

from flask import Flask

Setup = Callable[[], None]


def with_a_flag(app: Flask, setup: Setup) -> None:
    """Look before each request. Who comes while the first one still prepares, prepares too."""
    ready = False

    @app.before_request
    def prepare() -> None:
        nonlocal ready
        if not ready:
            setup()
            ready = True


def with_a_lock(app: Flask, setup: Setup) -> None:
    """Look before each request, one after the other: for what cannot be done any sooner."""
    ready, lock = False, Lock()

    @app.before_request
    def prepare() -> None:
        nonlocal ready
        with lock:
            if not ready:
                setup()
                ready = True


def at_creation(app: Flask, setup: Setup) -> None:
    """Prepare before the app is served at all: what Flask's own documentation advises."""
    setup()
