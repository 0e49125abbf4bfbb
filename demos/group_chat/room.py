"""A10, B2: the finished room. No client can stop it for the others."""

import itertools
import secrets

import gevent

from demos.group_chat.connection.frames import Code, encode_text
from demos.group_chat.connection.turns import Turn, others_first
from demos.group_chat.connection.websocket import WebSocket
from demos.group_chat.fan_out import FanOut, Member, in_parts
from demos.group_chat.memory.contract import Memory
from demos.group_chat.rules import names
from demos.group_chat.rules.limits import BURST, PEOPLE, TABS, Limits
from demos.group_chat.rules.messages import (
    Format,
    Message,
    NotSaid,
    ack_json,
    error_json,
    json_of,
    message_json,
    read,
    status_json,
)
from demos.instruments.logs import log

PATIENCE = 100  # a message too many counts 2, one in time -1; beyond, the client has to leave
PRESENCE_TIME = 0.1  # seconds in which joins and leaves are gathered; a thousand come as a few
REPLAY_PART = 16 * 1024  # bytes of what was said before that are sent in one turn

# Close codes of ours (4000 to 4999 are for applications).
MOVED, BAD_NAME, NAME_IN_USE = 4001, 4400, 4409
IN_USE = "This nickname is in use; choose another one."


class Room:
    """Sends each message to all other members. No member waits for another one."""

    def __init__(
        self,
        memory: Memory,
        reserved: frozenset[str],
        rate: float,
        beat: float,
        people: int = PEOPLE,
    ) -> None:
        """Open the room.

        Args:
            memory: stores names and history, for one process or for several.
            reserved: keys of nicknames that no client may take.
            rate: messages a second for one person.
            beat: seconds after which a rich page gets a frame, even if nothing happens.
            people: how many people may share one address; not all of them write all the time.
        """
        self._memory, self._reserved, self._rate, self._beat = memory, reserved, rate, beat
        self._members: dict[Format, dict[str, Member]] = {form: {} for form in Format}
        self._here = secrets.token_hex(4)  # this process, in origins
        self._numbers = itertools.count(1)
        self._guests = itertools.count(1)
        self._sockets: dict[str, WebSocket] = {}  # by origin, those on their way in as well
        self._fan_out = FanOut(self._members)
        self._announced: dict[str, None] = {}  # the roster that everybody knows, in its order
        self._changed = False  # it will be announced anew in a moment
        self._by_name = Limits(rate, max(BURST, rate))
        of_class = people * rate / 10
        self._by_address = Limits(of_class, TABS * max(people, of_class))
        memory.start(self)
        self._heart = gevent.spawn(self._beat_forever)

    def visit(
        self, socket: WebSocket, name: str, form: Format, token: str = "", since: str = ""
    ) -> None:
        """Serve one connection from its first frame to its last.

        Args:
            socket: accepted, with the subprotocol of its format.
            name: the nickname; "" gives a nameless visitor one.
            form: the format that the client speaks.
            token: the token of the last welcome, if the page comes back.
            since: id of the last message that the page has seen, if it comes back.
        """
        others_first()  # the handshake was a turn's work, and so is what comes
        origin = f"{self._here}.{next(self._numbers)}"
        token = token or secrets.token_urlsafe(12)
        refusal = None
        self._sockets[origin] = socket
        try:
            if form is Format.NAMELESS:
                while not self._claim(name := f"游客{next(self._guests)}", token, origin):
                    pass
            elif problem := names.problem(name, self._reserved):
                refusal = BAD_NAME, problem
            elif not self._claim(name, token, origin):
                refusal = NAME_IN_USE, IN_USE
            if refusal:
                log("refused", name=name, reason=refusal[1], peer=socket.peer)
                socket.close(*refusal)
                return
            # The nameless have a new name each time, so they have nothing but their address.
            is_known = form is not Format.NAMELESS
            person = names.key(name) if is_known else origin
            buckets = self._by_name.of(person), self._by_address.of(socket.address)
            self._stay(Member(socket, name, form, origin, *buckets), token, since)
        finally:
            del self._sockets[origin]

    def __len__(self) -> int:
        """Return how many connections this process has in the room."""
        return sum(map(len, self._members.values()))

    def stop(self) -> None:
        """Close the room; its members are told by `serving`."""
        self._heart.kill()
        self._memory.stop()
        self._fan_out.stop()

    # What the memory tells the room (contract.Listener).

    def deliver(self, message: Message) -> None:
        """Send a message to all but its author, together with other messages of this moment."""
        self._fan_out.pass_on(message)

    def presence(self) -> None:
        """Note that the roster has changed; all members learn it within PRESENCE_TIME."""
        if not self._changed:
            self._changed = True
            gevent.spawn_later(PRESENCE_TIME, self._announce)

    def dismiss(self, origin: str, moved: bool) -> None:
        """End a connection that has lost its nickname; `moved`: to the same page's next one."""
        if origin in self._sockets:
            elsewhere = MOVED, "this nickname is connected elsewhere"
            self._sockets[origin].close(*(elsewhere if moved else (NAME_IN_USE, IN_USE)))

    def acknowledge(self, message: Message) -> None:
        """Tell its author that a message that had to wait has been sent now."""
        member = self._members[Format.RICH].get(message.origin)
        if member:
            self._fan_out.tell_one(member, ack_json(message))

    def status(self) -> None:
        """Tell all members that the memory is in trouble, or works again."""
        self._fan_out.tell({form: status_json(self._memory.trouble, form) for form in Format})

    # The room's own work.

    def _stay(self, member: Member, token: str, since: str) -> None:
        """Serve a member from its welcome until it leaves."""
        log("join", name=member.name, format=member.form.value, peer=member.socket.peer)
        try:
            self._let_in(member, token, since)
            turn = Turn()
            while (data := member.socket.receive()) is not None:
                self._hear(member, data)
                turn.share()  # many may have arrived together
        finally:
            self._members[member.form].pop(member.origin, None)
            self._memory.release(names.key(member.name), member.origin)
            code = int(member.socket.close_code)
            log("leave", name=member.name, code=code, peer=member.socket.peer)

    def _claim(self, name: str, token: str, origin: str) -> bool:
        return self._memory.claim(names.key(name), name, token, origin)

    def _let_in(self, member: Member, token: str, since: str) -> None:
        """Send the earlier messages to a rich member, and let any member receive new ones."""
        rich, known = member.form is Format.RICH, self._announced
        if rich:
            messages, missed = self._memory.replay(since)
            known = self._announced  # by now
            content = {
                "type": "welcome",
                "name": member.name,
                "token": token,
                "roster": list(known | {member.name: None}),
                "replay": len(messages),
                "missed": missed,
                "beat": self._beat,
            }
            member.socket.send_utf8(json_of(content))
            while messages:
                self._show(member, messages)
                # What was said while it took its time to read.
                messages, missed = self._memory.replay(messages[-1].id)
                if missed:  # some is gone again: when it comes back, its welcome says so
                    log("too_slow", name=member.name, peer=member.socket.peer)
                    member.socket.abort()
                    return
        # From here to the end nothing switches to another greenlet: no message falls between the
        # last replay and the first delivery, and none comes twice.
        self._fan_out.seal()
        if rich:
            self._catch_up(member, known)
        if self._memory.trouble:
            member.socket.send_utf8(status_json(self._memory.trouble, member.form))
        self._members[member.form][member.origin] = member

    def _show(self, member: Member, messages: list[Message]) -> None:
        """Send the earlier messages in parts; between two parts the other greenlets run."""
        for part in in_parts(messages, REPLAY_PART):
            frames = [encode_text(message_json(one, Format.RICH)) for one in part]
            member.socket.send_frame(b"".join(frames))
            member.socket.wait_sent()
            others_first()

    def _catch_up(self, member: Member, known: dict[str, None]) -> None:
        """Tell a rich member the messages without an id, and who came or left during its replay."""
        for message in self._memory.unconfirmed():
            if message.username != member.name:
                member.socket.send_utf8(message_json(message, Format.RICH))
        if change := _change(known, self._announced):
            member.socket.send_utf8(json_of(change))

    def _hear(self, member: Member, data: str | bytes) -> None:
        """Send a member's message to all, or tell the member why not."""
        too_fast = ""
        if wait := member.person.wait():
            too_fast = f"At most {self._rate:g} messages a second."
            self._slow_down(member, wait)
        elif wait := member.neighbours.wait():
            too_fast = "Too many messages from your address."
            gevent.sleep(wait)
        member.strikes = max(0, member.strikes - 1)
        try:
            msg, client_id = read(data)
            if too_fast:
                raise NotSaid("too_fast", too_fast, client_id)
            message = Message(member.name, msg, member.origin, client_id)
            before = self._memory.say(message)
            if before and member.form is Format.RICH:
                self._fan_out.tell_one(member, ack_json(before))  # in its place among the lines
        except NotSaid as error:
            member.socket.send_utf8(error_json(error, member.form))

    def _slow_down(self, member: Member, wait: float) -> None:
        """Make a client that sends too much wait; end it after too many of these waits."""
        member.strikes += 3
        if member.strikes > PATIENCE:
            log("flood", name=member.name, peer=member.socket.peer)
            member.socket.close(Code.POLICY, "too many messages")
        gevent.sleep(wait)

    def _announce(self) -> None:
        """Tell all what has changed. A page that only reloaded has neither left nor come."""
        before, self._announced = self._announced, dict.fromkeys(self._memory.roster())
        self._changed = False
        if change := _change(before, self._announced):
            self._tell(change)

    def _beat_forever(self) -> None:
        while True:
            gevent.sleep(self._beat)
            self._tell({"type": "beat"})

    def _tell(self, content: dict[str, object]) -> None:
        self._fan_out.tell({Format.RICH: json_of(content)})


def _change(before: dict[str, None], after: dict[str, None]) -> dict[str, object] | None:
    """Return the content of the presence frame between two rosters; None if they are equal."""
    joined = [name for name in after if name not in before]
    left = [name for name in before if name not in after]
    if not joined and not left:
        return None
    return {"type": "presence", "joined": joined, "left": left, "count": len(after)}
