"""A0: the hook that Flask 2.3 has removed. Right: ../prepare.py."""

from collections.abc import Callable

from flask import Flask


def before_first_request(app: Flask, setup: Callable[[], None]) -> None:
    """Have `setup` run before the first request. Raises AttributeError: there is no such hook."""
    app.before_first_request(setup)  # type: ignore[attr-defined]
