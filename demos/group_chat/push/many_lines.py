"""A9: what a server has, and needs, for lines that are open and mostly silent."""

from contextlib import ExitStack
from typing import TypedDict

import psutil
from websockets.sync.client import connect


class Needs(TypedDict, total=False):
    """What a server answered, and what it needs for that."""

    right: int  # lines that got their own word back
    threads: int  # of its process, meanwhile
    kB: int  # kilobytes by which its memory has grown, for each line


def open_many(url: str, pid: int, count: int = 100) -> Needs:
    """Open lines to an echo, and let all speak, last one first.

    Args:
        url: of the server, such as "http://127.0.0.1:5000".
        pid: number of the server's process.
        count: how many lines.
    """
    process = psutil.Process(pid)
    before = process.memory_info().rss
    with ExitStack() as stack:
        at = url.replace("http", "ws", 1) + "/echo"
        lines = [stack.enter_context(connect(at)) for _ in range(count)]
        for number, line in reversed(list(enumerate(lines))):
            line.send(f"line {number}")
        right = [line.recv(10) == f"line {number}" for number, line in enumerate(lines)]
        grown = process.memory_info().rss - before
        return Needs(
            right=sum(right), threads=process.num_threads(), kB=round(grown / count / 1000)
        )
