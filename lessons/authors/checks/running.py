"""Demos that checks need: one that goes on from check to check, and one for a block.

echo = kept("group_chat.step1_echo")             # for checks that leave it as it was
with running("group_chat.chat") as room: ...     # for those that do not
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from course import messenger_client
from course.demo import Demo
from course.exercise import not_counted
from course.messenger_client import Visitor
from demos.instruments.delay_proxy import DelayProxy

_kept: dict[tuple[str, ...], Demo] = {}


def kept(module: str, *arguments: str) -> Demo:
    """Return a demo that runs. It ends with the kernel, so the next check is answered at once."""
    key = (module, *arguments)
    if key not in _kept or _kept[key].process.poll() is not None:
        with not_counted():
            _kept[key] = Demo(module, "--port", "0", *arguments)
    return _kept[key]


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Demo]:
    """Run a demo for a block, whatever becomes of it meanwhile."""
    with not_counted():
        demo = Demo(module, "--port", "0", *arguments)
    try:
        yield demo
    finally:
        with not_counted():
            demo.end()


@contextmanager
def halted(demo: Demo) -> Iterator[None]:
    """Halt a demo for a block: it still takes connections, and answers nothing."""
    demo.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        demo.process.send_signal(signal.SIGCONT)


def log_in(demo: Demo, name: str) -> Visitor:
    """Log a user of the seed in; that is slow on purpose, and does not count."""
    with not_counted():
        return messenger_client.log_in(demo, name)


def delay_proxy() -> DelayProxy:
    """Start a proxy that counts round trips; use it in a `with` block. Its start does not count."""
    with not_counted():
        return DelayProxy()
