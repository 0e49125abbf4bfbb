"""A9: where the messages of HTTP/1.1 begin and end, read from bytes that only pass by.

It knows no sockets: you feed it one direction of a connection, in any pieces, and it gives back the
bytes to pass on. Each head (first line and headers) is shown to a function of yours, which says
what kind of body follows. No body is kept.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

HEAD_LIMIT = 64 * 1024  # bytes of first line and headers
LINE_LIMIT = 4096  # bytes of the line before a chunk
_END = b"\r\n\r\n"
_REQUEST = re.compile(r"[!-~]+ [!-ÿ]+ HTTP/1\.[01]")
_ANSWER = re.compile(r"HTTP/1\.[01] (\d{3})( .*)?")


class Unreadable(Exception):
    """This is not the HTTP that we know. What follows has to pass without being read."""


@dataclass(frozen=True)
class Head:
    """First line and headers of a request or an answer, and the bytes that they came in."""

    line: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    @property
    def status(self) -> int:
        """The status of an answer; 0: it is a request."""
        found = _ANSWER.fullmatch(self.line)
        return int(found[1]) if found else 0

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.line.partition(" ")[0]

    def value(self, name: str) -> str:
        """Return a header's value; of several, all with commas between them; "" for none."""
        return ", ".join(value for one, value in self.headers if one.lower() == name)

    def tokens(self, name: str) -> list[str]:
        """Return the words of a header that is a list, in lower case."""
        return [word.strip().lower() for word in self.value(name).split(",")]

    @property
    def asks_for_websocket(self) -> bool:
        """Whether this request begins a handshake (RFC 6455, section 4.1)."""
        return "websocket" in self.tokens("upgrade") and "upgrade" in self.tokens("connection")


def head_of(raw: bytes) -> Head:
    """Read a head with the empty line at its end.

    Raises:
        Unreadable: it is none of HTTP/1.
    """
    line, *lines = raw.decode("latin-1").strip("\r\n").split("\r\n")
    if not _REQUEST.fullmatch(line) and not _ANSWER.fullmatch(line):
        raise Unreadable("a first line that is not HTTP/1")
    fields = [one.partition(":") for one in lines]
    return Head(line, tuple((name.strip(), value.strip()) for name, _, value in fields), raw)


class Body(Protocol):
    """What follows a head. `over` says whether the next byte belongs to another message."""

    over: bool

    def take(self, data: bytes) -> int:
        """Look at bytes that pass; return how many of them are this body's.

        Raises:
            Unreadable: they do not have the form that the head has promised.
        """


class Sized:
    """A body of so many bytes, or none."""

    def __init__(self, length: int) -> None:
        """Expect `length` bytes."""
        self._left = length
        self.over = length == 0

    def take(self, data: bytes) -> int:
        """Count."""
        count = min(self._left, len(data))
        self._left -= count
        self.over = self._left == 0
        return count


class Endless:
    """A body that ends with the connection."""

    over = False

    def take(self, data: bytes) -> int:
        """Take all."""
        return len(data)


class Chunked:
    """A body in chunks: a line with the length, the bytes, an empty line (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        """Expect the first chunk."""
        self.over = False
        self._line = b""  # the part of a line that is here
        self._left = 0  # bytes of this chunk, with the two that end it
        self._last = False  # the chunk of length 0 was here: only trailers follow

    def take(self, data: bytes) -> int:
        """Count chunks, and find the end."""
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                count = min(self._left, len(data) - at)
                self._left -= count
                at += count
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if len(self._line) > LINE_LIMIT:
                raise Unreadable("a line before a chunk that does not end")
            if self._line.endswith(b"\n"):
                line, self._line = self._line.strip(), b""
                self._begin(line)
        return at

    def _begin(self, line: bytes) -> None:
        """Take a whole line: a chunk's length, or after the last chunk a trailer."""
        if self._last:
            self.over = not line
            return
        digits = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", digits):
            raise Unreadable("a chunk without a length")
        length = int(digits, 16)
        self._last = length == 0
        self._left = length + 2 if length else 0


def body_of(head: Head, asked: str = "GET") -> Body:
    """Return the body that a head announces (RFC 9112, section 6.3).

    Args:
        head: of a request or of an answer.
        asked: the method of the request that this is the answer to.

    Raises:
        Unreadable: its length is no number, or there are two of them.
    """
    if head.status in (204, 304) or 100 <= head.status < 200 or (head.status and asked == "HEAD"):
        return Sized(0)
    if coding := head.value("transfer-encoding"):
        if head.tokens("transfer-encoding")[-1] == "chunked":
            return Chunked()
        raise Unreadable(f"the transfer coding {coding!r}")
    if length := head.value("content-length"):
        if not re.fullmatch("[0-9]{1,15}", length):
            raise Unreadable("a Content-Length that is no number")
        return Sized(int(length))
    return Endless() if head.status else Sized(0)


class Messages:
    """One direction of a connection: message after message."""

    def __init__(
        self,
        on_head: Callable[[Head], tuple[bytes, Body]],
        on_unreadable: Callable[[str], None],
    ) -> None:
        """Read from the first byte on.

        Args:
            on_head: gets each head; returns the bytes to pass on instead of it, and its body.
            on_unreadable: gets the reason, once; after that all passes without being read.
        """
        self._on_head, self._on_unreadable = on_head, on_unreadable
        self._head = b""  # the part of a head that is here
        self.body: Body = Sized(0)

    def feed(self, data: bytes) -> bytes:
        """Return what can be passed on now: all, but of a head nothing before it is complete."""
        out = []
        try:
            while data:
                if self.body.over:
                    piece, data = self._beginning(data)
                else:
                    count = self.body.take(data)
                    piece, data = data[:count], data[count:]
                out.append(piece)
        except Unreadable as error:
            self.body = Endless()
            out += [self.rest(), data]
            self._on_unreadable(str(error))
        return b"".join(out)

    def rest(self) -> bytes:
        """Return what was held back, at the end of the connection."""
        held, self._head = self._head, b""
        return held

    def _beginning(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what to pass on of a head, and what comes after it."""
        held = self._head
        whole = held + data
        end = whole.find(_END, max(0, len(held) - len(_END)))
        if end < 0:
            if len(whole) > HEAD_LIMIT:
                raise Unreadable(f"a head of more than {HEAD_LIMIT} bytes")
            self._head = whole
            return b"", b""
        end += len(_END)
        head = head_of(whole[:end])
        piece, self.body = self._on_head(head)
        self._head = b""
        return piece, whole[end:]
