"""A private Redis: on 127.0.0.1, with a password of its own, in memory only, and gone with its owner."""

import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from course.database import keeper
from course.ground import say, tether, tools
from course.ground.errors import CourseError

START_LIMIT = 10.0  # seconds until a server that does not answer is given up
STOP_LIMIT = 5.0  # seconds between asking it to stop and ending it
PORT_TRIES = 5

# Read from standard input: others could read a password on a command line.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
daemonize no
"""


class RedisServer:
    """A Redis process. It keeps its port and its password when it is started again."""

    def __init__(self, tool: tools.Tool) -> None:
        """Prepare a server; `start` starts it."""
        self.tool = tool
        self.port = 0
        self.password = secrets.token_urlsafe(16)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for `redis.from_url`, password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, *lines: str) -> None:
        """Start the server and wait until it answers.

        Args:
            lines: more lines of configuration, such as `maxmemory 10mb`.

        Raises:
            CourseError: it does not come up.
        """
        said = ""
        # Somebody may take a free port between the question and the start.
        for _ in range(1 if self.port else PORT_TRIES):
            port = self.port or keeper.free_port()
            with tempfile.TemporaryFile() as log:
                if self._try(port, lines, log):
                    self.port = port
                    return
                log.seek(0)
                said = log.read().decode("utf-8", "replace")
        raise CourseError("Redis does not start; the lines below say why.", said[-800:])

    def _try(self, port: int, lines: tuple[str, ...], log: IO[bytes]) -> bool:
        text = CONFIGURATION.format(port=port, password=self.password) + "\n".join(lines) + "\n"
        self.process = process = tether.start(
            [self.tool.path, "-"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=tempfile.gettempdir(),
            env={**os.environ, **self.tool.environment},
            start_new_session=True,  # Ctrl-C in this terminal is not for it
        )
        assert process.stdin
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(text.encode())
        ended = False

        def is_settled() -> bool:
            nonlocal ended
            ended = process.poll() is not None
            return ended or self._answers(port)

        if keeper.wait_until(is_settled, START_LIMIT) and not ended:
            return True
        self.kill()
        return False

    def _answers(self, port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server in order; end it if that takes too long."""
        if self.process:
            tether.end(self.process, STOP_LIMIT)

    def kill(self) -> None:
        """End the server at once, as a crash would; what it held is lost."""
        if self.process:
            self.process.kill()
            self.process.wait()


@contextmanager
def running() -> Iterator[RedisServer]:
    """Have a private Redis for a block.

    Raises:
        CourseError: there is none and none can be fetched, or it does not start.
    """
    server = RedisServer(tools.ensure("redis-server"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def named_or_private() -> Iterator[dict[str, str]]:
    """Have the settings of the Redis that REDIS_URL names, or of a private one; none if there is none to be had."""
    if url := os.environ.get("REDIS_URL"):
        yield {"REDIS_URL": url}
        return
    try:
        tools.ensure("redis-server")
    except CourseError as error:
        say.note(f"Going on without Redis: {error}")  # the module knows what it can do without
        yield {}
        return
    with running() as server:
        yield {"REDIS_URL": server.url}
