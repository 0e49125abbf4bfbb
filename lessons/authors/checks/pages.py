"""Pages as a check hands them to a student's code: it notes how the code uses them.

page = Watched(log_in(chat, "韩雪").ws())
who_is_away(page, ["舒畅"], "早")
page.no_guess()  # Wrong, if the code took a silence for an answer
"""

import json
from typing import Any, Self

from websockets.protocol import State
from websockets.sync.client import ClientConnection

from course.demo import Demo
from course.exercise import expect


class Watched:
    """An open page. All that it has and that is not here is the page's own."""

    def __init__(self, page: ClientConnection) -> None:
        """Watch a page from now on."""
        self._page = page
        page.__enter__()  # the library warns of a page that is used outside of a `with` block
        self._all_is_here = False  # a ping was answered, and nothing was sent since
        self.guesses = 0
        self.sent: list[Any] = []  # what the JSON in each frame says, as it was sent

    def __enter__(self) -> Self:
        """As the page itself."""
        return self

    def __exit__(self, *exc: Any) -> None:  # noqa: ANN401
        """As the page itself."""
        self._page.__exit__(*exc)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return what is the page's own."""
        return getattr(self._page, name)

    def send(self, text: str) -> None:
        """Send a frame."""
        self._all_is_here = False
        self.sent.append(json.loads(text))
        self._page.send(text)

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next frame, as the page itself does.

        Raises:
            TimeoutError: none came. It is a guess that none will come, unless a ping was answered.
        """
        try:
            return self._page.recv(timeout)
        except TimeoutError:
            self.guesses += not self._all_is_here
            raise

    def ping(self, **options: Any) -> "Pong":  # noqa: ANN401
        """Ping; `wait` for the answer."""
        return Pong(self, self._page.ping(**options))

    def is_open(self) -> bool:
        """Say whether the connection is open at this end."""
        return self._page.protocol.state is State.OPEN

    def answered(self) -> None:
        """Note that a ping was answered: what the server sent before is here."""
        self._all_is_here = True

    def no_guess(self) -> None:
        """Expect that no silence was taken for an answer.

        Raises:
            Wrong: it was.
        """
        expect(
            not self.guesses,
            "your function waited for a time and then took it that nothing more would come: on a "
            "slow network it stops too early. Let the server say when all has come",
        )


class Pong:
    """The answer to a ping that is still to come."""

    def __init__(self, page: Watched, event: Any) -> None:  # noqa: ANN401
        """Wait for this event."""
        self._page, self._event = page, event

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer; say whether it has come."""
        if self._event.wait(timeout):
            self._page.answered()
            return True
        return False

    def is_set(self) -> bool:
        """Say whether the answer has come."""
        return self.wait(0)


class WatchedDemo:
    """A demo whose pages are watched. All else is the demo's own."""

    def __init__(self, demo: Demo) -> None:
        """Watch this one."""
        self._demo = demo
        self.pages: list[Watched] = []
        self.paths: list[str] = []  # of the same pages

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return what is the demo's own."""
        return getattr(self._demo, name)

    def ws(self, path: str, **options: Any) -> Watched:  # noqa: ANN401
        """Open a WebSocket, as the demo itself does."""
        self.paths.append(path)
        self.pages.append(Watched(self._demo.ws(path, **options)))
        return self.pages[-1]
