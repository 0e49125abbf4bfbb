"""The load client as a process of its own, and how to talk to it."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from bench.chat.load.crowd import Crowd
from bench.chat.load.joining import LoadError
from course.ground import tether
from demos.pool_demo.settings import ROOT

P = ParamSpec("P")
R = TypeVar("R")
_COMMAND = [sys.executable, "-c", "from bench.chat.load.process import serve; serve()"]


class Leaving(Protocol):
    """A crowd: whatever else it can do, it can go."""

    def leave(self) -> None:
        """Close all connections."""


class LoadClient:
    """A process that plays clients. It ends with the block, or with this process."""

    def __enter__(self) -> Self:
        """Start the process."""
        self._process = tether.start(
            _COMMAND,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
        )
        return self

    def __exit__(self, *exc: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def connect(self, urls: list[str], dialect: str) -> None:
        """Forget the last crowd, and make one for these addresses."""
        self.begin(Crowd, urls, dialect)

    def begin(self, crowd: Callable[P, Leaving], *args: P.args, **kw: P.kwargs) -> None:
        """Forget the last crowd, and make one of this class."""
        self._ask(crowd, *args, **kw)

    def call(self, method: Callable[Concatenate[Any, P], R], *args: P.args, **kw: P.kwargs) -> R:
        """Let the crowd do something: `call(Crowd.join, 100)`. Raises what it raises."""
        found: R = self._ask(method, *args, **kw)
        return found

    def _ask(self, method: Callable[..., Any], *args: object, **named: object) -> Any:  # noqa: ANN401
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump((method, args, named), self._process.stdin)
            self._process.stdin.flush()
            done, found = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError):
            raise LoadError("the load client ended") from None
        if not done:
            raise found
        return found


def serve() -> None:
    """Do what is asked on standard input, and answer on standard output, until the input ends."""
    crowd: Leaving | None = None
    while True:
        try:
            method, args, named = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if isinstance(method, type):
                if crowd:
                    crowd.leave()
                crowd, found = method(*args, **named), None
            else:
                found = method(crowd, *args, **named)
        except (LoadError, OSError, ValueError) as error:
            pickle.dump((False, error), sys.stdout.buffer)
        else:
            pickle.dump((True, found), sys.stdout.buffer)
        sys.stdout.flush()
