"""The notice board as the process that a user starts, and each head of A0 in it."""

import json
import re
import signal
import socket
from urllib.parse import unquote, urlencode, urlsplit

import pytest

STEP = "step1_seven_heads"


class Visitor:
    """Asks like a browser: keeps its cookie, and follows no redirect by itself."""

    def __init__(self, server):
        self.server, self.cookie = server, ""

    def get(self, path, **options):
        fields = {"Cookie": self.cookie} if self.cookie else {}
        answer = self.server.get(path, **options, **fields)
        given = answer.headers.get("Set-Cookie", "")
        self.cookie = given.partition(";")[0] or self.cookie
        return answer

    def post(self, path, **form):
        return self.get(
            path,
            method="POST",
            body=urlencode(form),
            Content_Type="application/x-www-form-urlencoded",
        )


@pytest.fixture
def stranger(shared):
    return Visitor(shared(STEP))


@pytest.fixture
def member(shared):
    visitor = Visitor(shared(STEP))
    assert visitor.post("/login", name="韩雪").status == 302
    visitor.get("/index/")  # reads the welcome
    return visitor


def where(answer):
    """Where a redirect leads."""
    return urlsplit(answer.headers["Location"]).path


# Routing.


@pytest.mark.parametrize(
    ("path", "status", "leads"),
    [
        ("/", 308, "/index/"),
        ("/index", 308, "/index/"),
        ("/index/1", 308, "/index/"),
        ("/old/3", 308, "/index/3"),
        ("/index/", 200, None),
        ("/index/2", 200, None),
        ("/index/2/", 404, None),
        ("/index/two", 404, None),
        ("/index/-1", 404, None),
        ("/index/4", 404, None),
        ("/help", 200, None),
        ("/help/", 200, None),
    ],
)
def test_addresses(member, path, status, leads):
    answer = member.get(path)
    assert answer.status == status
    assert (where(answer) if leads else None) == leads


def test_a_notice_is_the_one_of_its_number(member):
    assert "<h1>Notice 1</h1>" in member.get("/index/").body
    third = member.get("/index/3").body
    assert "拾到左手手套一只" in third
    assert re.findall(r'<li><a href="([^"]+)"', third) == ["/index/", "/index/2"]


def test_a_view_takes_its_methods_alone(member):
    answer = member.get("/help", method="POST")
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


# Construction.


def test_every_page_links_to_what_is_there(member):
    html = member.get("/help").body
    links = re.findall(r'href="([^"]+)"', html)
    assert "/files/board.css" in links
    assert {member.get(link).status for link in links} == {200}
    assert member.get("/static/board.css").status == 404


# Configuration.


def test_another_start_has_another_key(member, start):
    other = Visitor(start(STEP))
    other.cookie = member.cookie
    assert where(other.get("/help")) == "/login"


def test_the_cookie_is_for_our_pages(stranger):
    given = stranger.post("/login", name="a").headers["Set-Cookie"]
    assert "SameSite=Lax" in given
    assert "HttpOnly" in given


# Blueprint, files and JSON.


def test_a_file_comes_with_its_type(member):
    answer = member.get("/download/poster")
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "<svg" in answer.body


def test_a_file_to_keep_has_its_name(member):
    answer = member.get("/download/rules")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert unquote(disposition).endswith("守则.txt")


def test_json_is_json(member):
    answer = member.get("/download/notices")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["1"] == "Welcome. 欢迎。"


# Hooks.


@pytest.mark.parametrize("path", ["/index/", "/help", "/download/notices", "/nothing"])
def test_the_guard_lets_no_stranger_in(stranger, path):
    answer = stranger.get(path)
    assert (answer.status, where(answer)) == (302, "/login")


@pytest.mark.parametrize("path", ["/login", "/files/board.css"])
def test_the_guard_keeps_nobody_from_the_log_in(stranger, path):
    assert stranger.get(path).status == 200


def test_what_is_missing_has_a_page_of_our_own(member):
    answer = member.get("/nothing")
    assert answer.status == 404
    assert "<h1>Nothing hangs here</h1>" in answer.body


def test_no_answer_is_kept(stranger, member):
    assert stranger.get("/login").headers["Cache-Control"] == "no-store"
    assert member.get("/nothing").headers["Cache-Control"] == "no-store"


# Flashed messages.


def test_a_message_is_read_once(stranger):
    assert where(stranger.post("/login", name=" ")) == "/login"
    assert '<p class="error" role="alert">Please say who you are.' in stranger.get("/login").body
    assert "Please say" not in stranger.get("/login").body


def test_a_name_is_text(stranger):
    stranger.post("/login", name="<b>'韩雪'</b>")
    body = stranger.get("/index/").body
    assert '<p class="info" role="status">Welcome, &lt;b&gt;&#39;韩雪&#39;&lt;/b&gt;.' in body


# The process.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_to(start, number):
    server = start(STEP)
    assert server.get("/login").status == 200
    server.process.send_signal(number)
    assert server.process.wait(20) == 0


def test_a_taken_port_is_said_and_replaced(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(STEP, port=port)
        assert f"Port {port} is taken" in server.output
        assert server.get("/login").status == 200


def test_a_port_is_a_number(run_step):
    done = run_step(f"flask_recap.{STEP}", "--port", "90000")
    assert done.returncode == 2
    assert "a port is a number from 0 to 65535" in done.stderr
