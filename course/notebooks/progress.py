"""How far the student is: `.course/progress.json`, and a bar for each lesson."""

import json
from pathlib import Path
from typing import Any

from course.ground import language, locks, optionfile, place
from course.notebooks import exercises

WIDTH = 20  # characters of a bar
Entry = dict[str, Any]  # of one exercise: {"right": bool, "hints": int}

NOTHING: Entry = {"right": False, "hints": 0}
_unsaved: dict[str, Entry] = {}  # what this process could not write to the file


def file() -> Path:
    """Return where the progress is kept."""
    return place.state() / "progress.json"


def load() -> tuple[dict[str, Entry], str]:
    """Return the progress by the exercise's number, and a sentence if its file cannot be read.

    The exercise that the student worked on last comes last.
    """
    try:
        found = json.loads(file().read_text("utf-8"))
        entries = {
            str(number): {"right": entry["right"] is True, "hints": int(entry["hints"])}
            for number, entry in found.items()
        }
    except FileNotFoundError:
        return dict(_unsaved), ""
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return dict(_unsaved), f"Your progress in {file()} cannot be read, so it begins anew."
    kept = {number: entry for number, entry in entries.items() if number not in _unsaved}
    return {**kept, **_unsaved}, ""


def entry_of(number: str) -> Entry:
    """Return the progress of one exercise."""
    return load()[0].get(number, NOTHING)


def save(number: str, *, right: bool = False, hints: int = 0) -> str:
    """Add to the progress of one exercise: once right stays right. A try that was wrong adds only that there was one.

    Args:
        number: such as `3.2`.
        right: it was solved now.
        hints: so many hints were given now.

    Returns:
        A sentence if something was wrong with the file, else "".
    """
    sentence = ""
    try:
        with locks.alone(place.state() / "progress.lock", "Another check is at work; waiting."):
            entries, sentence = load()
            if sentence:
                file().replace(file().with_suffix(".broken"))
            _unsaved[number] = entries[number] = _sum(entries.pop(number, None), right, hints)
            optionfile.write_private(file(), json.dumps(entries, indent=1) + "\n")
            _unsaved.clear()
    except OSError as error:
        if number not in _unsaved:
            _unsaved[number] = _sum(load()[0].get(number), right, hints)
        return f"Your progress cannot be kept in {file()}: {error.strerror or error}."
    return sentence


def _sum(entry: Entry | None, right: bool, hints: int) -> Entry:
    before = entry or NOTHING
    return {"right": before["right"] or right, "hints": before["hints"] + hints}


def bars() -> str:
    """Return a table with a bar for each lesson, as text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    entries, sentence = load()
    said = language.translated
    heads = [said("lesson"), said("exercises"), said("right")]
    table = Table(*heads, box=box.SIMPLE_HEAD, show_edge=False)
    total = solved = 0
    for book in exercises.books():
        all_of_it = exercises.numbers(book)
        right = [number for number in all_of_it if entries.get(number, {}).get("right")]
        total, solved = total + len(all_of_it), solved + len(right)
        table.add_row(
            book.stem,
            bar(len(right), len(all_of_it)),
            language.translated(f"{len(right)} of {len(all_of_it)}", 2),
        )
    if not total:
        return language.translated("There are no exercises yet.")
    table.add_section()
    far = said(f"{solved} of {total}", 2)
    table.add_row(said("all"), bar(solved, total), far)
    console = Console(width=100, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join([*([sentence] if sentence else []), *lines])


def bar(done: int, total: int) -> str:
    """Return a bar of blocks, as long as `WIDTH`."""
    filled = WIDTH * done // total if total else 0
    return "█" * filled + "░" * (WIDTH - filled)


if __name__ == "__main__":
    print(bars())
    print(
        language.translated("Your copies are in lessons/mine/. Open them with: python3 -m course")
    )
