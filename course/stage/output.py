"""What a process has said, kept for pages that read at their own pace."""

import codecs
from collections import deque
from dataclasses import dataclass

LIMIT = 200_000  # characters of one run that are kept; a page shows less


@dataclass(frozen=True)
class Piece:
    """Text from one stream."""

    number: int
    stream: str  # "stdout", "stderr", or "stage" for what the stage itself has to say
    text: str


class Output:
    """The newest pieces. Readers remember the number of the next one they need, and never slow down the writer."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.next = 0
        self._pieces: deque[Piece] = deque()
        self._size = 0

    def add(self, stream: str, text: str) -> None:
        """Keep a piece; forget the oldest ones beyond the limit."""
        if text:
            self._pieces.append(Piece(self.next, stream, text))
            self.next += 1
            self._size += len(text)
        while self._size > LIMIT and len(self._pieces) > 1:
            self._size -= len(self._pieces.popleft().text)

    def since(self, number: int) -> tuple[list[Piece], bool]:
        """Return the pieces from a number on, and whether some before them are forgotten."""
        found = [piece for piece in self._pieces if piece.number >= number]
        first = self._pieces[0].number if self._pieces else self.next
        return found, first > number


class Lines:
    """Turns chunks of bytes into text, wherever they are cut, and finds the lines in it that are complete."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> tuple[str, list[str]]:
        """Return the text of a chunk, and the lines that it completes."""
        text = self._decode(data, final=not data)
        *complete, self._rest = (self._rest + text).split("\n")
        self._rest = self._rest[-4096:]  # a line without an end is not kept
        return text, complete
