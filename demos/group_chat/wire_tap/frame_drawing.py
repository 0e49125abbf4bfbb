"""A9: one frame, drawn bit by bit (RFC 6455, section 5.2).

FrameDrawing(frame)    in a notebook: the drawing; printed: the same in words

Sixteen bits stand in a line, so the first line is what every frame begins with.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from demos.group_chat.connection.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, unmask
from demos.instruments import chinese

NAMES = {
    CONTINUATION: "more of a message",
    TEXT: "text",
    BINARY: "binary",
    CLOSE: "close",
    PING: "ping",
    PONG: "pong",
}
SHOWN = 8  # bytes of the payload that are drawn

# The drawing, in pixels, and its colours on a light and on a dark page.
CELL, BITS, LEFT, TOP, LINE = 48, 16, 84, 52, 92
INK, SOFT, PAPER = "var(--ink)", "var(--soft)", "var(--paper)"
COLOURS = {  # one for each kind of field
    "FIN": "var(--fin)",
    "RSV": "var(--rsv)",
    "opcode": "var(--opcode)",
    "MASK": "var(--mask)",
    "length": "var(--length)",
    "key": "var(--mask)",
    "payload": "var(--payload)",
}
FONTS = f"'{chinese.FAMILY}', system-ui, sans-serif"
LOOK = """<style>
svg { --ink: #1f2328; --soft: #4c5c59; --paper: #ffffff; --fin: #cfe8f3; --rsv: #e7ebea;
  --opcode: #cdebd3; --mask: #f7d9c4; --length: #e3d8f2; --payload: #fbf0c2; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #f0f3f6; --soft: #b4bcc6; --paper: #16181d; --fin: #1d4a5e; --rsv: #3a4140;
    --opcode: #1f5130; --mask: #6b3a1a; --length: #493a66; --payload: #57490f; }
}
</style>"""


@dataclass(frozen=True)
class Field:
    """A part of a frame: its kind, its bits such as "0001", and what they say."""

    kind: str
    bits: str
    says: str


class FrameDrawing:
    """One whole frame, taken apart. `payload` is what it carries, without its mask."""

    def __init__(self, frame: bytes) -> None:
        """Take the frame apart.

        Raises:
            ValueError: it is not one whole frame.
        """
        if len(frame) < 2:
            raise ValueError("A frame has two bytes or more.")
        first, second = frame[:2]
        self.opcode, masked, length = first & 0x0F, second >= 0x80, second & 0x7F
        start = 2 + {126: 2, 127: 8}.get(length, 0)
        more = frame[2:start]
        size = int.from_bytes(more) if more else length
        end = start + 4 * masked + size
        if len(frame) != end:
            raise ValueError(f"This begins a frame of {end} bytes, and has {len(frame)}.")
        key, payload = frame[start : end - size], frame[end - size :]
        self.payload = unmask(payload, key) if masked else payload
        self.fields = [
            Field("FIN", f"{first >> 7}", "the end" if first >= 0x80 else "goes on"),
            Field("RSV", f"{first >> 4 & 7:03b}", "extensions"),
            Field("opcode", f"{self.opcode:04b}", f"{self.opcode:x}: {self._name()}"),
            Field("MASK", f"{second >> 7}", "yes" if masked else "no"),
            Field("length", f"{length:07b}", f"{length}: see below" if more else f"{length} bytes"),
            *([Field("length", _bits(more), f"{size} bytes")] if more else []),
            *(Field("key", _bits(bytes([byte])), f"{byte:02x}") for byte in key),
            *_drawn(payload, key),
        ]
        self.caption = f"{end} bytes: {self._name()}{self._content()}"
        if size > SHOWN:
            self.caption += f"; the first {end - size + SHOWN} are drawn"

    def __repr__(self) -> str:
        """Return a line for each field."""
        lines = [f"{one.kind:<8} {one.bits:>16}  {one.says}" for one in self.fields]
        return "\n".join([self.caption, *lines])

    def _repr_svg_(self) -> str:
        """Return the drawing; a notebook asks for it by this name."""
        marks: list[str] = []
        at = 0
        for field in self.fields:
            marks += _cells(field, at)
            at += len(field.bits)
        lines = -(-at // BITS)
        width, height = LEFT + BITS * CELL + 16, TOP + lines * LINE
        for line in range(lines):
            last = min(2 * line + 2, at // 8)
            numbers = f"{2 * line + 1}, {last}" if last > 2 * line + 1 else f"{last}"
            marks.append(_text(LEFT - 12, TOP + line * LINE + 30, numbers, SOFT, "end"))
        title = _text(LEFT, 30, self.caption, INK, "start", "bold")
        return chinese.lettered(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(self.caption)}" '
            f'style="max-width:100%;height:auto" font-family="{FONTS}" font-size="15">'
            f'{LOOK}<rect width="{width}" height="{height}" fill="{PAPER}"/>{title}'
            f"{_text(LEFT - 12, 30, 'byte', SOFT, 'end')}{''.join(marks)}</svg>"
        )

    def _name(self) -> str:
        return NAMES.get(self.opcode, "unknown")

    def _content(self) -> str:
        """Return what can be read of the payload."""
        if self.opcode == CLOSE and len(self.payload) >= 2:
            (code,) = struct.unpack_from("!H", self.payload)
            return f" {code} {self.payload[2:].decode(errors='replace')}".rstrip()
        if self.opcode == TEXT and len(self.payload) <= 60:
            return f" “{self.payload.decode(errors='replace')}”"
        return ""


def _drawn(payload: bytes, key: bytes) -> Iterator[Field]:
    """Yield the first bytes of a payload: each as it is, and as it was before the mask."""
    for place, byte in enumerate(payload[:SHOWN]):
        plain = byte ^ key[place % 4] if key else byte
        says = f"{byte:02x} ^ {key[place % 4]:02x} = {plain:02x}" if key else f"{byte:02x}"
        letter = f" {chr(plain)}" if 0x20 < plain < 0x7F else ""
        yield Field("payload", _bits(bytes([byte])), says + letter)


def _bits(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def _cells(field: Field, at: int) -> Iterator[str]:
    """Yield the marks of one field whose first bit is number `at`."""
    for number, bit in enumerate(field.bits, start=at):
        x, y = _place(number)
        yield (
            f'<rect x="{x}" y="{y}" width="{CELL}" height="42" fill="{COLOURS[field.kind]}" '
            f'stroke="{PAPER}" stroke-width="2"/>'
        )
        yield _text(x + CELL // 2, y + 28, bit, INK, "middle", "bold")
    x, y = _place(at)
    middle = x + CELL * min(len(field.bits), BITS) // 2
    yield _text(middle, y + 58, field.kind, INK, "middle")
    yield _text(middle, y + 76, field.says, SOFT, "middle")


def _place(number: int) -> tuple[int, int]:
    """Return where a bit is drawn: its left upper corner."""
    line, column = divmod(number, BITS)
    return LEFT + column * CELL, TOP + line * LINE


def _text(x: int, y: int, words: str, colour: str, anchor: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )
