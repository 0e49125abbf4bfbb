"""B1, B4: the switchboard knows all connections, and sends an event to all pages of a user.

The source keeps a map from user to socket, and says that it could move to Redis. Here the map holds
all sockets of each user. in_redis/switchboard.py moves it to Redis.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic

import gevent
from gevent.lock import Semaphore

from demos.group_chat.connection.frames import PING, encode, encode_text
from demos.group_chat.connection.turns import Turn
from demos.group_chat.connection.websocket import WebSocket
from demos.group_chat.rules.messages import SERVER, NotSaid, json_of

ENDED = 4401  # close code: the session has ended
RELOAD_TIME = 1.0  # seconds in which a page may come back before its user counts as gone
AT_WORK = 16  # messages of one page that are being stored at the same time
HELD = 10_000  # events that wait for one page which reads slowly
GATHER = 0.05  # seconds in which what goes to a page gathers, until it is asked whether it has it
MARK = b"read so far"  # payload of that ping, and of its pong
MUTED = 60.0  # seconds; what is still on its way to somebody who blocks takes no longer
REMEMBERED = 10_000  # ids of messages that a connection remembers to have sent

Event = Mapping[str, object]  # a frame of docs/wire-formats.md, before it is encoded


@dataclass(frozen=True)
class User:
    """Somebody who is logged in; `login` is the token of the row in `logins`."""

    id: int
    name: str
    login: str


@dataclass(eq=False, slots=True)
class Connection:
    """One open page of a user."""

    socket: WebSocket
    user: User
    rich: bool
    address: str = ""  # where it comes from
    # Messages of the page that are being stored; it is not read on while there are too many.
    storing: Semaphore = field(default_factory=lambda: Semaphore(AT_WORK))
    # Called with ids of stored messages that have reached a page which cannot say so itself.
    got: Callable[[list[int]], None] | None = None
    # What waits until the past has been shown, by id: a message that comes twice waits once.
    _held: dict[object, Event] | None = None
    _shown: dict[object, None] = field(default_factory=dict)  # ids of messages, the newest last
    # For a page of the source's format: ids that went to it, and those before the last ping.
    _written: list[int] = field(default_factory=list)
    _asked: list[int] = field(default_factory=list)

    def send(self, event: Event, frame: bytes = b"") -> None:
        """Send an event in the format that the page speaks.

        Args:
            event: what happened.
            frame: the same as a frame of the rich format, if it is encoded already.
        """
        if self._held is None:
            self._write(event, frame)
        elif event.get("id") not in self._shown:
            self._held[event.get("id") or object()] = event
            if len(self._held) > HELD:
                self.socket.abort()  # when it comes back, it gets all of this from the past

    def hold(self) -> None:
        """Let events wait from now on, until `release`."""
        self._held = {}

    def show(self, event: Event) -> bool:
        """Send an event before what waits, such as the past; wait for a page that reads slowly.

        Returns whether the page is still there.
        """
        self._write(event)
        self._remember(event.get("id"))
        self.socket.wait_sent()
        return self.socket.is_open

    def release(self) -> None:
        """Send what has waited, but for messages that the past has shown already."""
        turn = Turn()
        while self._held:
            event = self._held.pop(next(iter(self._held)))
            if event.get("id") not in self._shown:
                self.show(event)
            turn.share()
        self._held = None
        if self.rich:  # from now on the page itself knows what it has
            self._shown.clear()

    def complain(self, error: NotSaid) -> None:
        """Tell the page why its frame was not said."""
        content = {"type": "error", "code": error.code, "reason": error.reason}
        self.send(content | ({"client_id": error.client_id} if error.client_id else {}))

    def _write(self, event: Event, frame: bytes = b"") -> None:
        if self.rich:
            self.socket.send_frame(frame or encode_text(json_of(event)))
            return
        # B4's page understands text from others, and nothing else.
        text = ""
        if event["type"] == "error":
            text = f"来自{SERVER}:{event['reason']}"
        elif event["type"] == "message" and event["from"] != self.user.name:
            text = f"来自{event['from']}:{event['msg']}"
        number = event.get("id")
        if not text or number in self._shown:  # it could not tell that it has this one already
            return
        if self.socket.send(text):
            self._remember(number)
            if self.got and isinstance(number, int):
                self._written.append(number)
                if len(self._written) == 1 and not self._asked:
                    gevent.spawn_later(GATHER, self._ping)

    def _ping(self) -> None:
        """Ask whether the page has read what was sent to it; whatever it is, it answers a ping."""
        self._asked, self._written = self._written, []
        self.socket.on_pong = self._pong
        self.socket.send_frame(encode(PING, MARK))

    def _pong(self, payload: bytes) -> None:
        if payload != MARK:  # the answer to a ping that only asks whether somebody is there
            return
        if self.got:
            self.got(self._asked)
        self._asked = []
        if self._written:
            gevent.spawn_later(GATHER, self._ping)

    def _remember(self, number: object) -> None:
        if number is not None:
            self._shown[number] = None
        if len(self._shown) > REMEMBERED:
            del self._shown[next(iter(self._shown))]


class Switchboard:
    """All connections of one process."""

    def __init__(self) -> None:
        """Start with nobody connected."""
        self._pages: dict[int, set[Connection]] = {}
        self._watchers: list[Callable[[User, bool], None]] = []
        self._muted: dict[tuple[int, object], float] = {}  # who and whom: until when

    def watch(self, watcher: Callable[[User, bool], None]) -> None:
        """Call `watcher(user, online)` when a user's first page comes or the last one goes."""
        self._watchers.append(watcher)

    def enter(self, connection: Connection) -> None:
        """Note a new connection."""
        user = connection.user
        first = not self.is_online(user.id)
        self._pages.setdefault(user.id, set()).add(connection)
        if first:
            self._announce_aside(user)

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

    def pages(self, user_id: int) -> int:
        """Return how many pages of a user this process serves."""
        return len(self._pages.get(user_id, ()))

    def send(self, event: Event, to: Iterable[int]) -> None:
        """Send an event to all pages of these users, anywhere."""
        self.send_here(event, to)

    def send_here(self, event: Event, to: Iterable[int]) -> None:
        """Send an event to the pages of these users that this process serves."""
        frame, turn = encode_text(json_of(event)), Turn(is_urgent=True)  # one frame for all
        author = event.get("from") or event.get("reader") or event.get("friend")
        for user_id in set(to):
            if self._muted.get((user_id, author), 0.0) > monotonic():
                continue
            for connection in list(self._pages.get(user_id, ())):
                connection.send(event, frame)
                turn.share()

    def mute(self, user_id: int, name: str, seconds: float = MUTED) -> None:
        """Show a user nothing of somebody for some time, whatever is on its way from anywhere.

        A process may have stored a message before a block, and tell of it only afterwards. 0.0: end
        that.
        """
        self.mute_here(user_id, name, seconds)

    def mute_here(self, user_id: int, name: str, seconds: float) -> None:
        """The same, on the pages that this process serves."""
        now = monotonic()
        self._muted = {both: until for both, until in self._muted.items() if until > now}
        self._muted[user_id, name] = now + seconds

    def tell_all_here(self, event: Event) -> None:
        """Send an event to every page that this process serves."""
        frame, turn = encode_text(json_of(event)), Turn(is_urgent=True)
        for pages in list(self._pages.values()):
            for connection in list(pages):
                connection.send(event, frame)
                turn.share()

    def logins_here(self) -> set[str]:
        """Return the log-ins that have a page open in this process."""
        return {page.user.login for pages in self._pages.values() for page in pages}

    def close_login(self, login: str) -> None:
        """Close the connections of a log-in that has ended."""
        for pages in list(self._pages.values()):
            for connection in list(pages):
                if connection.user.login == login:
                    connection.socket.close(ENDED, "this log-in has ended")

    def stop(self) -> None:
        """End; there is nothing to close."""

    def _gone(self, user: User) -> None:
        if not self.is_online(user.id):
            self._announce(user, False)

    def _announce_aside(self, user: User) -> None:
        """Announce that a user has come. The page does not wait for this: it asks the database."""
        gevent.spawn(self._announce, user, True)

    def _announce(self, user: User, online: bool) -> None:
        for watcher in self._watchers:
            watcher(user, online)
