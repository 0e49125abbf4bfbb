"""Entry point: `python3 -m course` in the repo's folder, `python3 path/to/course` from any other.

This file must be readable by any Python 3, so that an old one gets a sentence and not a SyntaxError.
"""

import os
import sys


def main():  # type: ignore[no-untyped-def]  # noqa: ANN201 - old Pythons read this file
    """Check system and Python version, then hand over to the command line."""
    if sys.platform == "win32":
        sys.exit(
            "course: this is Windows itself, and the course needs Linux or macOS: run `wsl --install` once, open Ubuntu "
            "from the Start menu, clone the course there, and run the same command."
        )
    if sys.version_info < (3, 11):  # noqa: UP036 - the one place that must know
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.exit(
            "course: this is Python " + found + " and the course needs 3.11 or newer: "
            "install one (Debian, Ubuntu: apt-get install python3) and run it as python3.11 -m course."
        )
    # `python3 path/to/course` puts this folder on the path; the package's parent belongs there instead.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    if sys.path and os.path.abspath(sys.path[0]) == here:  # noqa: PTH100
        sys.path[0] = os.path.dirname(here)  # noqa: PTH120

    from course.cli import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()  # type: ignore[no-untyped-call]
