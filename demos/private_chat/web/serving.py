"""B1: serve the messenger as the group chat is served, also behind a proxy that does TLS."""

import argparse
from collections.abc import Callable

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from demos.group_chat.connection import serving


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every step with accounts has."""
    parser = serving.options(description)
    parser.add_argument(
        "--https", action="store_true", help="pages come over TLS: send the cookie no other way"
    )
    serving.limit_addresses(parser)
    return parser


def serve(
    app: Flask,
    chosen: argparse.Namespace | None = None,
    at_end: Callable[[], None] = lambda: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; the page to open is the log-in.

    Args:
        app: what `create_app` has made.
        chosen: options already parsed; read from the command line otherwise.
        at_end: called when nobody is connected any more.
    """
    chosen = chosen or options(app.name).parse_args()
    app.config["SESSION_COOKIE_SECURE"] = chosen.https
    if chosen.proxies:
        # Without a proxy everybody could write this header, and be somebody else at each attempt.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=chosen.proxies, x_proto=chosen.proxies)  # type: ignore[method-assign]
    serving.serve(app, "login", chosen, at_end)
