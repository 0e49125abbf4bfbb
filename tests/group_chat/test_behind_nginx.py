"""The finished room behind a real nginx, as deploy/nginx.conf sets it up: TLS, a path prefix, two processes."""

import ipaddress
import json
import os
import re
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from course import place
from course.keeper import free_port
from course.redis_server import RedisServer
from tests.group_chat.rich import Page, fresh, refusal
from tests.servers import Server, Servers
from tests.tools import tool
from tests.waiting import eventually

expect.set_options(timeout=20_000)

IDLE = 2.0  # seconds of silence after which this nginx closes; pings come three times a heartbeat
HEARTBEAT = 3.0

# What a distribution has in its nginx.conf, with all files in a folder of the test's own.
MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/group_chat.conf;
}}
"""


class Proxy:
    """A running nginx with deploy/nginx.conf; `url` and `ws` are like those of a server, TLS and prefix included."""

    ws = Server.ws

    def __init__(self, nginx, folder, doors):
        """Start it; names, ports, files and time of silence in the configuration become the test's own."""
        self.tls = ssl.create_default_context(cafile=_make_certificate(folder))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        for _ in range(5):  # somebody may take a free port between the question and the start
            port = free_port()
            (folder / "group_chat.conf").write_text(_adapted(folder, port, free_port(), doors))
            self.process = subprocess.Popen(
                [nginx.path, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"],
                env={**os.environ, **nginx.environment},
            )
            self.url = f"https://127.0.0.1:{port}/chat-room"
            if eventually(self._is_settled) and self.process.poll() is None:
                return
        raise AssertionError("nginx does not start")

    def _is_settled(self):
        address = (urlsplit(self.url).hostname, urlsplit(self.url).port)
        with suppress(OSError), socket.create_connection(address, 1):
            return True
        return self.process.poll() is not None

    def get(self, path):
        """Return status, media type and text of a page."""
        try:
            answer = urlopen(f"{self.url}/{path}", context=self.tls, timeout=20)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


def _adapted(folder, port, plain_port, doors):
    text = (place.ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    first, second = (urlsplit(door.url).netloc for door in doors)
    for old, new in {
        "127.0.0.1:5001": first,
        "127.0.0.1:5002": second,
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80": f"listen 127.0.0.1:{plain_port}",
        "/etc/ssl/certs/chat.example.org.pem": f"{folder}/certificate.pem",
        "/etc/ssl/private/chat.example.org.key": f"{folder}/key.pem",
        "proxy_read_timeout 60s": f"proxy_read_timeout {IDLE:g}s",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _make_certificate(folder):
    """Write a key, and a certificate for 127.0.0.1 that it has signed itself; returns the latter's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(secret)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem"


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """Two processes that serve one room."""
    store = RedisServer(tool("redis-server"))
    store.start()
    servers = Servers(tmp_path_factory.mktemp("doors"), "group_chat")
    options = ("--heartbeat", f"{HEARTBEAT}", "--redis", store.url)
    yield [servers.start("chat", *options) for _ in range(2)]
    servers.end()
    store.stop()


@pytest.fixture(scope="module")
def proxy(nginx, doors, tmp_path_factory):
    """nginx in front of both."""
    with Proxy(nginx, tmp_path_factory.mktemp("nginx"), doors) as proxy:
        yield proxy


def join(proxy, name, **options):
    """Join as a page of the proxy's own site."""
    origin = "https://" + urlsplit(proxy.url).netloc
    return Page.join(proxy, name, ssl=proxy.tls, origin=origin, **options)


def test_the_page_and_all_that_it_needs_lie_below_the_prefix(proxy):
    status, kind, page = proxy.get("ws")
    assert (status, kind) == (200, "text/html")
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert {Path(path).suffix for path in needed} == kinds.keys()
    for path in needed:
        status, kind, text = proxy.get(path)
        assert (status, kind) == (200, kinds[Path(path).suffix]), path
        assert text
    assert proxy.get("")[2] == page  # its redirect stays below the prefix
    assert proxy.get("chat")[0] == 200
    assert proxy.get("healthz")[0] == 200
    assert proxy.get("Bob")[0] == 426


def test_pages_on_different_processes_chat(proxy, doors):
    pages = [join(proxy, fresh()) for _ in range(4)]
    # The least busy process takes the next connection.
    assert {json.loads(door.get("/healthz").body)["connections"] for door in doors} == {2}
    names = {page.name for page in pages}
    for page in pages:
        assert page.sees(*names)
        text = fresh("你好")
        page.say(text)
        assert [other.message()["msg"] for other in pages if other is not page] == [text] * 3


@pytest.mark.parametrize("name", ["韩雪", "a b%c?d#e&f=g;h+i", '<b>"\\^`{|}~', "👩‍👧", "100%25"])
def test_a_nickname_reaches_the_room_unchanged(proxy, name):
    assert join(proxy, name).name == name


def test_a_refusal_and_a_close_code_reach_the_page(proxy):
    holder = join(proxy, fresh("bob"))
    options = {"ssl": proxy.tls}
    assert refusal(proxy, holder.name.upper(), **options)[0] == 4409
    assert refusal(proxy, "ws", **options) == (4400, "This nickname is reserved.")
    assert refusal(proxy, "a/b", **options)[0] == 4400
    back = holder.again(proxy, ssl=proxy.tls)
    assert holder.ended()[0] == 4001
    assert back.name == holder.name


def test_a_page_of_another_site_is_refused(proxy):
    for origin in ("https://evil.example", proxy.url.replace("https", "http"), "https://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            Page(proxy, fresh(), ssl=proxy.tls, origin=origin)
        assert refused.value.response.status_code == 403


def test_pings_keep_a_silent_socket_open(proxy):
    """nginx closes a socket on which nothing moves, but the room sends pings more often than that."""
    silent = {"ssl": proxy.tls, "ping_interval": None}
    page, plain = join(proxy, fresh(), ping_interval=None), proxy.ws(fresh(), **silent)
    until = time.monotonic() + 1.5 * IDLE
    while time.monotonic() < until:
        assert page.next("beat")
    assert plain.ping().wait(10)
    assert page.say("I am still here")["id"]


def test_without_pings_the_proxy_closes_a_silent_socket(proxy, nginx, start, tmp_path):
    """So the time of silence in this configuration is real."""
    lazy = [start("chat", "--heartbeat", "60")] * 2
    with (
        Proxy(nginx, tmp_path, lazy) as other,
        other.ws(fresh(), ssl=other.tls, ping_interval=None) as silent,
        pytest.raises(ConnectionClosed) as closed,
    ):
        silent.recv(10 * IDLE)
    assert closed.value.rcvd is None  # no close frame: 1006 for a page


def test_two_people_chat_in_a_browser(proxy, new_page):
    pages, sockets = [], []
    for name in ("韩雪", "<b>Bob"):
        page = new_page(ignore_https_errors=True)
        page.on("websocket", lambda opened: sockets.append(opened.url))
        page.goto(f"{proxy.url}/")
        page.get_by_role("textbox", name="Nickname").fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_have_text(f"Connected as {name}")
        pages.append(page)
    assert len(sockets) == 2
    assert all(url.startswith(f"{proxy.url}/".replace("https", "wss")) for url in sockets)
    first, second = pages
    expect(first.get_by_role("complementary").get_by_role("listitem")).to_have_count(2)
    first.get_by_role("textbox", name="Message").fill("你好 <script>alert(1)</script>")
    first.keyboard.press("Enter")
    line = second.get_by_role("log").get_by_role("listitem").filter(has_text="<script>")
    expect(line).to_contain_text("你好 <script>alert(1)</script>")
    expect(line).to_contain_text("韩雪")


def test_who_loses_its_process_comes_back_through_the_other(nginx, start, redis_server, tmp_path):
    doors = [start("chat", "--redis", redis_server.url) for _ in range(2)]
    with Proxy(nginx, tmp_path, doors) as proxy:
        pages = [join(proxy, fresh()) for _ in range(2)]
        doors[0].kill()
        (lost,) = [page for page in pages if f"name={page.name} " in doors[0].log]
        (other,) = [page for page in pages if page is not lost]
        assert lost.ended()[0] == 1006
        back = lost.again(proxy, ssl=proxy.tls)
        back.say(text := fresh("I am back"))
        assert other.message()["msg"] == text
