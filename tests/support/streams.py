"""Streams of events (server-sent events) that a test opens, and reads only as far as it says.

with closing(Streams(url, "/frames")) as streams:
    streams.fill(20)                # takes all places
    assert streams.ask() is None    # there is no other
"""

import socket
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.support.waiting import eventually

PATIENCE = 20.0  # seconds for a server to answer


class Streams:
    """Streams of one server, at one path; `fields` are headers."""

    def __init__(self, url, path, fields=()):
        self.port, self.path, self.fields = urlsplit(url).port, path, dict(fields)
        self.open = []  # connections, and the answers

    def ask(self, window=None, read=1):
        """Ask for one more, and read so many bytes of it; return our port, or None if there is no place.

        `window`: so many bytes may wait in the kernel for us.
        """
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.sock = socket.socket()
        if window:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(("127.0.0.1", self.port))
        port = connection.sock.getsockname()[1]
        connection.request("GET", self.path, headers=self.fields)
        answer = connection.getresponse()
        if answer.status != 200:
            assert answer.status == 503 and b"Too many pages" in answer.read()
            connection.close()
            return None
        answer.read(read)
        self.open.append((connection, answer))
        return port

    def fill(self, places):
        """Take so many places, as soon as those are free that others had."""
        assert eventually(lambda: len(self.open) >= places or (self.ask() and False))

    def close_one(self):
        """End the oldest."""
        for one in self.open.pop(0):
            one.close()

    def close(self):
        """End all."""
        while self.open:
            self.close_one()


def stage_streams(url, key):
    """Streams of what runs on a stage, for somebody who has its key."""
    cookie = f"stage-{urlsplit(url).port}={key}"
    return Streams(url, "/events", {"Cookie": cookie})
