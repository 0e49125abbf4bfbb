"""Who may ask the stage: a browser that has its key, and only from the stage's own pages."""

import secrets

from flask import Flask, Response, jsonify, request

from course.ground import language, optionfile, place
from course.stage import hostnames
from course.stage.runs import SITE

HOST = "127.0.0.1"
OTHERS = "Pages of other origins cannot use the stage."


class Refused(Exception):
    """A request that the stage does not answer; the words say why."""


class Guard:
    """Looks at each request before it is answered, and at each answer before it leaves."""

    def __init__(self, port: int) -> None:
        """Know what lets somebody in.

        Args:
            port: on which the stage will be served.
        """
        self.port = port
        self.home = f"stage.{SITE}:{port}"
        self.hosts = {self.home, f"{HOST}:{port}", f"localhost:{port}"}
        self.key, self.cookie = _key(), f"stage-{port}"  # cookies of one host know no ports
        self.token = secrets.token_urlsafe(24)
        self.is_outside = bool(hostnames.outside(port))

    @property
    def address(self) -> str:
        """Where a browser opens the stage; the key is in it."""
        shown = hostnames.outside(self.port).replace(hostnames.ANY, "") or f"http://{self.home}"
        return f"{shown}/?key={self.key}"

    def protect(self, app: Flask) -> None:
        """Stand in front of all that an application answers."""
        app.before_request(self.check)
        app.after_request(self.add_headers)
        app.register_error_handler(Refused, refused)

    def check(self) -> None:
        """Let in only who has the key, and our own pages (Refused)."""
        # A name that a stranger's DNS leads here is none of ours.
        if request.host not in self.hosts and not hostnames.is_known(request.host, self.port):
            raise Refused(
                f"This is the stage at http://{self.home}/, and {request.host} is not its name."
            )
        comes_in = request.endpoint == "pages.page" and same(request.args.get("key"), self.key)
        if not comes_in and not same(request.cookies.get(self.cookie), self.key):
            raise Refused(
                "Open the address that the stage has printed in the terminal: it has the key."
            )
        origin = request.headers.get("Origin")
        forwarded = request.headers.get("X-Forwarded-Host", "")
        if origin is not None and not hostnames.is_ours(origin, request.host, forwarded, self.port):
            raise Refused(OTHERS)
        if (
            request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
            and request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            raise Refused(OTHERS)
        if request.method not in ("GET", "HEAD") and not same(
            request.headers.get("X-Stage-Token"), self.token
        ):
            raise Refused("This page is of an earlier start of the stage: load it again.")

    def add_headers(self, response: Response) -> Response:
        """Tell the browser what the page may load, and who may show it."""
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            f"frame-src http://*.{SITE}:* {hostnames.frames(self.port)}"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def refused(error: Refused) -> tuple[Response, int]:
    """Say why there is no answer, to a person or to a script."""
    said = language.translated(str(error))
    if "text/html" in request.headers.get("Accept", ""):  # somebody reads it
        return Response(f"{said}\n", mimetype="text/plain"), 403
    return jsonify(error=said), 403


def same(given: str | None, secret: str) -> bool:
    """Compare in a time that tells nothing of the secret."""
    return secrets.compare_digest((given or "").encode(), secret.encode())


def _key() -> str:
    """Return what lets a browser in: other users of this machine can reach the port, and cannot read this file."""
    # The same at each start, so that a page may stay open meanwhile.
    file = place.state() / "stage.key"
    if not file.exists():
        optionfile.write_private(file, secrets.token_urlsafe(16))
    return file.read_text("utf-8")
