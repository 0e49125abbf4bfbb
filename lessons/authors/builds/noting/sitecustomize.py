"""Loaded by each Python of a student's program, because `Program` puts this folder on PYTHONPATH.

It notes which modules of the finished chats are loaded: by an import, by `runpy`, or by another
Python that the program starts. The program itself notices nothing.
"""

import os
import sys

FINISHED = ("demos.group_chat", "demos.private_chat")


class Noting:
    """Python asks it for each module that is not loaded. It notes the name and finds nothing."""

    def __init__(self, notes: str) -> None:
        """`notes` is the file for the names."""
        self._notes = notes

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Note a name, if it is one of the finished."""
        if name.startswith(FINISHED):
            with open(self._notes, "a", encoding="utf-8") as notes:  # noqa: PTH123 - loads nothing
                notes.write(f"{name}\n")


if place := os.environ.get("COURSE_BUILD_NOTES"):
    sys.meta_path.insert(0, Noting(place))
