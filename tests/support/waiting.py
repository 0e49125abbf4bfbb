"""Patience for what another process or thread does in its own time."""

import time
from threading import Thread


def eventually(condition, seconds=20.0):
    """Return the condition's first true value; the last value when time is up."""
    deadline, pause = time.monotonic() + seconds, 0.005
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(0.1, pause * 1.2)  # what takes longer is looked at less often
    return value


def within(seconds, work):
    """Return what `work` returns, such as a line that a process will write; fail when time is up.

    An error of `work` is raised here.
    """
    ended = []

    def run():
        try:
            ended.append((work(), None))
        except BaseException as error:
            ended.append((None, error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert ended, f"nothing came within {seconds} s"
    ((value, error),) = ended
    if error:
        raise error
    return value


def all_at_once(count, work):
    """Run `work` in `count` threads and return the results; a thread that hangs fails the test."""
    results = []
    threads = [Thread(target=lambda: results.append(work()), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    assert len(results) == count, "a thread failed"
    return results
