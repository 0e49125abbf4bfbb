"""A10, B1: one room served by many processes, which share names and history through Redis.

Messages are a stream: every process adds to it and follows it, so all see one order, and a process
that was away reads on from where it was. Names are a hash; changes are published. While Redis is
away each process goes on alone, and what was said meanwhile is added to the stream afterwards.
"""

import itertools
import json
import secrets
from dataclasses import replace
from time import monotonic
from typing import Any, NamedTuple

import gevent
import redis
from gevent.event import AsyncResult
from gevent.queue import Queue

from demos.group_chat.history import KEPT, History
from demos.group_chat.logs import log, now
from demos.group_chat.messages import Message
from demos.group_chat.one_process import Listener, OneProcess

ROOM = "course:group_chat:"  # what our keys in Redis begin with
PROOF_OF_LIFE = 3.0  # seconds between a process's signs of life; after three it counts as dead
RETRY = 0.5  # seconds between attempts to reach a lost Redis
CATCH_UP = 2.0  # seconds to wait for messages that another process knows already
_AT_ONCE = 200  # messages written in one round trip

# Each script runs as a whole, so no two processes give the same number or the same name.
_SAY = """
local before = redis.call('GET', KEYS[3])
if before then return {before, 1} end
local number = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], number .. '-0', 'message', ARGV[1])
local said = number .. ' ' .. ARGV[3]
redis.call('SET', KEYS[3], said, 'EX', 600)
return {said, 0}
"""
# Which run of the room this is, and after which number it began. A Redis that was emptied, or put
# back to an older state, begins a new one.
_EPOCH = """
local epoch, number = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
if not epoch or (epoch == ARGV[1] and number < tonumber(ARGV[2])) then
  epoch = ARGV[3] .. '.' .. number
  redis.call('SET', KEYS[1], epoch)
end
return epoch
"""
_CLAIM = """
local mine, text = cjson.decode(ARGV[2]), redis.call('HGET', KEYS[1], ARGV[1])
local theirs = text and cjson.decode(text)
if theirs and theirs.token ~= mine.token
   and (theirs.process == mine.process or redis.call('EXISTS', ARGV[3] .. theirs.process) == 1) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local same = theirs and theirs.token == mine.token
if theirs and theirs.origin ~= mine.origin then
  redis.call('PUBLISH', KEYS[2], cjson.encode({dismiss = theirs.origin}))
end
if not same then redis.call('PUBLISH', KEYS[2], cjson.encode({joined = mine.name})) end
return 1
"""
_RELEASE = """
local text = redis.call('HGET', KEYS[1], ARGV[1])
local holder = text and cjson.decode(text)
if not holder or holder.origin ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', KEYS[2], cjson.encode({left = holder.name}))
return 1
"""


class _Waiting(NamedTuple):
    """A message on its way to Redis; `key` makes a second attempt harmless."""

    message: Message
    key: str
    before: "AsyncResult[Message | None]"


