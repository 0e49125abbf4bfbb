"""Which requests are read alike by every program that passes them on or answers them (RFC 9112).

A proxy before us could take another line for a header, another length for the body or another name
for ours. Then the rest of a body would be the next request, which is somebody else's. So everything
that programs are known to read differently is refused.
"""

import re
from email.message import Message
from typing import Protocol

from demos.instruments import hosts

# Parted by one space each. What has no version has no headers for others (HTTP/0.9). A target that
# is no path, such as http://other.example/ or *, could have another name than `Host`; it is for
# proxies. RFC 9112 (3.2.2) would have servers take the first, but no browser and no proxy sends it.
_FIRST = re.compile(r"[!-~]+ /[!-~\x80-\xff]* HTTP/1\.[01]\r\n")
# A name, a colon and text; or nothing, at the end. Python passes over what is no header, with all
# that comes behind it. It ends a line also at a carriage return; others do at a line feed or NUL.
_LINE = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*)?\r\n")


class _File(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class Lines:
    """The lines of a request's head, read from a file. Raises ValueError at an odd one."""

    def __init__(self, file: _File) -> None:
        """Read from this file, which is at the first header."""
        self._file = file

    def readline(self, size: int) -> bytes:
        """Return the next line; one that is too long comes in parts, and its reader refuses it."""
        line = self._file.readline(size)
        if len(line) < size and not _LINE.fullmatch(line):
            raise ValueError("a line is no header")
        return line


def check_first(line: str) -> None:
    """Raise ValueError if a request's first line is not clear, its end included."""
    if not _FIRST.fullmatch(line):
        raise ValueError("the first line is not clear")


def check(headers: Message, version: str) -> None:
    """Raise ValueError if headers do not say in one way for whom and how long a request is.

    Since HTTP/1.1 each request names its server. Python takes `+3` and `1_0` for numbers; others do
    not. No browser sends a body in chunks. A server may refuse one, and so nobody needs to agree on
    how chunks, their extensions and trailers are read.
    """
    if "Transfer-Encoding" in headers:
        raise ValueError("the length of the body is not said beforehand")
    lengths = headers.get_all("Content-Length", [])
    if len(lengths) > 1 or not all(re.fullmatch(r"[ \t]*[0-9]+[ \t]*", one) for one in lengths):
        raise ValueError("the length of the body is not clear")
    names = [name.strip(" \t") for name in headers.get_all("Host", [])]
    if version == "HTTP/1.1" and not any(names):
        raise ValueError("the name of the server is missing")
    if len(names) > 1 or not all(hosts.is_name(name) for name in names if name):
        raise ValueError("the name of the server is not clear")
