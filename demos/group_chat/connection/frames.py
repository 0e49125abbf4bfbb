"""A9: the frames of WebSocket (RFC 6455, section 5): bytes in, messages out, and back.

It knows no sockets: you feed it what arrived, in any pieces, and it gives back whole messages. A
frame is two bytes that say what it is and how long, four bytes of mask from the client's side, and
the payload.
"""

import codecs
import struct
from collections.abc import Iterator
from enum import IntEnum

# What a frame is: its opcode (section 5.2). From 8 upwards it is a control frame.
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODES = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)


class Code(IntEnum):
    """Why a connection closes (section 7.4.1, and the registry that goes with it)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # never sent: the peer's close frame had no code
    ABNORMAL = 1006  # never sent: the connection broke
    INVALID_DATA = 1007  # text that is not UTF-8
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013


class FrameError(Exception):
    """The peer broke the protocol; the connection has to close with `code` and `reason`."""

    def __init__(self, code: int, reason: str) -> None:
        """Keep a code of `Code` and a sentence for the peer."""
        super().__init__(reason)
        self.code, self.reason = code, reason


def encode(opcode: int, payload: bytes) -> bytes:
    """Return one whole frame as a server sends it: final, and without a mask (section 5.1)."""
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", 0x80 | opcode, length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", 0x80 | opcode, 126, length)
    else:
        header = struct.pack("!BBQ", 0x80 | opcode, 127, length)
    return header + payload


def encode_text(text: bytes) -> bytes:
    """Return a text frame that holds these bytes of UTF-8; for no bytes no frame."""
    return encode(TEXT, text) if text else b""


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a close frame; a reason over 123 bytes is cut, because control frames hold 125."""
    cut = reason.encode()[:123].decode(errors="ignore")
    return encode(CLOSE, struct.pack("!H", code) + cut.encode())


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame's payload (section 7.4).

    Raises:
        FrameError: half a code, a code nobody may send, or a reason that is not UTF-8.
    """
    if not payload:
        return Code.NO_STATUS, ""
    if len(payload) == 1:
        raise FrameError(Code.PROTOCOL_ERROR, "a close frame with half a code")
    (code,) = struct.unpack_from("!H", payload)
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise FrameError(Code.PROTOCOL_ERROR, f"close code {code} may not be sent")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(Code.INVALID_DATA, "the reason of a close is not UTF-8") from None


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Undo the client's mask: each byte XOR one of four (section 5.3).

    One XOR of two big integers does in a millisecond what a loop over a megabyte does in a second.
    """
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return mixed.to_bytes(length, "little")


class FrameReader:
    """Turns bytes from one client into messages and control frames."""

    __slots__ = ("_buffer", "_decoder", "_opcode", "_parts", "_size", "limit")

    def __init__(self, limit: int) -> None:
        """Make a reader of messages that have at most `limit` bytes, all fragments together.

        A longer one is refused when its header arrives, before anything of it is kept.
        """
        self.limit = limit
        self._buffer = b""
        # Of a message in fragments: what it is, how many bytes so far, its parts, half a character.
        self._opcode = 0
        self._size = 0
        self._parts: list[str | bytes] = []
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, str | bytes | None]]:
        """Yield (opcode, payload) of what is complete now.

        TEXT comes with a str, BINARY, CLOSE, PING and PONG with bytes. CONTINUATION with None says
        that a fragment arrived and its message is not complete.

        Raises:
            FrameError: the client broke the protocol. Nothing after that can be read.
        """
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while (frame := self._frame(buffer, at)) is not None:
            final, opcode, payload, at = frame
            if opcode >= CLOSE:
                yield opcode, payload
            elif final and opcode:
                yield opcode, self._text(payload) if opcode == TEXT else payload
            else:
                yield self._fragment(final, opcode, payload)
        self._buffer = buffer[at:]

    def _frame(self, buffer: bytes, at: int) -> tuple[bool, int, bytes, int] | None:
        """Return final flag, opcode, payload and end of the frame at `at`; None: not all here."""
        here = len(buffer) - at
        if here < 2:
            return None
        first, second = buffer[at], buffer[at + 1]
        opcode, length = first & 0x0F, second & 0x7F
        self._check(first, opcode, second)
        start = at + 2
        if length >= 126:
            size, form = (2, "!H") if length == 126 else (8, "!Q")
            if here < 2 + size:
                return None
            (length,) = struct.unpack_from(form, buffer, start)
            if length < 126 or (size == 8 and length < 1 << 16):
                raise FrameError(Code.PROTOCOL_ERROR, "a length that is longer than it has to be")
            start += size
        if opcode < CLOSE and self._size + length > self.limit:
            raise FrameError(Code.TOO_BIG, f"a message may have {self.limit} bytes")
        end = start + 4 + length
        if len(buffer) < end:
            return None
        payload = unmask(buffer[start + 4 : end], buffer[start : start + 4])
        return first >= 0x80, opcode, payload, end

    def _check(self, first: int, opcode: int, second: int) -> None:
        """Refuse what section 5 forbids, as far as the first two bytes tell."""
        wrong = None
        if first & 0x70:
            wrong = "a reserved bit is set, and no extension was agreed on"
        elif not second & 0x80:
            wrong = "a client has to mask its frames"
        elif opcode not in OPCODES:
            wrong = f"no frame has the opcode {opcode}"
        elif opcode >= CLOSE and (first < 0x80 or second & 0x7F > 125):
            wrong = "a control frame is whole and has at most 125 bytes"
        elif opcode == CONTINUATION and not self._opcode:
            wrong = "a continuation of nothing"
        elif opcode in (TEXT, BINARY) and self._opcode:
            wrong = "a new message before the last one was complete"
        if wrong:
            raise FrameError(Code.PROTOCOL_ERROR, wrong)

    def _text(self, payload: bytes) -> str:
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise FrameError(Code.INVALID_DATA, "a text message is not UTF-8") from None

    def _fragment(self, final: bool, opcode: int, payload: bytes) -> tuple[int, str | bytes | None]:
        if opcode:
            self._opcode = opcode
            if opcode == TEXT:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._size += len(payload)
        part: str | bytes = payload
        if self._decoder:
            try:
                part = self._decoder.decode(payload, final)
            except UnicodeDecodeError:
                raise FrameError(Code.INVALID_DATA, "a text message is not UTF-8") from None
        if part:  # empty fragments without end must not fill a list
            self._parts.append(part)
        if not final:
            return CONTINUATION, None
        whole = ("" if self._decoder else b"").join(self._parts)  # type: ignore[arg-type]
        done = self._opcode
        self._opcode, self._size, self._parts, self._decoder = 0, 0, [], None
        return done, whole
