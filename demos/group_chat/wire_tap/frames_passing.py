"""A9: frames of WebSocket that pass by (RFC 6455, section 5): counted all, shown some.

frames.py reads frames as a server has to: it checks them and keeps whole messages. This here reads
as an onlooker does: both directions, whatever comes, and of a long frame only the beginning.
"""

import codecs
import struct
from collections.abc import Callable
from typing import Any

from demos.group_chat.connection.frames import CLOSE, TEXT, unmask
from demos.group_chat.wire_tap.frame_drawing import NAMES

SHOWN = 200  # characters of a payload
RAW = 160  # bytes of a frame, as they are: most messages of a chat, whole
_KEPT = 4 * SHOWN  # bytes of a payload: a character has four at most

Frame = dict[str, Any]


class FrameWatcher:
    """One direction of a connection after its handshake."""

    over = False  # nothing follows the frames but the end

    def __init__(self, wants: Callable[[int], bool], show: Callable[[Frame], None]) -> None:
        """Count from the first frame on.

        Args:
            wants: whether the next frame, of this opcode, is to be shown.
            show: gets a frame as `describe` returns it, as soon as its beginning is here.
        """
        self._wants, self._show = wants, show
        self.counts = [0] * 16  # frames, by opcode
        self._held = b""  # the beginning of a frame, while it is too short
        self._skip = 0  # bytes of the last frame that are still to come
        self._wanted = False  # whether the present frame is to be shown
        self._kind = TEXT  # what the message in fragments is

    def take(self, data: bytes) -> int:
        """Read frames in any pieces; all of them are frames, so this takes all."""
        taken = len(data)
        if self._held:
            data, self._held = self._held + data, b""
        at, end = self._skip, len(data)
        counts, wants = self.counts, self._wants
        while at < end:
            size = _size(data, at, end)
            if size is None:
                self._held = data[at:]
                break
            header, length = size
            opcode = data[at] & 0x0F
            # It is asked once for each frame, however many pieces that comes in.
            if self._wanted or wants(opcode):
                self._wanted = True
                shown = at + header + (length if length < _KEPT else _KEPT)
                if shown > end:
                    self._held = data[at:]
                    break
                self._show(describe(data[at:shown], header, length, self._kind))
                self._wanted = False
            counts[opcode] += 1
            if 0 < opcode < CLOSE:
                self._kind = opcode
            at += header + length
        self._skip = at - end if at > end else 0
        return taken


def _size(data: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Return the lengths of a frame's header and payload; None: not all of the header is here."""
    if end - at < 2:
        return None
    second = data[at + 1]
    length, header = second & 0x7F, 2
    if length >= 126:
        size, form = (2, "!H") if length == 126 else (8, "!Q")
        header += size
        if end - at < header:
            return None
        (length,) = struct.unpack_from(form, data, at + 2)
    if second & 0x80:
        header += 4
    return (header, length) if end - at >= header else None


def describe(start: bytes, header: int, length: int, kind: int = TEXT) -> Frame:
    """Return what can be said of a frame.

    Args:
        start: its header and the beginning of its payload.
        header: length of the header, in bytes.
        length: length of the whole payload.
        kind: opcode of the message that a continuation belongs to.

    Returns:
        `opcode`, its `name`, `fin`, `rsv` (0 to 7), `mask` (hex digits, or None), `header` and
        `length` in bytes, `payload` without its mask (text, or hex digits for what is binary),
        whether that is `text` and whether it is `cut`, `code` of a close frame, `raw`: the first
        bytes as they are, in hex.
    """
    first, second = start[:2]
    opcode = first & 0x0F
    mask = start[header - 4 : header] if second & 0x80 else None
    payload = unmask(start[header:], mask) if mask else start[header:]
    whole = len(payload) == length
    code = None
    if opcode == CLOSE and len(payload) >= 2:
        (code,) = struct.unpack_from("!H", payload)
        payload = payload[2:]
    is_text = opcode in (TEXT, CLOSE) or (opcode == 0 and kind == TEXT)
    text = _text(payload, whole) if is_text else payload.hex(" ")
    return {
        "opcode": opcode,
        "name": NAMES.get(opcode, "unknown"),
        "fin": first >= 0x80,
        "rsv": first >> 4 & 7,
        "mask": mask.hex() if mask else None,
        "header": header,
        "length": length,
        "payload": text[:SHOWN],
        "text": is_text,
        "cut": not whole or len(text) > SHOWN,
        **({} if code is None else {"code": code}),
        "raw": start[:RAW].hex(),
    }


def _text(payload: bytes, whole: bool) -> str:
    """Decode; half a character at the end is left out where the payload goes on."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(payload, final=whole)
