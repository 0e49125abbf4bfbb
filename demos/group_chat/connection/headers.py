"""A9: what each answer tells the browser, so that it refuses what no page of ours asks for.

And whether a request's own headers say one thing only.
"""

import re
from email.message import Message

from flask import Flask
from werkzeug.wrappers import Response

HEADERS = {
    # Scripts, styles and connections of ours only, and in nobody's frame.
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self'"
    " data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",  # a file is what its type says, and no script
    "Referrer-Policy": "same-origin",  # other sites do not learn our addresses
}


def protect(app: Flask) -> None:
    """Give every answer of an application the headers; an answer may bring its own."""
    # Two slashes are another address, which is not there, and no reason to send anybody elsewhere.
    app.url_map.merge_slashes = False

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def has_clear_length(headers: Message) -> bool:
    """Say whether the headers of a request say how long its body is in one way only (RFC 9112, 6).

    Python passes over what is no header, `Content-Length : 3`, with all that comes behind it, and
    takes `+3` and `1_0` for numbers; others do not. Nor do all agree on a line that goes on below.
    """
    lengths = headers.get_all("Content-Length", [])
    codings = headers.get_all("Transfer-Encoding", [])
    return (
        not headers.defects
        and not headers.get_payload()
        and not any("\n" in value or "\r" in value for value in headers.values())
        and len(lengths) + len(codings) <= 1
        and all(re.fullmatch(r"[ \t]*[0-9]+[ \t]*", length) for length in lengths)
        and all(coding.strip(" \t").lower() == "chunked" for coding in codings)
    )
