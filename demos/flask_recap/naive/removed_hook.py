"""A0: the hook that Flask 2.3 removed. Right: ../prepare.py."""

from collections.abc import Callable

from flask import Flask


def before_first_request(app: Flask, setup: Callable[[], None]) -> None:
    """Run `setup` before the first request. Raises AttributeError: the hook does not exist."""
    app.before_first_request(setup)  # type: ignore[attr-defined]
