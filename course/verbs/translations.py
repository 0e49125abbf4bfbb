"""`python3 -m course translations`: what the editions in other languages lack, for authors and CI.

The translated texts are catalogues in `lessons/authors/translations/`; their format is in course/translations/catalogue.py.
"""

import argparse


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Declare what `course translations` can be asked for."""
    parser.add_argument(
        "--stamp",
        action="store_true",
        help="keep in the marks of entries without a hash, and of those that are named, which English they render",
    )
    parser.add_argument(
        "--update", action="store_true", help="bring the catalogues of sentences up to date first"
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="such as 02 or exercises/02 or 02:needs; default: all",
    )


def dispatch(words: argparse.Namespace) -> int:
    """Do what the command line asks for; return 0 if nothing is missing, stale or broken."""
    # What only authors need is not loaded whenever somebody starts the course.
    from course.translations import lacking

    return lacking.tell(words)
