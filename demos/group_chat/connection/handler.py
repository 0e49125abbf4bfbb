"""A9: the handler that turns a request into a WebSocket, checked before the answer goes out.

It is gevent-websocket's, with the frame layer of websocket.py beneath it. A view finds its socket
where the source finds it:

    socket = request.environ["wsgi.websocket"]

The 101 is sent when the view first uses the socket. A view that answers with a page instead, such
as a 404, answers in plain HTTP.
"""

import base64
import binascii
import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, ClassVar

import gevent
from gevent.pywsgi import WSGIHandler
from gevent.socket import socket as Socket
from geventwebsocket.handler import WebSocketHandler as PrescribedHandler

from demos.group_chat.connection.frames import Code
from demos.group_chat.connection.headers import HEADERS
from demos.group_chat.connection.refusals import Refusal, Tally
from demos.group_chat.connection.turns import others_first
from demos.group_chat.connection.websocket import MESSAGE_LIMIT, WebSocket
from demos.group_chat.rules.limits import Gate
from demos.group_chat.rules.quotas import place
from demos.instruments import heads, hosts
from demos.instruments.logs import log

HEADER_TIME = 20.0  # seconds for a client to send its request
SLOW = 200  # connections that keep us waiting for the rest of a request; a real one takes a moment
KERNEL_BUFFER = 128 * 1024  # bytes the kernel may hold for one client, besides its backlog

_CURE = "If it should be one, start it with --origin and the address of its page."
_FAULT = Code.INTERNAL_ERROR, "a fault in the server"
# Of answers that no page gives; the pages' own are in headers.py.
_HEADERS = {**HEADERS, "Cache-Control": "no-store", "Connection": "close"}


