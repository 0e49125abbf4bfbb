"""The log: one line for each event, for people and for programs."""

import json
import re
import sys
from datetime import UTC, datetime

_PLAIN = re.compile(r"[\w.:/-]+", re.ASCII)


def log(event: str, **fields: object) -> None:
    """Write `time event=… name=value …` to stderr.

    Values come from clients. All but plain words are written as a JSON string, so that no client
    can start a new line.
    """
    words = [f"event={event}", *(f"{name}={_word(value)}" for name, value in fields.items())]
    sys.stderr.write(" ".join([now(), *words]) + "\n")  # at one stroke, for lines to stay whole


def now() -> str:
    """Return the time in UTC, to the millisecond, such as 2026-11-20T17:03:00.123Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
