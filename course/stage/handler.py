"""How the stage takes requests: other users of this machine reach its port, and may send half of one, or a puzzling one."""

import contextlib
import socket
from io import BytesIO
from typing import Any, ClassVar

import gevent
from gevent.pywsgi import WSGIHandler

REQUEST_TIME = 20.0  # seconds for a client to send its request
# Bytes of an answer that the kernel may hold for a client that does not read.
KERNEL_BUFFER = 128 * 1024
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
BODY = 64 * 1024  # bytes that a request may bring
UNREAD = 100  # connections that have sent no whole request; a real one takes a moment


class Handler(WSGIHandler):
    """gevent's handler, with which nobody stays who sends no request."""

    _body = b""

    # Who has sent no whole request yet, the one who has taken longest first.
    unread: ClassVar[dict["Handler", None]] = {}

    # Who hangs up, or does not read its answer in time, is no fault of ours.
    ignored_socket_errors = (*WSGIHandler.ignored_socket_errors, "timed out")  # type: ignore[arg-type]  # it compares

    def handle(self) -> None:
        """Serve one connection."""
        self.socket.settimeout(REQUEST_TIME)  # also for a client to read what we send
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        try:
            with contextlib.suppress(ConnectionError):  # it did not wait for our answer
                super().handle()
        finally:
            self.unread.pop(self, None)

    def read_requestline(self) -> str:
        """Read the first line of a request; a client that takes too long is gone (OSError)."""
        self.unread[self] = None
        if len(self.unread) > UNREAD:
            slowest = next(iter(self.unread))
            del self.unread[slowest]
            with contextlib.suppress(OSError):
                slowest.socket.shutdown(socket.SHUT_RDWR)
        with gevent.Timeout(REQUEST_TIME, TimeoutError("no request came")):
            line: str = super().read_requestline()
            return line

    def read_request(self, raw_requestline: str) -> Any:  # noqa: ANN401  # truth is enough
        """Read the headers and the body; a client that takes too long gets a 400."""
        with gevent.Timeout(REQUEST_TIME, ValueError("the request took too long")):
            is_read = super().read_request(raw_requestline)
            length = self.content_length or 0
            if length <= BODY:
                self._body = self.rfile.read(length)
            else:  # the application refuses it, and nobody waits for it
                self._body, self.close_connection = b"", True
        self.content_length = 0  # nothing is left to be read
        self.unread.pop(self, None)
        return is_read

    def get_environ(self) -> dict[str, Any]:
        """Return the request for the application, with the body that is here already."""
        environ: dict[str, Any] = super().get_environ()
        environ["wsgi.input"] = BytesIO(self._body)
        return environ

    def MessageClass(self, *args: Any) -> Any:  # noqa: ANN401  # gevent's name
        """Return the headers of a request; ValueError if it is not clear how long it is, or whom it is for."""
        headers = super().MessageClass(*args)
        if len(headers.get_all("Content-Length", [])) > 1:
            raise ValueError("the body has two lengths")
        if "Transfer-Encoding" in headers:  # no browser sends a body in chunks
            raise ValueError("the length of the body is not said beforehand")
        if self.request_version == "HTTP/1.1" and not headers.get("Host"):
            raise ValueError("the name of the server is missing")
        return headers

    def _handle_client_error(self, error: Exception) -> tuple[str, bytes]:
        """Answer 400, and print nothing: whoever reaches the port could send much of it."""
        return "400", BAD_REQUEST
