"""A10, B1: what several processes share of a room, in Redis: its messages, its names, its events.

The messages are a stream, the names a hash; changes of names are published. What has to happen as
a whole, such as giving a message the next number, is a script in Lua: Redis runs one at a time.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
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

# Which run of the room this is, and after which number it began. A Redis that was emptied, or put
# back to an older state, begins a new one.
_RECOGNISE = """
local epoch, number = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
if epoch and (epoch ~= ARGV[1] or number >= tonumber(ARGV[2])) then return epoch end
epoch = ARGV[3] .. '.' .. (epoch and number or 0)
redis.call('SET', KEYS[1], epoch)
return epoch
"""
_SAY = """
local before = redis.call('GET', KEYS[3])
if before then return {before, 1} end
local number = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], number .. '-0', 'message', ARGV[1])
local said = number .. ' ' .. ARGV[3] .. ' ' .. ARGV[5]
redis.call('SET', KEYS[3], said, 'EX', ARGV[4])
return {said, 0}
"""
_CLAIM = """
local mine, text = cjson.decode(ARGV[2]), redis.call('HGET', KEYS[1], ARGV[1])
local theirs = text and cjson.decode(text)
local moved = theirs and theirs.token == mine.token
if theirs and not moved
   and (theirs.process == mine.process or redis.call('EXISTS', ARGV[3] .. theirs.process) == 1) then
  return 'in use'
end
if moved and ARGV[4] == 'again' and theirs.since > mine.since then return 'moved' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local function tell(event) redis.call('PUBLISH', KEYS[2], cjson.encode(event)) end
if theirs and theirs.origin ~= mine.origin then tell({dismiss = theirs.origin, moved = moved}) end
if theirs and theirs.name ~= mine.name then tell({left = theirs.name}) end
tell({joined = mine.name})
return ''
"""
_RELEASE = """
local text = redis.call('HGET', KEYS[1], ARGV[1])
local holder = text and cjson.decode(text)
if not holder or holder.origin ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', KEYS[2], cjson.encode({left = holder.name}))
return 1
"""


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
        gevent.spawn(self._carry)

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
        said, repeated = self._call(
            _SAY,
            [NUMBER, MESSAGES, f"{ROOM}said:{key}"],
            [text, self._kept, content["time"], REMEMBERED, digest],
        )
        number, time, what = said.split(" ")
        return Said(int(number), time, bool(repeated), what == digest)

    def last_messages(self) -> list[tuple[int, dict[str, str]]]:
        """Return the last messages, with their numbers; the content includes the `key`."""
        entries: Any = self._redis.xrevrange(MESSAGES, count=self._kept)
        return [_numbered(*entry) for entry in reversed(entries)]

    def messages_after(self, number: int) -> list[tuple[int, dict[str, str]]]:
        """Return messages after a number; if there are none yet, wait for some up to NEWS_TIME."""
        wait = int(NEWS_TIME * 1000)
        news: Any = self._redis.xread({MESSAGES: f"{number}-0"}, count=_NEWS_AT_ONCE, block=wait)
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

    def _carry(self) -> None:
        while True:
            batch = [self._calls.get()]
            while len(batch) < _AT_ONCE and not self._calls.empty():
                batch.append(self._calls.get())
            pipe = self._redis.pipeline(transaction=False)
            for call in batch:
                pipe.eval(call.script, len(call.keys), *call.keys, *map(str, call.arguments))
            try:
                answers = pipe.execute(raise_on_error=False)
            except Exception as error:  # whatever it is, nobody waits for ever
                # Who called in the meantime would only wait for the same.
                while not self._calls.empty():
                    batch.append(self._calls.get())
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
