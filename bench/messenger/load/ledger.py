"""What was written to whom, when it was stored and when it arrived: each message exactly once."""

from dataclasses import dataclass
from typing import Any

from bench.chat.load.joining import LoadError


@dataclass(slots=True)
class Letter:
    """One message. Times are those of `time.monotonic`; 0.0 means not yet.

    Args:
        sender: name of the page that wrote it.
        recipient: name of the one it is for.
        due: when it was written, or should have been.
        id: what the server calls it; None where nothing is kept.
        stored: when its sender had the acknowledgement.
        arrived: when its recipient had it.
    """

    sender: str
    recipient: str
    due: float
    id: object = None
    stored: float = 0.0
    arrived: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether both had it."""
        return bool(self.stored and self.arrived)


class Ledger:
    """All letters of one crowd. A letter's client id is its number."""

    def __init__(self) -> None:
        """Begin with none."""
        self.letters: list[Letter] = []
        self.under_way = 0
        self.repeated = 0  # came again under the same id, which a page shows once

    def write(self, sender: str, recipient: str, due: float) -> int:
        """Enter a letter and return its number."""
        self.letters.append(Letter(sender, recipient, due))
        self.under_way += 1
        return len(self.letters) - 1

    def hear(self, name: str, frame: dict[str, Any], now: float) -> Letter | None:
        """Note a message frame that the page of this name has got; return the letter if it is done.

        Raises:
            LoadError: nobody wrote it, or it is somebody else's, or it is there twice.
        """
        number = int(frame["client_id"])
        if not 0 <= number < len(self.letters):
            raise LoadError(f"{name} got a message that nobody has written")
        letter = self.letters[number]
        if (frame["from"], frame["to"]) != (letter.sender, letter.recipient):
            raise LoadError(f"a message from {letter.sender} came as one from {frame['from']}")
        if name not in (letter.sender, letter.recipient):
            raise LoadError(f"{name} got a message for {letter.recipient}")
        if (letter.stored or letter.arrived) and frame["id"] != letter.id:
            raise LoadError("a message was stored twice")
        if letter.stored if name == letter.sender else letter.arrived:
            if frame["id"] is None:
                raise LoadError("a message came twice")
            self.repeated += 1
            return None
        letter.id = frame["id"]
        if name == letter.sender:
            letter.stored = now
        else:
            letter.arrived = now
        if not letter.is_done:
            return None
        self.under_way -= 1
        return letter

    def check(self) -> None:
        """Raise LoadError unless every letter was stored, and has arrived."""
        for word, count in (
            ("acknowledged", sum(not one.stored for one in self.letters)),
            ("delivered", sum(not one.arrived for one in self.letters)),
        ):
            if count:
                raise LoadError(f"{count} messages were not {word}")
