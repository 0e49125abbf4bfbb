"""A10, B1: what several processes share of a room, in Redis: its messages, its names, its events.

The messages are a stream, the names a hash; changes of names are published. What has to happen as
a whole, such as giving a message the next number, is a script in lua/: Redis runs one at a time.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import redis
from gevent.event import AsyncResult
from gevent.queue import Queue

ROOM = "course:group_chat:"  # what our keys in Redis begin with
KEYS = [ROOM + word for word in ("messages", "number", "epoch", "names", "events")]
MESSAGES, NUMBER, EPOCH, NAMES, EVENTS = KEYS
REMEMBERED = 600  # seconds in which a message that is sent again is recognised
ANSWER_TIME = 2.0  # seconds; a Redis that takes longer counts as lost
NEWS_TIME = 1.0  # seconds to wait for news
_AT_ONCE = 200  # calls in one round trip
_NEWS_AT_ONCE = 32  # messages; long ones take a millisecond then, and the others wait for it


def _script(name: str) -> str:
    return (Path(__file__).parent / "lua" / f"{name}.lua").read_text("utf-8")


_RECOGNISE, _SAY = _script("recognise"), _script("say")
_CLAIM, _RELEASE = _script("claim"), _script("release")


class Said(NamedTuple):
    """What is in the stream under a key: number and time; was it there before, and the same?"""

    number: int
    time: str
    repeated: bool
    same: bool


class _Call(NamedTuple):
    """A script that a greenlet waits for."""

    script: str
    keys: list[str]
    arguments: list[str | int]
    answer: "AsyncResult[Any]"


class RoomInRedis:
    """The shared part of a room. Needs a patched standard library (gevent.monkey).

    Every method raises redis.RedisError if Redis does not answer within ANSWER_TIME.
    """

    def __init__(self, url: str, kept: int) -> None:
        """Prepare connections; nothing is sent yet.

        Args:
            url: such as redis://127.0.0.1:6379/0.
            kept: how many messages the stream keeps, at least.

        Raises:
            ValueError: `url` is none.
        """
        # No attempts of the library's own: a lost Redis must not hold anybody up.
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=ANSWER_TIME,
            socket_connect_timeout=1,
            retry=None,
        )
        self._kept = kept
        self._calls: Queue[_Call] = Queue()
        self._messages: Queue[_Call] = Queue()
        gevent.spawn(self._carry, self._calls, self._run_each)
        gevent.spawn(self._carry, self._messages, self._add_all)

    # Messages.

    def recognise(self, epoch: str, newest: int) -> str:
        """Return the epoch of the room in Redis: `token.number`, the number after which it began.

        It is a new one if Redis lacks messages up to `newest` of the epoch that we know.
        """
        known: list[str | int] = [epoch, newest, secrets.token_hex(4)]
        return str(self._call(_RECOGNISE, [EPOCH, NUMBER], known))

    def say(self, key: str, content: dict[str, str]) -> Said:
        """Add a message to the stream, unless there is one with this key already."""
        text = json.dumps(content | {"key": key})
        digest = hashlib.sha256(content["msg"].encode()).hexdigest()
        call = _Call(_SAY, [f"{ROOM}said:{key}"], [text, content["time"], digest], AsyncResult())
        self._messages.put(call)
        said: str = call.answer.get()  # type: ignore[assignment]
        number, time, what, repeated = said.split(" ")
        return Said(int(number), time, repeated == "1", what == digest)

    def last_messages(self) -> list[tuple[int, dict[str, str]]]:
        """Return the last messages, with their numbers; the content includes the `key`."""
        entries: Any = self._redis.xrevrange(MESSAGES, count=self._kept)
        return [_numbered(*entry) for entry in reversed(entries)]

    def messages_after(self, number: int, wait: bool = True) -> list[tuple[int, dict[str, str]]]:
        """Return messages after a number; if there are none yet, wait for some up to NEWS_TIME."""
        block = int(NEWS_TIME * 1000) if wait else None
        news: Any = self._redis.xread({MESSAGES: f"{number}-0"}, count=_NEWS_AT_ONCE, block=block)
        return [_numbered(*entry) for _, entries in news or () for entry in entries]

    # Names.

    def claim(self, key: str, holder: dict[str, Any], again: bool = False) -> str:
        """Take a nickname, unless somebody else of a living process has it.

        Args:
            key: what nicknames that look the same have in common.
            holder: name, token, origin, since and process of who takes it.
            again: it is ours already, and Redis may have forgotten or given it away.

        Returns:
            "", or why not: "in use"; "moved": the same page has a newer connection.
        """
        rest = [json.dumps(holder), f"{ROOM}process:", "again" if again else ""]
        return str(self._call(_CLAIM, [NAMES, EVENTS], [key, *rest]))

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back, unless another connection has it."""
        self._call(_RELEASE, [NAMES, EVENTS], [key, origin])

    def holders(self) -> dict[str, dict[str, Any]]:
        """Return all holders of names, by key."""
        found: Any = self._redis.hgetall(NAMES)
        return {key: json.loads(text) for key, text in found.items()}

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what happens to names: joined, left or dismiss.

        An empty one comes first, once everything else will come, and after NEWS_TIME without news.
        """
        pubsub: Any = self._redis.pubsub  # it lacks types
        with pubsub() as subscription:
            subscription.subscribe(EVENTS)
            if not subscription.get_message(timeout=ANSWER_TIME):
                raise redis.TimeoutError("no answer to SUBSCRIBE")
            yield {}
            while True:
                event = subscription.get_message(timeout=NEWS_TIME)
                yield json.loads(event["data"]) if event else {}

    # Processes.

    def show_life(self, process: str, seconds: float) -> None:
        """Say that a process lives, and will say so again within these seconds."""
        self._redis.set(f"{ROOM}process:{process}", "", px=int(seconds * 1000))

    def lives(self, process: str) -> bool:
        """Say whether a process has shown life in time."""
        return bool(self._redis.exists(f"{ROOM}process:{process}"))

    def end_life(self, process: str) -> None:
        """Say that a process has ended."""
        self._redis.delete(f"{ROOM}process:{process}")

    # Many calls of one moment travel in one round trip.

    def _call(self, script: str, keys: list[str], arguments: list[str | int]) -> Any:  # noqa: ANN401
        """Run a script and return what it returns."""
        call = _Call(script, keys, arguments, AsyncResult())
        self._calls.put(call)
        return call.answer.get()

    def _run_each(self, calls: list[_Call]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for call in calls:
            pipe.eval(call.script, len(call.keys), *call.keys, *map(str, call.arguments))
        return pipe.execute(raise_on_error=False)

    def _add_all(self, calls: list[_Call]) -> list[Any]:
        """Add messages to the stream by one script, so each process reads them together as well."""
        keys = [NUMBER, MESSAGES, *chain.from_iterable(call.keys for call in calls)]
        rest = chain.from_iterable(call.arguments for call in calls)
        arguments = map(str, (self._kept, REMEMBERED, *rest))
        answers: Any = self._redis.eval(_SAY, len(keys), *keys, *arguments)
        return list(answers)

    def _carry(self, calls: Queue[_Call], run: Callable[[list[_Call]], list[Any]]) -> None:
        while True:
            batch = [calls.get()]
            while len(batch) < _AT_ONCE and not calls.empty():
                batch.append(calls.get())
            try:
                answers = run(batch)
            except Exception as error:  # whatever it is, nobody waits for ever
                # Who called in the meantime would only wait for the same.
                while not calls.empty():
                    batch.append(calls.get())
                lost = error if isinstance(error, redis.RedisError) else redis.RedisError(error)
                answers = [lost] * len(batch)
            for call, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    call.answer.set_exception(answer)
                else:
                    call.answer.set(answer)


def _numbered(id: str, fields: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Return number and content of an entry of the stream."""
    return int(id.partition("-")[0]), json.loads(fields["message"])
