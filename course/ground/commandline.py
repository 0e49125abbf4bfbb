"""A parser of command lines that speaks the reader's language."""

import argparse
import re
import sys
from typing import Any, NoReturn

from course.ground import language

# What argparse says by itself, for the catalogues.
SAYS = (
    "argument {argument}: invalid choice: {text} (choose from {several})",
    "argument {argument}: invalid choice: {text}, maybe you meant {near}? (choose from {several})",
    "expected one argument",
    "the following arguments are required: {several}",
    "unrecognized arguments: {several}",
)
COLOUR = r"(?:\x1b\[[\d;]*m)*"


class Parser(argparse.ArgumentParser):
    """Says in the reader's language what a command takes, and what is wrong with a command line."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:  # noqa: ANN401 - as argparse has it
        """Declare an argument; its `help` is said in the reader's language."""
        if "--help" in names:
            options["help"] = language.translated("show this help message and exit")
        return super().add_argument(*names, **_said(options))

    def add_subparsers(self, **options: Any) -> Any:  # noqa: ANN401
        """Declare verbs; what each is for is said in the reader's language."""
        verbs: Any = super().add_subparsers(**options)
        add = verbs.add_parser
        verbs.add_parser = lambda name, **more: add(name, **_said(more))
        return verbs

    def format_usage(self) -> str:
        """Return the one line that shows how to call the command."""
        return _with_headings(super().format_usage())

    def format_help(self) -> str:
        """Return all that the command takes."""
        return _with_headings(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with exit code 2."""
        if found := re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL):
            argument, what = found.groups()
            message = language.translated(f"argument {argument}: {what}")
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {language.translated(f'error: {message}')}\n")


def _said(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: language.translated(value) if name == "help" and isinstance(value, str) else value
        for name, value in options.items()
    }


def _with_headings(text: str) -> str:
    for heading, said in (
        ("usage: ", language.translated("usage: ")),
        ("positional arguments:", language.translated("positional arguments:")),
        ("options:", language.translated("options:")),
    ):
        text = re.sub(rf"^({COLOUR}){heading}", rf"\g<1>{said}", text, flags=re.MULTILINE)
    return text
