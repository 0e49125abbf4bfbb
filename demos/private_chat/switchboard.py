"""B1, B4: who is connected, and how to reach all pages of a user.

The source keeps a map from user to socket, and remarks that it could move to Redis. This is that
map, with all the sockets of a user in it; redis_switchboard.py moves it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import gevent

from demos.group_chat.bucket import Bucket
from demos.group_chat.frames import TEXT, encode
from demos.group_chat.messages import SERVER, NotSaid, frame_of
from demos.group_chat.websocket import WebSocket

ENDED = 4401  # close code: the session has ended
RELOAD_TIME = 1.0  # seconds in which a page may come back before its user counts as gone

Event = Mapping[str, object]  # a frame of docs/wire-formats.md, before it is encoded


@dataclass(frozen=True)
class User:
    """Somebody who is logged in; `login` is the row in `logins`."""

    id: int
    name: str
    login: int


@dataclass(eq=False, slots=True)
class Connection:
    """One open page of a user."""

    socket: WebSocket
    user: User
    rich: bool
    bucket: Bucket
    # Called with the id of a stored message when it went to a page that cannot say that it has it.
    got: Callable[[int], None] | None = None
    _held: list[Event] | None = None  # what waits until the past has been shown
    _shown: set[object] = field(default_factory=set)  # ids that the past has shown

    def send(self, event: Event) -> None:
        """Send an event in the format that the page speaks."""
        if self._held is None:
            self._write(event)
        else:
            self._held.append(event)

    def hold(self) -> None:
        """Let events wait from now on, until `release`."""
        self._held = []

    def show(self, event: Event) -> None:
        """Send a message of the past, before what waits; wait for a page that reads slowly."""
        self._shown.add(event["id"])
        self._write(event)
        self.socket.wait_sent()

    def release(self) -> None:
        """Send what has waited, but for messages that the past has shown already."""
        waiting, shown = self._held or [], self._shown
        self._held, self._shown = None, set()
        for event in waiting:
            if event.get("id") is None or event["id"] not in shown:
                self._write(event)

    def complain(self, error: NotSaid) -> None:
        """Tell the page why its frame was not said."""
        content = {"type": "error", "code": error.code, "reason": error.reason}
        self.send(content | ({"client_id": error.client_id} if error.client_id else {}))

    def _write(self, event: Event) -> None:
        if self.rich:
            self.socket.send_frame(frame_of(event))
            return
        # B4's page understands text from others, and nothing else.
        text = ""
        if event["type"] == "error":
            text = f"来自{SERVER}:{event['reason']}"
        elif event["type"] == "message" and event["from"] != self.user.name:
            text = f"来自{event['from']}:{event['msg']}"
        if text and self.socket.send_frame(encode(TEXT, text.encode())):
            number = event.get("id")
            if self.got and isinstance(number, int):
                self.got(number)


class Switchboard:
    """All connections of one process."""

    def __init__(self) -> None:
        """Start with nobody connected."""
        self._pages: dict[int, set[Connection]] = {}
        self._watchers: list[Callable[[User, bool], None]] = []

    def watch(self, watcher: Callable[[User, bool], None]) -> None:
        """Call `watcher(user, online)` when a user's first page comes or the last one goes."""
        self._watchers.append(watcher)

    def enter(self, connection: Connection) -> None:
        """Note a new connection."""
        user = connection.user
        first = not self.is_online(user.id)
        self._pages.setdefault(user.id, set()).add(connection)
        if first:
            self._announce(user, True)

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        user = connection.user
        pages = self._pages.get(user.id, set())
        pages.discard(connection)
        if not pages:
            self._pages.pop(user.id, None)
            gevent.spawn_later(RELOAD_TIME, self._gone, user)

    def is_online(self, user_id: int) -> bool:
        """Say whether a user has a page open, anywhere."""
        return user_id in self._pages

    def online(self, user_ids: Iterable[int]) -> set[int]:
        """Return which of these users have a page open, anywhere."""
        return {user_id for user_id in user_ids if self.is_online(user_id)}

    def here(self) -> list[int]:
        """Return the users who have a page open in this process."""
        return list(self._pages)

    def send(self, event: Event, to: Iterable[int]) -> None:
        """Send an event to all pages of these users, anywhere."""
        self.send_here(event, to)

    def send_here(self, event: Event, to: Iterable[int]) -> None:
        """Send an event to the pages of these users that this process serves."""
        for user_id in set(to):
            for connection in list(self._pages.get(user_id, ())):
                connection.send(event)

    def tell_all_here(self, event: Event) -> None:
        """Send an event to every page that this process serves."""
        for pages in list(self._pages.values()):
            for connection in list(pages):
                connection.send(event)

    def close_login(self, login: int) -> None:
        """Close the connections of a log-in that has ended."""
        for pages in list(self._pages.values()):
            for connection in list(pages):
                if connection.user.login == login:
                    connection.socket.close(ENDED, "you have logged out")

    def stop(self) -> None:
        """End; there is nothing to close."""

    def _gone(self, user: User) -> None:
        if not self.is_online(user.id):
            self._announce(user, False)

    def _announce(self, user: User, online: bool) -> None:
        for watcher in self._watchers:
            watcher(user, online)
