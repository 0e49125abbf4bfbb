"""A4, A5: locks that Ctrl-C never leaves locked.

Ctrl-C raises KeyboardInterrupt between two steps of the interpreter. If it does so after a lock was
taken and before its block has begun, nobody unlocks it, and the next caller waits for ever. Python
3.14 can do that to `with threading.Lock():` (CPython issue 148874), and every version to `with
threading.Condition():`, whose methods are written in Python. DBUtils' pool is guarded by one.
"""

import threading


class Mutex(type(threading.RLock())):  # type: ignore[misc]  # under gevent it is another type
    """A lock for a `with` block, which Ctrl-C leaves unlocked. It belongs to the thread inside.

    Python does not look for Ctrl-C between the end of a function such as this `__enter__` and the
    block, nor before the end of the block has called `__exit__`, which is the lock's own.
    """

    def __enter__(self) -> bool:
        """Take the lock; or raise what comes in between, and do not keep it."""
        try:
            return bool(self.acquire())
        except BaseException:
            try:  # noqa: SIM105  # a `with` is one more place for Ctrl-C
                self.release()
            except RuntimeError:  # it was not taken yet
                pass
            raise


class NobodyWaits(Mutex):
    """In place of the Condition in DBUtils' pool, for which nobody waits behind a turnstile."""

    def notify(self) -> None:
        """Wake one who waits: there is none."""

    def notify_all(self) -> None:
        """Wake all who wait: there are none."""
