"""Which notebooks JupyterLab trusts: it shows their drawings before a cell has run.

Drawings are HTML or SVG, and those can hold programs. JupyterLab shows them in full only in a notebook that was
signed on this machine; it signs by itself what a user runs and saves. We sign, in the background and only what changed:

- a lesson whose file is, byte for byte, the one that git has: it comes from where this program comes from;
- a lesson of an edition in another language that is, letter for letter, what we made of such a lesson and its catalogue;
- a copy in `mine/` that is as it was handed out.

Everything else is left unsigned: a lesson that was exchanged, a notebook that somebody else put into `mine/`. The
student decides about those, by running them or with JupyterLab's command "Trust Notebook". Without git nothing is signed.

Standard library only, but for the work itself, which a process of the environment's Python does.
"""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

from course.ground import jupyter, language, optionfile, place, tether
from course.notebooks import exercises, lessons, made


def make_key() -> None:
    """Make the key with which notebooks are signed here, if there is none."""
    key = jupyter.folder("data") / "notebook_secret"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        optionfile.write_private(key, base64.encodebytes(os.urandom(1024)).decode("ascii"))


def start() -> None:
    """Let a process sign what may have changed since it was last looked at, and do not wait for it."""
    if place.record(_file()) != _now():
        tether.start(
            [place.venv_python(), "-m", "course.notebooks.trust"],
            cwd=place.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def trusted() -> list[Path]:
    """Return the notebooks that we sign."""
    if language.chosen() == language.USUAL:
        known = _as_git_has_them()
        ours = [lesson.path for lesson in lessons.every() if _blob(lesson.path) in known]
    else:
        ours = [lesson.path for lesson in lessons.every() if made.is_as_made(lesson.path)]
    mine = [path for path in _mine() if exercises.is_as_handed_out(path)]
    return [*ours, *mine]


def _mine() -> list[Path]:
    return sorted(exercises.folder("mine").glob("[0-9]*.ipynb"))


def _as_git_has_them() -> set[str]:
    """Return the names that git gives to the contents of the files in `lessons/`, as they were committed last."""
    try:
        done = subprocess.run(
            ["git", "ls-tree", "HEAD", "lessons/"],
            cwd=place.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git on this machine
        return set()
    return {line.split()[2] for line in done.stdout.splitlines()}


def _blob(path: Path) -> str:
    """Return the name that git gives to the contents of a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _file() -> Path:
    return jupyter.folder("data") / "looked_at.json"


def _now() -> dict[str, list[int]]:
    """Return size and time of change of each notebook that could be signed."""
    found = {}
    for path in [*(lesson.path for lesson in lessons.every()), *_mine()]:
        try:
            state = path.stat()
        except OSError:  # gone meanwhile
            continue
        found[str(path)] = [state.st_size, state.st_mtime_ns]
    return found


def sign() -> None:
    """Sign the notebooks that we trust."""
    import nbformat
    from nbformat.sign import NotebookNotary

    seen = _now()
    with NotebookNotary(data_dir=str(jupyter.folder("data"))) as notary:  # type: ignore[no-untyped-call]
        for path in trusted():
            notary.sign(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]
    optionfile.write_private(_file(), json.dumps(seen))


if __name__ == "__main__":
    os.nice(10)
    make_key()
    sign()
