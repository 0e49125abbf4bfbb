"""A WebSocket client on a plain socket, which may break every rule (RFC 6455), and what a server's process shows.

The frames are written and read here, so that a fault of the server's own frame code cannot hide.
"""

import base64
import ctypes
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"  # the RFC's own example
NO_CODE, NO_CLOSE = 1005, 1006  # what an API calls a close frame without a code, and no close frame
PATIENCE = 20.0  # seconds; nothing here takes long, unless something is wrong

# What a browser sends, as far as the server has to look at it.
HEADERS = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": base64.b64encode(bytes(range(16))).decode(),
    "Sec-WebSocket-Version": "13",
}
ACCEPT = "Bz3qJYTGdOe8gUSpLosEdiLKDrk="  # the answer to that key, worked out with sha1sum


def frame(opcode, payload=b"", *, final=True, mask=MASK, reserved=0, claim=None):
    """Return one frame. `claim`: the length that the header tells, whatever the payload is."""
    length = len(payload) if claim is None else claim
    masked = 0x80 if mask else 0
    head = bytes([final << 7 | reserved << 4 | opcode])
    if length < 126:
        head += struct.pack("!B", masked | length)
    elif length < 1 << 16:
        head += struct.pack("!BH", masked | 126, length)
    else:
        head += struct.pack("!BQ", masked | 127, length)
    if mask:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        head += mask
    return head + payload


def text(words):
    return frame(TEXT, words.encode())


def close(code=None, reason=b""):
    """Return a close frame; without a code it is an empty one."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def request(host, path="/echo", line="GET {} HTTP/1.1", **headers):
    """Return the bytes of a handshake. A header of None is left out; `_` stands for `-`."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [line.format(path)]
    for name, value in ({"Host": host} | HEADERS | changed).items():
        if value is not None:
            lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass
class Answer:
    """What came back to a request; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class Client:
    """One TCP connection that speaks WebSocket as it likes.

    With `upgrade=False` nothing is sent yet. `early` is sent in one segment with the handshake. `window`: so many bytes
    may wait in the kernel for a client that does not read.
    """

    def __init__(self, url, path="/echo", *, early=b"", upgrade=True, window=None, **headers):
        self.host = urlsplit(url).netloc
        address, _, port = self.host.rpartition(":")
        self.socket = socket.socket()
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.socket.getsockname()[1]
        self._received = bytearray()
        if upgrade:
            self.answer = self.ask(request(self.host, path, **headers) + early)
            assert self.answer.status == 101, self.answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        self.socket.sendall(b"".join(pieces))

    def ask(self, raw):
        """Send a request and return its answer; of a 101 there is no body."""
        with suppress(ConnectionError):  # it may be refused before it is all sent
            self.socket.sendall(raw)
        line, *lines = self._until(b"\r\n\r\n").decode("latin-1").splitlines()
        fields = (one.partition(":") for one in lines if one)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        status = int(line.split()[1])
        length = 0 if status == 101 else int(headers["content-length"])
        return Answer(status, headers, self._exactly(length))

    def receive(self):
        """Return the server's next frame as (opcode, payload). None: it has closed the connection."""
        try:
            first, second = self._exactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._exactly(2))
                assert length >= 126, "a length has to take the shortest form"
            elif length == 127:
                (length,) = struct.unpack("!Q", self._exactly(8))
                assert length >= 1 << 16, "a length has to take the shortest form"
            payload = self._exactly(length)
        except (EOFError, ConnectionResetError):
            return None
        assert first & 0x70 == 0, "a reserved bit"
        assert first & 0x80, "this server sends no fragments"
        assert second & 0x80 == 0, "a server does not mask"
        return first & 0x0F, payload

    def hear(self):
        """Return the next message, which has to be text."""
        opcode, payload = self.receive()
        assert opcode == TEXT
        return payload.decode()

    def echo(self, words):
        """Say a text and return the text that comes back."""
        self.send(text(words))
        return self.hear()

    def ended(self):
        """Read to the end; return the frames before the close frame, its code, and its reason."""
        before = []
        while got := self.receive():
            opcode, payload = got
            if opcode == CLOSE:
                with suppress(OSError):
                    self.send(frame(CLOSE, payload[:2]))
                assert self.receive() is None, "something came after the close frame"
                code = struct.unpack_from("!H", payload)[0] if payload else NO_CODE
                return before, code, payload[2:].decode()
            before.append(got)
        return before, NO_CLOSE, ""

    def refusal(self):
        """Return the code with which the server ends the connection; it has to say why, and nothing else."""
        before, code, reason = self.ended()
        assert before == []
        assert reason
        return code

    def finish_sending(self):
        """Send the end of the stream; reading goes on."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """End the connection with a reset (RST) instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def vanish(self):
        """Become half-open: from now on the kernel drops whatever comes, as if the cable were cut.

        Raises:
            OSError: this system cannot do that.
        """
        if not hasattr(socket, "AF_PACKET"):
            raise OSError("socket filters are Linux's")
        drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
        program = struct.pack("HL", 1, ctypes.addressof(drop_all))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER

    def _exactly(self, count):
        while len(self._received) < count:
            self._more()
        found = bytes(self._received[:count])
        del self._received[:count]
        return found

    def _until(self, sign):
        while sign not in self._received:
            self._more()
        return self._exactly(self._received.index(sign) + len(sign))

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._received += data


def peers(pid):
    """Return the ports of the clients to which a process holds a connection."""
    open_now = psutil.Process(pid).net_connections("tcp")
    return {one.raddr.port for one in open_now if one.raddr}


def descriptors(pid):
    """Return how many files and sockets a process has open."""
    return psutil.Process(pid).num_fds()


def memory(pid):
    """Return the resident memory of a process in bytes."""
    return psutil.Process(pid).memory_info().rss


def their_socket(pid, port):
    """Return a copy of the server's own socket to the client at `port`, to ask for its options.

    Raises:
        OSError: this system does not allow it.
    """
    copy_descriptor = 438  # pidfd_getfd, which Python does not offer
    process = os.pidfd_open(pid)
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            if not str(descriptor.readlink()).startswith("socket:"):
                continue
            number = ctypes.CDLL(None, use_errno=True).syscall(
                copy_descriptor, process, int(descriptor.name), 0
            )
            if number < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            found = socket.socket(fileno=number)
            with suppress(OSError):  # it listens, or is no TCP socket
                if found.getpeername()[1] == port:
                    return found
            found.close()
    finally:
        os.close(process)
    raise LookupError(f"no connection to port {port}")
