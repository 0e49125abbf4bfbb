"""A9: what each answer tells the browser, so that it refuses what no page of ours asks for."""

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
