"""A visitor of the messenger, for lessons: a browser's cookies and form tokens without the browser.

In a notebook:

    chat = start("private_chat/step3_messages")
    ann = log_in(chat, "韩雪")
    with ann.ws("single_ws") as page: ...
    ann.post("logout")
"""

from __future__ import annotations

import json
import re
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from course.demo import Answer, Demo
from course.lesson import LessonError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PASSWORD = "let-me-learn"  # of the users in sql/seed.sql

_PAGE = "text/html,*/*;q=0.8"
_TOKEN = re.compile(r'name="?csrf[_-]token"?[^>]*?(?:value|content)="([^"]+)"')


class Site(Protocol):
    """What a visitor looks at: a demo, or another server that can be asked in the same way."""

    def get(self, path: str, method: str, body: str | None, **headers: str) -> Answer:
        """Send one plain request."""

    def ws(self, path: str, **options: Any) -> ClientConnection:  # noqa: ANN401
        """Open a WebSocket."""


class Visitor:
    """Somebody who looks at a demo with a browser of their own.

    `cookies` is what the server has asked this browser to keep, `token` the CSRF token of the last
    page that had one; forms are sent with it, as the page itself does.
    """

    def __init__(self, demo: Site) -> None:
        """Open the browser; nothing is asked yet."""
        self.demo = demo
        self.cookies: dict[str, str] = {}
        self.token = ""

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page, such as `single`; a redirect is returned and not followed.

        Args:
            path: below the demo's address.
            headers: more of them; `_` in a name stands for `-`.
        """
        return self._request(path, "GET", None, {"Accept": _PAGE, **headers})

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """Send a form.

        Args:
            path: below the demo's address.
            headers: more of them; `_` in a name stands for `-`.
            fields: of the form. `csrf_token` is filled in if it is not given.
        """
        body = urlencode({"csrf_token": self.token, **fields})
        form = {"Accept": _PAGE, "Content_Type": "application/x-www-form-urlencoded"}
        return self._request(path, "POST", body, form | (headers or {}))

    def fetch(self, path: str, content: object = None) -> tuple[int, Any]:
        """Ask as a page's script does, for JSON; with a content, POST it as JSON.

        Returns:
            The status, and what the JSON in the answer says; None if there is none.
        """
        headers = {"Accept": "application/json"}
        if content is None:
            answer = self._request(path, "GET", None, headers)
        else:
            headers |= {"Content_Type": "application/json", "X_CSRFToken": self.token}
            answer = self._request(path, "POST", json.dumps(content), headers)
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(answer.body) if is_json else None

    def ws(self, path: str = "single_ws", **options: Any) -> ClientConnection:  # noqa: ANN401
        """Open a WebSocket with this browser's cookies; use it in a `with` block.

        Args:
            path: below the demo's address.
            options: those of `websockets.sync.client.connect`, such as `subprotocols`.
        """
        headers = {"Cookie": self._cookie()} if self.cookies else {}
        return self.demo.ws(path, additional_headers=headers, **options)

    def _request(self, path: str, method: str, body: str | None, headers: dict[str, str]) -> Answer:
        if self.cookies:
            headers = {**headers, "Cookie": self._cookie()}
        answer = self.demo.get(f"/{path.lstrip('/')}", method, body, **headers)
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or not morsel.value:  # to be forgotten
                    del self.cookies[name]
        if found := _TOKEN.search(answer.body):
            self.token = found[1]
        return answer

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def log_in(demo: Demo, name: str, password: str = PASSWORD) -> Visitor:
    """Log in with a new browser, go on to the page that it leads to, and return the visitor.

    Raises:
        LessonError: the demo does not let this user in.
    """
    visitor = Visitor(demo)
    visitor.get("login")
    answer = visitor.post("login", username=name, password=password)
    if answer.status != 302:
        raise LessonError(
            f"{name} is not let in by {demo.module} (it answers {answer.status}): are name and password those of the "
            "seed? This restores it, in a terminal: python3 -m course db reset"
        )
    visitor.get(answer.headers["Location"])
    return visitor
