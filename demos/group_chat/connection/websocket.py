"""A9: one WebSocket connection on a gevent socket, over the frames of frames.py.

Its methods are those of gevent-websocket's own WebSocket, so the source's code reads the same.
docs/frame-layer.md lists what is mended here, and how that was measured.
"""

import contextlib
import socket as plain
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

import gevent
from gevent.socket import socket, wait_read

from demos.group_chat.connection import frames
from demos.group_chat.connection.frames import Code, FrameError, FrameReader
from demos.group_chat.connection.turns import Turn, others_first
from demos.group_chat.rules.bucket import Bucket

MESSAGE_LIMIT = 16 * 1024  # bytes in one message
BACKLOG_LIMIT = 256 * 1024  # bytes that wait for one client that reads slowly
READ_AT_ONCE = 16 * 1024  # bytes; a flood comes in turns with everybody else's messages
GOODBYE_TIME = 2.0  # seconds to wait for the answer to our close frame
FAREWELL_LIMIT = 4 * 1024 * 1024  # bytes that are read meanwhile; with more, a client floods

# Pings and fragments that a client may send: per second, and at once.
SMALL_FRAMES = (200.0, 500.0)
PONGS = 256  # bytes of answers to pings that leave together
BETWEEN_LOOKS = 16  # connections that get the same frame before the next look at the clock


class WebSocket:
    """One connection. `receive` waits; `send` never does, whatever the client is doing.

    What a client does not read waits in its own backlog. Beyond BACKLOG_LIMIT it is cut off.
    """

    __slots__ = (
        "_accept",
        "_arrived",
        "_backlog",
        "_drainer",
        "_pongs",
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
        "visit",
    )

    def __init__(
        self,
        environ: Mapping[str, Any],
        sock: socket,
        accept: Callable[[str | None], bytes],
        address: str,
        message_limit: int = MESSAGE_LIMIT,
    ) -> None:
        """Take over the connection of a request that asks for a WebSocket.

        Args:
            environ: the request, as WSGI describes it (PEP 3333).
            sock: the connection.
            accept: sends the 101 with a subprotocol or none; returns what came too early.
            address: whose limits count.
            message_limit: bytes in one message.
        """
        self._accept: Callable[[str | None], bytes] | None = accept
        self.use(sock)
        self._reader = FrameReader(message_limit)
        # Frames that are here already. One is read when the view has dealt with the one before, so
        # an answer to a message goes out before the answer to the close behind it.
        self._arrived: Iterator[tuple[int, str | bytes | None]] = iter(())
        self._backlog = bytearray()
        # Writes the backlog, while there is one.
        self._drainer: gevent.Greenlet[[], None] | None = None
        self._small = Bucket(*SMALL_FRAMES)
        self._pongs = bytearray()  # that have not left yet
        asked_for = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
        self.protocols = [name.strip() for name in asked_for.split(",") if name.strip()]
        self.address = address
        self.peer = "{REMOTE_ADDR}:{REMOTE_PORT}".format_map(environ)
        self.accepted = False
        self.is_open = True
        self.heard = monotonic()  # when the client last showed that it lives
        # Serves the connection when the view has returned; see `serve_later`.
        self.visit: Callable[[], None] | None = None
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
            accept, self._accept = self._accept, None  # it holds the request
            assert accept
            try:
                early = accept(protocol)
            except OSError:  # the client did not wait for the answer
                self.abort()
                return
            self._arrived = self._reader.feed(early)

    def serve_later(self, visit: Callable[[], None]) -> None:
        """Accept, and let `visit` serve the connection once the view has returned.

        A view that serves it itself works as well. But while it runs, the whole request stays in
        memory: the headers, what Flask made of them, and a deep stack.
        """
        self.accept()
        self.visit = visit

    def use(self, sock: socket) -> None:
        """Read and write on this socket from now on."""
        self._sock = sock
        # The kernel's own send, which takes what it can at once and never waits.
        self._write: Callable[[bytes], int] = sock._sock.send  # type: ignore[attr-defined]

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

    def send_utf8(self, text: bytes) -> bool:
        """Send text that is UTF-8 already, without waiting; no bytes are no message."""
        return self.send_frame(frames.encode_text(text))

    def send_frame(self, frame: bytes) -> bool:
        """Send frames that are already encoded; a room encodes once for all members."""
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
            read = 0
            while read < FAREWELL_LIMIT and (data := self._sock.recv(READ_AT_ONCE)):
                read += len(data)
                others_first()  # what still comes, however fast, stops nobody else

    def _next(self) -> str | bytes | None:
        """Return the next message that is here already; answer the control frames before it."""
        turn = Turn()
        try:
            for opcode, payload in self._arrived:
                if opcode in (frames.TEXT, frames.BINARY):
                    self._send_pongs()
                    return payload
                if opcode == frames.CLOSE:
                    assert isinstance(payload, bytes)
                    self._send_pongs()
                    self._answer_close(payload)
                    return None
                if self._small.wait():
                    raise FrameError(Code.POLICY, "too many pings or fragments")
                if opcode == frames.PING:
                    assert isinstance(payload, bytes)
                    self._pongs += frames.encode(frames.PONG, payload)
                    if len(self._pongs) >= PONGS:
                        self._send_pongs()
                elif opcode == frames.PONG and self.on_pong:
                    assert isinstance(payload, bytes)
                    self.on_pong(payload)
                turn.share()
                if not self.is_open:  # somebody has closed it meanwhile
                    return None
            self._send_pongs()
        except FrameError as error:
            self._send_pongs()
            self.close(error.code, error.reason)
        return None

    def _send_pongs(self) -> None:
        if self._pongs:
            self.send_frame(bytes(self._pongs))
            self._pongs.clear()

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


def send_to_all(connections: Sequence[WebSocket], frame: bytes, turn: Turn) -> None:
    """Send the same encoded frames to many connections, in turns: `send_frame` for each.

    Most of the time of a large room is spent in this loop. So the usual case is written out: an
    open connection without a backlog, whose kernel buffer takes all.
    """
    size = len(frame)
    for first in range(0, len(connections), BETWEEN_LOOKS):
        for one in connections[first : first + BETWEEN_LOOKS]:
            if one._backlog or not (one.is_open and one.accepted):
                one.send_frame(frame)
                continue
            try:
                sent = one._write(frame)
            except OSError:
                one.send_frame(frame)  # it finds out what is wrong
                continue
            if sent != size:
                one._queue(frame[sent:])
        turn.share()