class ManyProcesses(OneProcess):
    """Names and history in Redis. Needs a patched standard library (gevent.monkey)."""

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            redis.RedisError: nothing answers at `url`.
            ValueError: `url` is none, such as redis://127.0.0.1:6379/0.
        """
        super().__init__()
        # Our own attempts replace the library's: a lost Redis must not hold anybody up.
        self._redis = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=2, socket_connect_timeout=1, retry=None
        )
        self._stream = redis.Redis.from_url(  # waits for news, so it needs more time
            url, decode_responses=True, socket_timeout=8, socket_connect_timeout=1, retry=None
        )
        self._say = self._redis.register_script(_SAY)
        self._epoch = self._redis.register_script(_EPOCH)
        self._claim = self._redis.register_script(_CLAIM)
        self._release = self._redis.register_script(_RELEASE)
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._to_write: Queue[_Waiting] = Queue()
        self._held: list[_Waiting] = []  # said while Redis was away
        self._heard_already: set[str] = set()  # keys of those, until the stream brings them
        self._everybody: dict[str, None] = {}  # names in all processes
        self._changes = 0
        self._recognise()
        self._load()

    def start(self, listener: Listener) -> None:
        """Begin to follow what other processes do."""
        super().start(listener)
        self._show_life()
        work = (self._follow, self._write, self._keep_order, self._follow_names)
        self._greenlets = [gevent.spawn(each) for each in work]

    def stop(self) -> None:
        """Give all names back and end."""
        gevent.killall(self._greenlets)
        for key, (_, _, origin) in list(self._holders.items()):
            self.release(key, origin)
        try:
            self._redis.delete(f"{ROOM}process:{self._process}")
        except redis.RedisError:
            log("redis_gone", at="stop")

    # What the room asks for.

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname in all processes; see `OneProcess.claim`."""
        if not self.trouble:
            try:
                if not self._claim_shared(key, name, token, origin):
                    return False
                self._holders[key] = name, token, origin
                self._here(name)  # the event says so as well, a moment later
                return True
            except redis.RedisError as error:
                self._lose(error)
        return super().claim(key, name, token, origin)

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back in all processes; see `OneProcess.release`."""
        if not self.trouble:
            try:
                self._release([ROOM + "names", ROOM + "events"], [key, origin])
                if self._holders.get(key, ("", "", ""))[2] == origin:
                    del self._holders[key]
                return
            except redis.RedisError as error:
                self._lose(error)
        super().release(key, origin)

    def roster(self) -> list[str]:
        """Return who is here, in all processes."""
        return list(self._everybody)

    def say(self, message: Message) -> Message | None:
        """Add a message to the stream; the stream brings it to everybody, this process included.

        Returns:
            What was said before under the same client id, None if this is new.
        """
        client_id = message.client_id or f"{message.origin}.{next(self._numbers)}"
        waiting = _Waiting(message, f"{ROOM}said:{message.username}:{client_id}", AsyncResult())
        if self.trouble:
            return self._hold(waiting)
        self._to_write.put(waiting)
        return waiting.before.get()

    def replay(self, since: str) -> tuple[list[Message], int]:
        """See `History.replay`; first hear what the page has seen in another process."""
        deadline = monotonic() + CATCH_UP
        while self._history.is_behind(since) and not self.trouble and monotonic() < deadline:
            gevent.sleep(0.01)
        return super().replay(since)

    # The stream.

    def _write(self) -> None:
        """Write what waits, many messages in one round trip."""
        while True:
            batch = [self._to_write.get()]
            while len(batch) < _AT_ONCE and not self._to_write.empty():
                batch.append(self._to_write.get())
            try:
                answers = [before for _, before in self._add(batch)]
            except redis.RedisError as error:
                self._lose(error)
                answers = [self._hold(waiting) for waiting in batch]
            for waiting, before in zip(batch, answers, strict=True):
                waiting.before.set(before)

    def _add(self, batch: list[_Waiting]) -> list[tuple[Message, Message | None]]:
        """Add messages to the stream. Returns each as it is there, and again if it was before."""
        pipe, time = self._redis.pipeline(transaction=False), now()
        for message, key, _ in batch:
            content = {
                "username": message.username,
                "msg": message.msg,
                "origin": message.origin,
                "client_id": message.client_id,
                "time": message.time or time,
                "key": key,
            }
            keys = [ROOM + "number", ROOM + "messages", key]
            self._say(keys, [json.dumps(content), KEPT, content["time"]], client=pipe)
        added = []
        for waiting, (said, repeated) in zip(batch, pipe.execute(), strict=True):
            number, _, time = said.partition(" ")
            message = replace(waiting.message, id=self._id(number), time=time)
            added.append((message, message if repeated else None))
        return added

    def _hold(self, waiting: _Waiting) -> Message | None:
        """Say it in this process alone, and keep it for the time when Redis is back."""
        for held in self._held:
            if held.key == waiting.key:
                return held.message
        message = replace(waiting.message, time=now())
        self._held = [*self._held[-KEPT:], waiting._replace(message=message)]
        self._heard_already.add(waiting.key)
        self._listener.deliver(message)
        return None

    def _follow(self) -> None:
        """Bring what all processes say to this one's members, in the order of the stream."""
        while True:
            try:
                if self.trouble:
                    self._return()
                at = f"{self._history.newest}-0"
                news: Any = self._stream.xread({ROOM + "messages": at}, count=500, block=5000)
                for _, entries in news or ():
                    for number, fields in entries:
                        self._hear(number, fields["message"])
            except redis.RedisError as error:
                self._lose(error)
                gevent.sleep(RETRY)

    def _hear(self, number: str, text: str) -> None:
        content = json.loads(text)
        key = content.pop("key")
        message = Message(**content, id=self._id(number))
        self._history.keep(message)
        if key in self._heard_already:
            self._heard_already.discard(key)
        else:
            self._listener.deliver(message)

    def _recognise(self) -> None:
        """Find out which run of the room Redis holds; a new one is followed from its beginning."""
        known = [self._history.epoch, str(self._history.newest), secrets.token_hex(4)]
        epoch: Any = self._epoch([ROOM + "epoch", ROOM + "number"], known)
        if epoch != self._history.epoch:
            self._history = History(epoch)
            self._history.newest = int(epoch.partition(".")[2] or 0)

    def _load(self) -> None:
        """Read what was said before this process started."""
        entries: Any = self._redis.xrevrange(ROOM + "messages", count=KEPT)
        for number, fields in reversed(entries):
            content = json.loads(fields["message"])
            del content["key"]
            self._history.keep(Message(**content, id=self._id(number)))

    def _id(self, number: str) -> str:
        return f"{self._history.epoch}-{number.partition('-')[0]}"

    # Losing Redis, and finding it again.

    def _lose(self, error: Exception) -> None:
        if not self.trouble:
            self.trouble = "Other processes cannot be reached; you hear only those who are here."
            log("redis_lost", error=error)
            self._listener.status()

    def _return(self) -> None:
        """Give the names and the held messages to Redis, and go on together.

        Raises:
            redis.RedisError: it is still away.
        """
        self._recognise()
        self._show_life()
        for key, (name, token, origin) in list(self._holders.items()):
            if not self._claim_shared(key, name, token, origin):
                self._listener.dismiss(origin)
        while self._held:
            ((said, _),) = self._add(self._held[:1])
            del self._held[0]
            self._listener.acknowledge(said)
        self.trouble = ""
        log("redis_back")
        self._listener.status()

    # Names in all processes.

    def _claim_shared(self, key: str, name: str, token: str, origin: str) -> bool:
        holder = {"name": name, "token": token, "origin": origin, "process": self._process}
        keys = [ROOM + "names", ROOM + "events"]
        return bool(self._claim(keys, [key, json.dumps(holder), ROOM + "process:"]))

    def _follow_names(self) -> None:
        """Hear at once who comes and goes."""
        while True:
            try:
                pubsub: Any = self._stream.pubsub  # it lacks types
                with pubsub(ignore_subscribe_messages=True) as events:
                    events.subscribe(ROOM + "events")
                    while True:
                        event = events.get_message(timeout=5)
                        if event:
                            self._apply(json.loads(event["data"]))
            except redis.RedisError as error:
                self._lose(error)
                gevent.sleep(RETRY)

    def _apply(self, event: dict[str, str]) -> None:
        self._changes += 1
        if "joined" in event:
            self._here(event["joined"])
        if "left" in event:
            self._gone(event["left"])
        if "dismiss" in event:
            self._listener.dismiss(event["dismiss"])

    def _keep_order(self) -> None:
        """Show that this process lives, and take out the names of those that do not."""
        while True:
            gevent.sleep(PROOF_OF_LIFE)
            if self.trouble:
                continue
            try:
                self._show_life()
                self._compare()
            except redis.RedisError as error:
                self._lose(error)

    def _show_life(self) -> None:
        self._redis.set(f"{ROOM}process:{self._process}", "", ex=int(3 * PROOF_OF_LIFE))

    def _compare(self) -> None:
        """Make the roster what Redis says; an event may have been lost, or a process killed."""
        before = self._changes
        found: Any = self._redis.hgetall(ROOM + "names")
        holders = {key: json.loads(text) for key, text in found.items()}
        processes = {holder["process"] for holder in holders.values()}
        dead = {each for each in processes if not self._redis.exists(f"{ROOM}process:{each}")}
        for key, holder in holders.items():
            if holder["process"] in dead:
                self._release([ROOM + "names", ROOM + "events"], [key, holder["origin"]])
        if self._changes != before:
            return  # older than what we know; the next time will do
        living = {h["name"]: None for h in holders.values() if h["process"] not in dead}
        for name in self._everybody.keys() - living.keys():
            self._gone(name)
        for name in living:
            self._here(name)

    def _here(self, name: str) -> None:
        if name not in self._everybody:
            self._everybody[name] = None
            self._listener.presence(joined=name)

    def _gone(self, name: str) -> None:
        if name in self._everybody:
            del self._everybody[name]
            self._listener.presence(left=name)
