"""Where the builds are: what is handed out, the student's own file, and how far it has come. Standard library only."""

from pathlib import Path

from course.ground import manifest, optionfile, place
from course.notebooks import exercises, progress


def file(build: manifest.Build) -> Path:
    """Return the student's own file, `lessons/mine/build/<name>.py` or `.js`."""
    return exercises.folder("mine") / "build" / build.file


def start_of(build: manifest.Build) -> Path:
    """Return the nearly empty file that is handed out."""
    folder = place.lessons() / "authors" / "builds" / build.name
    return folder / f"start{Path(build.file).suffix}"


def hand_out(build: manifest.Build) -> bool:
    """Write the student's file unless there is one; say whether there was none."""
    mine = file(build)
    if mine.exists():
        return False
    mine.parent.mkdir(parents=True, exist_ok=True)
    optionfile.write_private(mine, start_of(build).read_text("utf-8"))
    return True


def is_untouched(build: manifest.Build) -> bool:
    """Say whether the student has written nothing yet."""
    return (
        file(build).read_text("utf-8", "replace").strip()
        == start_of(build).read_text("utf-8").strip()
    )


def entry(name: str, number: int) -> str:
    """Return under which name the progress of a goal is kept; 0 stands for a judgement that missed none."""
    return f"{name}.{number}"


def reached(name: str) -> int:
    """Return how many goals, from the first one on, the student's program has reached at some time."""
    entries, _ = progress.load()
    number = 0
    while entries.get(entry(name, number + 1), progress.NOTHING)["right"]:
        number += 1
    return number


def missed(name: str) -> int:
    """Return the goal at which the last judgement of the student's program stopped; 0 if at none.

    Its entry was written last; that of goal 0 says that all were reached.
    """
    entries, _ = progress.load()
    tried = [one for one in entries if one.rpartition(".")[0] == name]
    return int(tried[-1].rpartition(".")[2]) if tried else 1
