"""Cookies as somebody forges them who wants to be another user."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

GUESSES = ("secret", "dev", "key", "secret_key", "secretkey", "test", "123456", "a")


def as_another(value: str, one: str, two: str) -> Iterator[str]:
    """Yield what a cookie of the first user may be turned into by who wants to be the second."""
    yield from _swapped(value, one, two)
    for part in value.split("."):
        for decode, encode in (
            (base64.urlsafe_b64decode, base64.urlsafe_b64encode),
            (bytes.fromhex, lambda data: data.hex().encode()),
        ):
            with suppress(ValueError):
                text = decode(part if decode is bytes.fromhex else part + "=" * (-len(part) % 4))
                for new in _swapped(text.decode(), one, two):
                    code = encode(new.encode()).decode()
                    yield value.replace(part, code if part.endswith("=") else code.rstrip("="))


def _swapped(text: str, one: str, two: str) -> Iterator[str]:
    """Yield a text with the second user in the first one's place: her number (1), name, or both."""
    name = text
    for write in (str, quote, lambda name: json.dumps(name)[1:-1]):
        name = name.replace(write(one), write(two))
    both = re.sub(r"(?<![\w.])1(?![\w.])", "2", name)
    yield from {name, both} - {text}


def guessed(value: str) -> str | None:
    """Return the key that signs a cookie of Flask's, if it is one that a stranger tries first."""
    for key in GUESSES:
        app = Flask("guess")
        app.secret_key = key
        signer = SecureCookieSessionInterface().get_signing_serializer(app)
        with suppress(BadSignature):
            if signer and signer.loads(value):
                return key
    return None


def other(value: str) -> str:
    """Return a cookie's value with another first character."""
    return ("a" if value[0] != "a" else "b") + value[1:]
