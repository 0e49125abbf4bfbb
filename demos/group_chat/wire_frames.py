"""A9: frames of WebSocket that pass by (RFC 6455, section 5): counted all, shown some.

frames.py reads frames as a server has to: it checks them and keeps whole messages. This here reads
as an onlooker does: both directions, whatever comes, and of a long frame only the beginning.
"""

import codecs
import struct
from collections.abc import Callable
from typing import Any

from demos.group_chat.frame_drawing import NAMES
from demos.group_chat.frames import BINARY, CLOSE, TEXT, unmask

SHOWN = 200  # characters of a payload
RAW = 64  # bytes of a frame, as they are
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
        self._skip = 0  # bytes of the present frame that are still to pass
        self._wanted: bool | None = None  # whether it is to be shown; None: nobody has asked
        self._kind = TEXT  # what the message in fragments is

    def take(self, data: bytes) -> int:
        """Read frames in any pieces; all of them are frames, so this takes all."""
        taken = len(data)
        if self._held:
            data, self._held = self._held + data, b""
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                passed = min(self._skip, end - at)
                self._skip -= passed
                at += passed
                continue
            header, length = _size(data, at)
            if not header or not self._seen(data, at, header, length):
                self._held = data[at:]
                break
            self._skip = header + length
        return taken

    def _seen(self, data: bytes, at: int, header: int, length: int) -> bool:
        """Count the frame at `at`, and show it; False: more of it has to be here first."""
        opcode = data[at] & 0x0F
        if self._wanted is None:
            self._wanted = self._wants(opcode)
        if self._wanted:
            end = at + header + min(length, _KEPT)
            if end > len(data):
                return False
            self._show(describe(data[at:end], header, length, self._kind))
        self.counts[opcode] += 1
        self._wanted = None
        if opcode in (TEXT, BINARY):
            self._kind = opcode
        return True


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Return the lengths of a frame's header and payload; a header of 0: not all of it is here."""
    here = len(data) - at
    if here < 2:
        return 0, 0
    second = data[at + 1]
    length, header = second & 0x7F, 2
    if length >= 126:
        size, form = (2, "!H") if length == 126 else (8, "!Q")
        if here < 2 + size:
            return 0, 0
        (length,) = struct.unpack_from(form, data, at + 2)
        header += size
    header += 4 * (second >> 7)
    return (header, length) if here >= header else (0, 0)


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
