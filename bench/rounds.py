"""How servers take turns in a benchmark, and what becomes of one that fails."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from bench.chat.load.joining import LoadError
from bench.chat.servers import Contender, ServerError
from demos.instruments.rounds import interleave

Found = TypeVar("Found")


def rounds(
    title: str,
    contenders: Sequence[Contender],
    trial: Callable[[Contender], Found],
    count: int,
    failures: dict[str, str],
) -> dict[str, list[Found]]:
    """Let all take turns; one that fails in any round is left out, and its failure kept.

    Args:
        title: what is measured.
        contenders: who takes turns.
        trial: measures one of them, once.
        count: rounds.
        failures: gets a sentence for each contender that failed, by name.
    """
    failed = set()

    def guarded(contender: Contender) -> Found | None:
        if contender.name in failed:
            return None
        try:
            return trial(contender)
        except (ServerError, LoadError, OSError) as error:
            failed.add(contender.name)
            failures.setdefault(contender.name, f"{title.lower()}: {error}")
            return None

    trials = {contender.name: partial(guarded, contender) for contender in contenders}
    done = interleave(title, trials, count)
    return {
        name: whole
        for name, ones in done.items()
        if len(whole := [one for one in ones if one is not None]) == count
    }


def redis_url(named: str | None, bench: str) -> str:
    """Return the address of the Redis to measure with.

    Args:
        named: what REDIS_URL says, if anything.
        bench: name of the benchmark, for the sentence of the error.

    Raises:
        ServerError: it says nothing.
    """
    if not named:
        cure = f"`python3 -m course bench {bench}` starts one"
        raise ServerError(f"REDIS_URL names no Redis ({cure})")
    return named
