"""A1: a slow network between us and the server.

python -m demos.instruments.delay_proxy --round-trip 5   adds 5 ms on the port that it prints

Every byte arrives half a round trip late, in both directions. The proxy adds latency, but does not
reduce the bandwidth. A new connection takes as long as a TCP
handshake over such a network. The proxy counts the round trips: how often a client waited for the
server.

It runs in its own process, so that its work does not slow down the threads that are measured.

with DelayProxy(round_trip=0.005) as proxy:
    connection = pymysql.connect(**proxy.settings.connect_args())
"""

import argparse
import asyncio
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Self, cast

from demos.pool_demo.settings import ROOT, Settings, load

_GOODBYE = 5.0  # seconds that the proxy's process has to end
_PATIENCE = 60.0  # seconds that it has for an answer; its start, on a slow machine, takes most


class DelayProxy:
    """A delayed address of the server, on a free port of 127.0.0.1.

    The proxy's process ends with the block, with `close()`, or with the process that made it.
    """

    def __init__(self, upstream: Settings | None = None, round_trip: float = 0.0) -> None:
        """Start it. `round_trip` in seconds; `upstream` is `load()` by default."""
        upstream = upstream or load()
        self._to_socket = upstream.uses_socket
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demos.instruments.delay_proxy", "--controlled"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        path = upstream.unix_socket if upstream.uses_socket else None
        port = int(self._ask(f"to\t{upstream.host}\t{upstream.port}\t{path or ''}"))
        self.settings = replace(upstream, host="127.0.0.1", port=port, unix_socket=None)
        self.set_round_trip(round_trip)

    def __enter__(self) -> Self:
        """Return the proxy."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def set_round_trip(self, seconds: float) -> None:
        """Change the added round trip, also for open connections."""
        self._ask(f"round-trip\t{seconds}")

    def round_trips(self) -> int:
        """Return how often a client waited for the server, a TCP handshake included."""
        return int(self._ask("count"))

    def ports(self) -> set[int] | None:
        """Return the ports from which it is connected to the server now, as its process list shows.

        None if the server is reached through a unix socket: that has none.
        """
        found = self._ask("ports").split()
        return None if self._to_socket else {int(port) for port in found}

    def go_away(self) -> None:
        """Break all connections and refuse new ones, as clients see it when a server restarts."""
        self._ask("away")

    def come_back(self) -> None:
        """Answer again, on the same port."""
        self._ask("back")

    def close(self) -> None:
        """End the process, and with it all connections through it. A second call does nothing."""
        process = self._process
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
        try:
            process.wait(_GOODBYE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def _ask(self, line: str) -> str:
        process = self._process
        if not process.stdin or not process.stdout or process.stdin.closed:
            raise RuntimeError("the delay proxy is closed")
        with self._one_at_a_time:
            limit = threading.Timer(_PATIENCE, process.kill)
            limit.start()
            try:
                process.stdin.write(line + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            finally:
                limit.cancel()
        if not answer:
            raise RuntimeError("the delay proxy has ended")
        return answer


class _Line:
    """What all connections of the proxy share: the server's address, the delay and the count."""

    def __init__(self, upstream: Settings, round_trip: float) -> None:
        self.upstream = upstream
        self.round_trip = round_trip  # seconds
        self.round_trips = 0
        self.loop = asyncio.get_running_loop()
        self.connecting: set[asyncio.Task[None]] = set()
        self.ends: set[_End] = set()
        # Bound but never listening: this keeps the number for us while the port is closed.
        self._number = socket.socket()
        self._number.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._number.bind(("127.0.0.1", 0))
        self._door: asyncio.Task[None] | None = None

    async def listen(self) -> int:
        """Open the port and return its number; a second call changes nothing."""
        port = int(self._number.getsockname()[1])
        if self._door is None:
            listener = socket.create_server(("127.0.0.1", port), backlog=100, reuse_port=True)
            listener.setblocking(False)
            self._door = self.loop.create_task(self._let_in(listener))
        return port

    async def _let_in(self, listener: socket.socket) -> None:
        """Take connections until this is cancelled; who is just coming in then is turned away."""
        # Not asyncio's own server: closing that one forgets whom it has just let in.
        with listener:
            while True:
                try:
                    client, _ = await self.loop.sock_accept(listener)
                    # As MySQL's server does, or a second short answer would wait for the client's
                    # word on the first: 40 ms. asyncio does it for sockets that it made itself.
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    await self.loop.connect_accepted_socket(lambda: _Client(self), client)
                except OSError:  # it has left already, or there are too many
                    await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Close the port and break all connections."""
        if self._door is not None:
            self._door.cancel()
            with suppress(asyncio.CancelledError):
                await self._door
            self._door = None
        for task in self.connecting:
            task.cancel()
        for end in list(self.ends):
            end.transport.abort()

    def ports(self) -> list[int]:
        """Return our ports of the connections to the server, if they have any."""
        if self.upstream.uses_socket:
            return []
        ends = [end for end in self.ends if isinstance(end, _Server)]
        return [end.transport.get_extra_info("sockname")[1] for end in ends]

    async def connect(self, end: "_End") -> None:
        """Connect `end` to the server."""
        to = self.upstream
        if to.uses_socket:
            await self.loop.create_unix_connection(lambda: end, to.unix_socket)
        else:
            await self.loop.create_connection(lambda: end, to.host, to.port)


class _End(asyncio.Protocol):
    """One end of a proxied connection: the other end sends its data half a round trip later."""

    other: "_End"
    transport: asyncio.Transport

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.under_way: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)
        self.line.ends.add(self)

    def data_received(self, data: bytes) -> None:
        """Send `data` after the delay; b"" means the end of the connection."""
        # One queue for each direction: equal times could not change the order.
        self.under_way.append(data)
        self.line.loop.call_later(self.line.round_trip / 2, self._arrive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the other end close after all data has arrived there."""
        self.line.ends.discard(self)
        self.data_received(b"")

    def pause_writing(self) -> None:
        """Stop receiving from the other end while this end is too slow."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.other.transport.resume_reading()

    def _arrive(self) -> None:
        data = self.under_way.popleft()
        if data:
            self.other.transport.write(data)
        else:
            self.other.transport.close()


class _Client(_End):
    """The client's end. At the start it waits for the server's greeting."""

    waiting = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client wait as long as a TCP handshake and the first packet need."""
        super().connection_made(transport)
        self.other = self  # until there is one
        self.transport.pause_reading()
        self.line.round_trips += 1
        task = self.line.loop.create_task(self._connect())
        self.line.connecting.add(task)
        task.add_done_callback(self.line.connecting.discard)

    def data_received(self, data: bytes) -> None:
        """Note that the client has sent a request."""
        self.waiting = True
        super().data_received(data)

    async def _connect(self) -> None:
        # Half a trip follows with the server's first packet: two in all.
        await asyncio.sleep(1.5 * self.line.round_trip)
        server = _Server(self.line)
        server.other = self
        try:
            await self.line.connect(server)
        except OSError:
            self.transport.abort()
            return
        if self.transport.is_closing():  # the client did not wait
            server.transport.abort()
        else:
            self.other = server
            self.transport.resume_reading()


