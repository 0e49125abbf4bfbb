"""Where the messenger's CPU time goes: `python -m bench.messenger.profile`.

Pairs of friends write to each other, as in the messenger's benchmark. The report goes to
bench/results/messenger_profile.md, or to another folder with --out.
"""

import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import program
from bench.chat.load.process import LoadClient
from bench.chat.servers import Contender, ServerError
from bench.messenger.load.pairs import Pairs, User
from bench.messenger.parts import FULL, IN_FLIGHT, QUICK, Depth
from bench.messenger.people import empty, enrol, log_in_all, own_database
from bench.messenger.sampling import EVERY
from bench.messenger.servers import messenger
from bench.pool.report import rows
from demos.instruments.open_files import open_many_files

SECONDS = 4.0  # of each profile
STORE = "store: who are friends, insert, commit"
ANSWER = "acknowledge and deliver"
MARK = "note what was delivered"
TAKE = "read what pages send, check it, let it wait for its transaction"
LOOP, OTHER = "the event loop", "everything else"
# The innermost function of a stack that stands here says what its time is for.
_TASKS = {
    "mailbox.py:Mailbox._answer_forever": ANSWER,
    "mailbox.py:Mailbox._store": STORE,
    "mailbox.py:Mailbox._store_forever": STORE,
    "mailbox.py:Mailbox._mark_forever": MARK,
    "conversations.py:_hear_got": MARK,
    "conversations.py:_try": TAKE,
    "conversations.py:_hear": TAKE,
    "conversations.py:_converse": TAKE,
    "conversations.py:conversations.<locals>.converse": TAKE,
    "hub.py:Hub.run": LOOP,
}
_SAMPLED = "from bench.messenger.sampling import run_sampled; run_sampled()"
_SHOWN = 12  # functions

Stack = Sequence[str]


@dataclass(frozen=True)
class Profile:
    """The samples of one load.

    Args:
        work: microseconds of the server's CPU time for a message, with what sampling costs.
        met: stacks, as sampling.py notes them, and how often each was met.
    """

    work: float
    met: Sequence[tuple[Stack, int]]


def task(stack: Stack) -> str:
    """Return what the time of a stack is for."""
    names = (function.partition("/")[2] for function in stack)
    return next((_TASKS[name] for name in names if name in _TASKS), OTHER)


def shares(profile: Profile) -> Mapping[str, tuple[float, float]]:
    """Return, of each task, its share of the CPU time, and the share of PyMySQL in it."""
    whole, in_driver = Counter[str](), Counter[str]()
    for stack, times in profile.met:
        name = task(stack)
        whole[name] += times
        if any(function.startswith("pymysql/") for function in stack):
            in_driver[name] += times
    total = max(1, whole.total())
    return {name: (n / total, in_driver[name] / total) for name, n in whole.most_common()}


def innermost(profile: Profile) -> list[tuple[str, float]]:
    """Return the functions that are most often the innermost one, each with its share."""
    found = Counter[str]()
    for stack, times in profile.met:
        found[stack[0]] += times
    return [(name, n / max(1, found.total())) for name, n in found.most_common(_SHOWN)]


def measure(
    load: LoadClient, users: Sequence[User], depth: Depth, in_flight: int, seconds: float
) -> Profile:
    """Profile the messenger under one load.

    Raises:
        ServerError: it does not start, or has not said where its time went.
        LoadError: a message was lost, came twice or was refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "met.json"
        python, _, *module = messenger().command()  # python -m module ...
        command = [python, "-c", _SAMPLED, str(file), *module]
        empty()
        with Contender("sampled", lambda: command).started(patience=20.0) as server:
            load.begin(Pairs, [server.url], users)
            load.call(Pairs.join, 2 * depth.pairs)
            before = load.call(Pairs.flood, in_flight, depth.warm_up).total
            os.kill(server.pid, signal.SIGUSR1)
            cpu = server.cpu()
            total = load.call(Pairs.flood, in_flight, seconds, 0.0).total
            work = (server.cpu() - cpu) * 1e6 / (total - before)
            load.call(Pairs.leave)
        if not file.exists():
            raise ServerError("the sampled server did not end in time")
        return Profile(work, json.loads(file.read_text("utf-8")))


def markdown(profiles: Mapping[int, Profile], depth: Depth) -> str:
    """Return the report."""
    sections = [
        "# Where the messenger's CPU time goes",
        "A run of `python3 -m course bench profile` wrote this. A share is a part of the samples;"
        f" there is one after each {EVERY * 1000:g} ms of CPU time. The time for a message has the"
        " cost of sampling in it.",
    ]
    for in_flight, profile in profiles.items():
        title = (
            f"## {depth.pairs} pairs, {in_flight} in flight: {profile.work:.0f} µs for a message"
        )
        lines = [
            [name, f"{whole:.0%}", f"{driver:.0%}", f"{whole * profile.work:.1f}"]
            for name, (whole, driver) in shares(profile).items()
        ]
        functions = [[f"`{name}`", f"{share:.1%}"] for name, share in innermost(profile)]
        sections += [
            title,
            rows(["task", "share", "of it in PyMySQL and its socket", "µs for a message"], lines),
            rows(["function, without those that it calls", "share"], functions),
        ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    """Measure, and write the report."""
    chosen = program.reporting(__doc__).parse_args()
    program.on_linux_only()
    open_many_files()
    depth, seconds = (QUICK, 0.3) if chosen.quick else (FULL, SECONDS)
    try:
        with own_database(), LoadClient() as load:
            names = enrol(2 * depth.pairs)
            with messenger().started() as server:
                users = log_in_all(server.url, names)
            found = {n: measure(load, users, depth, n, seconds) for n in IN_FLIGHT}
    except ServerError as error:
        sys.exit(f"The messenger cannot be profiled: {error}.")
    text = markdown(found, depth)
    program.keep(chosen.out / "messenger_profile.md", text, [text])


if __name__ == "__main__":
    program.run(main)
