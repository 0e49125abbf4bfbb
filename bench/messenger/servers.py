"""What the private chat's benchmark compares: the messenger, its ceiling, a connection each."""

import sys

from bench.chat.servers import Contender

MESSENGER = "the messenger"
CEILING = "the same without storage"
COMMIT_EACH = "a connection and a commit each"
IN_TURN = "the same, one at a time"

_PACKAGES = ("gevent", "gevent-websocket", "Flask", "PyMySQL", "redis")
_RATE = "1000000"  # messages a second; pages here write more in a second than a person in a day


def messenger(*arguments: str) -> Contender:
    """Return the finished messenger, with further arguments for its command line."""
    return _contender(
        MESSENGER, "demos.private_chat.step6_several_processes", "--rate", _RATE, *arguments
    )


def _contender(name: str, module: str, *arguments: str) -> Contender:
    # People log in from many addresses, and all their pages come from one.
    many = ["--proxies", "1", "--people", "1000000"]
    command = [sys.executable, "-m", module, *arguments, *many, "--port", "0"]
    return Contender(name, lambda: command, packages=_PACKAGES)


CONTENDERS = [
    messenger(),
    _contender(CEILING, "bench.messenger.peers", "no_storage"),
    _contender(COMMIT_EACH, "bench.messenger.peers", "commit_each"),
    _contender(IN_TURN, "bench.messenger.peers", "commit_in_turn"),
]
