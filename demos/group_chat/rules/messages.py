"""A10, B2: the three message formats of the room (docs/wire-formats.md): read them, write them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

SERVER = "服务器"  # the name under which the server speaks in the source's formats
# `json.dumps` with these options would make an encoder for each message.
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
CLIENT_ID_LENGTH = 64  # characters
RICH = "room.v1"  # the subprotocol that asks for the rich format


class Format(Enum):
    """What a client understands."""

    NAMELESS = "nameless"  # B2: {"msg"}
    NAMED = "named"  # A10: {"username", "msg"}
    RICH = "rich"  # with ids, times and presence


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that somebody said.

    `origin` tells which connection it came from, so that everybody else gets it. `client_id` is the
    page's own name for it. `id` and `time` (UTC) come from the history.
    """

    username: str
    msg: str
    origin: str
    client_id: str = ""
    id: str = ""
    time: str = ""
    # What each format makes of it, once, when the first client of that format hears it.
    made: dict[Format, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)


class NotSaid(Exception):
    """A client's frame that the room cannot say; `code` and the sentence go back to the client."""

    def __init__(self, code: str, reason: str, client_id: str = "") -> None:
        """Keep the code of docs/wire-formats.md, a sentence, and which message it was."""
        super().__init__(reason)
        self.code, self.reason, self.client_id = code, reason, client_id


def id_is_taken(client_id: str) -> NotSaid:
    """Return the answer to a message that has the client id of another one of its author's."""
    reason = "Another message of yours has this client_id; choose a new one."
    return NotSaid("id_taken", reason, client_id)


def read(data: str | bytes) -> tuple[str, str]:
    """Return text and client id of a frame; whatever else it claims, such as a name, is ignored.

    Raises:
        NotSaid: the frame is not a JSON object with a text `msg`.
    """
    frame = read_object(data)
    client_id = frame.get("client_id", "")
    if not isinstance(client_id, str) or len(client_id) > CLIENT_ID_LENGTH:
        raise NotSaid("no_message", f"client_id has to be a text of up to {CLIENT_ID_LENGTH}.")
    if not _is_unicode(client_id):
        raise NotSaid("no_message", "client_id holds half a character.")
    try:
        return text_in(frame, "msg"), client_id
    except NotSaid as error:
        raise NotSaid(error.code, error.reason, client_id) from None


def read_object(data: str | bytes) -> dict[str, object]:
    """Return the JSON object in a client's frame.

    Raises:
        NotSaid: it is binary, not JSON, or not an object.
    """
    if isinstance(data, bytes):
        raise NotSaid("not_text", "Send text; this was a binary message.")
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError):
        raise NotSaid("not_json", "Send JSON; this was something else.") from None
    if not isinstance(frame, dict):
        raise NotSaid("no_message", 'Send a JSON object such as {"msg": "你好"}.')
    return frame


def text_in(frame: dict[str, object], name: str) -> str:
    """Return the text under a name in a client's object.

    Raises:
        NotSaid: there is none, or it is empty, or no Unicode.
    """
    text = frame.get(name)
    if not isinstance(text, str) or not text.strip():
        raise NotSaid("no_message", f"{name} has to be a text that is not empty.")
    if not _is_unicode(text):
        raise NotSaid("no_message", f"{name} holds half a character (a lone surrogate).")
    return text


def message_json(message: Message, form: Format) -> bytes:
    """Return the JSON with which a client of this format hears the message."""
    if form not in message.made:
        message.made[form] = json_of(_content(message, form))
    return message.made[form]


def _content(message: Message, form: Format) -> dict[str, object]:
    if form is Format.NAMELESS:
        return {"msg": message.msg}
    if form is Format.NAMED:
        return {"username": message.username, "msg": message.msg}
    return {
        "type": "message",
        "id": message.id,
        "time": message.time,
        "username": message.username,
        "msg": message.msg,
        "client_id": message.client_id,
    }


def ack_json(message: Message, form: Format = Format.RICH) -> bytes:
    """Return the JSON that tells its author that a message was said; b"" if nobody waits for it.

    A message without an id waits for the other processes, and is acknowledged later.
    """
    if form is not Format.RICH or not message.client_id or not message.id:
        return b""
    ack = {"type": "ack", "client_id": message.client_id}
    return json_of(ack | {"id": message.id, "time": message.time})


def error_json(error: NotSaid, form: Format) -> bytes:
    """Return the JSON that tells a client why its frame was not said."""
    if form is not Format.RICH:
        return _servers_words(error.reason, form)
    content = {"type": "error", "code": error.code, "reason": error.reason}
    return json_of(content | ({"client_id": error.client_id} if error.client_id else {}))


def status_json(trouble: str, form: Format) -> bytes:
    """Return the JSON that tells a client of trouble, or, if there is none, of its end."""
    sentence = trouble or "Other processes can be reached again."
    if form is not Format.RICH:
        return _servers_words(sentence, form)
    return json_of({"type": "status", "shared": not trouble, "reason": sentence})


def _servers_words(sentence: str, form: Format) -> bytes:
    """Return what the server says, in a format of the source."""
    if form is Format.NAMELESS:
        return json_of({"msg": f"{SERVER}: {sentence}"})
    return json_of({"username": SERVER, "msg": sentence})


def json_of(content: Mapping[str, object]) -> bytes:
    """Return the content as JSON in UTF-8."""
    return _to_json(content).encode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
