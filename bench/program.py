"""A benchmark as a program: its options, where its report goes, and how it ends."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from demos.instruments import screen

RESULTS = Path(__file__).parent / "results"


def options(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has; `doc` begins with its title."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and figures not to believe")
    return parser


def reporting(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser for a benchmark that writes a report."""
    parser = options(doc)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="bench/results")
    return parser


def keep(file: Path, report: str, targets: Sequence[object]) -> None:
    """Write a report, and print the targets."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report, "utf-8")
    for target in targets:
        print(target)


def on_linux_only() -> None:
    """End with a sentence where this is not Linux."""
    if sys.platform != "linux":
        sys.exit("This benchmark needs Linux: it counts with epoll and reads /proc.")


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; where it is told to end, what it has started is ended on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen.run(main)
