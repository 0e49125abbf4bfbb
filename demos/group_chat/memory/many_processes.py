"""A10, B1: one room served by many processes, which share names and history through Redis.

Every process adds to the stream of messages and follows it, so all see one order, and a process
that was away reads on from where it was. While Redis is away each process goes on alone, and what
was said meanwhile is added to the stream afterwards.
"""

import itertools
import secrets
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic, time
from typing import Any

import gevent
import redis
from gevent.event import Event

from demos.group_chat.memory.contract import Listener
from demos.group_chat.memory.history import KEPT, History
from demos.group_chat.memory.nicknames import Holder, Nicknames
from demos.group_chat.memory.room_in_redis import RoomInRedis
from demos.group_chat.rules.messages import Message, NotSaid, id_is_taken
from demos.instruments.logs import log, now

LIFE = 7.5  # seconds after which a process without a sign of life is dead; it gives three of them
RETRY = 0.5  # seconds between attempts to reach a lost Redis
LIVELY = 0.05  # seconds between two messages; in a room that is livelier,
GATHER = 0.001  # seconds in which messages are gathered before they are passed on
CATCH_UP = 2.0  # seconds to wait for messages that another process knows already


class ManyProcesses:
    """A memory shared through Redis. Needs a patched standard library (gevent.monkey)."""

    trouble = ""  # a sentence for everybody, while Redis is away

    def __init__(self, url: str, life: float = LIFE) -> None:
        """Connect.

        Args:
            url: such as redis://127.0.0.1:6379/0.
            life: seconds after which the others take this process for dead if it is silent.

        Raises:
            redis.RedisError: nothing answers at `url`.
            ValueError: `url` is none.
        """
        self._history, self._names = History(), Nicknames()
        self._shared = RoomInRedis(url, KEPT)
        self._process, self._life = secrets.token_hex(4), life
        self._numbers = itertools.count(1)
        self._not_heard: set[str] = set()  # keys of what the stream has not brought yet
        # Said in this process alone while Redis was away, by key, until the stream brings it.
        self._held: dict[str, Message] = {}
        self._heard_at = 0.0  # when the stream last brought something
        self._changes = 0
        self._subscribed = Event()
        self._recognise()
        for number, content in self._shared.last_messages():
            self._history.keep(self._message(number, content))

    def start(self, listener: Listener) -> None:
        """Begin to follow what other processes do."""
        self._listener = self._names.listener = listener
        self._shared.show_life(self._process, self._life)
        work = (self._follow, self._follow_names, self._keep_order)
        self._greenlets = [gevent.spawn(each) for each in work]

    def stop(self) -> None:
        """Give all names back and end."""
        gevent.killall(self._greenlets)
        for key, holder in list(self._names.holders.items()):
            self.release(key, holder.origin)
        try:
            self._shared.end_life(self._process)
        except redis.RedisError:
            log("redis_gone", at="stop")

    # What the room asks for.

    def claim(self, key: str, name: str, token: str, origin: str) -> bool:
        """Take a nickname in all processes, or in this one while Redis is away."""
        if not self.trouble:
            holder = Holder(name, token, origin, time())
            try:
                if self._claim(key, holder):
                    return False
                self._names.holders[key] = holder
                self._names.came(name)  # the event says so as well, a moment later
                return True
            except redis.RedisError as error:
                self._lose(error)
        return self._names.claim(key, name, token, origin)

    def release(self, key: str, origin: str) -> None:
        """Give a nickname back in all processes, or in this one while Redis is away."""
        if not self.trouble:
            try:
                self._shared.release(key, origin)
                if self._names.has(key, origin):
                    del self._names.holders[key]
                return
            except redis.RedisError as error:
                self._lose(error)
        self._names.release(key, origin)

    def roster(self) -> list[str]:
        """Return who is here, in all processes."""
        return self._names.roster()

    def say(self, message: Message) -> Message | None:
        """Add a message to the stream; each process reads it there, this one too.

        Returns:
            The earlier message with the same client id; None if this one is new.

        Raises:
            NotSaid: the earlier message has another text.
        """
        before = self._history.find(message)
        if before:
            return before
        client_id = message.client_id or f"{message.origin}.{next(self._numbers)}"
        # With the length, user "a" with id "b:c" differs from user "a:b" with id "c".
        key = f"{len(message.username)}:{message.username}:{client_id}"
        if self.trouble:
            return self._hold(key, message)
        self._not_heard.add(key)
        try:
            return self._add(key, message)
        except redis.RedisError as error:
            self._lose(error)
            # Perhaps only the answer is lost: then the stream has brought the message.
            return self._hold(key, message) if key in self._not_heard else None
        finally:
            self._not_heard.discard(key)

    def replay(self, since: str) -> tuple[list[Message], int]:
        """See `History.replay`; first hear what the page has seen in another process."""
        self._catch_up(since)
        return self._history.replay(since)

    def unconfirmed(self) -> Iterable[Message]:
        """Return what was said in this process while Redis was away."""
        return self._held.values()

    # Messages.

    def _catch_up(self, id: str) -> None:
        """Wait until the stream has brought a message that another process knows already."""
        deadline = monotonic() + CATCH_UP
        while self._history.is_behind(id) and not self.trouble and monotonic() < deadline:
            gevent.sleep(0.01)

    def _add(self, key: str, message: Message) -> Message | None:
        """Add a message to the stream; return it as it was said if it was there already.

        Raises:
            NotSaid: something else was said under its key.
        """
        # Without its id, which will be the stream's number.
        content = {name: getattr(message, name) for name in ("username", "msg", "origin")}
        content |= {"client_id": message.client_id, "time": message.time or now()}
        said = self._shared.say(key, content)
        if not said.repeated:
            return None
        if not said.same:
            raise id_is_taken(message.client_id)
        before = replace(message, id=self._id(said.number), time=said.time)
        self._catch_up(before.id)  # in another process: what was said up to then is heard first
        return before

    def _hold(self, key: str, message: Message) -> Message | None:
        """Say it in this process alone, and keep it for the time when Redis is back."""
        if key in self._held:  # sent again, maybe on a new connection: the answer shall go there
            if self._held[key].msg != message.msg:
                raise id_is_taken(message.client_id)
            self._held[key] = replace(self._held[key], origin=message.origin)
            return self._held[key]
        self._held[key] = replace(message, time=now())
        if len(self._held) > KEPT:
            del self._held[next(iter(self._held))]
        self._listener.deliver(self._held[key])
        return None

    def _follow(self) -> None:
        """Bring what all processes say to this one's members, in the order of the stream."""
        while True:
            try:
                if self.trouble:
                    self._return()
                for number, content in self._news():
                    self._hear(content["key"], self._message(number, content))
            except redis.RedisError as error:
                self._lose(error)
                gevent.sleep(RETRY)

    def _news(self) -> list[tuple[int, dict[str, str]]]:
        """Wait for messages. In a lively room, others follow at once: they are written together."""
        news = self._shared.messages_after(self._history.newest)
        if not news:
            return []
        is_lively, self._heard_at = monotonic() - self._heard_at < LIVELY, monotonic()
        if is_lively:
            gevent.sleep(GATHER)
            news += self._shared.messages_after(news[-1][0], wait=False)
        return news

    def _hear(self, key: str, message: Message) -> None:
        """Take a message from the stream."""
        self._history.keep(message)
        self._not_heard.discard(key)
        held = self._held.pop(key, None)
        if held:
            self._listener.acknowledge(replace(message, origin=held.origin))
        else:
            self._listener.deliver(message)

    def _recognise(self) -> None:
        """Find out which run of the room Redis holds; a new one is followed from its beginning."""
        epoch = self._shared.recognise(self._history.epoch, self._history.newest)
        if epoch != self._history.epoch:
            self._history = History(epoch)
            self._history.newest = int(epoch.partition(".")[2])

    def _message(self, number: int, content: dict[str, str]) -> Message:
        fields = {name: text for name, text in content.items() if name != "key"}
        return Message(**fields, id=self._id(number))

    def _id(self, number: int) -> str:
        return f"{self._history.epoch}-{number}"

    # Losing Redis, and finding it again.

    def _lose(self, error: Exception) -> None:
        self._subscribed.clear()  # that connection may be dead as well, and say nothing
        if not self.trouble:
            self.trouble = "Other processes cannot be reached; you hear only those who are here."
            log("redis_lost", error=error)
            self._listener.status()

    def _return(self) -> None:
        """Give the names and the held messages to Redis, and go on together.

        Raises:
            redis.RedisError: it is still away.
        """
        # From the first name on we have to hear who else takes it.
        if not self._subscribed.wait(RETRY):
            return
        self._recognise()
        self._shared.show_life(self._process, self._life)
        self._return_names()
        added: set[str] = set()
        while new := [held for held in self._held.items() if held[0] not in added]:
            for key, message in new:
                added.add(key)
                try:
                    before = self._add(key, message)
                except NotSaid as error:  # in another process, while the two could not compare
                    del self._held[key]
                    log("held_not_said", name=message.username, reason=error.reason)
                    continue
                if before and not self._history.is_behind(before.id):
                    self._held.pop(key, None)  # said long ago: the stream has brought it
                    self._listener.acknowledge(before)
        self.trouble = ""
        log("redis_back")
        self._listener.status()

    def _return_names(self) -> None:
        """Make the names of this process in Redis those that it has now."""
        for key, holder in self._shared.holders().items():
            if holder["process"] == self._process and not self._names.has(key, holder["origin"]):
                self._shared.release(key, holder["origin"])
        for key, mine in list(self._names.holders.items()):
            refusal = self._claim(key, mine, again=True)
            if refusal:
                self._listener.dismiss(mine.origin, refusal == "moved")

    # Names in all processes.

    def _claim(self, key: str, holder: Holder, again: bool = False) -> str:
        return self._shared.claim(key, holder._asdict() | {"process": self._process}, again)

    def _follow_names(self) -> None:
        """Hear at once who comes and goes."""
        while True:
            try:
                events = self._shared.events()
                next(events)
                self._subscribed.set()
                for event in events:
                    if not self._subscribed.is_set():
                        break
                    if event:
                        self._apply(event)
            except redis.RedisError as error:
                self._lose(error)
                gevent.sleep(RETRY)

    def _apply(self, event: dict[str, Any]) -> None:
        self._changes += 1
        if "joined" in event:
            self._names.came(event["joined"])
        if "left" in event:
            self._names.went(event["left"])
        if "dismiss" in event:
            for key, holder in list(self._names.holders.items()):
                if holder.origin == event["dismiss"]:
                    del self._names.holders[key]  # it is another one's now
            self._listener.dismiss(event["dismiss"], event["moved"])

    def _keep_order(self) -> None:
        """Show that this process lives, and take out the names of those that do not."""
        while True:
            gevent.sleep(self._life / 3)
            if self.trouble:
                continue
            try:
                if self._is_forgotten():
                    self._lose(redis.RedisError("it has forgotten this process"))
                    continue
                self._shared.show_life(self._process, self._life)
                self._compare()
            except redis.RedisError as error:
                self._lose(error)

    def _is_forgotten(self) -> bool:
        """Say whether Redis was emptied, or this process stood still and counts as dead."""
        epoch = self._shared.recognise(self._history.epoch, self._history.newest)
        return epoch != self._history.epoch or not self._shared.lives(self._process)

    def _compare(self) -> None:
        """Make the roster what Redis says; an event may have been lost, or a process killed."""
        before = self._changes
        holders = self._shared.holders()
        processes = {holder["process"] for holder in holders.values()}
        dead = {process for process in processes if not self._shared.lives(process)}
        for key, holder in holders.items():
            if holder["process"] in dead:
                self._shared.release(key, holder["origin"])
        if self._changes != before:
            return  # older than what we know; the next time will do
        living = {h["name"]: None for h in holders.values() if h["process"] not in dead}
        for name in set(self._names.roster()) - living.keys():
            self._names.went(name)
        for name in living:
            self._names.came(name)
