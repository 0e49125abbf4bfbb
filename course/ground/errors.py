"""The one kind of failure a user sees, in a terminal and in a notebook."""

import errno
import os
from pathlib import Path

from course.ground import language, place


class CourseError(Exception):
    """A failure with its cause and its cure, in one sentence, shown without a traceback.

    `details` holds lines to show below the sentence, such as the tail of a server's log.
    """

    def __init__(self, sentence: str, details: str = "") -> None:
        """Keep the sentence and the optional lines that go below it."""
        super().__init__(sentence)
        self.details = details
        if details:
            self.add_note(details)  # for those who do see a traceback: the tests


class LessonError(CourseError):
    """A failure that ends a cell with one sentence where Python would print a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines to print; IPython asks for them by this name."""
        return [language.translated(str(self)), *self.details.splitlines()]


def explain(error: OSError) -> str:
    """Return what the operating system refused, and the cure, in words that end a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and run the same command again."
    refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    if refused and error.filename and is_of_course(Path(os.fsdecode(error.filename))):
        file = place.shown(Path(os.fsdecode(error.filename)))
        if error.errno == errno.EROFS:
            return f"{file} cannot be written ({error.strerror}): clone the course into a folder of your own."
        return (
            f"you may not use {file} ({error.strerror}): clone the course into a folder of your own, or, if this folder "
            "is yours, become the owner of all that is in it (chown)."
        )
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}; mend that and run the same command again."


def is_of_course(path: Path) -> bool:
    """Say whether a file is in the course's folder, or in one that was named for what it makes."""
    folders = (place.ROOT, place.state(), place.venv())
    return any(path.absolute().is_relative_to(folder) for folder in folders)
