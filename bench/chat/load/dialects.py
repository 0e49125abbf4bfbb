"""What a client says to each kind of server, and how it knows that it is in."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = 9
NUMBER = "0" * DIGITS  # where the load client writes a message's number


@dataclass(frozen=True)
class Dialect:
    """One way to talk to a chat.

    Args:
        message: makes what a client says of its name and of the text.
        path: the socket's address, with `{}` for the name.
        subprotocol: to ask for; "" for none.
        hello: what a client says first.
        welcome: the begin of the frame that lets a client in; None if the handshake does.
        presence: whether everybody hears who is in.
    """

    message: Callable[[str, str], str]
    path: str = "/{}"
    subprotocol: str = ""
    hello: bytes = b""
    welcome: re.Pattern[bytes] | None = None
    presence: bool = False

    def say(self, name: str, size: int) -> bytes:
        """Return a client's message of `size` characters: '#', its number, and padding."""
        return self.message(name, f"#{NUMBER}".ljust(size, ".")).encode()


def _named(name: str, text: str) -> str:
    return json.dumps({"username": name, "msg": text})


def _rich(name: str, text: str) -> str:
    return json.dumps({"msg": text, "client_id": NUMBER})


def _socketio(name: str, text: str) -> str:
    return "42" + json.dumps(["message", {"username": name, "msg": text}])


DIALECTS = {
    "named": Dialect(_named),
    "rich": Dialect(
        _rich,
        subprotocol="room.v1",
        welcome=re.compile(rb'{"type": ?"welcome"'),
        presence=True,
    ),
    "socketio": Dialect(
        _socketio,
        path="/socket.io/?EIO=4&transport=websocket",
        hello=b"40",
        welcome=re.compile(rb"40"),
    ),
}
