"""B1: the switchboard of many processes: the map from user to socket, moved to Redis.

Redis knows which process serves which user. An event goes to the processes where its recipients
are, each of which hands it to the sockets it holds. While Redis is away each process goes on alone;
stored messages still arrive, because every process looks for them in the database (mailbox.py).
"""

import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gevent
import redis
from gevent.queue import Queue
from redis.commands.core import Script

from demos.group_chat.connection.turns import Turn
from demos.instruments.logs import log
from demos.private_chat.in_redis.connections import redis_pool
from demos.private_chat.switchboard import MUTED, Connection, Event, Switchboard, User

LUA = Path(__file__).parent / "lua"
KEYS = "course:private_chat:"  # what our keys in Redis begin with
PROOF_OF_LIFE = 2.0  # seconds between a process's signs of life; after three it counts as dead
RETRY = 0.5  # seconds between attempts to reach a lost Redis
_AT_ONCE = 200  # events routed in one round trip


class RedisSwitchboard(Switchboard):
    """A switchboard that reaches the pages of other processes. Needs a patched standard library."""

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            redis.RedisError: nothing answers at `url`.
            ValueError: `url` is none, such as redis://127.0.0.1:6379/0.
        """
        super().__init__()
        self._redis = redis.Redis(connection_pool=redis_pool(url, 2, decode_responses=True))
        # Waits for events, so it needs more time.
        self._events = redis.Redis(connection_pool=redis_pool(url, 8, decode_responses=True))
        self._enter = self._script("enter")
        self._leave = self._script("leave")
        self._dig = self._script("bury")
        self._online = self._script("online")
        self._route = self._script("route")
        self._process = secrets.token_hex(4)
        self._to_route: Queue[tuple[Event, list[int]]] = Queue()
        self.trouble = False
        self._show_life()
        work = (self._follow, self._route_forever, self._keep_order)
        self._greenlets = [gevent.spawn(each) for each in work]

    def stop(self) -> None:
        """Take this process out of the map."""
        gevent.killall(self._greenlets)
        try:
            self._redis.delete(KEYS + "process:" + self._process)
            self._bury(self._process)
            while not self._to_route.empty():
                self._route_some()
        except redis.RedisError as error:
            log("redis_lost", error=error)

    def enter(self, connection: Connection) -> None:
        """Note a new connection, here and in Redis."""
        user = connection.user
        first = user.id not in self._pages
        self._pages.setdefault(user.id, set()).add(connection)
        if first and not self._note(user):
            self._announce_aside(user)

    def is_online(self, user_id: int) -> bool:
        """Say whether a user has a page open, in any process."""
        return bool(self.online([user_id]))

    def online(self, user_ids: Iterable[int]) -> set[int]:
        """Return which of these users have a page open, in any process."""
        asked = list(user_ids)
        here = {user_id for user_id in asked if user_id in self._pages}
        if len(here) == len(asked) or self.trouble:
            return here
        try:
            counts: Any = self._online([], [KEYS, *asked])
        except redis.RedisError as error:
            self._lose(error)
            return here
        return here | {user_id for user_id, count in zip(asked, counts, strict=True) if count}

    def send(self, event: Event, to: Iterable[int]) -> None:
        """Send an event to all pages of these users, in all processes."""
        users = list(set(to))
        self.send_here(event, users)
        if not self.trouble:
            self._to_route.put((event, users))

    def mute(self, user_id: int, name: str, seconds: float = MUTED) -> None:
        """Show a user nothing of somebody for some time, in all processes."""
        super().mute(user_id, name, seconds)
        if not self.trouble:
            self._to_route.put(({"type": "mute", "name": name, "seconds": seconds}, [user_id]))

    def close_login(self, login: str) -> None:
        """Close the connections of a log-in that has ended, in all processes."""
        super().close_login(login)
        try:
            self._redis.publish(KEYS + "everybody", json.dumps({"close_login": login}))
        except redis.RedisError as error:
            self._lose(error)

    def _gone(self, user: User) -> None:
        if user.id in self._pages:
            return
        try:
            left: Any = self._leave([], [KEYS, user.id, self._process])
        except redis.RedisError as error:
            self._lose(error)
            left = 0
        if user.id in self._pages:  # back again, while we told Redis the contrary
            self._note(user)
        elif not left:
            self._announce(user, False)

    def _note(self, user: User) -> int:
        """Note in Redis that a user is here. Returns in how many processes the user was before."""
        if self.trouble:
            return 0
        try:
            before: Any = self._enter([], [KEYS, user.id, self._process, user.name])
        except redis.RedisError as error:
            self._lose(error)
            return 0
        return int(before)

    def _script(self, name: str) -> Script:
        """Return lua/<name>.lua, ready to call."""
        text = "".join((LUA / f"{one}.lua").read_text("utf-8") for one in ("where", name))
        return self._redis.register_script(text)

    # Events from one process to another.

    def _route_forever(self) -> None:
        """Send events to other processes; while Redis is away they are lost."""
        while True:
            try:
                self._route_some()
            except Exception as error:  # whatever it is, the next events are routed again
                self._lose(error)

    def _route_some(self) -> None:
        """Wait for events, and send what is there in one round trip."""
        events = [self._to_route.get()]
        while len(events) < _AT_ONCE and not self._to_route.empty():
            events.append(self._to_route.get())
        if self.trouble:
            return
        pipe, turn = self._redis.pipeline(transaction=False), Turn(is_urgent=True)
        for event, users in events:
            text = json.dumps({"event": event, "to": users})
            self._route([], [KEYS, self._process, text, *users], client=pipe)
            turn.share()
        pipe.execute()

    def _follow(self) -> None:
        """Hand over what other processes send here."""
        while True:
            try:
                pubsub: Any = self._events.pubsub  # it lacks types
                with pubsub(ignore_subscribe_messages=True) as inbox:
                    inbox.subscribe(KEYS + "inbox:" + self._process, KEYS + "everybody")
                    inbox.get_message(timeout=1)
                    if self.trouble:
                        self._return()
                    turn = Turn(is_urgent=True)  # while there is more to read, nothing waits
                    while not self.trouble:
                        message = inbox.get_message(timeout=5)
                        if message:
                            self._receive(json.loads(message["data"]))
                        turn.share()
            except Exception as error:  # whatever it is, we follow again
                self._lose(error)
            gevent.sleep(RETRY)

    def _receive(self, content: dict[str, Any]) -> None:
        if "close_login" in content:
            super().close_login(content["close_login"])
        elif "look_again" in content:
            self.tell_all_here({"type": "friends"})
        elif content["event"]["type"] == "mute":
            for user_id in content["to"]:
                self.mute_here(user_id, content["event"]["name"], content["event"]["seconds"])
        else:
            self.send_here(content["event"], content["to"])

    # Losing Redis, and finding it again; other processes that die.

    def _lose(self, error: Exception) -> None:
        if not self.trouble:
            self.trouble = True
            log("redis_lost", error=error)

    def _return(self) -> None:
        """Go on after Redis was away."""
        self._show_life()
        self.trouble = False
        self._note_all()
        if not self.trouble:
            log("redis_back")

    def _note_all(self) -> None:
        """Put our users back into the map; let all pages, anywhere, look at their lists again."""
        for pages in list(self._pages.values()):
            for connection in list(pages)[:1]:
                self._note(connection.user)
        self._redis.publish(KEYS + "everybody", json.dumps({"look_again": True}))

    def _keep_order(self) -> None:
        """Show that this process lives, and take those out of the map that do not."""
        while True:
            gevent.sleep(PROOF_OF_LIFE)
            if self.trouble:
                continue
            try:
                if self._show_life():  # we were too slow, and the others have buried us
                    self._note_all()
                members: Any = self._redis.smembers(KEYS + "processes")
                for process in members:
                    self._bury(process)
            except Exception as error:  # whatever it is, we look again
                self._lose(error)

    def _show_life(self) -> bool:
        """Note that this process lives; returns whether it was not in the map."""
        self._redis.set(KEYS + "process:" + self._process, "", ex=int(3 * PROOF_OF_LIFE))
        return bool(self._redis.sadd(KEYS + "processes", self._process))

    def _bury(self, process: str) -> None:
        """Take a process out of the map if it is dead, and say of its users that they went."""
        gone: Any = self._dig([], [KEYS, process])
        for user_id, name in zip(gone[::2], gone[1::2], strict=True):
            self._announce(User(int(user_id), name, ""), False)
