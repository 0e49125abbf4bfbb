"""Run one of the servers: `python -m bench.chat.peers websockets --port 5001`."""

import argparse
import importlib
import socket
from pathlib import Path

NAMES = sorted(
    file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")
)
BACKLOG = 1024  # the same for all, so that joining is not a matter of defaults


def main() -> None:
    """Open the port, say where, and serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat.peers", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--port", type=int, default=0, help="0, which is the default: a free one")
    chosen = parser.parse_args()
    serve = importlib.import_module(f"bench.chat.peers.{chosen.name}").serve
    # asyncio sets TCP_NODELAY only where the protocol is said.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", chosen.port))
    listener.listen(BACKLOG)
    print(f"{chosen.name} at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    serve(listener)


if __name__ == "__main__":
    main()