class _Server(_End):
    """The server's end."""

    other: _Client

    def data_received(self, data: bytes) -> None:
        """Count the answer once, even if it has several packets."""
        if data and self.other.waiting:
            self.line.round_trips += 1
            self.other.waiting = False
        super().data_received(data)


async def _serve(line: _Line) -> None:
    """Answer the commands of a `DelayProxy` on standard input until it ends."""
    commands: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for text in sys.stdin:
            line.loop.call_soon_threadsafe(commands.put_nowait, text)
        line.loop.call_soon_threadsafe(commands.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while text := await commands.get():
        command, *values = text.rstrip("\n").split("\t")
        if command == "to":
            host, port, path = values
            line.upstream = Settings(host, int(port), path or None)
            print(await line.listen(), flush=True)
        elif command == "round-trip":
            line.round_trip = float(values[0])
            print(line.round_trip, flush=True)
        elif command == "ports":
            print(*line.ports(), flush=True)
        elif command == "away":
            await line.close()
            print(command, flush=True)
        elif command == "back":
            print(await line.listen(), flush=True)
        else:
            print(line.round_trips, flush=True)


async def _stand_alone(line: _Line) -> None:
    """Serve until Ctrl-C."""
    stopped = asyncio.Event()
    # The loop wakes up for it. A KeyboardInterrupt could come just before the loop goes to sleep.
    line.loop.add_signal_handler(signal.SIGINT, stopped.set)
    port = await line.listen()
    print(
        f"127.0.0.1:{port}, {line.round_trip * 1000:g} ms more a round trip. Ctrl-C ends it.",
        flush=True,
    )
    await stopped.wait()
    sys.exit(130)


def main() -> None:
    """Serve with the options of the command line."""
    parser = argparse.ArgumentParser(description="A network between us and the server.")
    parser.add_argument("--round-trip", type=float, default=5.0, metavar="MS", help="default: 5")
    parser.add_argument("--controlled", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()

    async def run() -> None:
        line = _Line(load(), chosen.round_trip / 1000)
        await (_serve(line) if chosen.controlled else _stand_alone(line))

    # epoll counts in whole milliseconds, and select() in microseconds.
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        try:
            runner.run(run())
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