def _answer(status: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in _HEADERS.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{lines}\r\n".encode()


_TOO_OFTEN = "429 Too Many Requests"
_BAD_REQUEST, _TOO_LONG = _answer("400 Bad Request"), _answer("414 URI Too Long")


class WebSocketHandler(PrescribedHandler):  # type: ignore[misc]  # it ships no types
    """gevent-websocket's handler with a checked handshake and our `WebSocket` (section 4.2).

    Class attributes are its configuration; `serving.serve` sets them.
    """

    message_limit = MESSAGE_LIMIT
    # Pages of these origins may connect besides our own, such as "https://chat.example.org".
    origins: frozenset[str] = frozenset()

    # Names by which we may be asked for besides this machine's own; hosts.ANY: any name.
    hosts: frozenset[str] = frozenset()

    # How many connections an address may have, and how often it may ask; None: any number.
    gate: Gate | None = None

    # What is refused, for the log.
    tally = Tally()

    # So many proxies of ours stand in front, and say where a request comes from.
    proxies = 0

    # Who is connected at the moment; `serving` keeps them alive and says goodbye to them.
    connections: ClassVar[set[WebSocket]] = set()

    # Whether the server ends: who comes now is let in no more, as nobody would say goodbye to it.
    is_stopping = False

    # Who keeps us waiting for a request or its body, and since when.
    slow: ClassVar[dict["WebSocketHandler", float]] = {}

    # Who hangs up, or does not read its answer in time, is no fault of the server's.
    ignored_socket_errors = (*PrescribedHandler.ignored_socket_errors, "timed out")

    socket: Any  # None once a connection has taken it
    websocket: Any
    _protocol: str | None = None  # the subprotocol that the view has chosen
    _since = 0.0  # when we began to wait for this request, or had it

    def handle(self) -> None:
        """Serve one connection. Small frames leave at once, and a silent client does not stay."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(HEADER_TIME)
        try:
            with contextlib.suppress(ConnectionError):  # it did not wait for our answer
                super().handle()
        finally:
            self.slow.pop(self, None)

    def handle_one_request(self) -> Any:  # noqa: ANN401
        """Read and answer one request; its log line holds nothing of the one before."""
        self.path, self.code = "", 0
        answer = super().handle_one_request()
        if not isinstance(answer, tuple):
            return answer
        # It was no request; a proxy's headers are not known, so that its own address counts.
        self.slow.pop(self, None)
        address, status = place(self.client_address[0]), answer[0]
        if refusal := self._wait_for_turn(address):
            self._log(refusal.event, address)
            return "429", _answer(refusal.status)
        # Where the first line is too long, gevent answers with words of its own.
        return (status, _TOO_LONG) if status == "414" else answer

    def read_requestline(self) -> str:
        """Read the first line of a request; a client that takes too long is gone (OSError)."""
        self._since = monotonic()
        self._wait_in_line()
        with gevent.Timeout(HEADER_TIME, TimeoutError("no request came")):
            line: str = super().read_requestline()
            return line

    def read_request(self, raw_requestline: str) -> bool:
        """Read the headers; a client that takes too long, or is not clear, gets a 400."""
        heads.check_first(raw_requestline)
        with gevent.Timeout(HEADER_TIME, ValueError("the headers took too long")):
            is_read = bool(super().read_request(raw_requestline))
        if self.slow.pop(self, None) is None:  # what came up to then may look whole
            raise ValueError("it took longest of all to send its request")
        self._since = monotonic()
        return is_read

    def get_environ(self) -> dict[str, Any]:
        """Return the request for the application, whose body has to come in time as well."""
        environ: dict[str, Any] = super().get_environ()
        self.wsgi_input.rfile = _Body(self, self.wsgi_input.rfile)
        return environ

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Count among those who keep us waiting for the time of a block."""
        self._wait_in_line()
        try:
            yield
        finally:
            self.slow.pop(self, None)

    def _wait_in_line(self) -> None:
        """Count among those who keep us waiting; the one who takes longest has to go."""
        self.slow[self] = self._since
        if len(self.slow) > SLOW:
            slowest = min(self.slow, key=self.slow.__getitem__)
            del self.slow[slowest]
            with contextlib.suppress(OSError):
                slowest.socket.shutdown(socket.SHUT_RDWR)

    def MessageClass(self, file: Any, *args: Any) -> Any:  # noqa: ANN401  # gevent's name
        """Return the headers of a request; ValueError if programs could read them differently."""
        headers = super().MessageClass(heads.Lines(file), *args)
        heads.check(headers, self.request_version)
        return headers

    def run_application(self) -> None:
        """Let the application answer, over the socket or in plain HTTP."""
        others_first()  # many who come at once do so one after the other
        address, is_handshake = self.visitor(), self._asks_for_websocket()
        refusal = self._foreign_name() or (self._no_entry(address) if is_handshake else None)
        if refusal or not is_handshake:  # who is let in has another limit
            refusal = self._wait_for_turn(address) or refusal
        if refusal:
            self._refuse(refusal, address)
        elif is_handshake:
            self._serve_websocket(address)
        else:
            WSGIHandler.run_application(self)

    def _wait_for_turn(self, address: str) -> Refusal | None:
        """Let a request wait if its address asks too often; refuse it if that would take long."""
        wait = self.gate.ask(address) if self.gate else 0.0
        if wait is None:
            return Refusal(_TOO_OFTEN, "Too many requests from your address.", "too_often")
        if wait:
            gevent.sleep(wait)
        return None

    def _serve_websocket(self, address: str) -> None:
        """Let the view serve a connection, and what the view has left for later go on."""
        self.close_connection = True
        connection = self.environ["wsgi.websocket"] = WebSocket(
            self.environ, self.socket, self.accept, address, self.message_limit
        )
        self.connections.add(connection)
        goes_on = False
        try:
            _guard(connection, lambda: WSGIHandler.run_application(self))
            if connection.visit:
                gevent.spawn(self.go_on, connection, self._take_socket(connection))
                goes_on = True
        finally:
            if not goes_on:
                self.part(connection)

    def _take_socket(self, connection: WebSocket) -> Socket:
        """Take the socket away from the request, which ends now, and give it to the connection."""
        connection.wait_sent()
        old, self.socket = self.socket, None  # so that nobody here closes it
        new = Socket(old.family, old.type, old.proto, fileno=old.detach())
        connection.use(new)
        return new

    @classmethod
    def go_on(cls, connection: WebSocket, sock: Socket) -> None:
        """Serve a connection whose view has returned, and close its socket in the end."""
        try:
            assert connection.visit
            _guard(connection, connection.visit)
        finally:
            cls.part(connection)
            sock.close()

    @classmethod
    def part(cls, connection: WebSocket) -> None:
        """Say goodbye, and count a connection no more."""
        if connection.accepted:
            connection.finish()
        cls.connections.discard(connection)
        if cls.gate:
            cls.gate.leave(connection.address)

    def visitor(self) -> str:
        """Return the address that a visitor's limits belong to.

        Without a proxy everybody could write the header, and be somebody else each time.
        """
        claimed = self.environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if self.proxies and len(claimed) >= self.proxies and claimed[-self.proxies].strip():
            return place(claimed[-self.proxies].strip())
        return place(self.environ["REMOTE_ADDR"])

    def accept(self, protocol: str | None) -> bytes:
        """Send the 101 and return what the client has sent too early."""
        self._protocol = protocol
        connection = self.environ["wsgi.websocket"]
        self.upgrade_connection()  # the prescribed handler's answer, and a socket of its own
        self.websocket.closed = True  # which would say goodbye when it is collected
        self.environ["wsgi.websocket"], self.websocket = connection, None
        self.write(b"")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self.socket.settimeout(0.0)  # look, and do not wait
        early: bytes = self.rfile.peek()
        self.socket.settimeout(None)
        return early

    def start_response(  # the types are WSGI's (PEP 3333)
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,  # noqa: ANN401
    ) -> Callable[[bytes], object]:
        """Take status and headers of a page; after the view has used the socket there is none."""
        if status.startswith("101"):
            if self._protocol:
                headers = [*headers, ("Sec-WebSocket-Protocol", self._protocol)]
            super().start_response(status, headers, exc_info)
            return _nowhere
        connection = self.environ.get("wsgi.websocket")
        if connection is None or not connection.accepted:
            WSGIHandler.start_response(self, status, headers, exc_info)
            write: Callable[[bytes], object] = self.write
            return write
        if status.startswith("5"):
            connection.close(*_FAULT)
        return _nowhere

    def process_result(self) -> None:
        """Send the page, if there is one."""
        connection = self.environ.get("wsgi.websocket")
        if connection is None or not connection.accepted:
            super().process_result()

    def log_request(self) -> None:
        """Write one line for each answer in plain HTTP; sockets are logged by who uses them."""
        # Without path or code it is refused, and logged as such.
        if self.path and self.code and abs(self.code) != 101:
            path = self.path.partition("?")[0]
            log("http", method=self.command, path=path, status=self.code, peer=self._peer())

    def _handle_client_error(self, error: Exception) -> tuple[str, bytes]:
        said = str(error) or type(error).__name__
        self._log("bad_request", place(self.client_address[0]), error=said)
        return ("400", _BAD_REQUEST)

    def _peer(self) -> str:
        host, port = self.client_address[:2]
        return f"{host}:{port}"

    def _asks_for_websocket(self) -> bool:
        def tokens(header: str) -> list[str]:
            return [word.strip().lower() for word in self.environ.get(header, "").split(",")]

        return "websocket" in tokens("HTTP_UPGRADE") and "upgrade" in tokens("HTTP_CONNECTION")

    def _foreign_name(self) -> Refusal | None:
        """Refuse a request for a name that is none of ours."""
        host = self.environ.get("HTTP_HOST", "")
        if not host or hosts.is_known(host, self.environ["SERVER_PORT"], self.hosts):
            return None
        sentence = f"{host} is not a name of this server. {_CURE}"
        return Refusal("421 Misdirected Request", sentence, "foreign_host", {"host": host})

    def _no_entry(self, address: str) -> Refusal | None:
        """Refuse a handshake that must not succeed; count its connection if it may."""
        if fault := self._fault():
            return Refusal(*fault, "bad_handshake", {"reason": fault[1]})
        origin = self.environ.get("HTTP_ORIGIN")
        # Programs send no Origin. Browsers do, and cannot be made to lie.
        if not (origin is None or origin in self.origins or self._is_ours(origin)):
            sentence = "Pages of other sites may not connect here."
            return Refusal("403 Forbidden", sentence, "foreign_origin", {"origin": origin})
        if self.gate and not self.gate.enter(address):
            return Refusal(_TOO_OFTEN, "Too many connections from your address.", "too_many")
        return None

    def _fault(self) -> tuple[str, str] | None:
        """Return status and sentence for a handshake that is none, or comes too late, else None."""
        if self.is_stopping:
            return "503 Service Unavailable", "The server restarts."
        if self.command != "GET" or self.request_version != "HTTP/1.1":
            return "400 Bad Request", "A WebSocket handshake is a GET of HTTP/1.1."
        if self.content_length:
            return "400 Bad Request", "A WebSocket handshake has no body."
        if self.environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
            return "426 Upgrade Required", "This server speaks version 13 of WebSocket."
        if not _is_key(self.environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
            return "400 Bad Request", "Sec-WebSocket-Key has to be 16 bytes in base64."
        return None

    def _is_ours(self, origin: str) -> bool:
        asked = self.environ.get
        forwarded = asked("HTTP_X_FORWARDED_HOST", "")
        return hosts.is_ours(origin, asked("HTTP_HOST", ""), asked("SERVER_PORT"), forwarded)

    def _refuse(self, refusal: Refusal, address: str) -> None:
        self.close_connection = True
        self._log(refusal.event, address, **refusal.details)
        body, status = f"{refusal.sentence}\n".encode(), refusal.status
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *_HEADERS.items(),
        ]
        if status.startswith("426"):
            headers += [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")]
        self.start_response(status, headers)
        self.code = 0  # it is in the log already, also if its client does not wait for the answer
        self.write(body)

    def _log(self, event: str, address: str, **details: str) -> None:
        self.tally.log(event, address, peer=self._peer(), **details)


class _Body:
    """What comes behind a request's headers; who sends half of it waits in line."""

    def __init__(self, handler: WebSocketHandler, file: Any) -> None:  # noqa: ANN401
        self._handler, self._file = handler, file

    def read(self, size: int) -> bytes:
        with self._handler.waits():
            data: bytes = self._file.read(size)
            return data

    def readline(self, size: int) -> bytes:
        with self._handler.waits():
            line: bytes = self._file.readline(size)
            return line


def _guard(connection: WebSocket, serve: Callable[[], object]) -> None:
    """Serve a connection; if that raises, its client is told of a fault."""
    try:
        serve()
    except Exception:
        if connection.accepted:
            connection.close(*_FAULT)
        raise


def _nowhere(data: bytes) -> None:
    """Take what a view writes after it has used the socket."""


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
