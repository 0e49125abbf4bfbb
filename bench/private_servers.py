"""What the private chat's benchmark compares: the messenger, its ceiling, a connection each."""

import sys

from bench.chat_servers import Contender

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
    # People log in from many addresses.
    command = [sys.executable, "-m", module, *arguments, "--proxies", "1", "--port", "0"]
    return Contender(name, lambda: command, packages=_PACKAGES)


CONTENDERS = [
    messenger(),
    _contender(CEILING, "bench.private_peers", "no_storage"),
    _contender(COMMIT_EACH, "bench.private_peers", "commit_each"),
    _contender(IN_TURN, "bench.private_peers", "commit_in_turn"),
]
