"""A9: one WebSocket connection on a gevent socket, over the frames of frames.py.

Its methods are those of gevent-websocket's own WebSocket, so the source's code reads the same.
docs/frame-layer.md lists what is mended here, and how that was measured.
"""

import contextlib
import socket as plain
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING

import gevent
from gevent.socket import wait_read

from demos.group_chat import frames
from demos.group_chat.bucket import Bucket
from demos.group_chat.frames import Code, FrameError, FrameReader
from demos.group_chat.turns import Turn, others_first

if TYPE_CHECKING:
    from demos.group_chat.handler import WebSocketHandler

MESSAGE_LIMIT = 16 * 1024  # bytes in one message
BACKLOG_LIMIT = 256 * 1024  # bytes that wait for one client that reads slowly
READ_AT_ONCE = 16 * 1024  # bytes; a flood comes in turns with everybody else's messages
GOODBYE_TIME = 2.0  # seconds to wait for the answer to our close frame

# Pings and fragments that a client may send: per second, and at once.
SMALL_FRAMES = (200.0, 500.0)


class WebSocket:
    """One connection. `receive` waits; `send` never does, whatever the client is doing.

    What a client does not read waits in its own backlog. Beyond BACKLOG_LIMIT it is cut off.
    """

    __slots__ = (
        "_accept",
        "_arrived",
        "_backlog",
        "_drainer",
        "_reader",
        "_small",
        "_sock",
        "_write",
        "accepted",
        "address",
        "close_code",
        "close_reason",
        "heard",
        "is_open",
        "on_pong",
        "peer",
        "protocols",
    )

    def __init__(self, handler: "WebSocketHandler") -> None:
        """Take over the connection of a request that asks for a WebSocket."""
        self._accept = handler.accept
        self._sock = handler.socket
        # The kernel's own send, which takes what it can at once and never waits.
        self._write = handler.socket._sock.send
        self._reader = FrameReader(handler.message_limit)
        # Frames that are here already. One is read when the view has dealt with the one before, so
        # an answer to a message goes out before the answer to the close behind it.
        self._arrived: Iterator[tuple[int, str | bytes | None]] = iter(())
        self._backlog = bytearray()
        # Writes the backlog, while there is one.
        self._drainer: gevent.Greenlet[[], None] | None = None
        self._small = Bucket(*SMALL_FRAMES)
        asked_for = handler.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
        self.protocols = [name.strip() for name in asked_for.split(",") if name.strip()]
        self.address = handler.visitor()  # whose limits count
        self.peer = "{REMOTE_ADDR}:{REMOTE_PORT}".format_map(handler.environ)
        self.accepted = False
        self.is_open = True
        self.heard = monotonic()  # when the client last showed that it lives
        # Called with a pong's payload: the client has read all that was sent before that ping.
        self.on_pong: Callable[[bytes], None] | None = None
        self.close_code: int = Code.ABNORMAL  # why it closed, once it has
        self.close_reason = ""

    def accept(self, protocol: str | None = None) -> None:
        """Answer the handshake with 101; done by the first `receive`, `send` or `close` otherwise.

        Args:
            protocol: one of `protocols`, the subprotocols that the client offers.
        """
        if not self.accepted:
            self.accepted = True
            try:
                early = self._accept(protocol)
            except OSError:  # the client did not wait for the answer
                self.abort()
                return
            self._arrived = self._reader.feed(early)

    def receive(self) -> str | bytes | None:
        """Wait for the next message: text is a str, binary is bytes. None: it is closed.

        A time-out around it (gevent.Timeout) loses nothing.
        """
        self.accept()
        while self.is_open:
            message = self._next()
            if message is not None:
                return message
            if self._drainer and len(self._backlog) > BACKLOG_LIMIT // 2:
                self._drainer.join()  # who does not read our answers is not read either
            if not self.is_open:
                break
            try:
                # By way of the event loop, even if there is more: the others have their turn first.
                wait_read(self._sock.fileno())
                data = self._sock.recv(READ_AT_ONCE)
            except OSError:
                data = b""
            if not data:
                self.abort()
                break
            self.heard = monotonic()
            self._arrived = self._reader.feed(data)
        return None

    def send(self, message: str | bytes) -> bool:
        """Send text or binary; returns False if the connection is closed."""
        if isinstance(message, str):
            return self.send_frame(frames.encode(frames.TEXT, message.encode()))
        return self.send_frame(frames.encode(frames.BINARY, message))

    def send_frame(self, frame: bytes) -> bool:
        """Send whole frames that are encoded already; a room encodes once for all its members."""
        if not self.accepted:
            self.accept()
        if not self.is_open:
            return False
        if self._backlog:
            return self._queue(frame)
        try:
            sent = self._write(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return False
        return sent == len(frame) or self._queue(frame[sent:])

    def wait_sent(self) -> None:
        """Wait until nothing is left in the backlog: for those who send much to one client."""
        if self._drainer:
            self._drainer.join()

    def close(self, code: int = Code.NORMAL, reason: str = "") -> None:
        """Say goodbye with a code and a reason of at most 123 bytes; nothing is sent afterwards."""
        if self.is_open:
            self.send_frame(frames.encode_close(code, reason))
            self.is_open = False
            self.close_code, self.close_reason = code, reason

    def abort(self) -> None:
        """End the connection without a word: the client is gone, or does not read."""
        self.is_open = False
        self._backlog.clear()
        with contextlib.suppress(OSError):
            self._sock.shutdown(plain.SHUT_RDWR)  # wakes whoever waits in `receive`

    def finish(self) -> None:
        """Wait, for a moment, until the client has our last frames and has closed as well."""
        self.close()
        gevent.with_timeout(GOODBYE_TIME, self._part, timeout_value=None)
        if self._drainer:
            self._drainer.kill()

    def _part(self) -> None:
        self.wait_sent()
        with contextlib.suppress(OSError):
            self._sock.shutdown(plain.SHUT_WR)
            while self._sock.recv(READ_AT_ONCE):
                others_first()  # what still comes, however fast, stops nobody else

    def _next(self) -> str | bytes | None:
        """Return the next message that is here already; answer the control frames before it."""
        turn = Turn()
        try:
            for opcode, payload in self._arrived:
                if opcode in (frames.TEXT, frames.BINARY):
                    return payload
                if opcode == frames.CLOSE:
                    assert isinstance(payload, bytes)
                    self._answer_close(payload)
                    return None
                if self._small.wait():
                    raise FrameError(Code.POLICY, "too many pings or fragments")
                if opcode == frames.PING:
                    assert isinstance(payload, bytes)
                    self.send_frame(frames.encode(frames.PONG, payload))
                elif opcode == frames.PONG and self.on_pong:
                    assert isinstance(payload, bytes)
                    self.on_pong(payload)
                turn.share()
                if not self.is_open:  # somebody has closed it meanwhile
                    return None
        except FrameError as error:
            self.close(error.code, error.reason)
        return None

    def _answer_close(self, payload: bytes) -> None:
        code, reason = frames.decode_close(payload)
        self.send_frame(frames.encode(frames.CLOSE, payload[:2]))
        self.is_open = False
        self.close_code, self.close_reason = code, reason

    def _queue(self, rest: bytes) -> bool:
        """Keep what the kernel did not take, and write it when the client reads again."""
        if len(self._backlog) + len(rest) > BACKLOG_LIMIT:
            self.close_code, self.close_reason = Code.TRY_AGAIN_LATER, "it reads too slowly"
            self.abort()
            return False
        self._backlog += rest
        if not self._drainer:
            self._drainer = gevent.spawn(self._drain)
        return True

    def _drain(self) -> None:
        try:
            while self._backlog:
                sent = self._sock.send(self._backlog)  # gevent's send waits
                del self._backlog[:sent]
                self.heard = monotonic()  # there is room again, so the client reads
        except OSError:
            self.abort()
        finally:
            self._drainer = None
