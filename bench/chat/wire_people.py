"""People in front of the room who only listen, as pages do that a class looks at."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from bench.chat.load.joining import LoadError
from demos.group_chat.clients.counting import join

READ = 1 << 18  # bytes


class People:
    """Some who are in the room and take what they get, in a thread, until they leave."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Let one come in at each address.

        Raises:
            LoadError: an address does not let them in.
        """
        try:
            self._sockets = [join(url, f"page{number}") for number, url in enumerate(urls)]
        except OSError as error:
            raise LoadError(f"a page does not come in ({error})") from error
        self._gone = threading.Event()
        self.heard = self.lost = 0
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def report(self) -> tuple[int, int]:
        """Return the bytes that all have heard so far, and how many were cut off."""
        return self.heard, self.lost

    def leave(self) -> None:
        """Close all connections."""
        self._gone.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _hear(self) -> None:
        with DefaultSelector() as selector:
            for one in self._sockets:
                one.setblocking(False)
                selector.register(one, EVENT_READ, one)
            while not self._gone.is_set():
                for key, _ in selector.select(0.1):
                    data = b""
                    with suppress(OSError):
                        data = key.data.recv(READ)
                    self.heard += len(data)
                    if not data:
                        self.lost += 1
                        selector.unregister(key.data)
